/* client_connection.c: socket, buffers and life of one connection. See client_connection.h. */
#include "client/client_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    OUT_TARGET = 256 * 1024, /* bytes gathered for one send() */
    READ_SIZE = 256 * 1024,
    READS_PER_TURN = 16 /* then the other connections get their turn */
};

static struct status unavailable(const struct client_connection *connection, const char *what, int error) {
    return status_error(STATUS_UNAVAILABLE, "%s: %s: %s", connection->target->authority, what, strerror(error));
}

void client_connection_close(struct client_connection *connection, struct status why) {
    if (connection->state == CONNECTION_CLOSED)
        return;
    connection->state = CONNECTION_CLOSED;
    if (connection->fd >= 0)
        close(connection->fd); /* epoll forgets it too */
    connection->fd = -1;
    connection->wire->ops->closed(connection->wire, &why);
}

static void watch(struct client_connection *connection, uint32_t events) {
    if (connection->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int operation = connection->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(connection->epoll_fd, operation, connection->fd, &event) != 0) {
        client_connection_close(connection, unavailable(connection, "the socket cannot be watched", errno));
        return;
    }
    connection->events = events;
}

/* Opens a socket and starts to connect to one address; an errno, or 0 when it is under way. */
static int try_address(struct client_connection *connection, const struct client_address *address) {
    int one = 1;
    int family = address->sockaddr.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* Requests are written whole: waiting to gather more would only delay them. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&address->sockaddr, address->size) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return error;
    }
    connection->fd = fd;
    connection->events = 0;
    connection->connect_deadline_ns = clock_monotonic_ns() + connection->connect_timeout_ns;
    watch(connection, EPOLLIN | EPOLLOUT);
    return 0;
}

/* Tries addresses until one is under way; `error` is why the one before failed. */
static void try_next(struct client_connection *connection, int error) {
    const struct client_target *target = connection->target;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    while (connection->next_address < target->address_count) {
        error = try_address(connection, &target->addresses[connection->next_address++]);
        if (error == 0)
            return;
    }
    client_connection_close(connection, unavailable(connection, "cannot connect", error));
}

struct client_connection *client_connection_create(const struct client_target *target, struct client_wire *wire,
                                                   int epoll_fd, uint64_t connect_timeout_ns) {
    struct client_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        wire->ops->destroy(wire);
        return NULL;
    }
    connection->fd = -1;
    connection->epoll_fd = epoll_fd;
    connection->target = target;
    connection->wire = wire;
    /* Shared among the addresses, so that one that does not answer leaves time for the next. */
    connection->connect_timeout_ns = connect_timeout_ns / target->address_count;
    return connection;
}

void client_connection_start(struct client_connection *connection) {
    try_next(connection, EHOSTUNREACH);
}

void client_connection_destroy(struct client_connection *connection) {
    if (connection == NULL)
        return;
    client_connection_close(connection, status_error(STATUS_CANCELLED, "the client was closed"));
    connection->wire->ops->destroy(connection->wire);
    buf_free(&connection->out);
    free(connection);
}

void client_connection_tick(struct client_connection *connection, uint64_t now_ns) {
    if (connection->state == CONNECTION_CONNECTING && now_ns >= connection->connect_deadline_ns)
        try_next(connection, ETIMEDOUT);
}

/* Reads what is there. False when the connection was closed. */
static bool read_some(struct client_connection *connection, struct buf *scratch) {
    struct client_wire *wire = connection->wire;
    for (int turn = 0; turn < READS_PER_TURN; turn++) {
        buf_clear(scratch);
        char *room = buf_reserve(scratch, READ_SIZE);
        if (room == NULL) {
            client_connection_close(connection, status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for reading"));
            return false;
        }
        ssize_t n = recv(connection->fd, room, READ_SIZE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n <= 0) {
            struct status why = n == 0 ? status_ok() : unavailable(connection, "the connection was lost", errno);
            client_connection_close(connection, why);
            return false;
        }
        struct status status = wire->ops->input(wire, room, (size_t)n);
        if (!status_is_ok(&status)) {
            client_connection_close(connection, status);
            return false;
        }
        if (n < READ_SIZE)
            return true; /* a further recv would most likely find nothing */
    }
    return true;
}

/* Refills the buffer from the wire. False when the connection was closed. */
static bool refill(struct client_connection *connection) {
    struct client_wire *wire = connection->wire;
    buf_clear(&connection->out);
    connection->out_sent = 0;
    struct status status = wire->ops->output(wire, &connection->out, OUT_TARGET);
    if (status_is_ok(&status))
        return true;
    client_connection_close(connection, status);
    return false;
}

/* Writes until the wire has nothing to say or the socket takes no more. An errno, or 0. */
static int write_some(struct client_connection *connection) {
    struct client_wire *wire = connection->wire;
    for (;;) {
        if (connection->out_sent == connection->out.size) {
            if (connection->out.size > 0)
                wire->ops->sent(wire, clock_monotonic_ns());
            if (!refill(connection))
                return 0;
            if (connection->out.size == 0) {
                watch(connection, EPOLLIN);
                return 0;
            }
        }
        ssize_t n = send(connection->fd, connection->out.data + connection->out_sent,
                         connection->out.size - connection->out_sent, MSG_NOSIGNAL);
        if (n >= 0) {
            connection->out_sent += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            watch(connection, EPOLLIN | EPOLLOUT);
            return 0;
        } else if (errno != EINTR) {
            return errno;
        }
    }
}

void client_connection_flush(struct client_connection *connection) {
    if (connection->state != CONNECTION_OPEN)
        return;
    int error = write_some(connection);
    if (error != 0) {
        /* A server that refuses a request may answer and close before it has read it all: its answer counts more than
         * our broken pipe. */
        struct buf scratch = BUF_EMPTY;
        bool open = read_some(connection, &scratch);
        buf_free(&scratch);
        if (open)
            client_connection_close(connection, unavailable(connection, "the connection was lost", error));
    }
    if (connection->state == CONNECTION_OPEN && connection->wire->ops->finished(connection->wire))
        client_connection_close(connection, status_error(STATUS_UNAVAILABLE, "the connection came to an early end"));
}

static void finish_connecting(struct client_connection *connection) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0)
        connection->state = CONNECTION_OPEN;
    else
        try_next(connection, error);
}

void client_connection_ready(struct client_connection *connection, uint32_t events, struct buf *scratch) {
    if (connection->state == CONNECTION_CONNECTING) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
            return;
        finish_connecting(connection);
    }
    if (connection->state != CONNECTION_OPEN)
        return;
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0 && !read_some(connection, scratch))
        return;
    client_connection_flush(connection);
}

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

/* What the transport says of its loss, or else errno. */
static struct status lost(const struct client_connection *connection, const char *what, int error) {
    const char *problem = connection->transport.problem;
    return status_error(STATUS_UNAVAILABLE, "%s: %s: %s", connection->target->authority, what,
                        problem != NULL ? problem : strerror(error));
}

void client_connection_close(struct client_connection *connection, struct status why) {
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_OPEN)
        connection->transport.ops->end(&connection->transport);
    connection->state = CONNECTION_CLOSED;
    if (connection->transport.fd >= 0)
        connection->transport.ops->close(&connection->transport); /* epoll forgets it too */
    connection->wire->ops->closed(connection->wire, &why);
}

/* Watches for what there is to wait for. Bytes that the transport holds already come with the next turn, for which a
 * writable socket is the reason. */
static void watch(struct client_connection *connection) {
    struct transport *transport = &connection->transport;
    bool writable = connection->write_blocked || transport->read_wants_write || transport->ops->has_unread(transport);
    uint32_t events = EPOLLIN | (writable || !connection->connected ? EPOLLOUT : 0);
    if (connection->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int operation = connection->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(connection->epoll_fd, operation, transport->fd, &event) != 0) {
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
    connection->transport = transport_plain(fd);
    connection->connected = false;
    connection->events = 0;
    connection->connect_deadline_ns = clock_monotonic_ns() + connection->connect_timeout_ns;
    watch(connection);
    return 0;
}

/* Tries addresses until one is under way; `error` is why the one before failed. */
static void try_next(struct client_connection *connection, int error) {
    const struct client_target *target = connection->target;
    if (connection->transport.fd >= 0)
        connection->transport.ops->close(&connection->transport);
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
    connection->transport.fd = -1;
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
    client_connection_close(connection, status_error(STATUS_CANCELLED, "given up"));
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
    struct transport *transport = &connection->transport;
    for (int turn = 0; turn < READS_PER_TURN; turn++) {
        size_t size = READ_SIZE;
        char *own = wire->ops->room != NULL ? wire->ops->room(wire, &size) : NULL;
        buf_clear(scratch);
        char *room = own != NULL ? own : buf_reserve(scratch, READ_SIZE);
        if (room == NULL) {
            client_connection_close(connection, status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for reading"));
            return false;
        }
        size_t n = 0;
        enum transport_outcome outcome = transport->ops->read(transport, room, size, &n);
        if (outcome == TRANSPORT_BLOCKED)
            return true;
        if (outcome != TRANSPORT_DONE) {
            struct status why =
                outcome == TRANSPORT_END ? status_ok() : lost(connection, "the connection was lost", errno);
            client_connection_close(connection, why);
            return false;
        }
        struct status status = own != NULL ? wire->ops->filled(wire, n) : wire->ops->input(wire, room, n);
        if (!status_is_ok(&status)) {
            client_connection_close(connection, status);
            return false;
        }
        if (n < size && !transport->ops->has_unread(transport))
            return true; /* a further read would most likely find nothing */
    }
    return true;
}

/* The next bytes for the server that there are in one place. */
static struct slice unsent(const struct client_connection *connection) {
    if (connection->out_sent == connection->out.size)
        return connection->run;
    return (struct slice){connection->out.data + connection->out_sent, connection->out.size - connection->out_sent};
}

static void pass(struct client_connection *connection, size_t n) {
    if (connection->out_sent < connection->out.size)
        connection->out_sent += n;
    else
        connection->run = (struct slice){connection->run.data + n, connection->run.size - n};
}

/* Refills the buffer from the wire. False when the connection was closed. */
static bool refill(struct client_connection *connection) {
    struct client_wire *wire = connection->wire;
    buf_clear(&connection->out);
    connection->out_sent = 0;
    struct status status = wire->ops->output(wire, &connection->out, OUT_TARGET);
    connection->run = wire->ops->run != NULL ? wire->ops->run(wire) : (struct slice){NULL, 0};
    connection->given = unsent(connection).size > 0;
    if (status_is_ok(&status))
        return true;
    client_connection_close(connection, status);
    return false;
}

/* Writes until the wire has nothing to say or the transport takes no more. False when the connection is lost, as errno
 * or the transport tells. */
static bool write_some(struct client_connection *connection) {
    struct client_wire *wire = connection->wire;
    struct transport *transport = &connection->transport;
    connection->write_blocked = false;
    for (;;) {
        if (unsent(connection).size == 0) {
            if (connection->given)
                wire->ops->sent(wire, clock_monotonic_ns());
            if (!refill(connection) || !connection->given)
                return true;
        }
        struct slice next = unsent(connection);
        const struct iovec part = {(void *)(uintptr_t)next.data, next.size};
        size_t n = 0;
        enum transport_outcome outcome = transport->ops->write(transport, &part, 1, &n);
        pass(connection, n);
        connection->write_blocked = outcome == TRANSPORT_BLOCKED;
        if (outcome != TRANSPORT_DONE)
            return outcome == TRANSPORT_BLOCKED;
    }
}

/* Closes a connection of no further use. What it still had to write stands in calls that are over. */
static void close_finished(struct client_connection *connection) {
    if (connection->state == CONNECTION_OPEN && connection->wire->ops->finished(connection->wire))
        client_connection_close(connection, status_error(STATUS_UNAVAILABLE, "the connection came to an early end"));
}

void client_connection_flush(struct client_connection *connection) {
    if (connection->run.size > 0)
        close_finished(connection);
    if (connection->state != CONNECTION_OPEN)
        return;
    if (!write_some(connection)) {
        struct status why = lost(connection, "the connection was lost", errno);
        /* A server that refuses a request may answer and close before it has read it all: its answer counts more than
         * our broken pipe. */
        struct buf scratch = BUF_EMPTY;
        bool open = read_some(connection, &scratch);
        buf_free(&scratch);
        if (open)
            client_connection_close(connection, why);
    }
    if (connection->state == CONNECTION_OPEN)
        watch(connection);
    close_finished(connection);
}

/* The server has to speak what the calls are written in. */
static bool is_promised(const struct client_connection *connection) {
    struct slice wanted = connection->protocol, chosen = connection->transport.ops->protocol(&connection->transport);
    return wanted.size == 0 || slice_equal(chosen, wanted);
}

/* Brings the handshake forward. */
static void greet(struct client_connection *connection) {
    struct transport *transport = &connection->transport;
    enum transport_outcome outcome = transport->ops->greet(transport);
    if (outcome == TRANSPORT_LOST)
        client_connection_close(connection, lost(connection, "TLS", errno));
    else if (outcome == TRANSPORT_DONE && connection->tls != NULL && !is_promised(connection))
        client_connection_close(connection,
                                status_error(STATUS_UNAVAILABLE, "%s: TLS: the server does not offer %.*s",
                                             connection->target->authority, SLICE_ARGS(connection->protocol)));
    else if (outcome == TRANSPORT_DONE)
        connection->state = CONNECTION_OPEN;
    else
        watch(connection);
}

static void finish_tcp(struct client_connection *connection) {
    int error = 0, fd = connection->transport.fd;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        try_next(connection, error);
        return;
    }
    connection->connected = true;
    if (connection->tls != NULL &&
        !transport_tls_client(connection->tls, fd, connection->target->host, &connection->transport))
        client_connection_close(connection, status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for TLS"));
}

static void finish_connecting(struct client_connection *connection, uint32_t events) {
    if (!connection->connected && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
        finish_tcp(connection);
    if (connection->state == CONNECTION_CONNECTING && connection->connected)
        greet(connection);
}

void client_connection_ready(struct client_connection *connection, uint32_t events, struct buf *scratch) {
    const struct transport *transport = &connection->transport;
    if (connection->state == CONNECTION_CONNECTING)
        finish_connecting(connection, events);
    if (connection->state != CONNECTION_OPEN)
        return;
    bool readable = (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0 || transport->read_wants_write ||
                    transport->ops->has_unread(transport);
    if (readable && !read_some(connection, scratch))
        return;
    client_connection_flush(connection);
}

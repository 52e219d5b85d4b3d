/* fake_server.h: a server on a loopback socket that runs in the test's own thread, one step at a time. What it answers
 * is the test's business; it speaks HTTP/1.1 requests, or hands bytes to fake_grpc_server.h. */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_grpc_server.h"

enum { FAKE_CONNECTIONS = 512, FAKE_TAKE_ALL = -1 };

struct fake_connection {
    int fd; /* -1: closed */
    struct buf in;
    struct buf out;
    bool close_after; /* when `out` is written */
    struct fake_grpc grpc;
};

struct fake_server {
    int listen_fd;
    char url[32];
    bool is_grpc;
    struct fake_connection connections[FAKE_CONNECTIONS];
    size_t connection_count; /* accepted ever */
    size_t request_count;
    /* HTTP: appends the answer to a whole request to connection->out. */
    void (*on_http)(struct fake_server *self, struct fake_connection *connection, struct slice request);
    void (*on_grpc)(struct fake_grpc *grpc, int32_t stream_id);
    void *user;
};

static inline void fake_server_open(struct fake_server *self, bool is_grpc) {
    memset(self, 0, sizeof *self);
    self->is_grpc = is_grpc;
    self->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(self->listen_fd, (struct sockaddr *)&address, size) != 0 || listen(self->listen_fd, 128) != 0 ||
        getsockname(self->listen_fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    snprintf(self->url, sizeof self->url, "127.0.0.1:%d", ntohs(address.sin_port));
}

static inline void fake_connection_close(struct fake_server *self, struct fake_connection *connection) {
    if (connection->fd < 0)
        return;
    close(connection->fd);
    connection->fd = -1;
    buf_free(&connection->in);
    buf_free(&connection->out);
    if (self->is_grpc)
        fake_grpc_close(&connection->grpc);
}

static inline void fake_server_close(struct fake_server *self) {
    for (size_t i = 0; i < self->connection_count; i++)
        fake_connection_close(self, &self->connections[i]);
    close(self->listen_fd);
}

static inline void fake_accept(struct fake_server *self) {
    int fd;
    while ((fd = accept4(self->listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (self->connection_count >= FAKE_CONNECTIONS)
            abort();
        struct fake_connection *connection = &self->connections[self->connection_count++];
        connection->fd = fd;
        if (self->is_grpc) {
            fake_grpc_open(&connection->grpc);
            connection->grpc.on_request = self->on_grpc;
            connection->grpc.user = self->user;
        }
    }
}

/* The size of the first whole request in the buffer, or 0. */
static inline size_t fake_http_request(const struct buf *in) {
    const char *end = memmem(in->data, in->size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end - in->data) + 4, body = 0;
    static const char name[] = "\r\nContent-Length: ";
    const char *length = memmem(in->data, head, name, sizeof name - 1);
    if (length != NULL)
        body = strtoul(length + sizeof name - 1, NULL, 10);
    return in->size >= head + body ? head + body : 0;
}

static inline void fake_take_input(struct fake_server *self, struct fake_connection *connection) {
    if (self->is_grpc) {
        size_t before = connection->grpc.request_count;
        fake_grpc_input(&connection->grpc, buf_slice(&connection->in));
        buf_clear(&connection->in);
        self->request_count += connection->grpc.request_count - before;
        fake_grpc_output(&connection->grpc, &connection->out);
        return;
    }
    size_t n;
    while (connection->in.size > 0 && (n = fake_http_request(&connection->in)) > 0) {
        self->request_count++;
        if (self->on_http != NULL)
            self->on_http(self, connection, (struct slice){connection->in.data, n});
        buf_consume(&connection->in, n);
    }
}

/* Accepts, reads, answers and writes as far as it goes without waiting. */
static inline void fake_server_step(struct fake_server *self) {
    fake_accept(self);
    for (size_t i = 0; i < self->connection_count; i++) {
        struct fake_connection *connection = &self->connections[i];
        if (connection->fd < 0)
            continue;
        ssize_t n = 1;
        while (n > 0) {
            char *room = buf_reserve(&connection->in, 65536);
            n = recv(connection->fd, room, 65536, 0);
            connection->in.size += n > 0 ? (size_t)n : 0;
        }
        bool gone = n == 0 || errno != EAGAIN;
        fake_take_input(self, connection);
        while (connection->out.size > 0) {
            n = send(connection->fd, connection->out.data, connection->out.size, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            buf_consume(&connection->out, (size_t)n);
        }
        if (gone || (connection->close_after && connection->out.size == 0))
            fake_connection_close(self, connection);
    }
}

#endif

/* client_connection.h: a non-blocking connection, plain or TLS, that drives a client_wire. Used by infer_client.c,
 * which waits for its readiness by epoll and calls back in. Thread: as the client. */
#ifndef INFERD_CLIENT_CLIENT_CONNECTION_H
#define INFERD_CLIENT_CLIENT_CONNECTION_H

#include "client/client_address.h"
#include "client/client_wire.h"
#include "net/tls_client_context.h"
#include "net/transport.h"

enum client_connection_state { CONNECTION_CONNECTING, CONNECTION_OPEN, CONNECTION_CLOSED };

struct client_connection {
    enum client_connection_state state;
    struct transport transport;         /* its fd is -1 when closed */
    bool connected;                     /* over TCP; with TLS the handshake is under way */
    int epoll_fd;                       /* borrowed */
    uint32_t events;                    /* that epoll watches for now */
    bool write_blocked;                 /* what is in `out` waits for room */
    const struct client_target *target; /* borrowed */
    struct tls_client_context *tls;     /* borrowed; NULL: a plain connection */
    struct slice protocol;              /* that the server has to choose by ALPN; empty: any */
    size_t next_address;
    uint64_t connect_timeout_ns; /* for one address */
    uint64_t connect_deadline_ns;
    struct client_wire *wire; /* owned */
    struct buf out;           /* bytes for the server */
    size_t out_sent;
    struct slice run; /* more of them, which stand in a call of the wire */
    bool given;       /* out or run had something for the wire to be told of */
    bool has_news;    /* set by infer_client.c: a call was started or dropped, flush is due */
};

/* Owns `wire` in any case. NULL when memory is short (the wire is destroyed). The caller sets `tls` and `protocol`. */
struct client_connection *client_connection_create(const struct client_target *target, struct client_wire *wire,
                                                   int epoll_fd, uint64_t connect_timeout_ns);
/* Begins to connect; epoll events carry the connection as data.ptr. When that fails, now or later, the calls of its
 * wire end in UNAVAILABLE. */
void client_connection_start(struct client_connection *connection);
/* Closes it first. Accepts NULL. */
void client_connection_destroy(struct client_connection *connection);

/* The socket is ready as epoll says. `scratch` is room for reading. Closes itself when there is nothing more to do. */
void client_connection_ready(struct client_connection *connection, uint32_t events, struct buf *scratch);
/* Writes what the wire has to say, as far as the socket takes it. To be called after a call was started or dropped. */
void client_connection_flush(struct client_connection *connection);
/* Gives up connecting to an address when its time is over. */
void client_connection_tick(struct client_connection *connection, uint64_t now_ns);
/* Completes all calls with `why` and closes the socket. Does nothing the second time. */
void client_connection_close(struct client_connection *connection, struct status why);

#endif

/* listener.h: accepts connections and hands them, round robin, to loops; and ends them in an orderly way.
 *
 * Connections are driven by connection.c; what is spoken on them is the choice of the connection_policy. */
#ifndef INFERD_NET_LISTENER_H
#define INFERD_NET_LISTENER_H

#include "base/session.h"
#include "net/loop.h"

struct listener;

/* A connection whose protocol is to be told. */
struct connection_opening {
    size_t loop_index;     /* of the loop, whose thread this is, and to which the session will belong */
    bool crowded;          /* it is beyond max_connections, and open for a moment only: its session should do little */
    struct slice protocol; /* what the client was promised in the TLS handshake (ALPN); empty where nothing was */
    struct slice bytes;    /* the first ones that came */
};

/* What a listener asks of the composition root. Read by all loop threads; fields that are 0 take the default. */
struct connection_policy {
    /* Chooses a session for a connection: *ret_session stays NULL when more bytes are needed to tell. An error closes
     * the connection. */
    struct status (*choose_session)(void *user, const struct connection_opening *opening, struct session **ret_session);
    void *user;
    struct tls_context *tls;   /* borrowed; NULL: plain connections */
    struct slice text_refusal; /* with tls: what a client is sent that speaks text without it; borrowed */
    size_t max_connections;    /* over all loops, per listener. Default 16384 */
    size_t crowd_connections;  /* so many beyond are open for crowd_timeout_ns; more are closed at once. Default 0 */
    uint64_t crowd_timeout_ns; /* Default 5 s */
    size_t max_output_bytes;   /* buffered per connection before reading stops. Default 128 KiB */
    uint64_t first_bytes_timeout_ns; /* until choose_session has enough, TLS handshake included. Default 30 s */
    uint64_t write_timeout_ns;       /* without the peer taking a byte of what waits for it. Default 60 s */
    uint64_t drain_timeout_ns;       /* the same at most, and lingering, while the listener drains. Default 5 s */
};

/* Binds and listens on address:port (an IPv4 or IPv6 address or a host name; port 0: chosen); accepting begins at once
 * on `loops[0]`. `policy` is copied, its user borrowed. Thread: while no loop runs, or on the thread of loops[0].
 * Errors name address and port: "cannot listen on 0.0.0.0:8000: Address already in use". */
struct status listener_create(struct loop *const *loops, size_t loop_count, const char *address, int port,
                              const struct connection_policy *policy, struct listener **ret) STATUS_MUST_CHECK;
int listener_port(const struct listener *listener);
/* Connections open now. From any thread. */
size_t listener_connection_count(const struct listener *listener);
/* Stops accepting and begins session shutdown on all its connections; on_drained (any loop thread) is called once when
 * the last one is closed, and may stop the loops but not destroy the listener. Once, from any thread. */
void listener_drain(struct listener *listener, void (*on_drained)(void *user), void *user);
/* Closes what is still open. After the loops have stopped and before they are destroyed. Accepts NULL. */
void listener_destroy(struct listener *listener);

#endif

/* transport.h: what stands between a connection and its descriptor: plain bytes, or TLS.
 *
 * Owner: the connection embeds it. Thread: the loop's. */
#ifndef INFERD_NET_TRANSPORT_H
#define INFERD_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/slice.h"

enum transport_outcome {
    TRANSPORT_DONE,    /* some bytes went through */
    TRANSPORT_BLOCKED, /* none now; epoll will tell */
    TRANSPORT_END,     /* read only: the peer sends no more */
    TRANSPORT_REFUSED, /* read only: the peer does not speak TLS as we do, and was told so; what else it sends is
                          dropped */
    TRANSPORT_LOST     /* the connection is broken */
};

struct transport;

struct transport_ops {
    bool plain; /* the peer's bytes are those of the descriptor, and a write takes all parts at once */
    enum transport_outcome (*read)(struct transport *transport, char *data, size_t size, size_t *ret_n);
    /* The same into several places, in order. NULL: not for this transport. */
    enum transport_outcome (*read_parts)(struct transport *transport, const struct iovec *parts, size_t count,
                                         size_t *ret_n);
    /* Writes some of the parts' bytes, in order: of the first one only, if it is not plain. After
     * BLOCKED the next write begins with the same bytes. */
    enum transport_outcome (*write)(struct transport *transport, const struct iovec *parts, size_t count,
                                    size_t *ret_n);
    /* Tells the peer that nothing more will be written. BLOCKED: not yet; to be called again when it is writable. */
    enum transport_outcome (*end)(struct transport *transport);
    /* True when a read would yield something although the descriptor may not turn readable. */
    bool (*has_unread)(const struct transport *transport);
    /* The name of the protocol that the peer was promised (ALPN); empty when none was, or not yet. */
    struct slice (*protocol)(const struct transport *transport);
    /* Of the side that has connected: DONE once it may write. BLOCKED as with read, LOST. The other side's first reads
     * do this; it does not call it. */
    enum transport_outcome (*greet)(struct transport *transport);
    void (*close)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
    int fd;                /* owned, non-blocking */
    bool read_wants_write; /* the read that was blocked goes on when the descriptor is writable */
    const char *problem;   /* static: why the connection was LOST; NULL where errno tells */
    struct tls *tls;       /* transport_tls's own */
};

struct transport transport_plain(int fd);

/* TLS over the descriptor, which the transport takes over when this is true; false when memory is short. The first
 * reads are the handshake. `text_refusal` (borrowed) is sent as it is to a peer that begins with letters in place of
 * TLS. */
struct tls_context;
bool transport_tls(struct tls_context *context, int fd, struct slice text_refusal, struct transport *ret)
    __attribute__((warn_unused_result));

/* The client's side, as tls_client_context.h says; the server is `host`, by its name or address, which is borrowed
 * until greet is done. */
struct tls_client_context;
bool transport_tls_client(struct tls_client_context *context, int fd, const char *host, struct transport *ret)
    __attribute__((warn_unused_result));

#endif

/* transport.h: what stands between a connection and its descriptor: plain bytes today; a TLS transport fits the same
 * table.
 *
 * Owner: the connection embeds it. Thread: the loop's. */
#ifndef INFERD_NET_TRANSPORT_H
#define INFERD_NET_TRANSPORT_H

#include <stddef.h>

enum transport_outcome {
    TRANSPORT_DONE,    /* some bytes went through */
    TRANSPORT_BLOCKED, /* none now; epoll will tell */
    TRANSPORT_END,     /* read only: the peer sends no more */
    TRANSPORT_LOST     /* the connection is broken */
};

struct transport;

struct transport_ops {
    enum transport_outcome (*read)(struct transport *transport, char *data, size_t size, size_t *ret_n);
    enum transport_outcome (*write)(struct transport *transport, const char *data, size_t size, size_t *ret_n);
    void (*end)(struct transport *transport); /* tells the peer that nothing more will be written */
    void (*close)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
    int fd; /* owned, non-blocking */
};

struct transport transport_plain(int fd);

#endif

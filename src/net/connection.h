/* connection.h: a descriptor with its buffers and time-outs, driving a session. listener.c makes them; a connection
 * ends itself and tells its group. Thread: the group's loop. */
#ifndef INFERD_NET_CONNECTION_H
#define INFERD_NET_CONNECTION_H

#include "net/listener.h"

enum { CONNECTION_SCRATCH_BYTES = 64 << 10 };

struct connection;

/* The connections of one listener on one loop, and what they share there. */
struct connection_group {
    struct loop *loop;
    size_t loop_index;
    const struct connection_policy *policy;            /* without zeros */
    void (*on_closed)(struct connection_group *group); /* a connection of the group is gone */
    void *user;
    struct connection *connections;         /* started ones */
    uint64_t drained_ns;                    /* since when it ends; 0: it does not */
    struct buf spare;                       /* the output buffer of whoever writes next */
    struct session_places places;           /* for what is being read, and how much of it */
    char scratch[CONNECTION_SCRATCH_BYTES]; /* what was read and is being handled */
};

/* Takes over a connected non-blocking descriptor; crowded: it is one too many, and has crowd_timeout_ns. The connection
 * starts by a message to its loop. Thread: any. False when memory is short: the descriptor is then still the caller's.
 */
bool connection_create(struct connection_group *group, int fd, bool crowded);
/* Begins an orderly end of all, and of those that start later. */
void connection_group_drain(struct connection_group *group);
/* Closes all at once and frees what the group owns. After the loop has stopped and its messages have run. */
void connection_group_close(struct connection_group *group);

#endif

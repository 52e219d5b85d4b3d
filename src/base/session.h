/* session.h: what a connection drives: a protocol without file descriptors (bytes in, bytes out).
 *
 * The composition root (tools/serve) looks at a connection's first bytes and gives it an HTTP/1.1 or HTTP/2 session;
 * net/ knows neither, and http/ does not know net/. Thread: all calls on the loop thread that owns the connection. */
#ifndef INFERD_BASE_SESSION_H
#define INFERD_BASE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/output.h"
#include "base/status.h"

struct session;

enum { SESSION_PLACES_MAX = 64, SESSION_PLACES_BYTES = 512 << 10, SESSION_BETWEEN_BYTES = 12 };

/* For what stands between the bytes that are wanted, with a note of the session's to itself. */
struct session_between {
    unsigned char bytes[SESSION_BETWEEN_BYTES];
    uint32_t note;
};

/* Where bytes that come next are to be put, in order. Memory of the connection's; what it tells of is the session's. */
struct session_places {
    struct iovec parts[SESSION_PLACES_MAX + 1]; /* one more, for the connection's own use */
    size_t count;
    size_t bytes; /* of all */
    bool ends;    /* there may be more to read behind them, which has no place */
    struct session_between between[SESSION_PLACES_MAX / 2];
};

struct session_ops {
    /* Takes all n bytes. An error means: write what output() still gives, then close. */
    struct status (*input)(struct session *session, const char *data, size_t n);
    /* Appends bytes to send to `out` until it is about full (output_room) or there are none. What is lent is released
     * before the session is destroyed. */
    struct status (*output)(struct session *session, struct output *out, size_t target);
    /* False: the connection leaves further bytes in the socket until output() has been called again. input() must still
     * take what is given. */
    bool (*wants_input)(const struct session *session);
    /* Optional. How many bytes are to come before anything can be done with them: the rest of a body, mostly. 0: any
     * byte may matter. It is a hint: what has come is given to input() before long in any case. */
    size_t (*awaited)(const struct session *session);
    /* Optional, both. Tells where bytes that come next had better be put (none: places->count is left 0): the memory of
     * a body, into which they need not be copied then. No other function of the session is called before placed(),
     * which takes the first n bytes of these places, unless nothing was read. An error is as input()'s. */
    void (*places)(struct session *session, struct session_places *places);
    struct status (*placed)(struct session *session, const struct session_places *places, size_t n);
    /* The peer has half-closed (or the connection is about to be closed for another reason: gone = true). */
    void (*input_closed)(struct session *session, bool gone);
    /* True when the connection may be closed once everything has been written. */
    bool (*finished)(const struct session *session);
    /* Begins an orderly end: no new requests; finished() turns true when those under way are answered. */
    void (*shutdown)(struct session *session);
    /* When tick() is wanted next (monotonic ns); 0: never. Asked again after every other call. */
    uint64_t (*deadline)(const struct session *session);
    /* Enforces time-outs and call deadlines by the clock given. An error closes. */
    struct status (*tick)(struct session *session, uint64_t now_ns);
    void (*destroy)(struct session *session); /* aborts exchanges still open */
};

struct session {
    const struct session_ops *ops;
    /* Set by the connection: asks for output() to be called, from the loop thread, soon. */
    void (*wake)(void *user);
    /* Set by the connection: writes the peer's address as text; called with wake_user. May be NULL. */
    void (*peer_text)(void *user, char *text, size_t size);
    void *wake_user;
};

#endif

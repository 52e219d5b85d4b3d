/* given.h: gives a session bytes as a connection does: to the places that it tells of, as long as it does. */
#ifndef INFERD_TEST_HTTP_GIVEN_H
#define INFERD_TEST_HTTP_GIVEN_H

#include <stdlib.h>
#include <string.h>

#include "base/session.h"

/* By input() alone; a copy of its own, so that a sanitizer sees who keeps pointers into it. */
static inline struct status give_input(struct session *session, const char *data, size_t n) {
    char *copy = malloc(n);
    if (!copy)
        abort();
    memcpy(copy, data, n);
    struct status status = session->ops->input(session, copy, n);
    free(copy);
    return status;
}

/* What the session wants to have where; whether it does. */
static inline bool ask_places(struct session *session, struct session_places *places) {
    places->count = places->bytes = 0;
    places->ends = false;
    if (session->ops->places)
        session->ops->places(session, places);
    return places->count > 0;
}

/* Puts the bytes there, no more than there is room for; returns how many. */
static inline size_t put_bytes(const struct session_places *places, const char *data, size_t n) {
    size_t at = 0;
    for (size_t i = 0; i < places->count && at < n; i++) {
        size_t size = places->parts[i].iov_len < n - at ? places->parts[i].iov_len : n - at;
        memcpy(places->parts[i].iov_base, data + at, size);
        at += size;
    }
    return at;
}

static inline struct status give_to(struct session *session, const char *data, size_t n) {
    struct status status = status_ok();
    struct session_places places;
    bool behind = false; /* the last places: the rest came with the same read */
    for (size_t at = 0; at < n && status_is_ok(&status);) {
        if (behind || !ask_places(session, &places))
            return give_input(session, data + at, n - at);
        size_t put = put_bytes(&places, data + at, n - at);
        status = session->ops->placed(session, &places, put);
        at += put;
        behind = places.ends;
    }
    return status;
}

#endif

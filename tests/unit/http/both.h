/* Tests of what is the same over HTTP/1.1 and HTTP/2: each runs over both, with the bytes handed over whole and in
 * small steps. */
#ifndef TESTS_UNIT_HTTP_BOTH_H
#define TESTS_UNIT_HTTP_BOTH_H

#include "peer.h"
#include "recorder.h"

static const struct slice NO_BODY = {NULL, 0};

struct fixture {
    struct recorder recorder;
    struct http_limits limits;
    struct peer peer;
    bool h2;
};

typedef void test_body(struct fixture *fixture);

static inline void reopen(struct fixture *fixture) {
    peer_close(&fixture->peer);
    peer_open(&fixture->peer, fixture->h2, &fixture->recorder.handler, &fixture->limits);
}

static inline void run_over_both(test_body *body) {
    static const size_t steps[] = {0, 1, 7};
    for (int h2 = 0; h2 <= 1; h2++) {
        for (size_t i = 0; i < 3; i++) {
            struct fixture fixture = {.limits = http_limits_default(), .h2 = h2};
            recorder_open(&fixture.recorder);
            peer_open(&fixture.peer, h2, &fixture.recorder.handler, &fixture.limits);
            fixture.peer.step = steps[i];
            body(&fixture);
            assert_int_equal(fixture.peer.error.code, STATUS_OK);
            peer_close(&fixture.peer);
            recorder_close(&fixture.recorder);
        }
    }
}

#endif

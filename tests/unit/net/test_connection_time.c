/* How long the peer of a connection may take, now and once the listener drains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/epoll.h>

#include "base/clock.h"
#include "net/connection_priv.h"

static const struct connection_policy policy = {.first_bytes_timeout_ns = 30 * NS_PER_S,
                                                .write_timeout_ns = 60 * NS_PER_S,
                                                .drain_timeout_ns = 5 * NS_PER_S,
                                                .crowd_timeout_ns = 3 * NS_PER_S};

enum { BEGUN_S = 1000, TAKEN_S = 1010 };

/* In seconds; 0: none. */
static uint64_t deadline_of(enum connection_phase phase, uint32_t events, uint64_t drained_s) {
    struct connection_group group = {.policy = &policy, .drained_ns = drained_s * NS_PER_S};
    const struct connection connection = {.watch.events = events,
                                          .group = &group,
                                          .phase = phase,
                                          .since_ns = BEGUN_S * NS_PER_S,
                                          .taken_ns = TAKEN_S * NS_PER_S};
    uint64_t deadline_ns = connection_peer_deadline(&connection);
    assert_int_equal(deadline_ns % NS_PER_S, 0);
    return deadline_ns / NS_PER_S;
}

/* From the drain on there is the shorter time, from the last byte on if it came later; never a longer one. */
static void a_peer_that_takes_nothing(void **state) {
    (void)state;
    assert_int_equal(deadline_of(CONNECTION_OPEN, EPOLLIN, 0), 0);
    assert_int_equal(deadline_of(CONNECTION_OPEN, EPOLLIN | EPOLLOUT, 0), TAKEN_S + 60);
    assert_int_equal(deadline_of(CONNECTION_OPEN, EPOLLOUT, TAKEN_S - 1), TAKEN_S + 5);
    assert_int_equal(deadline_of(CONNECTION_OPEN, EPOLLOUT, TAKEN_S + 40), TAKEN_S + 45);
    assert_int_equal(deadline_of(CONNECTION_OPEN, EPOLLOUT, TAKEN_S + 58), TAKEN_S + 60);
}

static void a_peer_that_does_not_begin(void **state) {
    (void)state;
    assert_int_equal(deadline_of(CONNECTION_SNIFFING, EPOLLIN, 0), BEGUN_S + 30);
}

/* Two seconds of silence end it, and thirty in all. */
static void a_peer_that_does_not_end(void **state) {
    (void)state;
    assert_int_equal(deadline_of(CONNECTION_LINGERING, EPOLLIN, 0), TAKEN_S + 2);
    assert_int_equal(deadline_of(CONNECTION_LINGERING, EPOLLIN, BEGUN_S + 4), BEGUN_S + 9);
    assert_int_equal(deadline_of(CONNECTION_LINGERING, EPOLLIN, BEGUN_S + 8), TAKEN_S + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_takes_nothing),
        cmocka_unit_test(a_peer_that_does_not_begin),
        cmocka_unit_test(a_peer_that_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

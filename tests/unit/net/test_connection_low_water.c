/* How much a connection lets come before its loop is woken, by what its socket says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/connection_priv.h"

struct fake {
    struct session session;
    size_t awaited;
};

static size_t fake_awaited(const struct session *session) {
    return ((const struct fake *)session)->awaited;
}

static const struct session_ops tells = {.awaited = fake_awaited}, tells_nothing = {.awaited = NULL};

struct fixture {
    struct fake fake;
    struct connection connection;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->fake.session.ops = &tells;
    f->connection.session = &f->fake.session;
    f->connection.transport = transport_plain(socket(AF_INET, SOCK_STREAM, 0));
    f->connection.low_water = 1;
    assert_true(f->connection.transport.fd >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->connection.transport.ops->close(&f->connection.transport);
    free(f);
    return 0;
}

static void expect(struct fixture *f, size_t read_bytes, size_t awaited, int water) {
    f->fake.awaited = awaited;
    uint64_t before = clock_monotonic_ns();
    connection_set_low_water(&f->connection, read_bytes);
    int set = 0;
    socklen_t size = sizeof set;
    assert_int_equal(getsockopt(f->connection.transport.fd, SOL_SOCKET, SO_RCVLOWAT, &set, &size), 0);
    assert_int_equal(set, water);
    assert_int_equal(f->connection.low_water, water);
    if (water == 1)
        assert_int_equal(f->connection.low_water_ns, 0);
    else
        assert_true(f->connection.low_water_ns > before);
}

static void test_a_large_body_that_comes_fast(void **state) {
    struct fixture *f = *state;
    expect(f, 65536, 1000000, 256 << 10);
    expect(f, 256 << 10, 700000, 256 << 10);
    expect(f, 256 << 10, 100000, 100000);
    expect(f, 70000, 30000, 1); /* hardly more to come */
    expect(f, 30000, 0, 1);
    expect(f, 65536, SIZE_MAX, 256 << 10);
}

static void test_a_body_that_comes_slowly(void **state) {
    struct fixture *f = *state;
    expect(f, 1000, 1000000, 1);
    expect(f, 65536, 1000000, 256 << 10);
    expect(f, 1000, 990000, 1); /* the time was over */
    expect(f, 65536, 900000, 256 << 10);
    expect(f, 0, 900000, 1);
}

static void test_who_does_not_tell(void **state) {
    struct fixture *f = *state;
    f->fake.session.ops = &tells_nothing;
    expect(f, 65536, 1000000, 1);
    f->connection.session = NULL;
    expect(f, 65536, 1000000, 1);
}

/* What TLS has unread no descriptor tells. */
static void test_not_for_tls(void **state) {
    struct fixture *f = *state;
    const struct transport_ops *plain = f->connection.transport.ops;
    struct transport_ops ops = *plain;
    ops.plain = false;
    f->connection.transport.ops = &ops;
    expect(f, 65536, 1000000, 1);
    f->connection.transport.ops = plain;
}

static void test_a_descriptor_that_cannot(void **state) {
    struct fixture *f = *state;
    int fd = f->connection.transport.fd;
    f->connection.transport.fd = -1;
    f->fake.awaited = 1000000;
    connection_set_low_water(&f->connection, 65536);
    assert_int_equal(f->connection.low_water, 1);
    assert_int_equal(f->connection.low_water_ns, 0);
    f->connection.transport.fd = fd;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_large_body_that_comes_fast, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_body_that_comes_slowly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_does_not_tell, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_for_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_descriptor_that_cannot, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

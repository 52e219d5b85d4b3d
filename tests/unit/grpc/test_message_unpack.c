/* What messages unpack to: within a limit, and with no more memory than somebody grants step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/message_unpack.h"
#include "packed.h"

enum { LARGE = 8 << 20 };

struct grant {
    size_t room, taken, largest;
    int calls;
};

static bool take(void *user, size_t bytes) {
    struct grant *grant = user;
    grant->calls++;
    if (bytes > grant->room - grant->taken)
        return false;
    grant->taken += bytes;
    if (bytes > grant->largest)
        grant->largest = bytes;
    return true;
}

static struct status unpack(size_t max_bytes, struct grant *grant, struct buf *message) {
    return message_unpack(GRPC_ENCODING_GZIP, max_bytes, (struct message_gate){take, grant}, message);
}

static void test_steps_are_asked_for(void **state) {
    (void)state;
    struct buf message = pack_zeros(LARGE);
    struct grant grant = {.room = SIZE_MAX};
    struct status status = unpack(LARGE, &grant, &message);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(message.size, LARGE);
    assert_true(grant.taken >= LARGE && grant.taken <= LARGE + (1 << 20) + (size_t)grant.calls);
    assert_true(grant.calls > 8 && grant.largest <= (1 << 20) + 1);
    buf_free(&message);
}

/* It ends where nothing more is granted, wherever that is, and leaves nothing. */
static void test_gate_that_closes(void **state) {
    (void)state;
    for (size_t room = 0; room < LARGE; room = room * 2 + 1000) {
        struct buf message = pack_zeros(LARGE);
        struct grant grant = {.room = room};
        struct status status = unpack(LARGE, &grant, &message);
        assert_int_equal(status.code, STATUS_UNAVAILABLE);
        assert_int_equal(message.size, 0);
        assert_null(message.data);
    }
}

/* 64 MiB of zeros in 64 KiB must not be unpacked when 1 MiB is allowed. */
static void test_bomb(void **state) {
    (void)state;
    struct buf message = pack_zeros((size_t)64 << 20);
    struct grant grant = {.room = SIZE_MAX};
    struct status status = unpack(1 << 20, &grant, &message);
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_true(grant.taken <= (2 << 20) + (size_t)grant.calls);
    assert_null(message.data);
}

/* No message of n bytes has more than that many times n, so that the size alone tells which are quick. */
static void test_factor(void **state) {
    (void)state;
    for (size_t size = 1000; size <= LARGE; size *= 2) {
        struct buf packed = pack_zeros(size);
        assert_true(packed.size * MESSAGE_UNPACK_FACTOR >= size);
        buf_free(&packed);
    }
}

static void test_broken(void **state) {
    (void)state;
    for (size_t keep = 1; keep < 30; keep++) {
        struct buf message = pack_zeros(100000);
        struct grant grant = {.room = SIZE_MAX};
        message.size = keep;
        struct status status = unpack(LARGE, &grant, &message);
        assert_int_equal(status.code, STATUS_INTERNAL);
        assert_null(message.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_asked_for),
        cmocka_unit_test(test_gate_that_closes),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_factor),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

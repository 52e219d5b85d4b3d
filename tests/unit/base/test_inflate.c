/* What packed data unpack to: within a limit, and with no more memory than somebody grants step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/inflate.h"
#include "packed.h"

enum { LARGE = 8 << 20 };

static const struct inflate_gate open_gate = {.take = NULL};

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

static int window_bits(enum inflate_form form) {
    return form == INFLATE_ZLIB ? 15 : 31;
}

static void expect_end(enum inflate_form form, struct slice data, size_t max_bytes, enum inflate_end end) {
    struct buf out = BUF_EMPTY;
    struct inflate_outcome outcome = inflate_data(form, data, max_bytes, open_gate, &out);
    assert_int_equal(outcome.end, end);
    if (end != INFLATE_WHOLE)
        assert_null(out.data);
    buf_free(&out);
}

/* Sizes around those of the steps, with a limit that just lets them through, and one that does not. */
static void limits_are_exact(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 32768, 32769, LARGE};
    for (enum inflate_form form = INFLATE_ZLIB; form <= INFLATE_GZIP_MEMBERS; form++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct buf packed = pack_zeros(sizes[i], window_bits(form)), out = BUF_EMPTY;
            struct inflate_outcome outcome = inflate_data(form, buf_slice(&packed), sizes[i], open_gate, &out);
            assert_int_equal(outcome.end, INFLATE_WHOLE);
            assert_int_equal(outcome.read, packed.size);
            assert_int_equal(out.size, sizes[i]);
            buf_free(&out);
            if (sizes[i] > 0)
                expect_end(form, buf_slice(&packed), sizes[i] - 1, INFLATE_TOO_LARGE);
            buf_free(&packed);
        }
    }
}

static void data_that_are_not_whole_are_told_apart(void **state) {
    (void)state;
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i >> 3);
    for (enum inflate_form form = INFLATE_ZLIB; form <= INFLATE_GZIP_MEMBERS; form++) {
        struct buf whole = pack((struct slice){text, sizeof text}, window_bits(form)), out = BUF_EMPTY;
        for (size_t size = 0; size < whole.size; size++) {
            char *cut = malloc(size ? size : 1); /* of no more bytes than it may read */
            memcpy(cut, whole.data, size);
            expect_end(form, (struct slice){cut, size}, LARGE, INFLATE_CUT_SHORT);
            free(cut);
        }
        expect_end(form == INFLATE_ZLIB ? INFLATE_GZIP : INFLATE_ZLIB, buf_slice(&whole), LARGE, INFLATE_BROKEN);
        whole.data[whole.size / 2] ^= 0x55;
        struct inflate_outcome outcome = inflate_data(form, buf_slice(&whole), LARGE, open_gate, &out);
        assert_int_equal(outcome.end, INFLATE_BROKEN);
        assert_true(outcome.read <= whole.size && strlen(outcome.reason) > 0);
        whole.data[whole.size / 2] ^= 0x55;
        size_t size = whole.size;
        buf_append_text(&whole, "xyz");
        outcome = inflate_data(form, buf_slice(&whole), LARGE, open_gate, &out);
        assert_int_equal(outcome.end, INFLATE_FOLLOWED);
        assert_int_equal(outcome.read, size);
        buf_free(&whole);
    }
}

static void steps_are_asked_for(void **state) {
    (void)state;
    struct buf packed = pack_zeros(LARGE, window_bits(INFLATE_GZIP)), out = BUF_EMPTY;
    struct grant grant = {.room = SIZE_MAX};
    struct inflate_gate gate = {take, &grant};
    assert_int_equal(inflate_data(INFLATE_GZIP, buf_slice(&packed), LARGE, gate, &out).end, INFLATE_WHOLE);
    assert_true(grant.taken >= LARGE && grant.taken <= LARGE + INFLATE_STEP_MAX + (size_t)grant.calls);
    assert_true(grant.calls > 8 && grant.largest <= INFLATE_STEP_MAX + 1);
    buf_free(&out);
    buf_free(&packed);
}

/* It ends where nothing more is granted, wherever that is, and leaves nothing. */
static void a_closed_gate_ends_it(void **state) {
    (void)state;
    struct buf packed = pack_zeros(LARGE, window_bits(INFLATE_GZIP)), out = BUF_EMPTY;
    for (size_t room = 0; room < LARGE; room = room * 2 + 1000) {
        struct grant grant = {.room = room};
        struct inflate_gate gate = {take, &grant};
        assert_int_equal(inflate_data(INFLATE_GZIP, buf_slice(&packed), LARGE, gate, &out).end, INFLATE_NO_ROOM);
        assert_null(out.data);
    }
    buf_free(&packed);
}

static void append_member(struct buf *packed, size_t zeros) {
    struct buf member = pack_zeros(zeros, window_bits(INFLATE_GZIP));
    buf_append_slice(packed, buf_slice(&member));
    buf_free(&member);
}

/* Members of sizes around those of the steps, empty ones too: what they unpack to is joined, within one limit. */
static void members_of_gzip_are_joined(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 0, 16384, 0, 0, 100000, 16385, 7, 0};
    struct buf packed = BUF_EMPTY, out = BUF_EMPTY;
    size_t sum = 0, first = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        append_member(&packed, sizes[i]);
        first = i == 0 ? packed.size : first;
        sum += sizes[i];
        struct inflate_outcome outcome = inflate_data(INFLATE_GZIP_MEMBERS, buf_slice(&packed), sum, open_gate, &out);
        assert_int_equal(outcome.end, INFLATE_WHOLE);
        assert_int_equal(outcome.read, packed.size);
        assert_int_equal(out.size, sum);
        buf_free(&out);
        expect_end(INFLATE_GZIP_MEMBERS, buf_slice(&packed), sum - 1, INFLATE_TOO_LARGE);
    }
    struct inflate_outcome outcome = inflate_data(INFLATE_GZIP, buf_slice(&packed), sum, open_gate, &out);
    assert_int_equal(outcome.end, INFLATE_FOLLOWED);
    assert_int_equal(outcome.read, first);
    size_t size = packed.size;
    buf_append_text(&packed, "\x1fxyz"); /* more, but no member */
    outcome = inflate_data(INFLATE_GZIP_MEMBERS, buf_slice(&packed), sum, open_gate, &out);
    assert_int_equal(outcome.end, INFLATE_FOLLOWED);
    assert_int_equal(outcome.read, size);
    buf_free(&packed);
}

static void a_last_member_that_is_cut_is_told(void **state) {
    (void)state;
    struct buf packed = BUF_EMPTY;
    append_member(&packed, 100);
    size_t first = packed.size;
    append_member(&packed, 100);
    for (size_t size = first + 1; size < packed.size; size++) {
        char *cut = malloc(size); /* of no more bytes than it may read */
        memcpy(cut, packed.data, size);
        expect_end(INFLATE_GZIP_MEMBERS, (struct slice){cut, size}, LARGE, INFLATE_CUT_SHORT);
        free(cut);
    }
    packed.data[first + 2] = 77; /* a method that there is not */
    expect_end(INFLATE_GZIP_MEMBERS, buf_slice(&packed), LARGE, INFLATE_BROKEN);
    buf_free(&packed);
}

/* However many there are: they ask for no more than one of the same size would. */
static void members_take_what_they_need(void **state) {
    (void)state;
    struct buf packed = BUF_EMPTY, out = BUF_EMPTY;
    for (int i = 0; i < 20000; i++)
        append_member(&packed, (size_t)i % 2);
    struct grant grant = {.room = SIZE_MAX};
    struct inflate_gate gate = {take, &grant};
    assert_int_equal(inflate_data(INFLATE_GZIP_MEMBERS, buf_slice(&packed), LARGE, gate, &out).end, INFLATE_WHOLE);
    assert_int_equal(out.size, 10000);
    assert_true(grant.calls == 1 && grant.taken < 20000);
    buf_free(&out);
    buf_free(&packed);
}

/* 64 MiB of zeros in 64 KiB must not be unpacked when 1 MiB is allowed. */
static void a_bomb_is_stopped(void **state) {
    (void)state;
    struct buf packed = pack_zeros((size_t)64 << 20, window_bits(INFLATE_GZIP)), out = BUF_EMPTY;
    struct grant grant = {.room = SIZE_MAX};
    struct inflate_gate gate = {take, &grant};
    assert_int_equal(inflate_data(INFLATE_GZIP, buf_slice(&packed), 1 << 20, gate, &out).end, INFLATE_TOO_LARGE);
    assert_true(grant.taken <= (2 << 20) + (size_t)grant.calls);
    assert_null(out.data);
    buf_free(&packed);
}

/* No data of n bytes have more than that many times n, so that the size alone tells which are quick. */
static void the_factor_holds(void **state) {
    (void)state;
    for (size_t size = 1000; size <= LARGE; size *= 2) {
        struct buf packed = pack_zeros(size, window_bits(INFLATE_ZLIB));
        assert_true(packed.size * INFLATE_FACTOR >= size);
        buf_free(&packed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(data_that_are_not_whole_are_told_apart),
        cmocka_unit_test(steps_are_asked_for),
        cmocka_unit_test(a_closed_gate_ends_it),
        cmocka_unit_test(members_of_gzip_are_joined),
        cmocka_unit_test(a_last_member_that_is_cut_is_told),
        cmocka_unit_test(members_take_what_they_need),
        cmocka_unit_test(a_bomb_is_stopped),
        cmocka_unit_test(the_factor_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

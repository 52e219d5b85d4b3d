/* Status, slices, arenas and buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

static void long_messages_are_cut_at_a_character(void **state) {
    (void)state;
    char text[STATUS_MESSAGE_MAX * 2];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        size_t at = shift;
        for (; at + 3 < sizeof text; at += 3)
            memcpy(text + at, "\xe2\x82\xac", 3);
        text[at] = '\0';
        struct status status = status_error(STATUS_INTERNAL, "%s", text);
        size_t length = strlen(status.message);
        assert_in_range(length, STATUS_MESSAGE_MAX - 8, STATUS_MESSAGE_MAX - 1);
        assert_true(slice_is_utf8((struct slice){status.message, length}));
        assert_string_equal(status.message + length - 3, "...");
    }
}

/* Names that clients and files chose, and names that SLICE_ARGS cut in the middle of a character. */
static void messages_are_utf8_whatever_they_quote(void **state) {
    (void)state;
    struct status status = status_error(STATUS_NOT_FOUND, "no field '%s' in \xc3\xa4", "\xb8'\xb8\xe2\x82");
    assert_string_equal(status.message, "no field '?'?\?\?' in \xc3\xa4");
    char text[STATUS_MESSAGE_MAX * 2] = "";
    for (size_t at = 0; at + 4 < sizeof text; at += 3)
        memcpy(text + at, "\xe2\x82\xac", 3);
    status = status_error(STATUS_NOT_FOUND, "'%.*s'", SLICE_ARGS(slice_of(text)));
    assert_true(slice_is_utf8(slice_of(status.message)));
    memset(text, 0x80, sizeof text - 1);
    status = status_prefix(status_error(STATUS_NOT_FOUND, "%s", text), "in %s", "\xff");
    assert_int_equal(strlen(status.message), STATUS_MESSAGE_MAX - 1);
    assert_true(slice_starts_with(slice_of(status.message), SLICE_LITERAL("in ?: ?\?\?")));
    assert_true(slice_ends_with(slice_of(status.message), SLICE_LITERAL("?...")));
}

static void a_prefix_goes_in_front(void **state) {
    (void)state;
    struct status status = status_prefix(status_error(STATUS_NOT_FOUND, "no file"), "model '%s'", "m");
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_string_equal(status.message, "model 'm': no file");
    assert_string_equal(status_code_text(STATUS_NOT_FOUND), "not found");
    assert_string_equal(status_code_text((enum status_code)999), "unknown");
}

static void numbers_are_whole_and_in_range(void **state) {
    (void)state;
    uint64_t u = 5;
    int64_t i = 5;
    double d = 5;
    assert_true(slice_to_u64(slice_of("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(slice_to_u64(slice_of("18446744073709551616"), &u));
    assert_false(slice_to_u64(slice_of("-1"), &u));
    assert_false(slice_to_u64(slice_of(" 1"), &u));
    assert_false(slice_to_u64(slice_of(""), &u));
    assert_true(slice_to_i64(slice_of("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(slice_to_i64(slice_of("9223372036854775808"), &i));
    assert_false(slice_to_i64(slice_of("-9223372036854775809"), &i));
    assert_false(slice_to_i64(slice_of("-"), &i));
    assert_true(slice_to_double(slice_of("-1.5e3"), &d));
    assert_true(d < -1499 && d > -1501);
    assert_false(slice_to_double(slice_of("0x10"), &d));
    assert_false(slice_to_double(slice_of("1e999"), &d));
    assert_false(slice_to_double(slice_of("inf"), &d));
}

static void texts_are_shown_whole(void **state) {
    (void)state;
    char room[SLICE_SHOWN_BYTES], zeros[300] = {0};
    assert_true(slice_equal_text(slice_shown(SLICE_LITERAL("a\0b\n\xc3\xa9"), room), "a\\x00b\n\xc3\xa9"));
    assert_int_equal(slice_shown((struct slice){NULL, 0}, room).size, 0);
    assert_int_equal(slice_shown((struct slice){zeros, sizeof zeros}, room).size, SLICE_SHOWN_BYTES);
}

static void utf8_is_checked_strictly(void **state) {
    (void)state;
    static const char *const good[] = {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9f", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",     "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xe2\x82", "a\xff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(slice_is_utf8(slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(slice_is_utf8(slice_of(bad[i])));
}

static void slices_split_and_trim(void **state) {
    (void)state;
    struct slice head, tail;
    assert_true(slice_split(slice_of("a:b:c"), ':', &head, &tail));
    assert_true(slice_equal_text(head, "a"));
    assert_true(slice_equal_text(tail, "b:c"));
    assert_false(slice_split(slice_of("abc"), ':', &head, &tail));
    assert_true(slice_equal_text(head, "abc"));
    assert_int_equal(tail.size, 0);
    assert_true(slice_equal_text(slice_trim(slice_of(" \t x y \r\n")), "x y"));
    assert_true(slice_starts_with(slice_of("abc"), slice_of("ab")));
    assert_true(slice_ends_with(slice_of("abc"), slice_of("bc")));
    assert_false(slice_ends_with(slice_of("c"), slice_of("bc")));
}

static void an_arena_keeps_its_limit(void **state) {
    (void)state;
    struct arena *arena = arena_create(1000);
    assert_non_null(arena);
    char *first = arena_alloc(arena, 600);
    assert_non_null(first);
    memset(first, 1, 600);
    assert_null(arena_alloc(arena, 600));
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_calloc(arena, SIZE_MAX / 2, 3));
    assert_non_null(arena_alloc(arena, 100));
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 900));
    arena_destroy(arena);
    arena_destroy(NULL);
}

/* Up to its limit in many blocks, and on when that is moved. */
static void an_arena_counts_over_all_its_blocks(void **state) {
    (void)state;
    enum { PIECE = 1000, PIECE_MAX = 1008, LIMIT = 100001 }; /* bytes; with what it takes to align the next */
    struct arena *arena = arena_create(LIMIT);
    for (size_t limit = LIMIT; limit <= 3 * LIMIT; limit += LIMIT) {
        arena_set_limit(arena, limit);
        size_t pieces = 0;
        while (arena_alloc(arena, PIECE))
            pieces++;
        assert_in_range(pieces, LIMIT / PIECE_MAX, LIMIT / PIECE + 1);
        assert_in_range(arena_used(arena), limit - PIECE_MAX, limit);
        assert_non_null(arena_alloc(arena, 1));
    }
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    arena_set_limit(arena, 100);
    assert_non_null(arena_alloc(arena, 0));
    assert_non_null(arena_alloc(arena, 80));
    assert_null(arena_alloc(arena, 80));
    arena_destroy(arena);
}

static void arena_memory_is_aligned_and_apart(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    unsigned char *objects[300];
    for (size_t i = 0; i < 300; i++) {
        objects[i] = arena_alloc(arena, i + 1);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % _Alignof(double), 0);
        memset(objects[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t j = 0; j <= i; j++)
            assert_int_equal(objects[i][j], i & 0xff);
    assert_string_equal(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    assert_true(slice_equal_text(arena_copy(arena, slice_of("copy")), "copy"));
    arena_destroy(arena);
}

static void a_buffer_grows_and_gives_its_memory_away(void **state) {
    (void)state;
    struct buf buf = BUF_EMPTY;
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%d,", i);
    assert_false(buf_failed(&buf));
    assert_memory_equal(buf.data, "0,1,2,", 6);
    buf_consume(&buf, 2);
    assert_memory_equal(buf.data, "1,2,", 4);
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf_failed(&buf));
    size_t before = buf.size;
    buf_append_text(&buf, "lost");
    assert_int_equal(buf.size, before);
    size_t size;
    char *data = buf_detach(&buf, &size);
    assert_int_equal(size, before);
    assert_int_equal(buf.size, 0);
    free(data);
    buf_free(&buf);
}

static void buffers_give_back_what_they_do_not_need(void **state) {
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_shrink(&buf);
    buf_append_text(&buf, "kept");
    buf_shrink(&buf); /* not worth it */
    assert_in_range(buf.capacity, 5, 1000);
    assert_non_null(buf_reserve(&buf, 1 << 20));
    buf_shrink(&buf);
    assert_int_equal(buf.capacity, 4);
    assert_memory_equal(buf.data, "kept", 4);
    buf_append_text(&buf, "!");
    assert_memory_equal(buf.data, "kept!", 5);
    buf_clear(&buf);
    assert_non_null(buf_reserve(&buf, 1 << 20));
    buf_shrink(&buf); /* all of it */
    assert_int_equal(buf.capacity, 0);
    buf_append_text(&buf, "new");
    assert_memory_equal(buf.data, "new", 3);
    buf_free(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_messages_are_cut_at_a_character),
        cmocka_unit_test(buffers_give_back_what_they_do_not_need),
        cmocka_unit_test(messages_are_utf8_whatever_they_quote),
        cmocka_unit_test(a_prefix_goes_in_front),
        cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(texts_are_shown_whole),
        cmocka_unit_test(utf8_is_checked_strictly),
        cmocka_unit_test(slices_split_and_trim),
        cmocka_unit_test(an_arena_keeps_its_limit),
        cmocka_unit_test(an_arena_counts_over_all_its_blocks),
        cmocka_unit_test(arena_memory_is_aligned_and_apart),
        cmocka_unit_test(a_buffer_grows_and_gives_its_memory_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

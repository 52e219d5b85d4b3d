/* What waits to be written: the order of copies and of what is lent, writes cut anywhere, when memory is let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/output.h"

/* Memory that is lent; freed at its release, so that a sanitizer sees who still looks at it. */
struct lender {
    struct output_owner owner;
    char *data;
    size_t size;
    int *releases;
};

static void release(struct output_owner *owner) {
    struct lender *lender = (struct lender *)owner;
    ++*lender->releases;
    free(lender->data);
    free(lender);
}

static struct lender *create(size_t size, int *releases) {
    struct lender *lender = malloc(sizeof *lender);
    assert_non_null(lender);
    *lender = (struct lender){{1, release}, malloc(size), size, releases};
    assert_non_null(lender->data);
    for (size_t i = 0; i < size; i++)
        lender->data[i] = (char)(i * 31 >> 3 ^ size);
    return lender;
}

static void append(struct output *out, struct buf *expected, const char *text) {
    buf_append_text(&out->copied, text);
    buf_append_text(expected, text);
}

/* Lends bytes of memory that only the output keeps then. */
static void lend(struct output *out, struct buf *expected, size_t size, int *releases) {
    struct lender *lender = create(size, releases);
    output_lend(out, (struct slice){lender->data, size}, &lender->owner);
    buf_append(expected, lender->data, size);
    output_owner_unref(&lender->owner);
}

static void assert_holds(const struct output *out, struct slice expected) {
    struct iovec parts[OUTPUT_PARTS_MAX];
    size_t count = output_parts(out, parts);
    assert_int_equal(output_size(out), expected.size);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(parts[i].iov_len, 1, expected.size);
        assert_memory_equal(parts[i].iov_base, expected.data, parts[i].iov_len);
        expected.data += parts[i].iov_len;
        expected.size -= parts[i].iov_len;
    }
    assert_int_equal(expected.size, 0);
}

static struct slice from(const struct buf *expected, size_t at) {
    return (struct slice){expected->data + at, expected->size - at};
}

/* Copies before, between and behind; two pieces next to each other. */
static void fill(struct output *out, struct buf *expected, int releases[3]) {
    *out = (struct output){.gathers = true};
    append(out, expected, "head");
    lend(out, expected, OUTPUT_LENT_MIN, &releases[0]);
    append(out, expected, "between");
    lend(out, expected, OUTPUT_LENT_MIN + 1, &releases[1]);
    lend(out, expected, OUTPUT_LENT_MIN + 2, &releases[2]);
    append(out, expected, "tail");
}

static void large_pieces_are_not_copied(void **state) {
    (void)state;
    int releases[3] = {0};
    struct buf expected = BUF_EMPTY;
    struct output out;
    fill(&out, &expected, releases);
    assert_int_equal(out.copied.size, strlen("headbetweentail"));
    assert_holds(&out, buf_slice(&expected));
    struct iovec parts[OUTPUT_PARTS_MAX];
    assert_int_equal(output_parts(&out, parts), 6);
    output_free(&out);
    assert_true(releases[0] == 1 && releases[1] == 1 && releases[2] == 1);
    buf_free(&expected);
}

static void written_in_two_cut_anywhere(void **state) {
    (void)state;
    for (size_t cut = 0, size = 1; cut <= size; cut++) {
        int releases[3] = {0};
        struct buf expected = BUF_EMPTY;
        struct output out;
        fill(&out, &expected, releases);
        size = expected.size;
        output_pass(&out, cut);
        assert_holds(&out, from(&expected, cut));
        size_t first = 4 + OUTPUT_LENT_MIN, second = first + 7 + OUTPUT_LENT_MIN + 1;
        assert_int_equal(releases[0], cut >= first);
        assert_int_equal(releases[1], cut >= second);
        assert_int_equal(releases[2], cut >= second + OUTPUT_LENT_MIN + 2);
        output_pass(&out, size - cut);
        assert_true(releases[0] == 1 && releases[1] == 1 && releases[2] == 1);
        assert_true(output_size(&out) == 0 && out.copied.size == 0 && out.count == 0); /* as if it were new */
        output_free(&out);
        buf_free(&expected);
    }
}

static void written_byte_by_byte(void **state) {
    (void)state;
    int releases[3] = {0};
    struct buf expected = BUF_EMPTY;
    struct output out;
    for (int round = 0; round < 2; round++) { /* the second in the same memory */
        if (round == 0)
            fill(&out, &expected, releases);
        else
            lend(&out, &expected, 3 * OUTPUT_LENT_MIN, &releases[0]);
        for (size_t i = 0; i < expected.size; i++) {
            assert_int_equal(output_size(&out), expected.size - i);
            struct iovec parts[OUTPUT_PARTS_MAX];
            assert_true(output_parts(&out, parts) > 0);
            assert_int_equal(*(const char *)parts[0].iov_base, expected.data[i]);
            output_pass(&out, 1);
        }
        buf_clear(&expected);
    }
    assert_true(releases[0] == 2 && releases[1] == 1 && releases[2] == 1);
    output_free(&out);
    buf_free(&expected);
}

static void small_ones_and_those_without_owner_are_copied(void **state) {
    (void)state;
    int released = 0;
    struct buf expected = BUF_EMPTY;
    struct output out = {.gathers = true};
    lend(&out, &expected, OUTPUT_LENT_MIN - 1, &released);
    assert_int_equal(released, 1);
    struct lender *lender = create(OUTPUT_LENT_MIN, &released);
    output_lend(&out, (struct slice){lender->data, lender->size}, NULL);
    buf_append(&expected, lender->data, lender->size);
    output_owner_unref(&lender->owner);
    assert_true(out.lent == 0 && !out.pieces);
    assert_holds(&out, buf_slice(&expected));
    output_free(&out);
    buf_free(&expected);
}

static void where_nothing_gathers_all_is_copied(void **state) {
    (void)state;
    int released = 0;
    struct buf expected = BUF_EMPTY;
    struct output out = {.gathers = false};
    append(&out, &expected, "head");
    lend(&out, &expected, 4 * OUTPUT_LENT_MIN, &released);
    assert_int_equal(released, 1);
    assert_true(out.lent == 0 && !out.pieces);
    struct iovec parts[OUTPUT_PARTS_MAX];
    assert_int_equal(output_parts(&out, parts), 1);
    assert_holds(&out, buf_slice(&expected));
    output_free(&out);
    buf_free(&expected);
}

static void pieces_beyond_the_most_are_copied(void **state) {
    (void)state;
    int released = 0;
    struct buf expected = BUF_EMPTY;
    struct output out = {.gathers = true};
    for (int i = 0; i < OUTPUT_PIECES_MAX; i++) {
        append(&out, &expected, "head");
        lend(&out, &expected, OUTPUT_LENT_MIN, &released);
    }
    append(&out, &expected, "head");
    assert_int_equal(released, 0);
    struct iovec parts[OUTPUT_PARTS_MAX];
    assert_int_equal(output_parts(&out, parts), OUTPUT_PARTS_MAX);
    lend(&out, &expected, OUTPUT_LENT_MIN, &released);
    assert_int_equal(released, 1);
    assert_int_equal(output_parts(&out, parts), OUTPUT_PARTS_MAX);
    assert_holds(&out, buf_slice(&expected));
    output_free(&out);
    assert_int_equal(released, OUTPUT_PIECES_MAX + 1);
    buf_free(&expected);
}

/* Of one owner, who lets go once; at an end in the middle, too. */
/* Memory was short for what goes before it: what is written must not have a hole. */
static void behind_a_copy_that_failed_nothing_is_lent(void **state) {
    (void)state;
    int released = 0;
    struct buf expected = BUF_EMPTY;
    struct output out = {.gathers = true};
    append(&out, &expected, "head");
    out.copied.failed = true;
    struct lender *lender = create(OUTPUT_LENT_MIN, &released);
    output_lend(&out, (struct slice){lender->data, lender->size}, &lender->owner);
    output_owner_unref(&lender->owner);
    assert_int_equal(released, 1);
    assert_true(buf_failed(&out.copied));
    assert_holds(&out, buf_slice(&expected));
    output_free(&out);
    buf_free(&expected);
}

static void many_pieces_of_one_owner(void **state) {
    (void)state;
    for (size_t written = 0; written <= 3 * OUTPUT_LENT_MIN; written += OUTPUT_LENT_MIN / 2) {
        int released = 0;
        struct output out = {.gathers = true};
        struct lender *lender = create(3 * OUTPUT_LENT_MIN, &released);
        for (size_t i = 0; i < 3; i++)
            output_lend(&out, (struct slice){lender->data + i * OUTPUT_LENT_MIN, OUTPUT_LENT_MIN}, &lender->owner);
        output_pass(&out, written);
        assert_holds(&out, (struct slice){lender->data + written, 3 * OUTPUT_LENT_MIN - written});
        output_drop_lent(&out);
        assert_int_equal(output_size(&out), 0);
        assert_int_equal(released, 0);
        output_owner_unref(&lender->owner);
        assert_int_equal(released, 1);
        output_free(&out);
    }
}

static void room_ends_with_either_bound(void **state) {
    (void)state;
    int released = 0;
    struct buf expected = BUF_EMPTY;
    struct output out = {.gathers = true};
    assert_int_equal(output_room(&out, 100), 100);
    append(&out, &expected, "12345678");
    assert_int_equal(output_room(&out, 100), 92);
    assert_int_equal(output_room(&out, 8), 0);
    lend(&out, &expected, OUTPUT_LENT_MAX - 10, &released);
    assert_int_equal(output_room(&out, 100), 10);
    assert_int_equal(output_room(&out, 17), 9);
    assert_int_equal(output_room(&out, 8), 0);
    lend(&out, &expected, OUTPUT_LENT_MIN, &released);
    assert_int_equal(output_room(&out, 100), 0);
    output_free(&out);
    buf_free(&expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_pieces_are_not_copied),
        cmocka_unit_test(written_in_two_cut_anywhere),
        cmocka_unit_test(written_byte_by_byte),
        cmocka_unit_test(small_ones_and_those_without_owner_are_copied),
        cmocka_unit_test(where_nothing_gathers_all_is_copied),
        cmocka_unit_test(pieces_beyond_the_most_are_copied),
        cmocka_unit_test(behind_a_copy_that_failed_nothing_is_lent),
        cmocka_unit_test(many_pieces_of_one_owner),
        cmocka_unit_test(room_ends_with_either_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

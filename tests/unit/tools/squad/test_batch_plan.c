/* Tests of batch_plan: every window exactly once, in batches that fit, whatever the padding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/squad/batch_plan.h"

enum { WINDOWS = 9, MAX_SEQUENCE = 20 };

/* Windows of these many tokens in all, by their context. */
static const uint32_t sizes[WINDOWS] = {7, 12, 7, 5, 12, 7, 20, 5, 7};

static void make(struct squad_windows *windows, struct squad_window *items) {
    *windows = (struct squad_windows){.windows = items, .window_count = WINDOWS, .longest = 20};
    for (size_t i = 0; i < WINDOWS; i++) {
        items[i] = (struct squad_window){.context_count = sizes[i] - SQUAD_SPECIAL_TOKENS - 1, .query_count = 1};
        assert_int_equal(squad_window_size(&items[i]), sizes[i]);
    }
}

static void check(enum squad_padding padding, uint32_t batch_size, const uint32_t *counts, const uint32_t *sequences,
                  size_t batches) {
    struct arena *arena = arena_create(0);
    struct squad_windows windows;
    struct squad_window items[WINDOWS];
    struct batch_plan plan;
    bool seen[WINDOWS] = {false};
    uint64_t padded = 0;
    make(&windows, items);
    struct status status = batch_plan_create(arena, &windows, padding, batch_size, MAX_SEQUENCE, &plan);
    assert_string_equal(status.message, "");
    assert_int_equal(plan.batch_count, batches);
    for (size_t b = 0; b < batches; b++) {
        assert_int_equal(plan.batches[b].count, counts[b]);
        assert_int_equal(plan.batches[b].sequence, sequences[b]);
        padded += (uint64_t)counts[b] * sequences[b];
        for (uint32_t i = 0; i < counts[b]; i++) {
            uint32_t window = plan.order[plan.batches[b].first + i];
            assert_false(seen[window]);
            seen[window] = true;
            assert_true(sizes[window] <= sequences[b]);
            if (padding == SQUAD_PAD_NONE)
                assert_int_equal(sizes[window], sequences[b]);
            else
                assert_int_equal(window, plan.batches[b].first + i);
        }
    }
    for (size_t i = 0; i < WINDOWS; i++)
        assert_true(seen[i]);
    assert_int_equal(plan.padded_tokens, padded);
    arena_destroy(arena);
}

static void test_longest(void **state) {
    (void)state;
    const uint32_t counts[] = {4, 4, 1}, sequences[] = {12, 20, 7};
    check(SQUAD_PAD_LONGEST, 4, counts, sequences, 3);
}

static void test_max(void **state) {
    (void)state;
    const uint32_t counts[] = {8, 1}, sequences[] = {20, 20};
    check(SQUAD_PAD_MAX, 8, counts, sequences, 2);
}

static void test_none_groups_equal_lengths(void **state) {
    (void)state;
    const uint32_t counts[] = {2, 3, 1, 2, 1}, sequences[] = {5, 7, 7, 12, 20};
    check(SQUAD_PAD_NONE, 3, counts, sequences, 5);
}

static void test_batch_of_one(void **state) {
    (void)state;
    const uint32_t counts[WINDOWS] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    check(SQUAD_PAD_LONGEST, 1, counts, sizes, WINDOWS);
}

static void test_no_windows(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct squad_windows windows = {0};
    for (int padding = SQUAD_PAD_NONE; padding <= SQUAD_PAD_MAX; padding++) {
        struct batch_plan plan;
        struct status status = batch_plan_create(arena, &windows, (enum squad_padding)padding, 8, 384, &plan);
        assert_string_equal(status.message, "");
        assert_int_equal(plan.batch_count, 0);
    }
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_none_groups_equal_lengths),
        cmocka_unit_test(test_batch_of_one),
        cmocka_unit_test(test_no_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

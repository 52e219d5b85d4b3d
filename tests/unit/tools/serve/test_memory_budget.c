/* Tests of memory_budget: what requests and answers may take by default. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/serve/memory_budget.h"

#define MIB ((int64_t)1 << 20)
#define USUAL (2048 * MIB)

static void half_of_the_memory_at_most(void **state) {
    (void)state;
    assert_int_equal(memory_budget_default(USUAL, 64 * MIB, UINT64_MAX), USUAL);
    assert_int_equal(memory_budget_default(USUAL, 64 * MIB, 4096 * MIB), USUAL);
    assert_int_equal(memory_budget_default(USUAL, 64 * MIB, 1024 * MIB), 512 * MIB);
    assert_int_equal(memory_budget_default(USUAL, 64 * MIB, 400 * MIB), 144 * MIB);
    assert_int_equal(memory_budget_default(USUAL, 64 * MIB, 48 * MIB), 128 * MIB); /* two requests must fit */
    assert_int_equal(memory_budget_default(USUAL, 2048 * MIB, 48 * MIB), USUAL);   /* and do not: that is refused */
    assert_int_equal(memory_budget_default(USUAL, (int64_t)1 << 40, 48 * MIB), USUAL);
}

static void what_is_taken_beside_counts(void **state) {
    (void)state;
    assert_true(memory_budget_fits(USUAL, UINT64_MAX));
    assert_true(memory_budget_fits(256 * MIB, 512 * MIB));
    assert_false(memory_budget_fits(256 * MIB + 1, 512 * MIB));
    assert_false(memory_budget_fits(1, 255 * MIB));
}

/* What is taken by default is not warned of, where requests of the largest size leave a choice. */
static void the_default_fits(void **state) {
    (void)state;
    for (int64_t memory = 384 * MIB; memory < 8192 * MIB; memory += 16 * MIB)
        assert_true(memory_budget_fits(memory_budget_default(USUAL, 64 * MIB, (uint64_t)memory), (uint64_t)memory));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_of_the_memory_at_most),
        cmocka_unit_test(what_is_taken_beside_counts),
        cmocka_unit_test(the_default_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

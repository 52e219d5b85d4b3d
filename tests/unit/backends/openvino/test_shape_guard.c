/* Which combinations of shapes count as known. */
#include "backends/openvino/shape_guard.h"
#include "engine_fixture.h"

enum { WIDTH = 6 };

struct fixture {
    struct arena *arena;
    struct shape_guard guard;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = arena_create(0);
    assert_good(shape_guard_init(&f->guard, WIDTH, f->arena));
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    shape_guard_destroy(&f->guard);
    arena_destroy(f->arena);
    free(f);
    return 0;
}

/* Two inputs of two dimensions, each behind its rank. */
#define SHAPES(a, b, c, d) ((int64_t[WIDTH]){-3, a, b, -3, c, d})

static void test_nothing_is_known_at_first(void **state) {
    struct fixture *f = *state;
    assert_false(shape_guard_knows(&f->guard, SHAPES(2, 8, 2, 8)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(0, 0, 0, 0)));
}

static void test_smaller_ones_of_the_same_pattern_are_known(void **state) {
    struct fixture *f = *state;
    shape_guard_learn(&f->guard, SHAPES(4, 64, 4, 64));
    assert_true(shape_guard_knows(&f->guard, SHAPES(4, 64, 4, 64)));
    assert_true(shape_guard_knows(&f->guard, SHAPES(3, 64, 3, 64)));
    assert_true(shape_guard_knows(&f->guard, SHAPES(2, 5, 2, 5)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(5, 64, 5, 64)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(4, 65, 4, 65)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(INT64_MAX, 64, INT64_MAX, 64)));
}

static void test_other_patterns_are_not(void **state) {
    struct fixture *f = *state;
    shape_guard_learn(&f->guard, SHAPES(4, 64, 4, 64));
    assert_false(shape_guard_knows(&f->guard, SHAPES(4, 64, 4, 63)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(4, 64, 3, 64)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(3, 3, 3, 3))); /* batch and length alike, by chance */
    assert_false(shape_guard_knows(&f->guard, SHAPES(1, 64, 1, 64)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(4, 1, 4, 1)));
    assert_false(shape_guard_knows(&f->guard, SHAPES(4, 0, 4, 0)));
    assert_false(shape_guard_knows(&f->guard, ((int64_t[WIDTH]){-2, 4, 64, -3, 4, 64})));
}

static void test_the_largest_of_each_dimension_counts(void **state) {
    struct fixture *f = *state;
    shape_guard_learn(&f->guard, SHAPES(2, 64, 2, 64));
    shape_guard_learn(&f->guard, SHAPES(8, 16, 8, 16));
    assert_true(shape_guard_knows(&f->guard, SHAPES(7, 60, 7, 60)));
    assert_int_equal(f->guard.count, 1);
}

/* A client may send ever new patterns: the table does not grow, and what is pushed out is merely unknown again. */
static void test_patterns_beyond_the_table(void **state) {
    struct fixture *f = *state;
    struct shape_guard guard;
    int64_t dims[8];
    assert_good(shape_guard_init(&guard, 8, f->arena));
    for (int pattern = 0; pattern < 256; pattern++) {
        for (int i = 0; i < 8; i++)
            dims[i] = pattern >> i & 1; /* each combination of ones and zeros is a pattern of its own */
        shape_guard_learn(&guard, dims);
        assert_true(shape_guard_knows(&guard, dims));
    }
    assert_int_equal(guard.count, SHAPE_GUARD_PATTERNS);
    memset(dims, 0, sizeof dims);
    assert_false(shape_guard_knows(&guard, dims));
    shape_guard_destroy(&guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_known_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_smaller_ones_of_the_same_pattern_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_patterns_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_largest_of_each_dimension_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patterns_beyond_the_table, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

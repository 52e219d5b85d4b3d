/* Random weights: repeatable, the same in any pieces, and distributed as promised. */
#include "checkpoint/random_checkpoint.h"

#include <math.h>

#include "scratch.h"

enum { COUNT = 100000 };

static void same_for_a_seed_in_any_pieces(void **state) {
    (void)state;
    uint64_t key = random_checkpoint_key(7, SLICE_LITERAL("a.weight"));
    float whole[300], pieces[300];
    random_checkpoint_fill(key, 1000, 300, whole);
    for (size_t i = 0; i < 300; i += 7)
        random_checkpoint_fill(key, 1000 + i, i + 7 < 300 ? 7 : 300 - i, pieces + i);
    assert_memory_equal(whole, pieces, sizeof whole);
    assert_int_equal(key, random_checkpoint_key(7, SLICE_LITERAL("a.weight")));
    assert_int_not_equal(key, random_checkpoint_key(8, SLICE_LITERAL("a.weight")));
    assert_int_not_equal(key, random_checkpoint_key(7, SLICE_LITERAL("b.weight")));
}

/* These numbers must never change: benchmarks of other days compare with them. */
static void fixed_for_all_time(void **state) {
    (void)state;
    float numbers[2];
    uint64_t key = random_checkpoint_key(1, SLICE_LITERAL("bert.embeddings.word_embeddings.weight"));
    random_checkpoint_fill(key, 0, 2, numbers);
    assert_int_equal((int)lrintf(numbers[0] * 1e7f), 48952);
    assert_int_equal((int)lrintf(numbers[1] * 1e7f), 99214);
}

static void distribution(void **state) {
    (void)state;
    float *numbers = malloc(COUNT * sizeof *numbers);
    double sum = 0, squares = 0;
    size_t within_one = 0;
    assert_non_null(numbers);
    random_checkpoint_fill(random_checkpoint_key(3, SLICE_LITERAL("w")), 0, COUNT, numbers);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(fabsf(numbers[i]) <= 0.07f);
        sum += (double)numbers[i];
        squares += (double)numbers[i] * (double)numbers[i];
        within_one += fabsf(numbers[i]) < 0.02f;
    }
    assert_true(fabs(sum / COUNT) < 0.0004);
    assert_true(fabs(sqrt(squares / COUNT) - 0.02) < 0.0004);
    assert_true(fabs((double)within_one / COUNT - 0.67) < 0.02); /* a normal distribution has 0.683 */
    free(numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_for_a_seed_in_any_pieces),
        cmocka_unit_test(fixed_for_all_time),
        cmocka_unit_test(distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which questions have no answer after a run that has failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/squad/batch_run.h"

/* A question whose window is missing is lost, though others of its windows are there; the first of them is told. */
static void test_lost_questions(void **state) {
    (void)state;
    const float numbers[1] = {0};
    const uint32_t first_window[] = {0, 1, 3, 4, 6};
    const struct squad_dataset dataset = {.question_count = 4};
    const struct squad_windows windows = {
        .dataset = &dataset, .window_count = 6, .first_window = (uint32_t *)(uintptr_t)first_window};
    struct squad_logits logits[6];
    for (size_t i = 0; i < 6; i++)
        logits[i] = (struct squad_logits){numbers, numbers};
    struct batch_run run = {.logits = logits};
    uint32_t first = 77;
    assert_int_equal(batch_run_count_lost(&run, &windows, &first), 0);
    assert_int_equal(first, 77);
    logits[2].start = logits[4].start = logits[5].start = NULL;
    assert_int_equal(batch_run_count_lost(&run, &windows, &first), 2);
    assert_int_equal(first, 1);
    assert_int_equal(batch_run_count_lost(&(struct batch_run){.logits = NULL}, &windows, &first), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

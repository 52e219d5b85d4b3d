/* The heap of timers against a plain array of the same timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/timer_heap.h"

enum { TIMERS = 200 };

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t earliest(const struct loop_timer *timers, const bool *set) {
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < TIMERS; i++)
        if (set[i] && timers[i].deadline_ns < least)
            least = timers[i].deadline_ns;
    return least;
}

static void test_random_operations(void **state) {
    (void)state;
    static struct loop_timer timers[TIMERS];
    bool set[TIMERS] = {false};
    struct timer_heap heap = {NULL};
    uint64_t random = 0x9e3779b97f4a7c15;
    for (int round = 0; round < 50000; round++) {
        size_t i = random_next(&random) % TIMERS;
        assert_int_equal(timer_heap_contains(&heap, &timers[i]), set[i]);
        if (set[i]) {
            timer_heap_remove(&heap, &timers[i]);
            set[i] = false;
        } else {
            timers[i].deadline_ns = random_next(&random) % 1000; /* many are equal */
            timer_heap_insert(&heap, &timers[i]);
            set[i] = true;
        }
        assert_int_equal(heap.root ? heap.root->deadline_ns : UINT64_MAX, earliest(timers, set));
    }
    /* Taken out in order. */
    uint64_t last = 0;
    while (heap.root) {
        struct loop_timer *timer = heap.root;
        assert_true(timer->deadline_ns >= last);
        last = timer->deadline_ns;
        timer_heap_remove(&heap, timer);
        assert_false(timer_heap_contains(&heap, timer));
        set[timer - timers] = false;
    }
    assert_int_equal(earliest(timers, set), UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_operations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of sequences: ids, start and end flags, lengths, streams, and what is in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/perf/sequences.h"

static struct workload_entry entries[3];
static struct workload_stream streams[] = {{0, 2}, {2, 1}};
static const struct workload workload = {.entries = entries, .entry_count = 3, .streams = streams, .stream_count = 2};

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

static struct sequences *create(struct arena *arena, struct sequence_plan plan) {
    struct sequences *sequences = NULL;
    struct status status = sequences_create(arena, &plan, &workload, &sequences);
    assert_string_equal(status.message, "");
    return sequences;
}

static void check(struct sequences *sequences, uint64_t id, bool start, bool end, size_t entry) {
    struct sequence_step step;
    assert_true(sequences_take(sequences, &step));
    assert_int_equal(step.id, id);
    assert_int_equal(step.start, start);
    assert_int_equal(step.end, end);
    assert_int_equal(step.entry, entry);
    sequences_answered(sequences, step.slot);
}

/* Lengths, and data, of the streams in turn. */
static void test_streams(void **state) {
    struct sequences *sequences = create(*state, (struct sequence_plan){.slots = 1, .first_id = 9});
    check(sequences, 9, true, false, 0);
    check(sequences, 9, false, true, 1);
    check(sequences, 10, true, true, 2);
    check(sequences, 11, true, false, 0);
}

/* Slots take turns; an id range goes round. */
static void test_slots_and_ids(void **state) {
    struct sequences *sequences =
        create(*state, (struct sequence_plan){.slots = 2, .length = 2, .first_id = 5, .end_id = 8});
    check(sequences, 5, true, false, 0);
    check(sequences, 6, true, false, 2);
    check(sequences, 5, false, true, 1);
    check(sequences, 6, false, true, 2); /* longer than its stream: from its start again */
    check(sequences, 7, true, false, 0);
    check(sequences, 5, true, false, 2);
}

static void test_lengths_vary(void **state) {
    struct sequences *sequences =
        create(*state, (struct sequence_plan){.slots = 1, .length = 20, .variation_percent = 20, .first_id = 1});
    size_t length = 0, shortest = SIZE_MAX, longest = 0;
    for (int ended = 0; ended < 500;) {
        struct sequence_step step;
        assert_true(sequences_take(sequences, &step));
        assert_int_equal(step.start, length == 0);
        length++;
        if (!step.end)
            continue;
        shortest = length < shortest ? length : shortest;
        longest = length > longest ? length : longest;
        length = 0;
        ended++;
    }
    assert_true(shortest == 16 && longest == 24);
}

static void test_serial(void **state) {
    struct sequences *sequences =
        create(*state, (struct sequence_plan){.slots = 2, .length = 5, .first_id = 1, .serial = true});
    struct sequence_step first, second, third;
    assert_true(sequences_take(sequences, &first) && sequences_take(sequences, &second));
    assert_false(sequences_take(sequences, &third));
    sequences_answered(sequences, second.slot);
    assert_true(sequences_take(sequences, &third));
    assert_int_equal(third.id, second.id);
}

static void test_last(void **state) {
    struct sequences *sequences = create(*state, (struct sequence_plan){.slots = 3, .length = 5, .first_id = 1});
    struct sequence_step step;
    assert_false(sequences_take_last(sequences, &step));
    assert_true(sequences_take(sequences, &step) && sequences_take(sequences, &step));
    for (uint64_t id = 1; id <= 2; id++) {
        assert_true(sequences_take_last(sequences, &step));
        assert_true(step.id == id && step.end && !step.start);
    }
    assert_false(sequences_take_last(sequences, &step));
}

static void test_too_few_ids(void **state) {
    const struct sequence_plan plan = {.slots = 4, .length = 5, .first_id = 1, .end_id = 4};
    struct sequences *sequences;
    assert_int_equal(sequences_create(*state, &plan, &workload, &sequences).code, STATUS_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slots_and_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lengths_vary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_serial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_few_ids, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

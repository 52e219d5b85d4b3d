/* The batch decision on a virtual clock: a queue written as a row of letters (shapes) with times, and what runs when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/batch_decision.h"

enum { QUEUE_MAX = 512 };

/* A queue with a clock of its own: the decision sees nothing else of the world. */
struct fixture {
    struct batch_policy policy;
    struct batch_candidate queue[QUEUE_MAX];
    size_t count;
    bool truncated, busy, computing;
    uint64_t now;
    unsigned char marks[QUEUE_MAX];
    struct batch_decision decision;
};

static const uint32_t preferred_4_8[] = {4, 8};

static struct fixture fixture_with(uint64_t delay, uint32_t max_items) {
    struct fixture f = {.policy = {.enabled = true, .max_delay_ns = delay, .max_items = max_items}, .now = 1000};
    return f;
}

/* Adds a request of a shape, as many items, that was queued at a time. */
static struct batch_candidate *add(struct fixture *f, char shape, uint32_t items, uint64_t queued) {
    assert_true(f->count < QUEUE_MAX);
    struct batch_candidate *candidate = &f->queue[f->count++];
    *candidate = (struct batch_candidate){.key = (uint64_t)shape, .items = items, .queued_ns = queued};
    return candidate;
}

static void add_many(struct fixture *f, const char *shapes, uint64_t queued) {
    for (; *shapes; shapes++)
        add(f, *shapes, 1, queued);
}

static void decide(struct fixture *f) {
    struct batch_view view = {f->queue, f->count, f->truncated, !f->busy, f->computing};
    memset(f->marks, 0xEE, sizeof f->marks);
    f->decision = batch_decide(&f->policy, &view, f->now, f->marks);
    size_t run = 0, dropped = 0;
    for (size_t i = 0; i < f->count; i++) {
        assert_in_range(f->marks[i], BATCH_WAIT, BATCH_DROP);
        run += f->marks[i] == BATCH_RUN;
        dropped += f->marks[i] == BATCH_DROP;
    }
    assert_int_equal(run, f->decision.run_count);
    assert_int_equal(dropped, f->decision.drop_count);
}

/* Removes what the last decision ran or dropped. */
static void take(struct fixture *f) {
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++)
        if (f->marks[i] == BATCH_WAIT)
            f->queue[kept++] = f->queue[i];
    f->count = kept;
}

/* Decides, and compares the marks with a row such as "RR-RD" ('-': waits). */
#define assert_marks(f, expected)                                                                                      \
    do {                                                                                                               \
        decide(f);                                                                                                     \
        char got[QUEUE_MAX + 1] = "";                                                                                  \
        for (size_t i = 0; i < (f)->count; i++)                                                                        \
            got[i] = "-RD"[(f)->marks[i]];                                                                             \
        assert_string_equal(got, expected);                                                                            \
    } while (0)

static void an_empty_queue_waits_for_nothing(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    assert_marks(&f, "");
    assert_int_equal(f.decision.wake_ns, BATCH_NEVER);
}

static void without_batching_each_runs_alone_in_order(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    f.policy.enabled = false;
    f.policy.ragged = true;
    add_many(&f, "aab", 1000);
    assert_marks(&f, "R--");
    take(&f);
    assert_marks(&f, "R-");
    take(&f);
    assert_marks(&f, "R");
}

static void a_preferred_size_runs_at_once(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 2;
    add_many(&f, "aaa", 1000);
    assert_marks(&f, "---");
    assert_int_equal(f.decision.wake_ns, 1100);
    add_many(&f, "a", 1001);
    f.now = 1001;
    assert_marks(&f, "RRRR");
}

static void the_largest_preferred_size_wins(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 16);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 2;
    add_many(&f, "aaaaaaa", 1000);
    assert_marks(&f, "RRRR---");
    add_many(&f, "aaa", 1000);
    assert_marks(&f, "RRRRRRRR--");
}

static void with_preferred_sizes_the_maximum_is_none(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 1;
    add_many(&f, "aaaaaaaaa", 1000);
    assert_marks(&f, "RRRR-----");
}

static void without_preferred_sizes_the_maximum_is_preferred(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    add_many(&f, "aaa", 1000);
    assert_marks(&f, "---");
    add_many(&f, "aa", 1000);
    assert_marks(&f, "RRRR-");
}

static void after_the_delay_everything_goes_up_to_the_maximum(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 6);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 1;
    add_many(&f, "aaa", 1000);
    f.now = 1099;
    assert_marks(&f, "---");
    assert_int_equal(f.decision.wake_ns, 1100);
    f.now = 1100;
    assert_marks(&f, "RRR");
    add_many(&f, "aaaaa", 1050);
    assert_marks(&f, "RRRRRR--");
    take(&f);
    assert_marks(&f, "--");
    assert_int_equal(f.decision.wake_ns, 1150);
}

static void without_delay_what_is_there_goes(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 8);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 2;
    add_many(&f, "aaa", 1000);
    assert_marks(&f, "RRR");
    add_many(&f, "aaa", 1000);
    assert_marks(&f, "RRRR--");
    take(&f);
    assert_marks(&f, "RR");
}

static void nothing_runs_while_all_instances_are_busy(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 2);
    f.busy = true;
    add_many(&f, "aaaa", 1);
    add(&f, 'a', 1, 1)->deadline_ns = 5000;
    assert_marks(&f, "-----");
    assert_int_equal(f.decision.wake_ns, 5001);
}

static void client_batches_count_their_items(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 1;
    add(&f, 'a', 3, 1000);
    assert_marks(&f, "-");
    add(&f, 'a', 1, 1000);
    assert_marks(&f, "RR");
}

static void never_more_than_the_maximum(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    add(&f, 'a', 5, 1000);
    add(&f, 'a', 6, 1000); /* does not fit, so the batch cannot be filled by waiting for it */
    add(&f, 'a', 3, 1000);
    assert_marks(&f, "R-R");
    take(&f);
    assert_marks(&f, "-");
    add(&f, 'a', 7, 1000);
    assert_marks(&f, "R-");
}

static void a_request_larger_than_the_maximum_runs_alone(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    add(&f, 'a', 20, 1000);
    add(&f, 'a', 1, 1000);
    assert_marks(&f, "R-");
}

static void past_the_largest_preferred_size_it_does_not_wait(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    f.policy.preferred = preferred_4_8;
    f.policy.preferred_count = 1;
    add(&f, 'a', 5, 1000);
    assert_marks(&f, "R");
}

static void other_shapes_in_between_cut_nothing(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    add_many(&f, "abcbabcaa", 1000);
    assert_marks(&f, "R---R--RR");
    take(&f);
    assert_marks(&f, "-----"); /* bcbbc: neither reaches 4 */
    f.now = 1100;
    assert_marks(&f, "R-RR-");
    take(&f);
    assert_marks(&f, "RR");
}

static void a_ragged_engine_joins_all_shapes(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    f.policy.ragged = true;
    add_many(&f, "abcdef", 1000);
    assert_marks(&f, "RRRR--");
}

static void a_full_group_passes_one_that_waits(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    add_many(&f, "abbbb", 1000);
    assert_marks(&f, "-RRRR"); /* work for the idle instance; 'a' still has until 1100 */
    f.now = 1100;
    assert_marks(&f, "R----"); /* now it goes first */
}

/* One instance, a rare shape among a flood that always fills a batch: it runs as soon as its delay is over. */
static void a_rare_shape_is_not_starved(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    add(&f, 'r', 1, 1000);
    uint64_t ran_at = 0;
    for (f.now = 1000; f.now < 2000 && !ran_at; f.now += 30) {
        add_many(&f, "aaaaaaaa", f.now);
        decide(&f);
        if (f.queue[0].key == 'r' && f.marks[0] == BATCH_RUN)
            ran_at = f.now;
        take(&f);
    }
    assert_in_range(ran_at, 1100, 1130);
}

static void the_oldest_group_goes_first(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 4);
    add_many(&f, "ab", 1000);
    add_many(&f, "bbbb", 1001);
    assert_marks(&f, "R-----");
}

static void expired_requests_are_dropped_and_never_run(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 4);
    add(&f, 'a', 1, 500)->deadline_ns = 999;
    add(&f, 'a', 1, 500)->deadline_ns = 1000; /* in time to the last */
    add(&f, 'a', 1, 500);
    assert_marks(&f, "DRR");
}

static void it_wakes_for_the_earliest_deadline(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 4);
    f.busy = true;
    add(&f, 'a', 1, 1000)->deadline_ns = 1500;
    add(&f, 'a', 1, 1000)->deadline_ns = 1200;
    assert_marks(&f, "--");
    assert_int_equal(f.decision.wake_ns, 1201);
    f.now = 1201;
    assert_marks(&f, "-D");
    assert_int_equal(f.decision.wake_ns, 1501);
}

static void a_deadline_within_the_delay_is_not_waited_for(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    add(&f, 'a', 1, 1000);
    assert_marks(&f, "-");
    add(&f, 'a', 1, 1000)->deadline_ns = 1050;
    assert_marks(&f, "RR");
    f.queue[1].deadline_ns = 1101;
    assert_marks(&f, "--");
}

static void cancelled_requests_are_dropped(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 4);
    add(&f, 'a', 1, 1000)->cancelled = true;
    add(&f, 'a', 1, 1000);
    assert_marks(&f, "DR");
    f.busy = true;
    assert_marks(&f, "D-");
}

static void dropped_requests_do_not_fill_batches(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 4);
    add_many(&f, "aaaa", 1000);
    f.queue[0].cancelled = true;
    f.queue[2].deadline_ns = 999;
    assert_marks(&f, "D-D-");
    assert_int_equal(f.decision.wake_ns, 1100);
}

static void the_token_budget_bounds_a_batch(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 8);
    f.policy.ragged = true;
    f.policy.token_budget = 100;
    static const uint32_t tokens[] = {60, 50, 30, 10, 1};
    for (size_t i = 0; i < 5; i++)
        add(&f, 'a', 1, 1000)->tokens = tokens[i];
    assert_marks(&f, "R-RR-");
    take(&f);
    assert_marks(&f, "RR");
    f.queue[0].tokens = 5000; /* more than the budget alone: still runs, alone */
    assert_marks(&f, "R-");
}

static struct fixture gathering_fixture(void) {
    struct fixture f = fixture_with(0, 64);
    f.policy.ragged = true;
    f.policy.token_budget = 400;
    f.policy.gather_ns = 100;
    f.policy.gather_tokens = 100;
    return f;
}

static void few_tokens_gather_while_the_device_computes(void **state) {
    (void)state;
    struct fixture f = gathering_fixture();
    add(&f, 'a', 1, 950)->tokens = 40;
    assert_marks(&f, "R");
    f.computing = true;
    assert_marks(&f, "-");
    assert_int_equal(f.decision.wake_ns, 1050);
    add(&f, 'b', 1, 1000)->tokens = 59;
    assert_marks(&f, "--");
    f.now = 1049;
    assert_marks(&f, "--");
    f.now = 1050; /* the oldest has waited long enough */
    assert_marks(&f, "RR");
    f.now = 1049;
    add(&f, 'c', 1, 1049)->tokens = 1; /* or there are enough */
    assert_marks(&f, "RRR");
    f.count = 2;
    f.computing = false; /* or the other one has ended */
    assert_marks(&f, "RR");
}

static void gathering_passes_no_deadline_and_no_other_rule(void **state) {
    (void)state;
    struct fixture f = gathering_fixture();
    f.computing = true;
    add(&f, 'a', 1, 950)->tokens = 10;
    add(&f, 'a', 1, 960)->deadline_ns = 1050;
    assert_marks(&f, "RR");
    f.queue[1].deadline_ns = 1051;
    assert_marks(&f, "--");
    f.policy.max_items = 2; /* a full batch */
    assert_marks(&f, "RR");
    f.policy.max_items = 64;
    f.policy.max_delay_ns = 500; /* what a config asks for stands */
    f.queue[1].deadline_ns = 0;
    assert_marks(&f, "--");
    assert_int_equal(f.decision.wake_ns, 1450);
    f.policy.max_delay_ns = 0;
    f.policy.enabled = false; /* and nothing is gathered where nothing is joined */
    assert_marks(&f, "R-");
}

static void urgent_requests_come_first(void **state) {
    (void)state;
    struct fixture f = fixture_with(0, 2);
    static const uint64_t priorities[] = {3, 1, 3, 2, 1};
    for (size_t i = 0; i < 5; i++)
        add(&f, 'a', 1, 1000)->priority = priorities[i];
    assert_marks(&f, "-R--R");
    take(&f);
    assert_marks(&f, "R-R");
    take(&f);
    assert_marks(&f, "R");
    f.policy.enabled = false;
    f.count = 0;
    add(&f, 'a', 1, 1000)->priority = 2;
    add(&f, 'a', 1, 1000)->priority = 1;
    assert_marks(&f, "-R");
}

static void a_view_cut_short_does_not_wait_for_more(void **state) {
    (void)state;
    struct fixture f = fixture_with(100, 8);
    add_many(&f, "aab", 1000);
    assert_marks(&f, "---");
    f.truncated = true;
    assert_marks(&f, "RR-");
}

static void times_near_the_end_of_the_clock_do_not_wrap(void **state) {
    (void)state;
    struct fixture f = fixture_with(UINT64_MAX, 8);
    add_many(&f, "a", 1000);
    assert_marks(&f, "-");
    assert_int_equal(f.decision.wake_ns, BATCH_NEVER);
    f.queue[0].deadline_ns = UINT64_MAX;
    assert_marks(&f, "-"); /* a deadline that never comes */
    f.queue[0].deadline_ns = UINT64_MAX - 1;
    assert_marks(&f, "R");
}

/* Rules that hold for every queue and policy, over pseudo-random ones; the queue is emptied step by step. */
static void check_invariants(struct fixture *f) {
    uint64_t items = 0, tokens = 0;
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < f->count; i++) {
        const struct batch_candidate *c = &f->queue[i];
        bool dead = c->cancelled || (c->deadline_ns && c->deadline_ns < f->now);
        assert_int_equal(f->marks[i] == BATCH_DROP, dead);
        if (f->marks[i] != BATCH_RUN)
            continue;
        if (first == SIZE_MAX)
            first = i;
        if (!f->policy.ragged)
            assert_true(c->key == f->queue[first].key);
        items += c->items;
        tokens += c->tokens;
    }
    if (f->decision.run_count > 1) {
        assert_true(items <= f->policy.max_items);
        assert_true(!f->policy.token_budget || tokens <= f->policy.token_budget);
        assert_true(f->policy.enabled);
    }
    if (f->decision.run_count == 0 && f->decision.drop_count < f->count)
        assert_true(f->decision.wake_ns > f->now && f->decision.wake_ns != BATCH_NEVER);
}

static void any_queue_is_worked_off_within_the_rules(void **state) {
    (void)state;
    unsigned seed = 20261122;
    for (int round = 0; round < 300; round++) {
        struct fixture f = fixture_with((uint64_t)(rand_r(&seed) % 3) * 50, 1 + (uint32_t)rand_r(&seed) % 12);
        f.policy.ragged = rand_r(&seed) % 4 == 0;
        f.policy.enabled = rand_r(&seed) % 8 != 0;
        f.policy.token_budget = rand_r(&seed) % 3 == 0 ? 40 : 0;
        f.policy.gather_ns = rand_r(&seed) % 2 ? 70 : 0;
        f.policy.gather_tokens = 10;
        f.computing = rand_r(&seed) % 2;
        int count = rand_r(&seed) % 60;
        for (int i = 0; i < count; i++) {
            uint32_t items = 1 + (uint32_t)rand_r(&seed) % f.policy.max_items;
            struct batch_candidate *c = add(&f, "abcd"[rand_r(&seed) % 4], items, 900 + (uint64_t)i * 3);
            c->tokens = (uint32_t)rand_r(&seed) % 30;
            c->priority = (uint64_t)rand_r(&seed) % (round % 2 ? 3 : 1);
            c->cancelled = rand_r(&seed) % 16 == 0;
            if (rand_r(&seed) % 5 == 0)
                c->deadline_ns = 950 + (uint64_t)(rand_r(&seed) % 200);
        }
        int steps = 0;
        while (f.count) {
            assert_true(++steps < 500);
            decide(&f);
            check_invariants(&f);
            bool idle = f.decision.run_count + f.decision.drop_count == 0;
            take(&f);
            if (idle)
                f.now = f.decision.wake_ns;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_waits_for_nothing),
        cmocka_unit_test(without_batching_each_runs_alone_in_order),
        cmocka_unit_test(a_preferred_size_runs_at_once),
        cmocka_unit_test(the_largest_preferred_size_wins),
        cmocka_unit_test(with_preferred_sizes_the_maximum_is_none),
        cmocka_unit_test(without_preferred_sizes_the_maximum_is_preferred),
        cmocka_unit_test(after_the_delay_everything_goes_up_to_the_maximum),
        cmocka_unit_test(without_delay_what_is_there_goes),
        cmocka_unit_test(nothing_runs_while_all_instances_are_busy),
        cmocka_unit_test(client_batches_count_their_items),
        cmocka_unit_test(never_more_than_the_maximum),
        cmocka_unit_test(a_request_larger_than_the_maximum_runs_alone),
        cmocka_unit_test(past_the_largest_preferred_size_it_does_not_wait),
        cmocka_unit_test(other_shapes_in_between_cut_nothing),
        cmocka_unit_test(a_ragged_engine_joins_all_shapes),
        cmocka_unit_test(a_full_group_passes_one_that_waits),
        cmocka_unit_test(a_rare_shape_is_not_starved),
        cmocka_unit_test(the_oldest_group_goes_first),
        cmocka_unit_test(expired_requests_are_dropped_and_never_run),
        cmocka_unit_test(it_wakes_for_the_earliest_deadline),
        cmocka_unit_test(a_deadline_within_the_delay_is_not_waited_for),
        cmocka_unit_test(cancelled_requests_are_dropped),
        cmocka_unit_test(dropped_requests_do_not_fill_batches),
        cmocka_unit_test(the_token_budget_bounds_a_batch),
        cmocka_unit_test(few_tokens_gather_while_the_device_computes),
        cmocka_unit_test(gathering_passes_no_deadline_and_no_other_rule),
        cmocka_unit_test(urgent_requests_come_first),
        cmocka_unit_test(a_view_cut_short_does_not_wait_for_more),
        cmocka_unit_test(times_near_the_end_of_the_clock_do_not_wrap),
        cmocka_unit_test(any_queue_is_worked_off_within_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

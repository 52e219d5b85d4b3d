/* Queue, batches, cancellation, deadlines and order of a model, on an engine that stops where the test wants it. */
#include "probe_backend.h"

#include <sched.h>

/* Submits calls with marks first, first + 1, ... */
static void submit_calls(struct fixture *f, struct call *calls, size_t count, int32_t first, int64_t length) {
    for (size_t i = 0; i < count; i++) {
        call_vector(&calls[i], f, "m", length, first + (int32_t)i);
        assert_good(call_submit(&calls[i]));
    }
}

static void end_calls(struct call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        call_wait(&calls[i]);
        assert_string_equal(calls[i].status.message, "");
        call_end(&calls[i]);
    }
}

static void assert_batch(size_t index, size_t count, const int32_t *marks) {
    assert_true(index < probe.batch_count);
    assert_int_equal(probe.batches[index].count, count);
    assert_memory_equal(probe.batches[index].marks, marks, count * sizeof *marks);
}

static void without_batching_requests_run_one_by_one(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[4];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, calls, 4, 1, 1);
    probe_open();
    end_calls(calls, 4);
    assert_int_equal(probe.batch_count, 4);
    for (int32_t i = 0; i < 4; i++)
        assert_batch((size_t)i, 1, (const int32_t[]){i + 1});
    probe_end(&f);
}

static void what_waits_for_a_busy_instance_is_joined(void **state) {
    (void)state;
    struct fixture f;
    struct call first, calls[11];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "dynamic_batching { }");
    submit_calls(&f, &first, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, calls, 11, 2, 1);
    struct arena *arena = arena_create(0);
    assert_int_equal(fixture_statistics(&f, arena).pending_count, 11);
    probe_open();
    end_calls(&first, 1);
    end_calls(calls, 11);
    assert_int_equal(probe.batch_count, 3);
    assert_batch(1, 8, (const int32_t[]){2, 3, 4, 5, 6, 7, 8, 9});
    assert_batch(2, 3, (const int32_t[]){10, 11, 12});
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.execution_count, 3);
    assert_int_equal(s.inference_count, 12);
    assert_int_equal(s.pending_count, 0);
    assert_int_equal(s.batch_count, 3);
    assert_int_equal(s.batches[2].batch_size, 8);
    assert_int_equal(s.request_batches[0].success.count, 12);
    arena_destroy(arena);
    probe_end(&f);
}

static void a_preferred_size_does_not_wait_for_the_delay(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[3];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, true);
    probe_start(&f, "dynamic_batching { preferred_batch_size: [ 3 ] max_queue_delay_microseconds: 600000000 }");
    submit_calls(&f, calls, 3, 1, 1); /* would hang for ten minutes if it did */
    end_calls(calls, 3);
    assert_batch(0, 3, (const int32_t[]){1, 2, 3});
    probe_end(&f);
}

static void the_keeper_sends_what_has_waited_long_enough(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[2];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, true);
    probe_start(&f, "dynamic_batching { max_queue_delay_microseconds: 5000 }");
    for (int round = 0; round < 3; round++) {
        submit_calls(&f, calls, 2, 1, 1); /* never a preferred size: only the keeper can send them */
        end_calls(calls, 2);
    }
    assert_true(probe.batch_count >= 3);
    probe_end(&f);
}

static void shapes_are_not_mixed_but_joined_across_others(void **state) {
    (void)state;
    struct fixture f;
    struct call first, calls[6];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "dynamic_batching { }");
    submit_calls(&f, &first, 1, 1, 1);
    probe_wait_entered(1);
    static const int64_t lengths[] = {5, 7, 5, 9, 7, 5};
    for (size_t i = 0; i < 6; i++)
        submit_calls(&f, &calls[i], 1, 2 + (int32_t)i, lengths[i]);
    probe_open();
    end_calls(&first, 1);
    end_calls(calls, 6);
    assert_int_equal(probe.batch_count, 4);
    assert_batch(1, 3, (const int32_t[]){2, 4, 7});
    assert_batch(2, 2, (const int32_t[]){3, 6});
    assert_batch(3, 1, (const int32_t[]){5});
    probe_end(&f);
}

static void a_ragged_engine_gets_mixed_shapes(void **state) {
    (void)state;
    struct fixture f;
    struct call first, calls[3];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "backend: \"ragged_probe\" dynamic_batching { }");
    submit_calls(&f, &first, 1, 1, 1);
    probe_wait_entered(1);
    for (int32_t i = 0; i < 3; i++)
        submit_calls(&f, &calls[i], 1, 2 + i, 4 + i);
    probe_open();
    end_calls(&first, 1);
    end_calls(calls, 3);
    assert_batch(1, 3, (const int32_t[]){2, 3, 4});
    probe_end(&f);
}

static void instances_run_side_by_side(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[3];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "instance_group [ { count: 2 kind: KIND_CPU }, { count: 1 kind: KIND_CPU } ]");
    assert_int_equal(probe.instances, 3);
    submit_calls(&f, calls, 3, 1, 1);
    probe_wait_entered(3); /* all at once, though none can finish */
    probe_open();
    end_calls(calls, 3);
    probe_end(&f);
}

static void a_full_queue_refuses(void **state) {
    (void)state;
    struct fixture f;
    struct call running, calls[2], refused;
    fixture_init(&f);
    f.max_queue_size = 2;
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, &running, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, calls, 2, 2, 1);
    call_vector(&refused, &f, "m", 1, 9);
    assert_error(call_submit(&refused), STATUS_UNAVAILABLE, "Exceeds maximum queue size");
    assert_int_equal(refused.responses, 0);
    probe_open();
    end_calls(&running, 1);
    end_calls(calls, 2);
    struct arena *arena = arena_create(0);
    assert_int_equal(fixture_statistics(&f, arena).failures[FAILURE_REJECTED], 1);
    arena_destroy(arena);
    call_run(&refused); /* it is as it was, and there is room now */
    call_end(&refused);
    probe_end(&f);
}

static void a_queued_request_is_cancelled_at_once(void **state) {
    (void)state;
    struct fixture f;
    struct call running, cancelled, queued;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, &running, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, &cancelled, 1, 2, 1);
    submit_calls(&f, &queued, 1, 3, 1);
    inference_server_cancel(f.server, cancelled.request);
    call_wait(&cancelled); /* while the instance is still busy */
    assert_int_equal(cancelled.status.code, STATUS_CANCELLED);
    assert_false(pthread_equal(cancelled.thread, pthread_self()));
    assert_true(cancelled.booked);
    inference_server_cancel(f.server, running.request); /* goes on: the engine does not look */
    assert_false(call_is_answered(&running));
    probe_open();
    call_wait(&running);
    assert_int_equal(running.status.code, STATUS_CANCELLED); /* its result is dropped */
    call_end(&running);
    end_calls(&queued, 1);
    call_end(&cancelled);
    assert_int_equal(probe.batch_count, 2);
    struct arena *arena = arena_create(0);
    struct model_statistics s = fixture_statistics(&f, arena);
    assert_int_equal(s.failures[FAILURE_CANCELED], 2);
    assert_int_equal(s.success.count, 1);
    assert_int_equal(s.execution_count, 2);
    arena_destroy(arena);
    probe_end(&f);
}

/* The adapter may set the flag alone: the request is then dropped when its turn comes. */
static void a_flagged_request_does_not_run(void **state) {
    (void)state;
    struct fixture f;
    struct call running, flagged;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, &running, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, &flagged, 1, 2, 1);
    atomic_store(&flagged.request->cancelled, true);
    probe_open();
    end_calls(&running, 1);
    call_wait(&flagged);
    assert_int_equal(flagged.status.code, STATUS_CANCELLED);
    call_end(&flagged);
    assert_int_equal(probe.batch_count, 1);
    probe_end(&f);
}

static void a_deadline_passes_while_all_are_busy(void **state) {
    (void)state;
    struct fixture f;
    struct call running, calls[3];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, &running, 1, 1, 1);
    probe_wait_entered(1);
    for (int32_t i = 0; i < 3; i++) {
        call_vector(&calls[i], &f, "m", 1, 2 + i);
        calls[i].request->id = slice_of("late");
        if (i != 1)
            calls[i].request->deadline_ns = clock_monotonic_ns() + (uint64_t)(5 - i) * 2 * NS_PER_MS;
        struct status status = call_submit(&calls[i]);
        assert_int_equal(status.code, STATUS_OK);
    }
    for (int i = 0; i < 3; i += 2) {
        call_wait(&calls[i]);
        assert_int_equal(calls[i].status.code, STATUS_DEADLINE_EXCEEDED);
        assert_string_equal(calls[i].status.message, "[request id: late] Deadline Exceeded");
    }
    assert_false(call_is_answered(&calls[1]));
    probe_open();
    end_calls(&running, 1);
    end_calls(&calls[1], 1);
    call_end(&calls[0]);
    call_end(&calls[2]);
    assert_int_equal(probe.batch_count, 2);
    struct arena *arena = arena_create(0);
    assert_int_equal(fixture_statistics(&f, arena).failures[FAILURE_REJECTED], 2);
    arena_destroy(arena);
    probe_end(&f);
}

/* Two instances; the first request is held up, the second and third finish before it. */
static void hold_the_first(struct fixture *f, const char *config, struct call *calls) {
    fixture_init(f);
    probe_reset(PROBE_ANSWER, false);
    probe.hold = 1;
    probe_start(f, config);
    submit_calls(f, calls, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(f, calls + 1, 2, 2, 1);
}

static void answers_come_as_they_are_ready(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[3];
    hold_the_first(&f, "dynamic_batching { } instance_group { count: 2 kind: KIND_CPU }", calls);
    call_wait(&calls[1]);
    call_wait(&calls[2]);
    assert_false(call_is_answered(&calls[0]));
    probe_open();
    end_calls(calls, 3);
    probe_end(&f);
}

static void preserve_ordering_delivers_in_order_of_submission(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[3];
    hold_the_first(&f, "dynamic_batching { preserve_ordering: true } instance_group { count: 2 kind: KIND_CPU }",
                   calls);
    struct arena *arena = arena_create(0);
    while (fixture_statistics(&f, arena).success.count < 2) /* both are done... */
        sched_yield();
    assert_false(call_is_answered(&calls[1])); /* ...but wait for the first */
    assert_false(call_is_answered(&calls[2]));
    probe_open();
    for (size_t i = 0; i < 3; i++) {
        call_wait(&calls[i]);
        assert_int_equal(calls[i].final_place, i + 1);
    }
    end_calls(calls, 3);
    arena_destroy(arena);
    probe_end(&f);
}

static void a_cancelled_request_holds_up_no_order(void **state) {
    (void)state;
    struct fixture f;
    struct call calls[3];
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "dynamic_batching { preserve_ordering: true }");
    submit_calls(&f, calls, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, calls + 1, 2, 2, 1);
    inference_server_cancel(f.server, calls[1].request);
    call_wait(&calls[1]);
    assert_int_equal(calls[1].status.code, STATUS_CANCELLED);
    assert_int_equal(calls[1].final_place, 1);
    probe_open();
    end_calls(&calls[0], 1);
    end_calls(&calls[2], 1);
    call_end(&calls[1]);
    probe_end(&f);
}

static void draining_has_a_deadline(void **state) {
    (void)state;
    struct fixture f;
    struct call running, queued;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, &running, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, &queued, 1, 2, 1);
    assert_error(inference_server_drain(f.server, clock_monotonic_ns() + NS_PER_MS), STATUS_DEADLINE_EXCEEDED,
                 "model 'm' still has 2 requests in flight");
    probe_open();
    assert_good(inference_server_drain(f.server, clock_monotonic_ns() + 600 * NS_PER_S));
    assert_int_equal(running.releases, 1);
    assert_int_equal(queued.releases, 1);
    end_calls(&running, 1);
    end_calls(&queued, 1);
    probe_end(&f);
}

/* The end of a server: the queued request is dropped while the running one still keeps the model. */
struct ending {
    struct call running, queued;
    uint64_t failures[FAILURE_REASON_COUNT]; /* when the queued one had been dropped */
};

static void *open_when_dropped(void *argument) {
    struct ending *ending = argument;
    call_wait(&ending->queued);
    struct arena *arena = arena_create(0);
    struct model_statistics s;
    assert_good(model_statistics_snapshot(ending->running.request->model, arena, &s));
    memcpy(ending->failures, s.failures, sizeof ending->failures);
    arena_destroy(arena);
    probe_open();
    return NULL;
}

static void destroying_answers_what_is_queued(void **state) {
    (void)state;
    struct fixture f;
    struct ending ending;
    fixture_init(&f);
    probe_reset(PROBE_ANSWER, false);
    probe_start(&f, "");
    submit_calls(&f, &ending.running, 1, 1, 1);
    probe_wait_entered(1);
    submit_calls(&f, &ending.queued, 1, 2, 1);
    pthread_t opener;
    assert_int_equal(pthread_create(&opener, NULL, open_when_dropped, &ending), 0);
    inference_server_destroy(f.server); /* waits for the running one, which ends after the queued one was answered */
    f.server = NULL;
    pthread_join(opener, NULL);
    assert_int_equal(ending.queued.status.code, STATUS_UNAVAILABLE);
    assert_string_equal(ending.queued.status.message, "model 'm' was unloaded before the request was executed");
    assert_int_equal(ending.failures[FAILURE_OTHER], 1);
    assert_int_equal(ending.failures[FAILURE_REJECTED], 0);
    assert_int_equal(ending.running.status.code, STATUS_OK);
    call_end(&ending.running);
    call_end(&ending.queued);
    probe_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_batching_requests_run_one_by_one),
        cmocka_unit_test(what_waits_for_a_busy_instance_is_joined),
        cmocka_unit_test(a_preferred_size_does_not_wait_for_the_delay),
        cmocka_unit_test(the_keeper_sends_what_has_waited_long_enough),
        cmocka_unit_test(shapes_are_not_mixed_but_joined_across_others),
        cmocka_unit_test(a_ragged_engine_gets_mixed_shapes),
        cmocka_unit_test(instances_run_side_by_side),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_queued_request_is_cancelled_at_once),
        cmocka_unit_test(a_flagged_request_does_not_run),
        cmocka_unit_test(a_deadline_passes_while_all_are_busy),
        cmocka_unit_test(answers_come_as_they_are_ready),
        cmocka_unit_test(preserve_ordering_delivers_in_order_of_submission),
        cmocka_unit_test(a_cancelled_request_holds_up_no_order),
        cmocka_unit_test(draining_has_a_deadline),
        cmocka_unit_test(destroying_answers_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

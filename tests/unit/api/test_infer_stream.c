/* Streams of inferences over HTTP/2 in memory: order, bounds, ends; in whatever order client, requests and deadlines
 * end, nothing is touched after it is gone and nothing is left behind (the sanitizers tell). */
#include "stream_fixture.h"

#include "api/infer_call.h"
#include "codec/pb_wire.h"

static uint64_t pending(struct fixture *f, const char *name) {
    struct model *model;
    struct model_statistics statistics;
    assert_good(inference_server_acquire_model(f->served.server, slice_of(name), -1, &model));
    assert_good(model_statistics_snapshot(model, f->arena, &statistics));
    model_release(model);
    return statistics.pending_count;
}

/* ---- tests ---- */

static void answers_keep_the_order_of_requests(void **state) {
    struct fixture *f = *state;
    begin(f, NULL);
    ask(f, "slow", "1", NULL, 0);
    ask(f, "fast", "2", NULL, 0);
    ask(f, "none", "3", NULL, 0);
    ask(f, "decoupled", "4", "responses", 2);
    ask(f, "fast", "5", NULL, 0);
    expect_good(f, "4", false); /* it waits for nobody */
    expect_good(f, "4", true);
    expect_good(f, "1", true);
    expect_good(f, "2", true);
    expect_error(f, "3", "'none' is not found");
    expect_good(f, "5", true);
    half_close(f);
    expect_end(f, "+grpc-status: 0\n");
}

static void half_close_lets_pending_requests_finish(void **state) {
    struct fixture *f = *state;
    begin(f, NULL);
    ask(f, "slow", "1", NULL, 0);
    ask(f, "decoupled", "2", "fail_after_responses", 0);
    half_close(f);
    assert_false(f->stream->complete);
    expect_failure(f, "2", "decoupled", "identity fails after 0 responses");
    expect_good(f, "1", true);
    expect_end(f, "+grpc-status: 0\n");
}

static void requests_in_flight_are_bounded(void **state) {
    struct fixture *f = *state;
    f->served.context.max_stream_requests = 3;
    begin(f, NULL);
    for (int i = 0; i < 6; i++) {
        char id[2] = {(char)('0' + i), '\0'};
        ask(f, "slow", id, NULL, 0);
    }
    half_close(f);
    assert_true(pending(f, "slow") <= 3);
    for (int i = 0; i < 6; i++) {
        char id[2] = {(char)('0' + i), '\0'};
        expect_good(f, id, true);
        assert_true(pending(f, "slow") <= 3);
    }
    expect_end(f, "+grpc-status: 0\n");
}

/* Those that wait for an instance and the one that has it. */
static void no_request_too_many_is_in_flight(void **state) {
    struct fixture *f = *state;
    f->served.context.max_stream_requests = 3;
    begin(f, NULL);
    for (int i = 0; i < 6; i++)
        ask(f, "stuck", "1", NULL, 0);
    const uint64_t patience_ns = clock_monotonic_ns() + 10 * NS_PER_S;
    while (pending(f, "stuck") > 2 && clock_monotonic_ns() < patience_ns)
        sched_yield();
    assert_int_equal(pending(f, "stuck"), 2);
}

/* All requests at once in one piece of data, of which the stream takes no more than it may. */
static void a_flood_is_taken_bit_by_bit(void **state) {
    struct fixture *f = *state;
    enum { COUNT = 500 };
    f->served.context.max_stream_requests = 7;
    begin(f, NULL);
    buf_clear(&f->sent);
    for (int i = 0; i < COUNT; i++)
        append_request(&f->sent, i % 3 ? "fast" : "none", i % 2 ? "odd" : "even", NULL, 0);
    send_from(f, 0, true);
    for (int i = 0; i < COUNT; i++) {
        if (i % 3)
            expect_good(f, i % 2 ? "odd" : "even", true);
        else
            expect_error(f, i % 2 ? "odd" : "even", "not found");
    }
    expect_end(f, "+grpc-status: 0\n");
}

static void an_error_may_end_the_stream(void **state) {
    struct fixture *f = *state;
    const struct http_header wish = {SLICE_LITERAL("triton_grpc_error"), SLICE_LITERAL("true")};
    begin(f, &wish);
    ask(f, "stuck", "1", NULL, 0);
    ask(f, "decoupled", "2", "fail_after_responses", 0);
    while (!f->stream->complete) {
        served_run_task(&f->served);
        peer_run(&f->peer);
    }
    expect_end(f, "grpc-status: 13\ngrpc-message: identity fails after 0 responses, as fail_after_responses asks\n");
}

static void tick(struct fixture *f, uint64_t time_ns) {
    while (clock_monotonic_ns() < time_ns)
        sched_yield();
    assert_good(f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns()));
    peer_run(&f->peer);
}

static void a_timeout_is_told_when_it_passes(void **state) {
    struct fixture *f = *state;
    begin(f, NULL);
    ask(f, "decoupled", "1", "response_delay_ms", 600000);
    buf_clear(&f->sent);
    append_request(&f->sent, "stuck", "2", "timeout", 20000);
    append_request(&f->sent, "stuck", "3", "timeout", 10000);
    send_from(f, 0, false);
    uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
    assert_true(deadline > 0 && deadline < clock_monotonic_ns() + 20 * NS_PER_MS);
    tick(f, clock_monotonic_ns() + 30 * NS_PER_MS);
    expect_failure(f, "2", "stuck", "[request id: 2] Request timeout expired");
    expect_failure(f, "3", "stuck", "[request id: 3] Request timeout expired"); /* at its place */
    ask(f, "fast", "4", NULL, 0);
    expect_good(f, "4", true);
}

static void later_timeouts_are_told_too(void **state) {
    struct fixture *f = *state;
    begin(f, NULL);
    ask(f, "stuck", "1", "timeout", 10000);
    ask(f, "stuck", "2", "timeout", 60000);
    tick(f, clock_monotonic_ns() + 20 * NS_PER_MS);
    expect_failure(f, "1", "stuck", "[request id: 1] Request timeout expired");
    if (f->stream->body.size == f->taken) { /* else its time has come meanwhile */
        uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
        assert_true(deadline > 0 && deadline < clock_monotonic_ns() + 60 * NS_PER_MS);
        tick(f, clock_monotonic_ns() + 60 * NS_PER_MS);
    }
    expect_failure(f, "2", "stuck", "[request id: 2] Request timeout expired");
}

static void the_deadline_of_the_call_ends_it(void **state) {
    struct fixture *f = *state;
    const struct http_header timeout = {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("20m")};
    begin(f, &timeout);
    ask(f, "stuck", "1", NULL, 0);
    ask(f, "decoupled", "2", "response_delay_ms", 600000);
    tick(f, clock_monotonic_ns() + 30 * NS_PER_MS);
    expect_end(f, "grpc-status: 4\n");
}

static void the_end_of_the_server_ends_streams(void **state) {
    struct fixture *f = *state;
    begin(f, NULL);
    ask(f, "slow", "1", NULL, 0);
    f->peer.session->ops->shutdown(f->peer.session);
    ask(f, "fast", "never", NULL, 0);
    expect_good(f, "1", true);
    expect_end(f, "+grpc-status: 14\n+grpc-message: Server exiting\n");
}

static bool has_task(struct fixture *f) {
    pthread_mutex_lock(&f->served.lock);
    bool any = f->served.tasks != NULL;
    pthread_mutex_unlock(&f->served.lock);
    return any;
}

/* Runs what waits for a decoder. */
static void decode(struct fixture *f) {
    assert_int_equal(f->served.decoders.count, 1);
    struct api_task *task = f->served.decoders.tasks[--f->served.decoders.count];
    task->run(task);
}

enum { RAW_INPUT_CONTENTS = 7 }; /* the number of the member */

/* A message that is large to decode; its surplus of raw contents is ignored. */
static void append_large(struct fixture *f, struct buf *out, const char *id) {
    size_t size = (size_t)INFER_WEIGHT_OF_MESSAGE * (INFER_WEIGHT_LIGHT + 1);
    char *surplus = arena_calloc(f->arena, size, 1);
    assert_non_null(surplus);
    struct buf request = BUF_EMPTY;
    append_request(&request, "fast", id, NULL, 0);
    struct buf message = BUF_EMPTY;
    buf_append(&message, request.data + 5, request.size - 5);
    pb_write_bytes_head(&message, RAW_INPUT_CONTENTS, size);
    buf_append(&message, surplus, size);
    const char prefix[] = {0, (char)(message.size >> 24), (char)(message.size >> 16), (char)(message.size >> 8),
                           (char)message.size};
    buf_append(out, prefix, sizeof prefix);
    buf_append_slice(out, buf_slice(&message));
    buf_free(&message);
    buf_free(&request);
}

/* Those behind it wait: what is asked first is also submitted first. */
static void a_large_request_holds_up_its_own_stream_alone(void **state) {
    struct fixture *f = *state;
    f->service.max_message_bytes = (size_t)16 << 20;
    begin(f, NULL);
    buf_clear(&f->sent);
    append_request(&f->sent, "fast", "1", NULL, 0);
    append_large(f, &f->sent, "2");
    append_request(&f->sent, "fast", "3", NULL, 0);
    send_from(f, 0, true);
    expect_good(f, "1", true);
    assert_false(f->stream->complete);
    decode(f);
    expect_good(f, "2", true);
    expect_good(f, "3", true);
    expect_end(f, "+grpc-status: 0\n");
}

/* From when it has come until it is pending: the budget of all sessions knows of it. */
static void a_request_is_booked_while_it_waits_for_a_decoder(void **state) {
    struct fixture *f = *state;
    f->service.max_message_bytes = (size_t)16 << 20;
    f->budget.max_bytes = (size_t)64 << 20;
    f->served.limits.budget = f->served.context.budget = &f->budget;
    for (int goes = 0; goes <= 1; goes++) {
        begin(f, NULL);
        buf_clear(&f->sent);
        append_large(f, &f->sent, "1");
        send_from(f, 0, true);
        assert_true(atomic_load(&f->budget.held_bytes) > (size_t)INFER_WEIGHT_OF_MESSAGE * INFER_WEIGHT_LIGHT);
        if (goes) {
            peer_cancel(&f->peer, f->stream);
            peer_run(&f->peer);
            assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
        }
        decode(f);
        served_run_task(&f->served);
        peer_close(&f->peer);
        assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
        open_peer(f);
    }
}

static void a_client_may_go_while_its_request_is_decoded(void **state) {
    struct fixture *f = *state;
    f->service.max_message_bytes = (size_t)16 << 20;
    for (int before = 0; before <= 1; before++) {
        begin(f, NULL);
        buf_clear(&f->sent);
        append_large(f, &f->sent, "1");
        send_from(f, 0, false);
        if (before) {
            peer_cancel(&f->peer, f->stream);
            peer_run(&f->peer);
        }
        decode(f);
        peer_close(&f->peer);
        served_run_task(&f->served);
        open_peer(f);
    }
}

/* The client goes at every moment between its requests and their last answer. */
static void clients_may_go_at_any_time(void **state) {
    struct fixture *f = *state;
    for (int round = 0; round < 60; round++) {
        begin(f, NULL);
        buf_clear(&f->sent);
        append_request(&f->sent, "fast", "1", NULL, 0);
        append_request(&f->sent, "decoupled", "2", "responses", 5);
        append_request(&f->sent, "slow", "3", "timeout", 1000);
        append_request(&f->sent, "fast", "4", NULL, 0);
        append_request(&f->sent, "stuck", "5", NULL, 0);
        send_from(f, 0, round % 2);
        for (int i = 0; i < round % 8; i++) {
            if (has_task(f))
                served_run_task(&f->served);
            peer_run(&f->peer);
        }
        if (round % 3 == 0)
            assert_good(f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns()));
        if (round % 5 == 0) {
            peer_cancel(&f->peer, f->stream);
            peer_run(&f->peer);
        }
        peer_close(&f->peer);
        open_peer(f);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(answers_keep_the_order_of_requests),
        TEST(half_close_lets_pending_requests_finish),
        TEST(requests_in_flight_are_bounded),
        TEST(no_request_too_many_is_in_flight),
        TEST(a_flood_is_taken_bit_by_bit),
        TEST(an_error_may_end_the_stream),
        TEST(a_timeout_is_told_when_it_passes),
        TEST(later_timeouts_are_told_too),
        TEST(the_deadline_of_the_call_ends_it),
        TEST(the_end_of_the_server_ends_streams),
        TEST(clients_may_go_at_any_time),
        TEST(a_large_request_holds_up_its_own_stream_alone),
        TEST(a_request_is_booked_while_it_waits_for_a_decoder),
        TEST(a_client_may_go_while_its_request_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

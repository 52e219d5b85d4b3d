/* Large answers of streams go out from where their bytes lie, or are copied where that would keep too much: each has
 * its bytes and its place, nothing is touched after it is gone and nothing is left behind (the sanitizers tell). */
#include "stream_fixture.h"

enum { LARGE = 100000, SMALL = 5000 }; /* numbers: 400 KB; 20 KB, of which nothing is copied either */

/* Rising numbers from `first` on. */
static struct slice numbers(struct fixture *f, int32_t first, size_t count) {
    int32_t *values = arena_calloc(f->arena, count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = first + (int32_t)i;
    return (struct slice){(const char *)values, count * sizeof *values};
}

/* Counts of numbers for the inputs x and x2 (0: the model has none); `wanted`: the one output to be answered, or NULL.
 */
static void append_tensors(struct fixture *f, const char *model, const char *id, size_t count, size_t count2,
                           const char *wanted) {
    int64_t shapes[2][2] = {{1, (int64_t)count}, {1, (int64_t)count2}};
    struct slice raw[2] = {numbers(f, 7, count), numbers(f, -7, count2 ? count2 : 1)};
    struct pb_model_infer_request_infer_input_tensor inputs[2] = {
        {.name = slice_of("x"), .datatype = slice_of("INT32"), .shape = {shapes[0], 2, 0}},
        {.name = slice_of("x2"), .datatype = slice_of("INT32"), .shape = {shapes[1], 2, 0}}};
    struct pb_model_infer_request_infer_requested_output_tensor output = {.name = slice_of(wanted ? wanted : "")};
    struct pb_model_infer_request request = {.model_name = slice_of(model), .id = slice_of(id)};
    request.inputs.items = inputs;
    request.raw_input_contents.items = raw;
    request.inputs.count = request.raw_input_contents.count = count2 ? 2 : 1;
    request.outputs.items = &output;
    request.outputs.count = wanted ? 1 : 0;
    append_message(&f->sent, &pb_model_infer_request_type, &request);
}

static void expect_tensor(struct fixture *f, struct slice raw, int32_t first, size_t count) {
    assert_int_equal(raw.size, count * sizeof(int32_t));
    assert_memory_equal(raw.data, numbers(f, first, count).data, raw.size);
}

/* Counts of numbers in the outputs, which came in from 7 and from -7 on; 0: not answered. */
static void expect_tensors(struct fixture *f, const char *id, size_t count, size_t count2) {
    const struct pb_model_stream_infer_response *answer = next_answer(f);
    assert_int_equal(answer->error_message.size, 0);
    const struct pb_model_infer_response *response = answer->infer_response;
    assert_true(slice_equal_text(response->id, id));
    assert_true(slice_equal_text(response->parameters.items[0].key, "triton_final_response"));
    assert_true(response->parameters.items[0].value->bool_param);
    size_t outputs = (count > 0 ? 1U : 0U) + (count2 > 0 ? 1U : 0U);
    assert_int_equal(response->outputs.count, outputs);
    assert_int_equal(response->raw_output_contents.count, outputs);
    if (count > 0)
        expect_tensor(f, response->raw_output_contents.items[0], 7, count);
    if (count2 > 0)
        expect_tensor(f, response->raw_output_contents.items[outputs - 1], -7, count2);
}

static void send_all(struct fixture *f, bool last) {
    send_from(f, 0, last);
    buf_clear(&f->sent);
}

static void use_budget(struct fixture *f) {
    f->budget.max_bytes = (size_t)64 << 20;
    f->served.limits.budget = f->served.context.budget = &f->budget;
    f->service.max_message_bytes = (size_t)16 << 20;
    peer_close(&f->peer);
    open_peer(f);
}

/* ---- tests ---- */

static void large_answers_have_their_bytes(void **state) {
    struct fixture *f = *state;
    use_budget(f);
    begin(f, NULL);
    for (int round = 0; round < 3; round++) {
        append_tensors(f, "fast", "1", LARGE, 0, NULL);
        append_tensors(f, "fast", "2", 1, 0, NULL);
        append_tensors(f, "two", "3", LARGE, SMALL, NULL);
        append_tensors(f, "two", "4", SMALL, LARGE, NULL);
        send_all(f, false);
        expect_tensors(f, "1", LARGE, 0);
        expect_tensors(f, "2", 1, 0);
        expect_tensors(f, "3", LARGE, SMALL);
        expect_tensors(f, "4", SMALL, LARGE);
    }
    send_all(f, true);
    expect_end(f, "+grpc-status: 0\n");
    peer_close(&f->peer);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
    open_peer(f);
}

/* One that has to wait for that of an earlier request is copied, and its request goes. */
static void large_answers_wait_for_earlier_ones(void **state) {
    struct fixture *f = *state;
    use_budget(f);
    begin(f, NULL);
    append_tensors(f, "slow", "1", LARGE, 0, NULL);
    append_tensors(f, "fast", "2", LARGE, 0, NULL);
    append_tensors(f, "two", "3", 1, LARGE, NULL);
    append_tensors(f, "none", "4", LARGE, 0, NULL);
    append_tensors(f, "fast", "5", SMALL, 0, NULL);
    send_all(f, true);
    assert_int_equal(f->stream->body.size, 0);
    /* Of the first its request is booked, of those behind it their answers. */
    size_t requests = (3 * LARGE + SMALL + 1) * sizeof(int32_t);
    assert_in_range(atomic_load(&f->budget.held_bytes), requests, requests + 20000);
    expect_tensors(f, "1", LARGE, 0);
    expect_tensors(f, "2", LARGE, 0);
    expect_tensors(f, "3", 1, LARGE);
    expect_error(f, "4", "'none' is not found");
    expect_tensors(f, "5", SMALL, 0);
    expect_end(f, "+grpc-status: 0\n");
    peer_close(&f->peer);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
    open_peer(f);
}

/* The bytes of a little output lie in a large request, which is not kept for them. */
static void little_of_a_large_request(void **state) {
    struct fixture *f = *state;
    use_budget(f);
    begin(f, NULL);
    append_tensors(f, "two", "1", LARGE, SMALL, "y2");
    append_tensors(f, "two", "2", SMALL, LARGE, "y2");
    append_tensors(f, "two", "3", LARGE, SMALL, "y");
    send_all(f, true);
    expect_tensors(f, "1", 0, SMALL);
    expect_tensors(f, "2", 0, LARGE);
    expect_tensors(f, "3", LARGE, 0);
    expect_end(f, "+grpc-status: 0\n");
}

/* With answers on the way, that wait for others, and that are not made yet. */
static void clients_may_go_before_large_answers(void **state) {
    struct fixture *f = *state;
    f->service.max_message_bytes = (size_t)16 << 20;
    for (int round = 0; round < 24; round++) {
        begin(f, NULL);
        append_tensors(f, "fast", "1", LARGE, 0, NULL);
        append_tensors(f, "slow", "2", LARGE, 0, NULL);
        append_tensors(f, "fast", "3", LARGE, 0, NULL);
        send_all(f, round % 2);
        if (round % 8 >= 2)
            expect_tensors(f, "1", LARGE, 0);
        if (round % 8 >= 4)
            expect_tensors(f, "2", LARGE, 0);
        if (round % 8 >= 6)
            expect_tensors(f, "3", LARGE, 0);
        if (round % 3 == 0) {
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
        TEST(large_answers_have_their_bytes),
        TEST(large_answers_wait_for_earlier_ones),
        TEST(little_of_a_large_request),
        TEST(clients_may_go_before_large_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

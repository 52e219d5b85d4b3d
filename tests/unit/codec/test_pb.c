/* Decoding and encoding of whole messages by the tables. */
#include "codec_test.h"

#include <stdio.h>

#include "codec/inference_messages.h"
#include "codec/pb_wire.h"

struct fixture {
    struct arena *arena;
    struct buf wire;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_create(0);
    fixture->wire = BUF_EMPTY;
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    arena_destroy(fixture->arena);
    buf_free(&fixture->wire);
    free(fixture);
    return 0;
}

#define DECODE(fixture, type, ret) pb_decode(&pb_##type##_type, buf_slice(&(fixture)->wire), (fixture)->arena, (ret))

/* A request as tritonclient sends it: two inputs, a parameter of each kind, raw contents. */
static void write_request(struct buf *out) {
    static const int64_t shape[] = {2, 128};
    pb_write_text(out, 1, "bert");
    pb_write_text(out, 3, "id-7");
    size_t entry = pb_write_begin(out, 4);
    pb_write_text(out, 1, "timeout");
    size_t value = pb_write_begin(out, 2);
    pb_write_int64(out, 2, 0); /* set, though default */
    pb_write_end(out, value);
    pb_write_end(out, entry);
    for (int i = 0; i < 2; i++) {
        size_t input = pb_write_begin(out, 5);
        pb_write_text(out, 1, i ? "mask" : "ids");
        pb_write_text(out, 2, "INT32");
        pb_write_packed_int64(out, 3, shape, 2);
        pb_write_end(out, input);
    }
    pb_write_bytes(out, 7, SLICE_LITERAL("first\x00raw"));
    pb_write_bytes(out, 7, SLICE_LITERAL(""));
}

static void a_request_is_decoded_without_copies(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_infer_request request;
    write_request(&fixture->wire);
    assert_ok(DECODE(fixture, model_infer_request, &request));
    assert_slice(request.model_name, "bert");
    assert_int_equal(request.model_version.size, 0);
    assert_slice(request.id, "id-7");
    assert_int_equal(request.parameters.count, 1);
    assert_slice(request.parameters.items[0].key, "timeout");
    assert_int_equal(request.parameters.items[0].value->which_parameter_choice, pb_infer_parameter_int64_param_number);
    assert_int_equal(request.inputs.count, 2);
    assert_slice(request.inputs.items[1].name, "mask");
    assert_int_equal(request.inputs.items[1].shape.count, 2);
    assert_int_equal(request.inputs.items[1].shape.items[1], 128);
    assert_null(request.inputs.items[0].contents);
    assert_int_equal(request.outputs.count, 0);
    assert_int_equal(request.raw_input_contents.count, 2);
    struct slice raw = request.raw_input_contents.items[0];
    assert_int_equal(raw.size, 9);
    assert_true(raw.data >= fixture->wire.data && raw.data < fixture->wire.data + fixture->wire.size);
    assert_int_equal(request.raw_input_contents.items[1].size, 0);
}

static void encoding_gives_the_same_bytes_back(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_infer_request request;
    struct buf again = BUF_EMPTY;
    write_request(&fixture->wire);
    assert_ok(DECODE(fixture, model_infer_request, &request));
    buf_append_text(&again, "head"); /* appended to, not replaced */
    assert_ok(pb_encode(&pb_model_infer_request_type, &request, &again));
    assert_int_equal(again.size - 4, pb_encoded_size(&pb_model_infer_request_type, &request));
    assert_int_equal(again.size - 4, fixture->wire.size);
    assert_memory_equal(again.data + 4, fixture->wire.data, fixture->wire.size);
    buf_free(&again);
}

static void every_truncation_is_an_error_or_a_shorter_message(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_infer_request request;
    size_t refused = 0;
    write_request(&fixture->wire);
    for (size_t size = 0; size < fixture->wire.size; size++) {
        struct slice bytes = exact_copy((struct slice){fixture->wire.data, size});
        struct status status = pb_decode(&pb_model_infer_request_type, bytes, fixture->arena, &request);
        if (!status_is_ok(&status)) {
            assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
            assert_non_null(strstr(status.message, "ModelInferRequest"));
            refused++;
        }
        free_copy(bytes);
    }
    assert_true(refused > fixture->wire.size / 2);
}

static void random_damage_is_survived(void **state) {
    struct fixture *fixture = *state;
    uint64_t random = 42;
    write_request(&fixture->wire);
    for (int round = 0; round < 20000; round++) {
        struct pb_model_infer_request request;
        struct slice bytes = exact_copy(buf_slice(&fixture->wire));
        char *mutable = (char *)(uintptr_t)bytes.data;
        for (int k = 0; k < 3; k++)
            mutable[next_random(&random) % bytes.size] = (char)next_random(&random);
        struct status status = pb_decode(&pb_model_infer_request_type, bytes, fixture->arena, &request);
        if (status_is_ok(&status)) {
            struct buf out = BUF_EMPTY;
            assert_ok(pb_encode(&pb_model_infer_request_type, &request, &out));
            buf_free(&out);
        }
        arena_reset(fixture->arena);
        free_copy(bytes);
    }
}

static void numbers_come_packed_and_unpacked(void **state) {
    struct fixture *fixture = *state;
    struct pb_infer_tensor_contents contents;
    static const int64_t some[] = {5, -6};
    pb_write_int64(&fixture->wire, 3, -1); /* unpacked */
    pb_write_packed_int64(&fixture->wire, 3, some, 2);
    pb_write_int64(&fixture->wire, 3, 7);
    pb_write_float(&fixture->wire, 6, 0.5f);
    pb_write_bytes(&fixture->wire, 6, SLICE_LITERAL("\x00\x00\x80\x3F\x00\x00\x00\x40"));
    pb_write_bytes(&fixture->wire, 1, SLICE_LITERAL("\x00\x01\x02"));
    pb_write_int64(&fixture->wire, 2, -3);
    pb_write_uint64(&fixture->wire, 4, (uint64_t)7 << 32 | 9); /* keeps the low 32 bits */
    assert_ok(DECODE(fixture, infer_tensor_contents, &contents));
    assert_int_equal(contents.int64_contents.count, 4);
    assert_int_equal(contents.int64_contents.items[0], -1);
    assert_int_equal(contents.int64_contents.items[2], -6);
    assert_int_equal(contents.int64_contents.items[3], 7);
    assert_int_equal(contents.fp32_contents.count, 3);
    assert_true(contents.fp32_contents.items[2] == 2.0f);
    assert_int_equal(contents.bool_contents.count, 3);
    assert_true(!contents.bool_contents.items[0] && contents.bool_contents.items[2]);
    assert_int_equal(contents.int_contents.items[0], -3);
    assert_int_equal(contents.uint_contents.items[0], 9);
}

static void bad_packed_numbers_are_refused(void **state) {
    struct fixture *fixture = *state;
    struct pb_infer_tensor_contents contents;
    pb_write_bytes(&fixture->wire, 6, SLICE_LITERAL("12345"));
    assert_error(DECODE(fixture, infer_tensor_contents, &contents), STATUS_INVALID_ARGUMENT,
                 "InferTensorContents.fp32_contents: byte 2: packed values whose length");
    buf_clear(&fixture->wire);
    pb_write_bytes(&fixture->wire, 3, SLICE_LITERAL("\x01\x80"));
    assert_error(DECODE(fixture, infer_tensor_contents, &contents), STATUS_INVALID_ARGUMENT, "ends inside a varint");
    buf_clear(&fixture->wire);
    pb_write_bytes(&fixture->wire, 3, SLICE_LITERAL("\x80")); /* not one whole number */
    assert_error(DECODE(fixture, infer_tensor_contents, &contents), STATUS_INVALID_ARGUMENT, "ends inside a varint");
    buf_clear(&fixture->wire);
    pb_write_bytes(&fixture->wire, 3, SLICE_LITERAL("")); /* none at all is fine */
    assert_ok(DECODE(fixture, infer_tensor_contents, &contents));
    assert_int_equal(contents.int64_contents.count, 0);
    buf_clear(&fixture->wire);
    pb_write_bytes(&fixture->wire, 3, SLICE_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01"));
    assert_error(DECODE(fixture, infer_tensor_contents, &contents), STATUS_INVALID_ARGUMENT, "more than 10 bytes");
}

static void errors_tell_path_and_offset(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_infer_request request;
    size_t input = pb_write_begin(&fixture->wire, 5);
    pb_write_text(&fixture->wire, 1, "a\xFF");
    pb_write_end(&fixture->wire, input);
    assert_error(DECODE(fixture, model_infer_request, &request), STATUS_INVALID_ARGUMENT,
                 "ModelInferRequest.inputs.name: byte 4: a string that is not valid UTF-8");
    buf_clear(&fixture->wire);
    buf_append(&fixture->wire, "\x2A\x03\x0A\x05x", 5); /* an input whose name is longer than the input */
    assert_error(DECODE(fixture, model_infer_request, &request), STATUS_INVALID_ARGUMENT,
                 "ModelInferRequest.inputs.name: byte 3: a length that goes past the end");
}

static void unknown_fields_are_skipped(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_ready_request request;
    pb_write_uint64(&fixture->wire, 99, 5);
    pb_write_float(&fixture->wire, 98, 1);
    pb_write_double(&fixture->wire, 97, 1);
    pb_write_text(&fixture->wire, 96, "x\xFF");
    buf_append(&fixture->wire, "\xBB\x06\x08\x01\xBC\x06", 6); /* group 103 */
    pb_write_uint64(&fixture->wire, 1, 5);                     /* a known number with a wrong wire type */
    pb_write_text(&fixture->wire, 2, "3");
    assert_ok(DECODE(fixture, model_ready_request, &request));
    assert_int_equal(request.name.size, 0);
    assert_slice(request.version, "3");
}

static void the_last_value_wins_and_messages_merge(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_stream_infer_response response;
    pb_write_text(&fixture->wire, 1, "old");
    for (int i = 0; i < 3; i++) {
        size_t inner = pb_write_begin(&fixture->wire, 2);
        if (i != 1)
            pb_write_text(&fixture->wire, 3, i ? "second" : "first");
        else
            pb_write_text(&fixture->wire, 1, "m");
        pb_write_bytes(&fixture->wire, 6, SLICE_LITERAL("r"));
        pb_write_end(&fixture->wire, inner);
    }
    pb_write_text(&fixture->wire, 1, "new");
    assert_ok(DECODE(fixture, model_stream_infer_response, &response));
    assert_slice(response.error_message, "new");
    assert_slice(response.infer_response->id, "second");
    assert_slice(response.infer_response->model_name, "m");
    assert_int_equal(response.infer_response->raw_output_contents.count, 3);
}

static void a_oneof_has_one_member(void **state) {
    struct fixture *fixture = *state;
    struct pb_infer_parameter parameter;
    struct buf out = BUF_EMPTY;
    pb_write_text(&fixture->wire, 3, "text");
    pb_write_uint64(&fixture->wire, 1, 0);
    assert_ok(DECODE(fixture, infer_parameter, &parameter));
    assert_int_equal(parameter.which_parameter_choice, pb_infer_parameter_bool_param_number);
    assert_false(parameter.bool_param);
    assert_null(parameter.string_param.data);
    assert_ok(pb_encode(&pb_infer_parameter_type, &parameter, &out));
    assert_int_equal(out.size, 2); /* the default value is on the wire */
    assert_memory_equal(out.data, "\x08\x00", 2);
    buf_free(&out);

    /* Messages in a oneof merge only while nothing else comes between. */
    struct pb_model_version_policy policy;
    buf_clear(&fixture->wire);
    buf_append(&fixture->wire,
               "\x1A\x03\x0A\x01\x05"
               "\x12\x00"
               "\x1A\x03\x0A\x01\x06"
               "\x1A\x03\x0A\x01\x07",
               17);
    assert_ok(DECODE(fixture, model_version_policy, &policy));
    assert_int_equal(policy.which_policy_choice, pb_model_version_policy_specific_number);
    assert_null(policy.all);
    assert_int_equal(policy.specific->versions.count, 2);
    assert_int_equal(policy.specific->versions.items[0], 6);
}

static void write_tag_entry(struct buf *out, const char *key, const char *value) {
    size_t entry = pb_write_begin(out, 10);
    if (key)
        pb_write_text(out, 1, key);
    if (value)
        pb_write_text(out, 2, value);
    pb_write_end(out, entry);
}

static void map_keys_are_unique(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_config config;
    write_tag_entry(&fixture->wire, "a", "1");
    write_tag_entry(&fixture->wire, "b", "2");
    write_tag_entry(&fixture->wire, NULL, "no key");
    write_tag_entry(&fixture->wire, "a", NULL);
    write_tag_entry(&fixture->wire, "b", "3");
    assert_ok(DECODE(fixture, model_config, &config));
    assert_int_equal(config.metric_tags.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct pb_model_config_metric_tags_entry *entry = &config.metric_tags.items[i];
        assert_slice(entry->value, entry->key.size == 0 ? "no key" : entry->key.data[0] == 'a' ? "" : "3");
    }
    /* Also in maps with number keys, and deep in the message; values that are messages are always there. */
    buf_clear(&fixture->wire);
    buf_append(&fixture->wire, "\x5A\x08\x3A\x02\x08\x05\x3A\x02\x08\x05", 10);
    assert_ok(DECODE(fixture, model_config, &config));
    assert_int_equal(config.dynamic_batching->priority_queue_policy.count, 1);
    assert_int_equal(config.dynamic_batching->priority_queue_policy.items[0].key, 5);
    assert_non_null(config.dynamic_batching->priority_queue_policy.items[0].value);
}

static void many_map_entries_take_little_time(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_config config;
    char key[16];
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof key, "%d", i % 50000);
        write_tag_entry(&fixture->wire, key, "v");
    }
    assert_ok(DECODE(fixture, model_config, &config));
    assert_int_equal(config.metric_tags.count, 50000);
}

static void memory_is_bounded_by_the_arena(void **state) {
    struct fixture *fixture = *state;
    struct pb_model_infer_request request;
    write_request(&fixture->wire);
    bool done = false;
    size_t limit = 1;
    for (; !done; limit += 16) {
        struct arena *small = arena_create(limit);
        struct status status = pb_decode(&pb_model_infer_request_type, buf_slice(&fixture->wire), small, &request);
        done = status_is_ok(&status);
        if (!done)
            assert_error(status, STATUS_RESOURCE_EXHAUSTED, "ModelInferRequest");
        arena_destroy(small);
    }
    assert_in_range(limit, 100, 4096);

    /* Two bytes on the wire each, a whole struct in memory: the limit stops it. */
    struct arena *arena = arena_create(1 << 20);
    buf_clear(&fixture->wire);
    for (int i = 0; i < 100000; i++)
        buf_append(&fixture->wire, "\x2A\x00", 2);
    assert_error(pb_decode(&pb_model_infer_request_type, buf_slice(&fixture->wire), arena, &request),
                 STATUS_RESOURCE_EXHAUSTED, "more memory");
    arena_destroy(arena);
}

static void arrays_are_sized_once(void **state) {
    struct fixture *fixture = *state;
    struct pb_infer_tensor_contents contents;
    enum { COUNT = 10000 };
    for (int i = 0; i < COUNT; i++)
        pb_write_bytes(&fixture->wire, 8, SLICE_LITERAL("x"));
    assert_ok(DECODE(fixture, infer_tensor_contents, &contents));
    assert_int_equal(contents.bytes_contents.count, COUNT);
    assert_in_range(arena_used(fixture->arena), COUNT * sizeof(struct slice), COUNT * sizeof(struct slice) + 64);

    /* Fields that alternate cannot be foreseen, but still cost linear memory. */
    arena_reset(fixture->arena);
    buf_clear(&fixture->wire);
    for (int i = 0; i < COUNT; i++) {
        pb_write_uint64(&fixture->wire, 5, 1);
        pb_write_float(&fixture->wire, 6, 1);
    }
    assert_ok(DECODE(fixture, infer_tensor_contents, &contents));
    assert_int_equal(contents.uint64_contents.count, COUNT);
    assert_int_equal(contents.fp32_contents.count, COUNT);
    assert_true(arena_used(fixture->arena) < COUNT * 12 * 5);
}

/* A message type that holds itself, as none of ours does: for the depth limit. */
struct pb_nested {
    struct pb_nested *inner;
};
static const struct pb_message nested_type;
static const struct pb_field nested_rows[] = {
    {"inner", 1, PB_SUBMESSAGE, PB_LABEL_SINGULAR, offsetof(struct pb_nested, inner), NULL, 0, &nested_type, NULL}};
static const struct pb_message nested_type = {"test", "Nested", nested_rows, 1, sizeof(struct pb_nested)};

static void nest(struct buf *out, int depth) {
    for (int i = 0; i < depth; i++) {
        struct buf outer = BUF_EMPTY;
        pb_write_bytes(&outer, 1, buf_slice(out));
        buf_free(out);
        *out = outer;
    }
}

static void depth_is_limited(void **state) {
    struct fixture *fixture = *state;
    struct pb_nested nested;
    nest(&fixture->wire, PB_DEPTH_MAX - 1);
    assert_ok(pb_decode(&nested_type, buf_slice(&fixture->wire), fixture->arena, &nested));
    struct buf again = BUF_EMPTY;
    assert_ok(pb_encode(&nested_type, &nested, &again));
    assert_int_equal(again.size, fixture->wire.size);
    buf_free(&again);
    nest(&fixture->wire, 1);
    assert_error(pb_decode(&nested_type, buf_slice(&fixture->wire), fixture->arena, &nested), STATUS_INVALID_ARGUMENT,
                 "too deep");
}

static void responses_are_built_from_borrowed_arrays(void **state) {
    struct fixture *fixture = *state;
    int64_t shape[] = {1, 3};
    struct pb_model_infer_response_infer_output_tensor output = {
        .name = SLICE_LITERAL("logits"), .datatype = SLICE_LITERAL("FP32"), .shape = {.items = shape, .count = 2}};
    size_t size = 1 << 20;
    char *data = calloc(1, size);
    struct slice raw = {data, size};
    struct pb_model_infer_response response = {.model_name = SLICE_LITERAL("m"),
                                               .outputs = {.items = &output, .count = 1},
                                               .raw_output_contents = {.items = &raw, .count = 1}},
                                   decoded;
    assert_ok(pb_encode(&pb_model_infer_response_type, &response, &fixture->wire));
    assert_ok(DECODE(fixture, model_infer_response, &decoded));
    assert_int_equal(decoded.raw_output_contents.items[0].size, size);
    assert_int_equal(decoded.outputs.items[0].shape.items[1], 3);
    free(data);
}

static void appending_copies_a_borrowed_array(void **state) {
    struct fixture *fixture = *state;
    int64_t shape[] = {1, 2};
    struct pb_model_tensor_reshape reshape = {.shape = {.items = shape, .count = 2}};
    for (int i = 3; i < 50; i++) {
        int64_t *item = pb_append(fixture->arena, &pb_model_tensor_reshape_type.fields[0], &reshape);
        assert_non_null(item);
        assert_int_equal(*item, 0);
        *item = i;
    }
    assert_int_equal(reshape.shape.count, 49);
    for (int i = 0; i < 49; i++)
        assert_int_equal(reshape.shape.items[i], i + 1);
    assert_int_equal(shape[1], 2);
}

static void set_and_absent_are_told_apart(void **state) {
    (void)state;
    struct pb_model_config config = {0};
    struct pb_model_dynamic_batching batching = {0};
    for (size_t i = 0; i < pb_model_config_type.field_count; i++)
        assert_false(pb_field_is_set(&pb_model_config_type.fields[i], &config));
    config.max_batch_size = 256; /* a zero low byte */
    config.dynamic_batching = &batching;
    config.which_scheduling_choice = pb_model_config_dynamic_batching_number;
    assert_true(pb_field_is_set(pb_field_by_name(&pb_model_config_type, SLICE_LITERAL("max_batch_size")), &config));
    const struct pb_field *field = pb_field_by_name(&pb_model_config_type, SLICE_LITERAL("dynamic_batching"));
    assert_true(pb_field_is_set(field, &config));
    assert_int_equal(pb_child_count(field, &config), 1);
    assert_ptr_equal(pb_child(field, &config, 0), &batching);
    assert_null(pb_field_by_name(&pb_model_config_type, SLICE_LITERAL("max_batch")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_decoded_without_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(encoding_gives_the_same_bytes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_an_error_or_a_shorter_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_damage_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_come_packed_and_unpacked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_packed_numbers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_tell_path_and_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_fields_are_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_value_wins_and_messages_merge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_oneof_has_one_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(map_keys_are_unique, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_map_entries_take_little_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_bounded_by_the_arena, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arrays_are_sized_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_is_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(responses_are_built_from_borrowed_arrays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(appending_copies_a_borrowed_array, set_up, tear_down),
        cmocka_unit_test(set_and_absent_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

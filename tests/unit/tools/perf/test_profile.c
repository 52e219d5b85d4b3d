/* Tests of profile: the file of perf_analyzer's --profile-export-file, experiment by experiment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <yyjson.h>

#include "tools/perf/profile.h"

static void test_file(void **state) {
    (void)state;
    struct profile profile;
    const uint64_t one[] = {1500}, three[] = {2500, 2600, 2700};
    const struct generator_record single = {.due_ns = 1000, .response_ns = one, .response_count = 1};
    const struct generator_record many = {.due_ns = 2000, .sequence_id = 7, .response_ns = three, .response_count = 3};
    struct buf text = BUF_EMPTY;
    profile_begin(&profile, "trtis", "host:1", "9", NULL);
    profile_add_boundary(&profile, 900);
    profile_add_record(&profile, &single);
    profile_add_record(&profile, &many);
    profile_add_boundary(&profile, 3000);
    profile_end_experiment(&profile, "concurrency", 4, true);
    profile_end_experiment(&profile, "request_rate", 0.5, false);
    profile_write(&profile, &text);
    assert_false(buf_failed(&text));
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *experiments = yyjson_obj_get(root, "experiments");
    assert_int_equal(yyjson_arr_size(experiments), 2);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "version")), "9");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "endpoint")), "host:1");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "service_kind")), "trtis");
    yyjson_val *first = yyjson_arr_get(experiments, 0), *requests = yyjson_obj_get(first, "requests");
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(first, "experiment"), "value")), 4);
    assert_null(yyjson_obj_get(yyjson_obj_get(first, "experiment"), "generator_limited"));
    assert_true(yyjson_get_bool(
        yyjson_obj_get(yyjson_obj_get(yyjson_arr_get(experiments, 1), "experiment"), "generator_limited")));
    assert_int_equal(yyjson_arr_size(requests), 2);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(first, "window_boundaries")), 2);
    yyjson_val *request = yyjson_arr_get(requests, 1), *responses = yyjson_obj_get(request, "response_timestamps");
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(request, "sequence_id")), 7);
    assert_null(yyjson_obj_get(yyjson_arr_get(requests, 0), "sequence_id"));
    assert_int_equal(yyjson_arr_size(responses), 3);
    assert_int_equal(
        yyjson_get_uint(yyjson_arr_get(responses, 2)) - yyjson_get_uint(yyjson_obj_get(request, "timestamp")), 700);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(yyjson_arr_get(experiments, 1), "requests")), 0);
    yyjson_doc_free(doc);
    buf_free(&text);
    profile_free(&profile);
}

static void test_values(void **state) {
    (void)state;
    struct profile profile;
    const uint64_t two[] = {1500, 1600};
    const int64_t shape[] = {2};
    struct infer_tensor input = {SLICE_LITERAL("IN"), SLICE_LITERAL("INT8"), shape, 1, SLICE_LITERAL("\1\xff")};
    const struct infer_tensor outputs[] = {
        {SLICE_LITERAL("A"), SLICE_LITERAL("BYTES"), shape, 1, {"\1\0\0\0\"\0\0\0\0", 9}},
        {SLICE_LITERAL("B"), SLICE_LITERAL("BOOL"), shape, 1, {"\0\1", 2}},
    };
    struct workload_entry entries[] = {{0}, {.inputs = &input, .input_count = 1}};
    const struct workload workload = {.entries = entries, .entry_count = 2};
    const struct generator_record record = {
        .entry = 1, .due_ns = 1000, .response_ns = two, .response_count = 2, .outputs = outputs, .output_count = 2};
    const struct generator_record empty = {.due_ns = 1000};
    struct buf text = BUF_EMPTY;
    profile_begin(&profile, "trtis", "host:1", "9", &workload);
    profile_add_record(&profile, &empty);
    profile_add_record(&profile, &record);
    profile_end_experiment(&profile, "concurrency", 1, true);
    profile_write(&profile, &text);
    buf_append_char(&text, '\0');
    assert_non_null(strstr(text.data, "\"request_inputs\":{},\"response_timestamps\":[],\"response_outputs\":[]"));
    assert_non_null(strstr(text.data, "\"request_inputs\":{\"IN\":[1,-1]},"));
    assert_non_null(strstr(text.data, "\"response_outputs\":[{},{\"A\":[\"\\\"\",\"\"],\"B\":[false,true]}]"));
    buf_free(&text);
    profile_free(&profile);
}

/* Inputs and outputs together are bounded; what is past it leaves its place empty, and is counted. */
static void test_bound_of_values(void **state) {
    (void)state;
    struct profile profile;
    const uint64_t one[] = {1500};
    const int64_t shape[] = {2};
    struct infer_tensor tensor = {SLICE_LITERAL("X"), SLICE_LITERAL("INT8"), shape, 1, SLICE_LITERAL("\1\2")};
    struct workload_entry entry = {.inputs = &tensor, .input_count = 1};
    const struct workload workload = {.entries = &entry, .entry_count = 1};
    const struct generator_record record = {
        .due_ns = 1000, .response_ns = one, .response_count = 1, .outputs = &tensor, .output_count = 1};
    struct buf text = BUF_EMPTY;
    profile_begin(&profile, "trtis", "host:1", "9", &workload);
    profile.values_max = 3 * strlen("{\"X\":[1,2]}"); /* two outputs and one input */
    profile_add_record(&profile, &record);
    profile_add_record(&profile, &record);
    profile_end_experiment(&profile, "concurrency", 1, true);
    assert_int_equal(profile.cut, 1);
    profile_add_record(&profile, &record);
    profile_end_experiment(&profile, "concurrency", 2, true);
    profile_write(&profile, &text);
    buf_append_char(&text, '\0');
    assert_int_equal(profile.cut, 2);
    assert_int_equal(profile.dropped, 0);
    size_t kept = 0;
    for (const char *at = text.data; (at = strstr(at, "{\"X\":[1,2]}")) != NULL; at++)
        kept++;
    assert_int_equal(kept, 3);
    assert_non_null(strstr(text.data, "\"request_inputs\":{},"));
    assert_non_null(strstr(text.data, "\"response_outputs\":[{}]"));
    yyjson_doc *doc = yyjson_read(text.data, text.size - 1, 0);
    assert_non_null(doc);
    yyjson_doc_free(doc);
    buf_free(&text);
    profile_free(&profile);
}

/* Numbers that JSON has not are strings. */
static void test_values_are_json(void **state) {
    (void)state;
    struct profile profile;
    const uint64_t one[] = {1500};
    const int64_t shape[] = {4};
    const float floats[] = {NAN, INFINITY, -INFINITY, -1.5F};
    const double doubles[] = {NAN, -INFINITY};
    const uint16_t halves[] = {0x7e00, 0x7c00, 0xfc00, 0x3c00}, brains[] = {0x7fc0, 0x7f80, 0xff80, 0x3f80};
    const struct infer_tensor outputs[] = {
        {SLICE_LITERAL("A"), SLICE_LITERAL("FP32"), shape, 1, {(const char *)floats, sizeof floats}},
        {SLICE_LITERAL("B"), SLICE_LITERAL("FP64"), shape, 1, {(const char *)doubles, sizeof doubles}},
        {SLICE_LITERAL("C"), SLICE_LITERAL("FP16"), shape, 1, {(const char *)halves, sizeof halves}},
        {SLICE_LITERAL("D"), SLICE_LITERAL("BF16"), shape, 1, {(const char *)brains, sizeof brains}},
    };
    struct workload_entry entry = {0};
    const struct workload workload = {.entries = &entry, .entry_count = 1};
    const struct generator_record record = {
        .due_ns = 1000, .response_ns = one, .response_count = 1, .outputs = outputs, .output_count = 4};
    struct buf text = BUF_EMPTY;
    profile_begin(&profile, "trtis", "host:1", "9", &workload);
    profile_add_record(&profile, &record);
    profile_end_experiment(&profile, "concurrency", 1, true);
    profile_write(&profile, &text);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    assert_non_null(doc);
    yyjson_doc_free(doc);
    buf_append_char(&text, '\0');
    assert_non_null(strstr(text.data, "{\"A\":[\"NaN\",\"Infinity\",\"-Infinity\",-1.5],\"B\":[\"NaN\",\"-Infinity\"],"
                                      "\"C\":[\"NaN\",\"Infinity\",\"-Infinity\",1.0],"
                                      "\"D\":[\"NaN\",\"Infinity\",\"-Infinity\",1.0]}"));
    buf_free(&text);
    profile_free(&profile);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_file), cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_bound_of_values), cmocka_unit_test(test_values_are_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The JSON form: what is shown, and what is read. */
#include "codec_test.h"

#include <math.h>

#include "codec/inference_messages.h"
#include "codec/pb_json.h"
#include "codec/trtis_v1_messages.h"

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

#define ASSERT_JSON(type, message, expected)                                                                           \
    do {                                                                                                               \
        struct buf json_ = BUF_EMPTY;                                                                                  \
        assert_ok(pb_to_json(&pb_##type##_type, (message), &json_));                                                   \
        assert_slice(buf_slice(&json_), (expected));                                                                   \
        buf_free(&json_);                                                                                              \
    } while (0)

static void defaults_are_shown(void **state) {
    (void)state;
    struct pb_model_instance_group group = {0};
    ASSERT_JSON(model_instance_group, &group,
                "{\"name\":\"\",\"kind\":\"KIND_AUTO\",\"count\":0,\"gpus\":[],\"secondary_devices\":[],\"profile\":[],"
                "\"passive\":false,\"host_policy\":\"\"}");
    struct pb_infer_parameter parameter = {0};
    ASSERT_JSON(infer_parameter, &parameter, "{}");
    parameter.which_parameter_choice = pb_infer_parameter_int64_param_number;
    ASSERT_JSON(infer_parameter, &parameter, "{\"int64_param\":0}");
}

static void canonical_form(void **state) {
    (void)state;
    struct pb_v1_stat_duration duration = {.count = 3, .total_time_ns = UINT64_MAX};
    struct pb_v1_infer_request_stats stats = {.success = &duration};
    struct pb_v1_model_version_status_infer_stats_entry entry = {.key = 8, .value = &stats};
    struct pb_v1_model_version_status status = {.ready_state = PB_V1_MODEL_READY,
                                                .infer_stats = {.items = &entry, .count = 1}};
    struct buf json = BUF_EMPTY;
    assert_ok(pb_to_canonical_json(&pb_v1_model_version_status_type, &status, &json));
    assert_slice(buf_slice(&json),
                 "{\"readyState\":\"MODEL_READY\",\"inferStats\":{\"8\":{\"success\":{\"count\":\"3\","
                 "\"totalTimeNs\":\"18446744073709551615\"}}}}");
    buf_free(&json);
}

static void values_are_shown(void **state) {
    (void)state;
    int64_t dims[] = {-1, INT64_MAX};
    struct pb_model_tensor_reshape reshape = {0};
    struct pb_model_input input = {.name = SLICE_LITERAL("a\"b"),
                                   .data_type = PB_TYPE_FP32,
                                   .format = 99, /* unknown to the table */
                                   .dims = {.items = dims, .count = 2},
                                   .reshape = &reshape};
    ASSERT_JSON(model_input, &input,
                "{\"name\":\"a\\\"b\",\"data_type\":\"TYPE_FP32\",\"format\":99,\"dims\":[-1,9223372036854775807],"
                "\"reshape\":{\"shape\":[]},\"is_shape_tensor\":false,\"allow_ragged_batch\":false,\"optional\":false,"
                "\"is_non_linear_format_io\":false}");
    float floats[] = {0.1f, NAN, -INFINITY};
    struct slice bytes[] = {SLICE_LITERAL("foob")};
    struct pb_infer_tensor_contents contents = {.fp32_contents = {.items = floats, .count = 3},
                                                .bytes_contents = {.items = bytes, .count = 1}};
    ASSERT_JSON(
        infer_tensor_contents, &contents,
        "{\"bool_contents\":[],\"int_contents\":[],\"int64_contents\":[],\"uint_contents\":[],\"uint64_contents\":[],"
        "\"fp32_contents\":[0.1,\"NaN\",\"-Infinity\"],\"fp64_contents\":[],\"bytes_contents\":[\"Zm9vYg==\"]}");
}

static void maps_are_objects(void **state) {
    (void)state;
    struct pb_model_queue_policy policy = {.max_queue_size = 4};
    struct pb_model_dynamic_batching_priority_queue_policy_entry entries[] = {{.key = 1, .value = &policy}, {.key = 2}};
    struct pb_model_dynamic_batching batching = {.priority_queue_policy = {.items = entries, .count = 2}};
    ASSERT_JSON(model_dynamic_batching, &batching,
                "{\"preferred_batch_size\":[],\"max_queue_delay_microseconds\":0,\"preserve_ordering\":false,"
                "\"priority_levels\":0,\"default_priority_level\":0,\"priority_queue_policy\":{\"1\":{"
                "\"timeout_action\":\"REJECT\",\"default_timeout_microseconds\":0,\"allow_timeout_override\":false,"
                "\"max_queue_size\":4},\"2\":{}}}");
}

static struct status parse(struct arena *arena, const char *json, struct pb_model_config *ret) {
    struct slice copy = exact_copy(slice_of(json));
    struct status status = pb_json_parse(&pb_model_config_type, copy, arena, ret);
    free_copy(copy);
    return status;
}

static void objects_are_read(void **state) {
    struct pb_model_config config;
    assert_ok(parse(*state,
                    "{\"name\":\"m\",\"maxBatchSize\":8,\"input\":[{\"name\":\"i\",\"data_type\":\"TYPE_INT32\","
                    "\"dims\":[\"-1\",2,3.0],\"optional\":true},{\"dataType\":11}],\"platform\":null,"
                    "\"dynamic_batching\":{\"max_queue_delay_microseconds\":\"18446744073709551615\","
                    "\"priority_queue_policy\":{\"3\":{\"max_queue_size\":1}}},"
                    "\"parameters\":{\"k\":{\"string_value\":\"v\"}},\"metric_tags\":{\"a\":\"b\",\"c\":\"d\"}}",
                    &config));
    assert_slice(config.name, "m");
    assert_int_equal(config.max_batch_size, 8);
    assert_int_equal(config.input.items[0].dims.items[0], -1);
    assert_int_equal(config.input.items[0].dims.items[2], 3);
    assert_true(config.input.items[0].optional);
    assert_int_equal(config.input.items[1].data_type, PB_TYPE_FP32);
    assert_int_equal(config.platform.size, 0);
    assert_int_equal(config.which_scheduling_choice, pb_model_config_dynamic_batching_number);
    assert_true(config.dynamic_batching->max_queue_delay_microseconds == UINT64_MAX);
    assert_int_equal(config.dynamic_batching->priority_queue_policy.items[0].key, 3);
    assert_slice(config.parameters.items[0].value->string_value, "v");
    assert_slice(config.metric_tags.items[1].value, "d");
}

static void faults_are_named(void **state) {
    static const char *const cases[][2] = {
        {"", "ModelConfig: JSON byte 0"},
        {"{\"name\":}", "ModelConfig: JSON byte 8"},
        {"[]", "ModelConfig: expected an object, got array"},
        {"{\"nmae\":\"x\"}", "unknown field 'nmae' in ModelConfig; did you mean 'name'?"},
        {"{\"name\":5}", "ModelConfig.name: expected a string, got uint"},
        {"{\"max_batch_size\":\"x\"}", "ModelConfig.max_batch_size: expected int32, got the string \"x\""},
        {"{\"max_batch_size\":1.5}", "expected int32, got real"},
        {"{\"max_batch_size\":2147483648}", "2147483648 is out of the range of int32"},
        {"{\"max_batch_size\":-2147483649}", "-2147483649 is out of the range of int32"},
        {"{\"max_batch_size\":1e30}", "expected int32"},
        {"{\"input\":[{},{\"dims\":[1,true]}]}", "ModelConfig.input[1].dims[1]: expected int64, got true"},
        {"{\"input\":{}}", "ModelConfig.input: expected an array, got object"},
        {"{\"input\":[{\"data_type\":\"TYPE_FP31\"}]}",
         "unknown value 'TYPE_FP31' of enum DataType; did you mean 'TYPE_FP32'?"},
        {"{\"input\":[{\"optional\":1}]}", "ModelConfig.input[0].optional: expected true or false, got uint"},
        {"{\"name\":\"a\",\"name\":\"b\"}", "ModelConfig.name: given twice"},
        {"{\"dynamic_batching\":{},\"sequence_batching\":{}}", "given besides 'dynamic_batching'"},
        {"{\"metric_tags\":{\"a\":\"1\",\"a\":\"2\"}}", "ModelConfig.metric_tags: the key 'a' is there twice"},
        {"{\"metric_tags\":[]}", "expected an object, got array"},
        {"{\"dynamic_batching\":{\"priority_queue_policy\":{\"x\":{}}}}", "expected uint64, got the string \"x\""},
        {"{\"dynamic_batching\":{\"max_queue_delay_microseconds\":-1}}", "-1 is out of the range of uint64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pb_model_config config;
        assert_error(parse(*state, cases[i][0], &config), STATUS_INVALID_ARGUMENT, cases[i][1]);
    }
}

/* A newer server's config, read by a client: what is not known here is passed over, what is known is still checked. */
static void lenient_reading_passes_over_what_is_new(void **state) {
    static const char json[] =
        "{\"new_object\":{\"a\":[1,{}]},\"name\":\"m\",\"new_list\":[[]],\"input\":[{\"name\":\"i\","
        "\"data_type\":\"TYPE_FP4\",\"new_flag\":true,\"dims\":[2]}],\"max_batch_size\":3}";
    struct pb_model_config config;
    assert_ok(pb_json_parse_lenient(&pb_model_config_type, SLICE_LITERAL(json), *state, &config));
    assert_slice(config.name, "m");
    assert_int_equal(config.max_batch_size, 3);
    assert_slice(config.input.items[0].name, "i");
    assert_int_equal(config.input.items[0].data_type, PB_TYPE_INVALID);
    assert_int_equal(config.input.items[0].dims.items[0], 2);
    assert_error(pb_json_parse(&pb_model_config_type, SLICE_LITERAL(json), *state, &config), STATUS_INVALID_ARGUMENT,
                 "unknown field 'new_object'");
    assert_error(pb_json_parse_lenient(&pb_model_config_type, SLICE_LITERAL("{\"x\":1,\"name\":5}"), *state, &config),
                 STATUS_INVALID_ARGUMENT, "ModelConfig.name: expected a string");
}

static void every_truncation_is_refused(void **state) {
    static const char json[] = "{\"name\":\"m\\u00e4\",\"input\":[{\"dims\":[1,-2]}],\"metric_tags\":{\"a\":\"b\"}}";
    struct pb_model_config config;
    assert_ok(parse(*state, json, &config));
    for (size_t size = 0; size < sizeof json - 1; size++) {
        struct slice bytes = exact_copy((struct slice){json, size});
        struct status status = pb_json_parse(&pb_model_config_type, bytes, *state, &config);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        free_copy(bytes);
    }
}

static void deep_nesting_is_refused(void **state) {
    struct pb_model_config config;
    struct buf text = BUF_EMPTY;
    buf_append_text(&text, "{\"input\":");
    for (int i = 0; i < 100000; i++)
        buf_append_char(&text, '[');
    for (int i = 0; i < 100000; i++)
        buf_append_char(&text, ']');
    buf_append_char(&text, '}');
    assert_error(pb_json_parse(&pb_model_config_type, buf_slice(&text), *state, &config), STATUS_INVALID_ARGUMENT,
                 "ModelConfig.input[0]: expected an object");
    buf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_shown),
        cmocka_unit_test(canonical_form),
        cmocka_unit_test(values_are_shown),
        cmocka_unit_test(maps_are_objects),
        cmocka_unit_test_setup_teardown(objects_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lenient_reading_passes_over_what_is_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deep_nesting_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

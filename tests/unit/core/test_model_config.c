/* Model configs: what is accepted and derived, what the config calls show, and how mistakes are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/model_config_messages.h"
#include "core/model_config.h"

#define assert_ok(expression)                                                                                          \
    do {                                                                                                               \
        struct status assert_ok_ = (expression);                                                                       \
        if (!status_is_ok(&assert_ok_))                                                                                \
            fail_msg("%s: %s", #expression, assert_ok_.message);                                                       \
    } while (0)

#define TENSORS                                                                                                        \
    "input { name: \"x\" data_type: TYPE_FP32 dims: [ 4 ] } output { name: \"y\" data_type: TYPE_FP32 dims: [ 4 ] }\n"
#define IDENTITY "backend: \"identity\" "

static struct status load(const char *text, struct model_config **ret) {
    struct model_config *config;
    STATUS_TRY(model_config_parse(SLICE_LITERAL("m"), slice_of(text), "config.pbtxt", &config));
    struct status status = model_config_finish(config, NULL);
    if (status_is_ok(&status))
        *ret = config;
    else
        model_config_destroy(config);
    return status;
}

static void derived_fields_follow_the_text(void **state) {
    (void)state;
    struct model_config *config;
    assert_ok(load("name: \"m\" platform: \"onnxruntime_onnx\" max_batch_size: 8\n"
                   "input { name: \"ids\" data_type: TYPE_INT32 dims: [ -1 ] }\n"
                   "input { name: \"unique\" data_type: TYPE_INT32 dims: 1 reshape { } optional: true }\n"
                   "output { name: \"logits\" data_type: TYPE_FP32 dims: [ -1, 2 ] reshape { shape: [ -1, 1, 2 ] } "
                   "label_filename: \"labels.txt\" }\n"
                   "instance_group [ { count: 2 }, { kind: KIND_CPU name: \"other\" } ]\n"
                   "dynamic_batching { preferred_batch_size: [ 8, 4, 8 ] max_queue_delay_microseconds: 1500 "
                   "preserve_ordering: true }\n"
                   "parameters { key: \"vocab\" value { string_value: \"v\" } } parameters { key: \"empty\" }\n"
                   "version_policy { specific { versions: [ 3, 1 ] } }\n",
                   &config));
    assert_int_equal(config->max_batch_size, 8);
    assert_int_equal(config->input_count, 2);
    const struct model_input *unique = model_config_input(config, SLICE_LITERAL("unique"));
    assert_ptr_equal(unique, &config->inputs[1]);
    assert_true(unique->optional && unique->reshaped && unique->reshape_rank == 0 && unique->rank == 1);
    assert_int_equal(config->inputs[0].dims[0], -1);
    assert_false(config->inputs[0].reshaped);
    assert_int_equal(config->inputs[0].type, DATATYPE_INT32);
    const struct model_output *logits = model_config_output(config, SLICE_LITERAL("logits"));
    assert_int_equal(logits->rank, 2);
    assert_int_equal(logits->reshape_rank, 3);
    assert_int_equal(logits->reshape_dims[2], 2);
    assert_true(slice_equal_text(logits->label_filename, "labels.txt"));
    assert_null(model_config_output(config, SLICE_LITERAL("ids")));
    assert_int_equal(config->instance_count, 3);
    assert_true(config->batching.enabled && config->batching.preserve_ordering);
    assert_int_equal(config->batching.preferred_count, 2);
    assert_int_equal(config->batching.preferred[0], 4);
    assert_int_equal(config->batching.preferred[1], 8);
    assert_int_equal(config->batching.max_delay_ns, 1500000);
    assert_int_equal(config->version_policy, VERSIONS_SPECIFIC);
    assert_int_equal(config->specific_version_count, 2);
    assert_int_equal(config->specific_versions[0], 1);
    assert_true(slice_equal_text(config->backend, "onnxruntime"));
    assert_true(slice_equal_text(config->default_model_filename, "model.onnx"));
    struct slice value;
    assert_true(model_config_parameter(config, "vocab", &value) && slice_equal_text(value, "v"));
    assert_true(model_config_parameter(config, "empty", &value) && value.size == 0);
    assert_false(model_config_parameter(config, "none", &value));
    model_config_destroy(config);
    model_config_destroy(NULL);
}

static void defaults_are_as_tritons(void **state) {
    (void)state;
    struct model_config *config;
    struct buf json = BUF_EMPTY;
    assert_ok(load("platform: \"onnxruntime_onnx\" max_batch_size: 4 " TENSORS "dynamic_batching { }", &config));
    assert_int_equal(config->version_policy, VERSIONS_LATEST);
    assert_int_equal(config->latest_versions, 1);
    assert_int_equal(config->instance_count, 1);
    assert_int_equal(config->batching.preferred_count, 1);
    assert_int_equal(config->batching.preferred[0], 4);
    assert_ok(model_config_to_json(config, &json));
    buf_append_char(&json, '\0');
    assert_string_equal(
        json.data,
        "{\"name\":\"m\",\"platform\":\"onnxruntime_onnx\",\"backend\":\"onnxruntime\",\"runtime\":\"\",\"version_"
        "policy\":{"
        "\"latest\":{\"num_versions\":1}},\"max_batch_size\":4,\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_FP32\","
        "\"format\":\"FORMAT_NONE\",\"dims\":[4],\"is_shape_tensor\":false,\"allow_ragged_batch\":false,\"optional\":"
        "false,"
        "\"is_non_linear_format_io\":false}],\"output\":[{\"name\":\"y\",\"data_type\":\"TYPE_FP32\",\"dims\":[4],"
        "\"label_filename\":\"\",\"is_shape_tensor\":false,\"is_non_linear_format_io\":false}],\"batch_input\":[],"
        "\"batch_output\":[],\"optimization\":{\"priority\":\"PRIORITY_DEFAULT\",\"input_pinned_memory\":{\"enable\":"
        "true},"
        "\"output_pinned_memory\":{\"enable\":true},\"gather_kernel_buffer_threshold\":0,\"eager_batching\":false},"
        "\"dynamic_batching\":{\"preferred_batch_size\":[4],\"max_queue_delay_microseconds\":0,\"preserve_ordering\":"
        "false,"
        "\"priority_levels\":0,\"default_priority_level\":0,\"priority_queue_policy\":{}},\"instance_group\":[{"
        "\"name\":\"m\",\"kind\":\"KIND_CPU\",\"count\":1,\"gpus\":[],\"secondary_devices\":[],\"profile\":[],"
        "\"passive\":false,\"host_policy\":\"\"}],\"default_model_filename\":\"model.onnx\",\"cc_model_filenames\":{},"
        "\"metric_tags\":{},\"parameters\":{},\"model_warmup\":[]}");

    /* What is shown can be given back, and shows the same. */
    struct model_config *again;
    struct buf second = BUF_EMPTY;
    assert_ok(model_config_parse_json(SLICE_LITERAL("m"), (struct slice){json.data, json.size - 1}, &again));
    assert_ok(model_config_finish(again, NULL));
    assert_ok(model_config_to_json(again, &second));
    buf_append_char(&second, '\0');
    assert_string_equal(second.data, json.data);
    buf_free(&json);
    buf_free(&second);
    model_config_destroy(config);
    model_config_destroy(again);
}

static void an_empty_config_is_completed(void **state) {
    (void)state;
    struct model_config *config;
    static const int64_t dims[] = {-1, 3};
    assert_ok(model_config_create(SLICE_LITERAL("m"), &config));
    assert_int_equal(model_config_backend(config).size, 0);
    assert_ok(model_config_set_backend(config, SLICE_LITERAL("openvino")));
    assert_ok(model_config_set_default_model_filename(config, SLICE_LITERAL("model.onnx")));
    model_config_set_max_batch_size(config, 4);
    assert_int_equal(model_config_max_batch_size(config), 4);
    assert_ok(model_config_add_input(config, SLICE_LITERAL("a"), DATATYPE_INT64, dims, 2));
    assert_ok(model_config_add_input(config, SLICE_LITERAL("b"), DATATYPE_BYTES, dims, 1));
    assert_ok(model_config_add_output(config, SLICE_LITERAL("scalar"), DATATYPE_BF16, NULL, 0));
    assert_int_equal(model_config_message_inputs(config), 2);
    assert_int_equal(model_config_message_outputs(config), 1);
    assert_ok(model_config_finish(config, NULL));
    assert_int_equal(config->inputs[0].dims[1], 3);
    assert_int_equal(config->inputs[1].type, DATATYPE_BYTES);
    assert_int_equal(config->outputs[0].rank, 1);
    assert_true(config->outputs[0].reshaped && config->outputs[0].reshape_rank == 0);
    assert_true(slice_equal_text(config->message->name, "m"));
    assert_int_equal(config->platform.size, 0);
    assert_ok(model_config_finish(config, NULL)); /* again, on the completed message */
    assert_int_equal(config->input_count, 2);
    assert_int_equal(config->instance_count, 1);
    model_config_destroy(config);
}

static void backends_are_found_by_each_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *backend, *platform, *filename;
    } cases[] = {
        {"platform: \"onnxruntime_onnx\"", "onnxruntime", "onnxruntime_onnx", "model.onnx"},
        {"platform: \"tensorflow_savedmodel\"", "tensorflow", "tensorflow_savedmodel", "model.savedmodel"},
        {"backend: \"onnxruntime\"", "onnxruntime", "onnxruntime_onnx", "model.onnx"},
        {"backend: \"tensorflow\"", "tensorflow", "tensorflow_savedmodel", "model.savedmodel"},
        {"backend: \"openvino\"", "openvino", "", ""},
        {"backend: \"openvino\" platform: \"onnxruntime_onnx\"", "openvino", "onnxruntime_onnx", ""},
        {"backend: \"identity\"", "identity", "", ""},
        {"platform: \"identity\"", "identity", "identity", ""},
        {"backend: \"custom\" platform: \"custom\"", "custom", "custom", ""},
        {"backend: \"other\" default_model_filename: \"x.bin\"", "other", "", "x.bin"},
        {"default_model_filename: \"model.onnx\"", "onnxruntime", "onnxruntime_onnx", "model.onnx"},
        {"default_model_filename: \"model.xml\"", "openvino", "", "model.xml"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_config *config;
        char text[512];
        snprintf(text, sizeof text, "%s " TENSORS, cases[i].text);
        assert_ok(load(text, &config));
        assert_true(slice_equal_text(model_config_backend(config), cases[i].backend));
        assert_true(slice_equal_text(config->backend, cases[i].backend));
        assert_true(slice_equal_text(config->platform, cases[i].platform));
        assert_true(slice_equal_text(config->default_model_filename, cases[i].filename));
        model_config_destroy(config);
    }
}

/* Each text is a whole config; its load fails with a message that holds the other string. */
static void check_errors(const char *const (*cases)[2], size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct model_config *config;
        struct status status = load(cases[i][0], &config);
        if (status.code == STATUS_INVALID_ARGUMENT && strstr(status.message, cases[i][1]))
            continue;
        fail_msg("%s\nexpected \"%s\", got %s: \"%s\"", cases[i][0], cases[i][1], status_code_text(status.code),
                 status.message);
    }
}

static void known_but_unimplemented_fields_are_refused(void **state) {
    (void)state;
#define UNIMPLEMENTED(text, path)                                                                                      \
    { IDENTITY "max_batch_size: 4 " TENSORS text, "field '" path "' is known but not implemented here; remove it" }
    static const char *const cases[][2] = {
        UNIMPLEMENTED("runtime: \"x\"", "runtime"),
        UNIMPLEMENTED("dynamic_batching { priority_levels: 2 }", "dynamic_batching.priority_levels"),
        UNIMPLEMENTED("dynamic_batching { default_priority_level: 1 }", "dynamic_batching.default_priority_level"),
        UNIMPLEMENTED("dynamic_batching { default_queue_policy { max_queue_size: 5 } }",
                      "dynamic_batching.default_queue_policy.max_queue_size"),
        UNIMPLEMENTED("dynamic_batching { priority_queue_policy { key: 1 value { } } }",
                      "dynamic_batching.priority_queue_policy"),
        UNIMPLEMENTED("sequence_batching { }", "sequence_batching"),
        UNIMPLEMENTED("ensemble_scheduling { }", "ensemble_scheduling"),
        UNIMPLEMENTED("batch_input { kind: BATCH_ELEMENT_COUNT }", "batch_input"),
        UNIMPLEMENTED("batch_output { }", "batch_output"),
        UNIMPLEMENTED("optimization { graph { level: 1 } }", "optimization.graph"),
        UNIMPLEMENTED("optimization { priority: PRIORITY_MAX }", "optimization.priority"),
        UNIMPLEMENTED("optimization { cuda { graphs: true } }", "optimization.cuda"),
        UNIMPLEMENTED("optimization { execution_accelerators { } }", "optimization.execution_accelerators"),
        UNIMPLEMENTED("optimization { gather_kernel_buffer_threshold: 1 }",
                      "optimization.gather_kernel_buffer_threshold"),
        UNIMPLEMENTED("optimization { eager_batching: true }", "optimization.eager_batching"),
        UNIMPLEMENTED("cc_model_filenames { key: \"7.5\" value: \"f\" }", "cc_model_filenames"),
        UNIMPLEMENTED("model_warmup { name: \"w\" }", "model_warmup"),
        UNIMPLEMENTED("model_operations { op_library_filename: \"x.so\" }", "model_operations"),
        UNIMPLEMENTED("model_repository_agents { agents { name: \"a\" } }", "model_repository_agents"),
        UNIMPLEMENTED("response_cache { enable: true }", "response_cache.enable"),
        UNIMPLEMENTED("model_metrics { }", "model_metrics"),
        UNIMPLEMENTED("input { name: \"z\" data_type: TYPE_FP32 dims: 1 format: FORMAT_NHWC }", "input.format"),
        UNIMPLEMENTED("input { name: \"z\" data_type: TYPE_FP32 dims: 1 is_shape_tensor: true }",
                      "input.is_shape_tensor"),
        UNIMPLEMENTED("output { is_non_linear_format_io: true }", "output.is_non_linear_format_io"),
        UNIMPLEMENTED("instance_group { passive: true }", "instance_group.passive"),
        UNIMPLEMENTED("instance_group { profile: \"p\" }", "instance_group.profile"),
        UNIMPLEMENTED("instance_group { rate_limiter { } }", "instance_group.rate_limiter"),
        UNIMPLEMENTED("instance_group { host_policy: \"h\" }", "instance_group.host_policy"),
        UNIMPLEMENTED("instance_group { secondary_devices { } }", "instance_group.secondary_devices"),
        {IDENTITY TENSORS "optimization { input_pinned_memory { enable: false } }",
         "field 'optimization.input_pinned_memory.enable' with the value false is known but not implemented"},
    };
    check_errors(cases, sizeof cases / sizeof cases[0]);
}

static void explicit_defaults_are_harmless(void **state) {
    (void)state;
    struct model_config *config;
    assert_ok(load(IDENTITY "max_batch_size: 2 runtime: \"\" " TENSORS
                            "dynamic_batching { priority_levels: 0 default_queue_policy { timeout_action: REJECT } }"
                            "response_cache { enable: false } model_transaction_policy { decoupled: false }"
                            "optimization { priority: PRIORITY_DEFAULT output_pinned_memory { enable: true } }"
                            "instance_group { passive: false gpus: [ ] }",
                   &config));
    assert_true(config->message->optimization->input_pinned_memory->enable);
    assert_false(config->decoupled);
    model_config_destroy(config);
}

static void models_may_be_decoupled(void **state) {
    (void)state;
    struct model_config *config;
    assert_ok(load(IDENTITY TENSORS "model_transaction_policy { decoupled: true }", &config));
    assert_true(config->decoupled);
    model_config_destroy(config);
}

static void errors_tell_file_and_line(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"backend: \"identity\"\ninstance_group [\n  {\n    count: 1\n    kind: KIND_GPU\n  }\n]\n" TENSORS,
         "model 'm': config.pbtxt:5: instance_group[0].kind: backend 'identity' computes on the CPU alone; KIND_GPU "
         "cannot be had: write 'kind: KIND_CPU' (or KIND_AUTO), without 'gpus'"},
        {"backend: \"identity\" max_batch_size: 1\n" TENSORS "dynamic_batching {\n  priority_levels: 3\n}",
         "model 'm': config.pbtxt:4: dynamic_batching.priority_levels: field 'dynamic_batching.priority_levels'"},
        {"nmae: \"m\"", "config.pbtxt:1:1: unknown field 'nmae' in ModelConfig; did you mean 'name'?"},
        {"backend: \"identity\"\ninput {\n  name: \"x\"\n  data_type: TYPE_FP32\n  dims: [ 0 ]\n}",
         "model 'm': config.pbtxt:5: input[0].dims: input 'x': expected dims of 1 or more, or -1"},
    };
    check_errors(cases, 3);
    struct model_config *config;
    static const char with_output[] =
        "backend: \"identity\"\ninput {\n  name: \"x\"\n  data_type: TYPE_FP32\n  dims: [ 0 ]\n}\n"
        "output { name: \"y\" data_type: TYPE_FP32 dims: 1 }";
    struct status status = load(with_output, &config);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, cases[3][1]));
}

#define IO(input, output) IDENTITY "input { " input " } output { " output " }"
#define GOOD_INPUT "name: \"x\" data_type: TYPE_FP32 dims: 4"
#define GOOD_OUTPUT "name: \"y\" data_type: TYPE_FP32 dims: 4"

static void bad_values_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"name: \"other\" " IDENTITY TENSORS, "the config is named 'other', but its folder is 'm'"},
        {IDENTITY "max_batch_size: -1 " TENSORS, "max_batch_size: expected 0 (no batching) to 65536, got -1"},
        {IDENTITY "max_batch_size: 65537 " TENSORS, "max_batch_size: expected 0 (no batching) to 65536, got 65537"},
        {IDENTITY "max_batch_size: 2147483647 " TENSORS, "to 65536, got 2147483647"},
        {TENSORS, "neither 'backend' nor 'platform' says what runs the model"},
        {"platform: \"tensorrt_plan\" " TENSORS,
         "unknown platform 'tensorrt_plan'; expected one of onnxruntime_onnx, tensorflow_savedmodel"},
        {"platform: \"tensorrt_plan\" instance_group { kind: KIND_GPU } " TENSORS, "unknown platform 'tensorrt_plan'"},
        {"platform: \"custom\" " IDENTITY TENSORS, "unknown platform 'custom'"},
        {"platform: \"onnxruntime_onnx\" backend: \"tensorflow\" " TENSORS,
         "backend 'tensorflow' does not serve platform 'onnxruntime_onnx', backend 'onnxruntime' does"},
        {"backend: \"../evil\" " TENSORS, "'../evil' cannot be the name of a backend"},
        {IDENTITY "default_model_filename: \"../../etc/passwd\" " TENSORS, "is not the plain name of a file"},
        {IDENTITY "input { " GOOD_INPUT " }", "must specify at least one output"},
        {IDENTITY "output { " GOOD_OUTPUT " }", "must specify at least one input"},
        {IO("data_type: TYPE_FP32 dims: 4", GOOD_OUTPUT), "input[0]: must specify a name"},
        {IO("name: \"x\" dims: 4", GOOD_OUTPUT), "input[0]: input 'x': must specify data_type"},
        {IO("name: \"x\" dims: 4 data_type: 15", GOOD_OUTPUT), "input[0].data_type: input 'x': 15 is not a data type"},
        {IO("name: \"x\" dims: 4 data_type: -3", GOOD_OUTPUT), "-3 is not a data type"},
        {IO("name: \"x\" data_type: TYPE_FP32", GOOD_OUTPUT), "input 'x': must specify dims"},
        {IO(GOOD_INPUT, "name: \"y\" data_type: TYPE_FP32"), "output[0]: output 'y': must specify dims"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: [ 2, 0 ]", GOOD_OUTPUT),
         "input[0].dims: input 'x': expected dims of 1 or"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: [ -2 ]", GOOD_OUTPUT), "got -2"},
        {IO(GOOD_INPUT " dims: [ 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1 ]", GOOD_OUTPUT), "expected at most 16 dims, got 17"},
        {"max_batch_size: 1 " IO(GOOD_INPUT " dims: [ 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1 ]", GOOD_OUTPUT),
         "expected at most 15 dims besides the batch dimension, got 16"},
        {IO(GOOD_INPUT " } input { " GOOD_INPUT, GOOD_OUTPUT), "input[1].name: input 'x': the name is there twice"},
        {IO(GOOD_INPUT, GOOD_OUTPUT " } output { " GOOD_OUTPUT), "output[1].name: output 'y': the name is there twice"},
        {IO(GOOD_INPUT " reshape { shape: [ 3 ] }", GOOD_OUTPUT),
         "input[0].reshape: input 'x': dims [4] cannot become [3]"},
        {IO(GOOD_INPUT " reshape { shape: [ 4, 0 ] }", GOOD_OUTPUT), "expected dims of 1 or more"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: 1 reshape { }", GOOD_OUTPUT),
         "an empty shape needs max_batch_size of 1"},
        {"max_batch_size: 2 " IO(GOOD_INPUT " reshape { }", GOOD_OUTPUT), "dims [4] cannot become []"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: [ -1, 2 ] reshape { shape: [ 2, -1 ] }", GOOD_OUTPUT),
         "dims [-1,2] cannot become [2,-1]"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: [ -1 ] reshape { shape: [ -1, -1 ] }", GOOD_OUTPUT),
         "cannot become"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: [ 4 ] reshape { shape: [ -1 ] }", GOOD_OUTPUT), "cannot become"},
        {IO("name: \"x\" data_type: TYPE_FP32 dims: [ 9223372036854775807, 9223372036854775807 ] "
            "reshape { shape: [ 9223372036854775807, 9223372036854775807 ] }",
            GOOD_OUTPUT),
         "cannot become"},
    };
    check_errors(cases, sizeof cases / sizeof cases[0]);
}

static void bad_policies_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {IDENTITY TENSORS "version_policy { latest { } }", "expected num_versions of 1 or more"},
        {IDENTITY TENSORS "version_policy { specific { } }", "expected versions: [1, ...], got none"},
        {IDENTITY TENSORS "version_policy { specific { versions: [ 2, 0 ] } }", "versions are 1 or more, got 0"},
        {IDENTITY TENSORS "version_policy { specific { versions: [ 2, 3, 2 ] } }", "version 2 is there twice"},
        {IDENTITY TENSORS "instance_group { count: -1 }", "instance_group[0].count: expected 1 to 1024"},
        {IDENTITY TENSORS "instance_group { count: 1025 }", "got 1025 here and 0 before"},
        {IDENTITY TENSORS "instance_group { count: 1000 } instance_group { count: 25 }", "got 25 here and 1000 before"},
        {IDENTITY TENSORS "instance_group { kind: KIND_MODEL }", "KIND_MODEL is known but not implemented"},
        {IDENTITY TENSORS "instance_group { kind: 9 }", "9 is not a kind"},
        {IDENTITY TENSORS "dynamic_batching { }", "dynamic_batching: needs max_batch_size of 1 or more"},
        {IDENTITY "max_batch_size: 4 " TENSORS "dynamic_batching { preferred_batch_size: 5 }",
         "expected sizes from 1 to max_batch_size (4), got 5"},
        {IDENTITY "max_batch_size: 4 " TENSORS "dynamic_batching { preferred_batch_size: [ 2, 0 ] }", "got 0"},
        {IDENTITY "max_batch_size: 4 " TENSORS
                  "dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }",
         "18446744073709551615 microseconds are too long a time"},
    };
    check_errors(cases, sizeof cases / sizeof cases[0]);
}

static void good_variants_are_accepted(void **state) {
    (void)state;
    static const char *const texts[] = {
        IDENTITY TENSORS "version_policy { all { } }",
        IDENTITY "max_batch_size: 65536 " TENSORS "dynamic_batching { preferred_batch_size: 65536 }",
        IDENTITY TENSORS "instance_group { count: 0 }",
        IDENTITY TENSORS "instance_group { count: 1000 } instance_group { count: 24 }",
        IO("name: \"x\" data_type: TYPE_STRING dims: [ -1, 6, -1, 4 ] reshape { shape: [ 1, -1, 2, 3, -1, 2, 2 ] }",
           GOOD_OUTPUT),
        IO("name: \"x\" data_type: TYPE_BF16 dims: [ 4 ] allow_ragged_batch: true", GOOD_OUTPUT),
        IO("name: \"same\" data_type: TYPE_BOOL dims: [ 4 ]", "name: \"same\" data_type: TYPE_BOOL dims: [ 4 ]"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct model_config *config;
        assert_ok(load(texts[i], &config));
        model_config_destroy(config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derived_fields_follow_the_text),
        cmocka_unit_test(defaults_are_as_tritons),
        cmocka_unit_test(an_empty_config_is_completed),
        cmocka_unit_test(backends_are_found_by_each_name),
        cmocka_unit_test(known_but_unimplemented_fields_are_refused),
        cmocka_unit_test(explicit_defaults_are_harmless),
        cmocka_unit_test(models_may_be_decoupled),
        cmocka_unit_test(errors_tell_file_and_line),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(bad_policies_are_refused),
        cmocka_unit_test(good_variants_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

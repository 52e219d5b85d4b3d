/* The text format: values, grammar, and messages that help the person who wrote the file. */
#include "codec_test.h"

#include <math.h>
#include <stdio.h>

#include "codec/model_config_messages.h"
#include "codec/pb_text.h"

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

static struct status parse(struct arena *arena, const char *text, struct pb_model_config *ret) {
    struct slice copy = exact_copy(slice_of(text));
    struct status status = pb_text_parse(&pb_model_config_type, copy, "config.pbtxt", arena, ret, NULL);
    free_copy(copy); /* nothing may point into the text */
    return status;
}

static void a_usual_config_is_read(void **state) {
    struct pb_model_config config;
    assert_ok(parse(*state,
                    "# BERT question answering\n"
                    "name: \"bert\"\n"
                    "platform: 'onnxruntime_onnx'\n"
                    "max_batch_size: 8\n"
                    "input [\n"
                    "  { name: \"input_ids\" data_type: TYPE_INT32 dims: [ -1 ] },\n"
                    "  {\n    name: \"unique_ids\"\n    data_type: TYPE_INT32, dims: 1;\n"
                    "    reshape: { shape: [ ] }\n    optional: true\n  }\n"
                    "]\n"
                    "output < name: \"logits\" data_type: 11 dims: [ -1, 2 ] >\n"
                    "instance_group { count: 2 kind: KIND_CPU }\n"
                    "dynamic_batching: { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 5000 }\n"
                    "parameters { key: \"vocab\" value: { string_value: \"a\" \"b\" 'c' } }\n"
                    "metric_tags { key: \"k\" value: \"v\" }\n"
                    "version_policy { specific: { versions: 1 versions: [3, 4] } }\n",
                    &config));
    assert_slice(config.name, "bert");
    assert_int_equal(config.max_batch_size, 8);
    assert_int_equal(config.input.count, 2);
    assert_int_equal(config.input.items[0].dims.items[0], -1);
    assert_int_equal(config.input.items[0].data_type, PB_TYPE_INT32);
    assert_true(config.input.items[1].optional);
    assert_non_null(config.input.items[1].reshape);
    assert_int_equal(config.input.items[1].reshape->shape.count, 0);
    assert_int_equal(config.output.items[0].data_type, PB_TYPE_FP32);
    assert_int_equal(config.output.items[0].dims.items[1], 2);
    assert_int_equal(config.instance_group.items[0].kind, PB_KIND_CPU);
    assert_int_equal(config.which_scheduling_choice, pb_model_config_dynamic_batching_number);
    assert_int_equal(config.dynamic_batching->preferred_batch_size.items[1], 8);
    assert_true(config.dynamic_batching->max_queue_delay_microseconds == 5000);
    assert_slice(config.parameters.items[0].value->string_value, "abc");
    assert_slice(config.metric_tags.items[0].value, "v");
    assert_int_equal(config.version_policy->specific->versions.count, 3);
}

static void strings_are_unescaped(void **state) {
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"name: \"\"", ""},
        {"name: \"a\\n\\t\\r\\\\\\\"\\'\\?\"", "a\n\t\r\\\"'?"},
        {"name: '\\a\\b\\f\\v'", "\a\b\f\v"},
        {"name: '\\101\\7\\1012'", "A\aA2"},
        {"name: '\\x41\\x4ab\\X9'", "AJb\t"},
        {"name: '\\u00e4\\u20AC\\U0001F600'", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"name: '\\ud83d\\ude00'", "\xF0\x9F\x98\x80"},
        {"name: '\\303\\244'", "\xC3\xA4"},
        {"name: '\xC3\xA4' '\\\\'\n# between\n\"x\"", "\xC3\xA4\\x"},
        {"name: 'a' \"\" 'b'", "ab"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pb_model_config config;
        assert_ok(parse(*state, cases[i].text, &config));
        assert_slice(config.name, cases[i].value);
    }
}

static void integers_of_all_bases_are_read(void **state) {
    static const struct {
        const char *text;
        int32_t value;
    } cases[] = {
        {"0", 0},
        {"8", 8},
        {"-8", -8},
        {"- 8", -8},
        {"010", 8},
        {"0x10", 16},
        {"-0XfF", -255},
        {"2147483647", INT32_MAX},
        {"-2147483648", INT32_MIN},
        {"00", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        struct pb_model_config config;
        snprintf(text, sizeof text, "max_batch_size: %s", cases[i].text);
        assert_ok(parse(*state, text, &config));
        assert_int_equal(config.max_batch_size, cases[i].value);
    }
}

static void floats_and_bools_are_read(void **state) {
    static const struct {
        const char *text;
        float value;
    } floats[] = {
        {"0.5", 0.5f},          {"1", 1},          {".25f", 0.25f},          {"5.F", 5}, {"1e3", 1000},
        {"-1.5E-2f", -0.015f},  {"inf", INFINITY}, {"-Infinity", -INFINITY}, {"3f", 3},  {"1e400", INFINITY},
        {"16777217", 16777216},
    };
    char text[128];
    struct pb_model_config config;
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        snprintf(text, sizeof text, "sequence_batching { direct { minimum_slot_utilization: %s } }", floats[i].text);
        assert_ok(parse(*state, text, &config));
        assert_true(config.sequence_batching->direct->minimum_slot_utilization == floats[i].value);
    }
    assert_ok(
        parse(*state, "model_metrics { metric_control { histogram_options { buckets: [nan, 1e-300] } } }", &config));
    const double *buckets = config.model_metrics->metric_control.items[0].histogram_options->buckets.items;
    assert_true(isnan(buckets[0]) && buckets[1] == 1e-300);
    static const char *const yes[] = {"true", "True", "t", "1", "0x1"}, *const no[] = {"false", "False", "f", "0",
                                                                                       "00"};
    for (size_t i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "input { optional: %s } input { optional: %s }", yes[i], no[i]);
        assert_ok(parse(*state, text, &config));
        assert_true(config.input.items[0].optional && !config.input.items[1].optional);
    }
}

static void errors_tell_where_and_what(void **state) {
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"max_bach_size: 8",
         "config.pbtxt:1:1: unknown field 'max_bach_size' in ModelConfig; did you mean 'max_batch_size'?"},
        {"name: \"a\"\n  input {\n\tdim: 3 }",
         "config.pbtxt:3:2: unknown field 'dim' in ModelInput; did you mean 'dims'?"},
        {"zzzzqqqq: 1", "unknown field 'zzzzqqqq' in ModelConfig"},
        {"max_batch_size: \"8\"", "config.pbtxt:1:17: expected int32 (-2147483648..2147483647), got string \"8\""},
        {"max_batch_size: 8.5", "expected int32 (-2147483648..2147483647), got 8.5"},
        {"max_batch_size: 2147483648", "expected int32 (-2147483648..2147483647), got 2147483648"},
        {"max_batch_size: -2147483649", "got -2147483649"},
        {"max_batch_size: 99999999999999999999999", "got 99999999999999999999999"},
        {"dynamic_batching { max_queue_delay_microseconds: -1 }", "expected uint64 (0..18446744073709551615), got -1"},
        {"max_batch_size 8", "expected ':' after 'max_batch_size', got 8"},
        {"max_batch_size:", "expected int32 (-2147483648..2147483647), got end of file"},
        {"max_batch_size: 1 max_batch_size: 2",
         "config.pbtxt:1:19: field 'max_batch_size' is given twice in ModelConfig"},
        {"dynamic_batching { }\nsequence_batching { }", "config.pbtxt:2:1: field 'sequence_batching' is given besides "
                                                        "'dynamic_batching', but ModelConfig can have only one"},
        {"version_policy { all { } latest { } }", "field 'latest' is given besides 'all'"},
        {"input { data_type: TYPE_FP31 }", "unknown value 'TYPE_FP31' of enum DataType; did you mean 'TYPE_FP32'?"},
        {"instance_group { kind: GIRAFFE }", "of enum ModelInstanceGroup.Kind; it has KIND_AUTO, KIND_GPU, KIND_CPU"},
        {"input { data_type: \"TYPE_FP32\" }", "expected an enum value"},
        {"input { optional: maybe }", "expected bool (true or false), got 'maybe'"},
        {"input { optional: 2 }", "expected bool (true or false), got 2"},
        {"name: bert", "expected string, got 'bert'"},
        {"input 5", "expected '{' to begin a ModelInput, got 5"},
        {"input {\n name: \"x\"\n",
         "config.pbtxt:3:1: expected '}' to close the ModelInput of line 1, got end of file"},
        {"input { name: \"x\" >", "expected a field name, got '>'"},
        {"input { dims: [1 2] }", "expected ',' or ']', got 2"},
        {"input { dims: [1,] }", "expected int64"},
        {"name: [\"a\"]", "expected string, got '['"},
        {"name: \"a", "config.pbtxt:1:9: a string that is not closed on its line"},
        {"name: \"a\nb\"", "config.pbtxt:1:9: a string that is not closed"},
        {"name: \"\\q\"", "invalid escape sequence \\q"},
        {"name: \"\\400\"", "invalid escape sequence"},
        {"name: \"\\xg\"", "invalid escape sequence"},
        {"name: \"\\u12\"", "invalid escape sequence"},
        {"name: \"\\ud800x\"", "invalid escape sequence"},
        {"name: \"\\U00110000\"", "invalid escape sequence"},
        {"name: \"\\xff\"", "config.pbtxt:1:7: a string that is not valid UTF-8"},
        {"max_batch_size: 08", "octal"},
        {"max_batch_size: 0x", "hexadecimal digits"},
        {"max_batch_size: 8abc", "config.pbtxt:1:18: expected a blank between a number and a name"},
        {"max_batch_size: 1e", "digits in the exponent"},
        {"name: \"a\" @", "config.pbtxt:1:11: unexpected character '@'"},
        {"name: 1 \xC3\xA4", "expected string, got 1"},
        {"\xC3\xA4: 1", "config.pbtxt:1:1: unexpected byte 0xC3 outside a string"},
        {"[a.b]: 1", "extensions and Any values"},
        {"1: \"a\"", "expected a field name, got 1"},
        {"metric_tags { key: \"a\" } metric_tags { key: \"a\" }", "'metric_tags' has the key 'a' twice"},
        {"sequence_batching { direct { minimum_slot_utilization: 0x10 } }", "expected float, got 0x10"},
        {"sequence_batching { direct { minimum_slot_utilization: x } }", "expected float, got 'x'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pb_model_config config;
        assert_error(parse(*state, cases[i].text, &config), STATUS_INVALID_ARGUMENT, cases[i].error);
    }
}

static void columns_count_characters(void **state) {
    struct pb_model_config config;
    assert_error(parse(*state, "name: \"\xC3\xA4\xE2\x82\xAC\" oops: 1", &config), STATUS_INVALID_ARGUMENT,
                 ":1:12: unknown");
    assert_error(parse(*state, "\xEF\xBB\xBFoops: 1", &config), STATUS_INVALID_ARGUMENT, ":1:1: unknown");
    assert_error(parse(*state, "# \xC3\xA4\r\n\r\n  oops: 1", &config), STATUS_INVALID_ARGUMENT, ":3:3: unknown");
}

static void marks_tell_the_lines(void **state) {
    struct pb_model_config config;
    struct pb_text_marks marks = {NULL, 0, 0};
    const char *text =
        "name: \"a\"\n\ninstance_group [\n { kind: KIND_CPU },\n {\n  kind: KIND_GPU }\n]\n"
        "dynamic_batching {\n  priority_levels: 0 }\nparameters { key: \"k\" value {\nstring_value: \"v\" } }";
    assert_ok(pb_text_parse(&pb_model_config_type, slice_of(text), "f", *state, &config, &marks));
    assert_int_equal(pb_text_line(&marks, "name"), 1);
    assert_int_equal(pb_text_line(&marks, "instance_group[0].kind"), 4);
    assert_int_equal(pb_text_line(&marks, "instance_group[1].kind"), 6);
    assert_int_equal(pb_text_line(&marks, "instance_group"), 3);
    assert_int_equal(pb_text_line(&marks, "dynamic_batching.priority_levels"), 9);
    assert_int_equal(pb_text_line(&marks, "parameters[0].value.string_value"), 11);
    assert_int_equal(pb_text_line(&marks, "instance_group[2].kind"), 0);
    assert_int_equal(pb_text_line(NULL, "name"), 0);
}

static const char long_text[] =
    "name: \"bert\" max_batch_size: 0x8 input { name: 'a\\x41' data_type: TYPE_INT32 dims: [ -1, 1 ] reshape { shape: "
    "[ ] } }"
    "parameters { key: \"k\" value { string_value: \"v\" 'w' } } sequence_batching < direct: { "
    "minimum_slot_utilization: .5f } >"
    "model_warmup [ { name: \"w\" inputs { key: \"x\" value { dims: 3 zero_data: true } } } ]";

static void every_truncation_is_survived(void **state) {
    size_t refused = 0;
    for (size_t size = 0; size < sizeof long_text; size++) {
        struct slice bytes = exact_copy((struct slice){long_text, size});
        struct pb_model_config config;
        struct status status = pb_text_parse(&pb_model_config_type, bytes, "f", *state, &config, NULL);
        refused += !status_is_ok(&status);
        free_copy(bytes);
    }
    assert_true(refused > sizeof long_text * 3 / 4);
}

static void random_damage_is_survived(void **state) {
    static const char alphabet[] = "{}<>[]:;,\"'\\#-.0x9aZ \n\xFF";
    uint64_t random = 7;
    for (int round = 0; round < 20000; round++) {
        struct slice bytes = exact_copy((struct slice){long_text, sizeof long_text - 1});
        char *mutable = (char *)(uintptr_t)bytes.data;
        for (int k = 0; k < 2; k++)
            mutable[next_random(&random) % bytes.size] = alphabet[next_random(&random) % sizeof alphabet];
        struct pb_model_config config;
        struct pb_text_marks marks = {NULL, 0, 0};
        struct status status = pb_text_parse(&pb_model_config_type, bytes, "f", *state, &config, &marks);
        assert_true(status_is_ok(&status) || strncmp(status.message, "f:1:", 4) == 0 ||
                    strncmp(status.message, "f:2:", 4) == 0 || strncmp(status.message, "f:3:", 4) == 0);
        arena_reset(*state);
        free_copy(bytes);
    }
}

static void memory_is_bounded_by_the_arena(void **state) {
    (void)state;
    bool done = false;
    for (size_t limit = 1; !done; limit += 64) {
        struct arena *small = arena_create(limit);
        struct pb_model_config config;
        struct pb_text_marks marks = {NULL, 0, 0};
        struct status status = pb_text_parse(&pb_model_config_type, slice_of(long_text), "f", small, &config, &marks);
        done = status_is_ok(&status);
        if (!done)
            assert_error(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
        arena_destroy(small);
    }
}

/* All on one line: telling where each field stands must not walk back to its start. */
static void long_lists_take_little_time(void **state) {
    struct buf text = BUF_EMPTY;
    struct pb_model_config config;
    struct pb_text_marks marks = {NULL, 0, 0};
    buf_append_text(&text, "name: ");
    for (int i = 0; i < 100000; i++)
        buf_append_text(&text, "'a' ");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "metric_tags { key: \"%d\" } input { dims: [1, 2] dims: 3 } ", i);
    assert_ok(pb_text_parse(&pb_model_config_type, buf_slice(&text), "f", *state, &config, &marks));
    assert_int_equal(marks.count, 1 + 20000 * 5);
    assert_int_equal(config.name.size, 100000);
    assert_int_equal(config.metric_tags.count, 20000);
    assert_int_equal(config.input.items[19999].dims.count, 3);
    buf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_usual_config_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_are_unescaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(integers_of_all_bases_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floats_and_bools_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_tell_where_and_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_count_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_tell_the_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_damage_is_survived, set_up, tear_down),
        cmocka_unit_test(memory_is_bounded_by_the_arena),
        cmocka_unit_test_setup_teardown(long_lists_take_little_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

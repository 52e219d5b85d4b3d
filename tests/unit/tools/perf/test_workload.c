/* Tests of workload: shapes, batches, zeros, random values, folders and JSON files, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/file.h"
#include "tools/perf/workload.h"
#include "tools/perf/workload_text.h"

static const int64_t two[] = {2}, variable[] = {-1}, matrix[] = {1, 2};
static const struct infer_tensor_info inputs[] = {
    {{"A", 1}, {"INT32", 5}, two, 1, false},
    {{"S", 1}, {"BYTES", 5}, variable, 1, true},
};
static const struct infer_tensor_info outputs[] = {{{"OUT", 3}, {"FP32", 4}, matrix, 2, false}};
static const struct infer_model_info model = {
    .max_batch_size = 8, .inputs = inputs, .input_count = 2, .outputs = outputs, .output_count = 1};

struct fixture {
    struct arena *arena;
    char *folder;
    struct workload_config config;
    const char *sources[2];
    struct workload workload;
};

static int set_up(void **state) {
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->arena = arena_create(0);
    struct status status = file_make_temporary_directory("/tmp", "inferd-workload-", fixture->arena, &fixture->folder);
    fixture->config = (struct workload_config){
        .model = &model, .sources = fixture->sources, .source_count = 1, .batch_size = 1, .string_length = 3};
    fixture->sources[0] = "zero";
    *state = fixture;
    return status_is_ok(&status) ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    struct status status = file_remove_tree(fixture->folder);
    arena_destroy(fixture->arena);
    test_free(fixture);
    return status_is_ok(&status) ? 0 : -1;
}

static struct status create(struct fixture *fixture) {
    return workload_create(fixture->arena, &fixture->config, &fixture->workload);
}

static const struct infer_tensor *input(const struct fixture *fixture, size_t entry, size_t i) {
    assert_true(entry < fixture->workload.entry_count && i < fixture->workload.entries[entry].input_count);
    return &fixture->workload.entries[entry].inputs[i];
}

static char *write_in(struct fixture *fixture, const char *name, const char *content, size_t size) {
    char *path = path_join(fixture->arena, fixture->folder, name);
    struct status status = file_write_atomic(path, (struct slice){content, size});
    assert_string_equal(status.message, "");
    return path;
}

static void test_zero_in_a_batch(void **state) {
    struct fixture *fixture = *state;
    fixture->config.batch_size = 3;
    struct status status = create(fixture);
    assert_string_equal(status.message, "");
    assert_int_equal(fixture->workload.entry_count, 1);
    assert_int_equal(fixture->workload.entries[0].input_count, 1); /* the optional one is left out */
    const struct infer_tensor *a = input(fixture, 0, 0);
    assert_true(a->rank == 2 && a->shape[0] == 3 && a->shape[1] == 2);
    const char zeros[24] = {0};
    assert_int_equal(a->data.size, 24);
    assert_memory_equal(a->data.data, zeros, 24);
}

static void test_random_strings_by_shape(void **state) {
    struct fixture *fixture = *state;
    struct workload_shape shape;
    struct status status = workload_parse_shape("S:2", &shape);
    assert_true(status_is_ok(&status));
    fixture->config.shapes = &shape;
    fixture->config.shape_count = 1;
    fixture->sources[0] = "random";
    fixture->config.refresh = true;
    status = create(fixture);
    assert_string_equal(status.message, "");
    const struct infer_tensor *strings = input(fixture, 0, 1);
    assert_int_equal(strings->data.size, 2 * (4 + 3));
    char before[14], *numbers = test_malloc(8);
    memcpy(before, strings->data.data, sizeof before);
    memcpy(numbers, input(fixture, 0, 0)->data.data, 8);
    workload_take(&fixture->workload, 0); /* drawn anew, lengths stay */
    assert_memory_equal(strings->data.data, "\3\0\0\0", 4);
    assert_memory_equal(strings->data.data + 7, "\3\0\0\0", 4);
    assert_memory_not_equal(strings->data.data, before, sizeof before);
    assert_memory_not_equal(input(fixture, 0, 0)->data.data, numbers, 8);
    test_free(numbers);
}

static void test_string_data(void **state) {
    struct fixture *fixture = *state;
    struct workload_shape shape;
    struct status status = workload_parse_shape("S:2", &shape);
    assert_true(status_is_ok(&status));
    fixture->config.shapes = &shape;
    fixture->config.shape_count = 1;
    fixture->config.string_data = "hey";
    status = create(fixture);
    assert_string_equal(status.message, "");
    assert_memory_equal(input(fixture, 0, 1)->data.data, "\3\0\0\0hey\3\0\0\0hey", 14);
}

/* The bound of an input counts what its strings take, before they are made. */
static void test_strings_of_more_than_a_gigabyte(void **state) {
    struct fixture *fixture = *state;
    struct workload_shape shape;
    struct status status = workload_parse_shape("S:1000", &shape);
    assert_true(status_is_ok(&status));
    fixture->config.shapes = &shape;
    fixture->config.shape_count = 1;
    fixture->sources[0] = "random";
    fixture->config.string_length = 1 << 21;
    status = create(fixture);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "1000 strings of 2097152 bytes are more than 1 GiB"));
}

static void test_shape_of_no_input(void **state) {
    struct fixture *fixture = *state;
    struct workload_shape shapes[2];
    struct status status = workload_parse_shape("S:2", &shapes[0]);
    assert_true(status_is_ok(&status));
    status = workload_parse_shape("T:2", &shapes[1]);
    assert_true(status_is_ok(&status));
    fixture->config.shapes = shapes;
    fixture->config.shape_count = 2;
    status = create(fixture);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "--shape T: model"));
}

static void test_folder(void **state) {
    struct fixture *fixture = *state;
    struct workload_shape shape;
    struct status status = workload_parse_shape("S:2", &shape);
    assert_true(status_is_ok(&status));
    fixture->config.shapes = &shape;
    fixture->config.shape_count = 1;
    write_in(fixture, "A", "abcdefgh", 8);
    write_in(fixture, "S", "one\ntwo\n", 8);
    fixture->sources[0] = fixture->folder;
    status = create(fixture);
    assert_string_equal(status.message, "");
    assert_memory_equal(input(fixture, 0, 0)->data.data, "abcdefgh", 8);
    assert_memory_equal(input(fixture, 0, 1)->data.data, "\3\0\0\0one\3\0\0\0two", 14);
    write_in(fixture, "A", "abc", 3);
    assert_int_equal(create(fixture).code, STATUS_INVALID_ARGUMENT);
}

static void test_json(void **state) {
    struct fixture *fixture = *state;
    static const char text[] = "{\"data\": [{\"A\": [1, -2], \"S\": {\"content\": [\"x\", \"yz\"], \"shape\": [2]}},"
                               "{\"A\": {\"b64\": \"AwAAAAQAAAA=\"}, \"timestamp\": 12.5}],"
                               "\"validation_data\": [{\"OUT\": [[1.5, 2]]}, {\"OUT\": [0, 0]}]}";
    fixture->sources[0] = write_in(fixture, "d.json", text, sizeof text - 1);
    struct status status = create(fixture);
    assert_string_equal(status.message, "");
    assert_int_equal(fixture->workload.entry_count, 2);
    assert_int_equal(fixture->workload.stream_count, 1);
    const int32_t first[] = {1, -2}, second[] = {3, 4};
    assert_memory_equal(input(fixture, 0, 0)->data.data, first, 8);
    assert_memory_equal(input(fixture, 1, 0)->data.data, second, 8);
    assert_memory_equal(input(fixture, 0, 1)->data.data, "\1\0\0\0x\2\0\0\0yz", 11);
    assert_true(input(fixture, 0, 1)->shape[1] == 2);
    assert_true(fixture->workload.entries[0].time_ms < 0 && fixture->workload.entries[1].time_ms == 12.5);
    const float good[] = {1.5F, 2}, bad[] = {1.5F, 3};
    struct infer_tensor answer = {.name = {"OUT", 3}, .data = {(const char *)good, 8}};
    status = workload_check(&fixture->workload.entries[0], &answer, 1);
    assert_true(status_is_ok(&status));
    answer.data.data = (const char *)bad;
    assert_int_equal(workload_check(&fixture->workload.entries[0], &answer, 1).code, STATUS_DATA_LOSS);
    assert_int_equal(workload_check(&fixture->workload.entries[0], &answer, 0).code, STATUS_DATA_LOSS);
}

static void test_json_streams_and_files(void **state) {
    struct fixture *fixture = *state;
    static const char one[] = "{\"data\": [[{\"A\": [1, 1]}, {\"A\": [2, 2]}], [{\"A\": [3, 3]}]]}";
    static const char other[] = "{\"data\": [{\"A\": [4, 4]}]}";
    fixture->sources[0] = write_in(fixture, "1.json", one, sizeof one - 1);
    fixture->sources[1] = write_in(fixture, "2.json", other, sizeof other - 1);
    fixture->config.source_count = 2;
    fixture->config.batch_size = 3; /* goes round in its stream */
    struct status status = create(fixture);
    assert_string_equal(status.message, "");
    assert_int_equal(fixture->workload.stream_count, 3);
    assert_int_equal(fixture->workload.streams[1].first, 2);
    const int32_t batch[] = {1, 1, 2, 2, 1, 1};
    assert_memory_equal(input(fixture, 0, 0)->data.data, batch, sizeof batch);
    assert_int_equal(fixture->workload.entry_count, 4);
}

static void test_wrong_json(void **state) {
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "",
        "[]",
        "{\"data\": []}",
        "{\"data\": [[]]}",
        "{\"data\": [{\"B\": [1]}]}",
        "{\"data\": [{\"S\": [\"x\"]}]}",
        "{\"data\": [{\"A\": [1]}]}",
        "{\"data\": [{\"A\": [1, 2, 3]}]}",
        "{\"data\": [{\"A\": [1, 2147483648]}]}",
        "{\"data\": [{\"A\": [1, 0.5]}]}",
        "{\"data\": [{\"A\": {\"b64\": \"AAAA\"}}]}",
        "{\"data\": [{\"A\": {\"b64\": \"?\"}}]}",
        "{\"data\": [{\"A\": {\"shape\": [2]}}]}",
        "{\"data\": [{\"A\": {\"content\": [1, 2], \"shape\": [-2]}}]}",
        "{\"data\": [{\"A\": [1, 2], \"S\": [1]}]}",
        "{\"data\": [{\"A\": [1, 2], \"timestamp\": -1}]}",
        "{\"data\": [{\"A\": [1, 2]}], \"validation_data\": []}",
        "{\"data\": [{\"A\": [1, 2]}], \"validation_data\": [{\"NONE\": [1]}]}",
        "{\"data\": [[{\"A\": [1, 2]}], {\"A\": [1, 2]}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fixture->sources[0] = write_in(fixture, "d.json", texts[i], strlen(texts[i]));
        struct status status = create(fixture);
        if (status.code != STATUS_INVALID_ARGUMENT)
            print_message("%s: %s\n", texts[i], status.message);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "d.json"));
    }
}

static void test_messages_of_wrong_json(void **state) {
    struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"{\"data\": []}", "d.json: expected at least one item in the list \"data\", which is empty"},
        {"[]", "d.json: expected an object with a list \"data\""},
        {"{\"data\": [{\"A\": [1, 2]}, {\"A\": {\"b64\": \"????\"}}]}",
         "d.json: stream 0, item 1, \"A\": character 0 is not base64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture->sources[0] = write_in(fixture, "d.json", cases[i][0], strlen(cases[i][0]));
        struct status status = create(fixture);
        if (strstr(status.message, cases[i][1]) == NULL)
            print_message("%s: %s\n", cases[i][0], status.message);
        assert_non_null(strstr(status.message, cases[i][1]));
    }
}

static const struct infer_tensor_info bert_inputs[] = {
    {{"segment_ids", 11}, {"INT32", 5}, variable, 1, false},
    {{"input_ids", 9}, {"INT32", 5}, variable, 1, false},
    {{"input_mask", 10}, {"INT32", 5}, variable, 1, false},
};
static const struct infer_model_info bert = {.max_batch_size = 8, .inputs = bert_inputs, .input_count = 3};

static void test_text(void **state) {
    struct fixture *fixture = *state;
    static const char text[] =
        "{\"version\": \"1.1\", \"data\": [{\"paragraphs\": [{\"context\": \"The cat sat.\", \"qas\": ["
        "{\"id\": \"a\", \"question\": \"Who sat?\"}, {\"id\": \"b\", \"question\": \"Sat?\"}]}]}]}";
    struct workload_text source = {
        .path = write_in(fixture, "s.json", text, sizeof text - 1), .doc_stride = 128, .max_query_length = 64};
    fixture->config.model = &bert;
    fixture->config.text = &source;
    struct status status = create(fixture);
    assert_string_equal(status.message, "");
    assert_int_equal(fixture->workload.entry_count, 2);
    assert_int_equal(input(fixture, 0, 1)->shape[1], 10); /* [CLS] who sat ? [SEP] the cat sat . [SEP] */
    assert_int_equal(input(fixture, 1, 1)->shape[1], 9);
    int32_t ids[10], segments[10], mask[10];
    memcpy(segments, input(fixture, 0, 0)->data.data, sizeof segments);
    memcpy(ids, input(fixture, 0, 1)->data.data, sizeof ids);
    memcpy(mask, input(fixture, 0, 2)->data.data, sizeof mask);
    assert_true(ids[0] == 101 && ids[4] == 102 && ids[9] == 102 && ids[2] == ids[7]);
    assert_true(segments[4] == 0 && segments[5] == 1 && mask[0] == 1 && mask[9] == 1);
    fixture->config.batch_size = 2;
    assert_int_equal(create(fixture).code, STATUS_INVALID_ARGUMENT); /* they differ in length */
    source.pad = true;
    source.max_seq_length = 80;
    status = create(fixture);
    assert_string_equal(status.message, "");
    assert_true(input(fixture, 0, 2)->shape[0] == 2 && input(fixture, 0, 2)->shape[1] == 80);
    memcpy(mask, input(fixture, 0, 2)->data.data + 9 * sizeof *mask, 2 * sizeof *mask);
    assert_true(mask[0] == 1 && mask[1] == 0);
    fixture->config.model = &model;
    assert_int_equal(create(fixture).code, STATUS_FAILED_PRECONDITION);
}

/* Case, accents and CJK ideographs as the config has them: what follows [CLS]. */
static void test_text_by_the_models_tokenizer(void **state) {
    struct fixture *fixture = *state;
    static const char text[] = "{\"version\": \"1.1\", \"data\": [{\"paragraphs\": [{\"context\": \"x\", \"qas\": ["
                               "{\"id\": \"a\", \"question\": \"CAF\u00c9 \u4e2d\u4e00\"}]}]}]}";
    enum { CAFE = 7668, MIDDLE = 1746, ONE = 1740, CONTINUED_ONE = 30266, UNKNOWN = 100, SEP = 102 };
    static const struct {
        const char *lower, *accents, *chinese;
        int32_t ids[4];
    } rows[] = {
        {"true", NULL, NULL, {CAFE, MIDDLE, ONE, SEP}},
        {"false", NULL, NULL, {UNKNOWN, MIDDLE, ONE, SEP}},
        {"true", "false", NULL, {UNKNOWN, MIDDLE, ONE, SEP}},
        {NULL, "true", NULL, {CAFE, MIDDLE, ONE, SEP}},
        {NULL, NULL, "false", {CAFE, MIDDLE, CONTINUED_ONE, SEP}},
    };
    struct workload_text source = {
        .path = write_in(fixture, "s.json", text, sizeof text - 1), .doc_stride = 128, .max_query_length = 64};
    fixture->config.text = &source;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_model_parameter parameters[3];
        struct infer_model_info told = bert;
        const char *const pairs[][2] = {{"do_lower_case", rows[i].lower},
                                        {"strip_accents", rows[i].accents},
                                        {"tokenize_chinese_chars", rows[i].chinese}};
        told.parameters = parameters;
        for (size_t k = 0; k < 3; k++)
            if (pairs[k][1])
                parameters[told.parameter_count++] =
                    (struct infer_model_parameter){slice_of(pairs[k][0]), slice_of(pairs[k][1])};
        fixture->config.model = &told;
        struct status status = create(fixture);
        assert_string_equal(status.message, "");
        assert_true(input(fixture, 0, 1)->data.size >= 5 * sizeof rows[i].ids[0]);
        assert_memory_equal(input(fixture, 0, 1)->data.data + sizeof rows[i].ids[0], rows[i].ids, sizeof rows[i].ids);
        parameters[0].value = SLICE_LITERAL("maybe");
        status = create(fixture);
        assert_int_equal(status.code, told.parameter_count > 0 ? STATUS_FAILED_PRECONDITION : STATUS_OK);
        assert_true(told.parameter_count == 0 ||
                    strstr(status.message, "'maybe' in its config, expected true or false"));
    }
    fixture->config.text = NULL;
    fixture->config.model = &model;
}

static void test_times(void **state) {
    struct fixture *fixture = *state;
    static const char good[] = "{\"data\": [{\"A\": [1, 1], \"timestamp\": 0}, {\"A\": [1, 1], \"timestamp\": 1.5}]}";
    static const char none[] = "{\"data\": [{\"A\": [1, 1]}]}";
    static const char falls[] = "{\"data\": [{\"A\": [1, 1], \"timestamp\": 2}, {\"A\": [1, 1], \"timestamp\": 1}]}";
    const char *const wrong[] = {none, falls};
    const uint64_t *times;
    size_t count;
    fixture->sources[0] = write_in(fixture, "d.json", good, sizeof good - 1);
    struct status status = create(fixture);
    assert_string_equal(status.message, "");
    status = workload_times(fixture->arena, &fixture->workload, &times, &count);
    assert_string_equal(status.message, "");
    assert_true(count == 2 && times[0] == 0 && times[1] == 1500000);
    for (size_t i = 0; i < 2; i++) {
        fixture->sources[0] = write_in(fixture, "d.json", wrong[i], strlen(wrong[i]));
        status = create(fixture);
        assert_string_equal(status.message, "");
        assert_int_equal(workload_times(fixture->arena, &fixture->workload, &times, &count).code,
                         STATUS_INVALID_ARGUMENT);
    }
}

static void test_what_does_not_fit(void **state) {
    struct fixture *fixture = *state;
    struct workload_shape shape;
    struct status status = workload_parse_shape("A:3", &shape); /* the model says 2 */
    assert_true(status_is_ok(&status));
    fixture->config.shapes = &shape;
    fixture->config.shape_count = 1;
    assert_int_equal(create(fixture).code, STATUS_INVALID_ARGUMENT);
    fixture->config.shape_count = 0;
    fixture->sources[0] = "no/such/file";
    assert_int_equal(create(fixture).code, STATUS_NOT_FOUND);
    fixture->sources[0] = "zero";
    fixture->config.refresh = true; /* zeros cannot be drawn anew */
    assert_int_equal(create(fixture).code, STATUS_INVALID_ARGUMENT);
    fixture->config.refresh = false;
    static const struct infer_tensor_info open_input[] = {{{"V", 1}, {"FP32", 4}, variable, 1, false}};
    static const struct infer_model_info open_model = {.max_batch_size = 8, .inputs = open_input, .input_count = 1};
    fixture->config.model = &open_model;
    status = create(fixture);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "--shape V:"));
    status = workload_parse_shape("V:1000000000,1000000000", &shape);
    assert_true(status_is_ok(&status));
    static const int64_t unknown[] = {-1, -1};
    static const struct infer_tensor_info wide_input[] = {{{"V", 1}, {"FP32", 4}, unknown, 2, false}};
    static const struct infer_model_info wide_model = {.inputs = wide_input, .input_count = 1};
    fixture->config.model = &wide_model;
    fixture->config.shape_count = 1;
    assert_int_equal(create(fixture).code, STATUS_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_zero_in_a_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_strings_by_shape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_string_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings_of_more_than_a_gigabyte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shape_of_no_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_streams_and_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_messages_of_wrong_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_by_the_models_tokenizer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

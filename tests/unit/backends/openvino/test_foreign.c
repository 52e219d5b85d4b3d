/* Models that frameworks wrote: what the engine answers equals what the framework answered. */
#include "foreign_cases.h"

static struct engine engine;

static int setup(void **state) {
    (void)state;
    engine_open(&engine);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    engine_close(&engine);
    return 0;
}

static const struct {
    const char *name, *backend;
    bool joins; /* its cases 0 and 2, or so, could be one batch */
} models[] = {
    {"tf_bert_variables", "tensorflow", true},    {"tf_bert_frozen", "tensorflow", true},
    {"torch_bert", "onnxruntime", true},          {"torch_bert_dynamo", "onnxruntime", true},
    {"torch_mlp", "onnxruntime", true},           {"torch_cnn", "onnxruntime", false},
    {"openvino_types", "openvino", false},        {"openvino_reshape_fixed", "openvino", false},
    {"openvino_reshape_rows", "openvino", false},
};
enum { MODEL_COUNT = sizeof models / sizeof *models };

static void test_every_case_alone(void **state) {
    (void)state;
    for (size_t m = 0; m < MODEL_COUNT; m++) {
        struct loaded loaded;
        assert_good(load_foreign(&engine, models[m].name, models[m].backend, &loaded));
        yyjson_doc *doc = cases_open(models[m].name);
        assert_true(cases_count(doc) > 0);
        for (size_t i = 0; i < cases_count(doc); i++) {
            struct batch batch = {.loaded = &loaded};
            add_case(&batch, cases_at(doc, i, "inputs"), true);
            assert_good(execute(&batch));
            assert_case(&batch, 0, cases_at(doc, i, "outputs"));
            batch_close(&batch);
        }
        yyjson_doc_free(doc);
        loaded_close(&loaded);
    }
}

/* The same requests, several in one batch: each gets its own rows back. */
static void test_joined_requests_get_their_own_rows(void **state) {
    (void)state;
    for (size_t m = 0; m < MODEL_COUNT; m++) {
        if (!models[m].joins)
            continue;
        struct loaded loaded;
        assert_good(load_foreign(&engine, models[m].name, models[m].backend, &loaded));
        yyjson_doc *doc = cases_open(models[m].name);
        for (size_t i = 0; i < cases_count(doc); i++) {
            struct batch batch = {.loaded = &loaded};
            for (int copy = 0; copy < 3; copy++)
                add_case(&batch, cases_at(doc, i, "inputs"), true);
            /* What is asked of the second one differs, in its first input's last element. */
            struct tensor *first = &batch.requests[1]->inputs[0];
            char *last = (char *)(uintptr_t)first->data.data + first->data.size - datatype_size(first->type);
            *last = (char)(*last ^ 1);
            assert_good(execute(&batch));
            assert_case(&batch, 0, cases_at(doc, i, "outputs"));
            assert_case(&batch, 2, cases_at(doc, i, "outputs"));
            batch_close(&batch);
        }
        yyjson_doc_free(doc);
        loaded_close(&loaded);
    }
}

/* Rows first..first+count of a tensor. */
static struct tensor rows_of(struct tensor tensor, int64_t first, int64_t count) {
    size_t row = tensor.data.size / (size_t)tensor.shape[0];
    tensor.data = (struct slice){tensor.data.data + row * (size_t)first, row * (size_t)count};
    tensor.shape[0] = count;
    return tensor;
}

/* A batch of three rows, sent as one request of two rows and one of one row: the outputs are split at the same place.
 */
static void test_outputs_are_split_by_rows(void **state) {
    (void)state;
    static const int64_t first[] = {0, 2}, count[] = {2, 1};
    struct loaded loaded;
    assert_good(load_foreign(&engine, "torch_bert", "onnxruntime", &loaded));
    yyjson_doc *doc = cases_open("torch_bert");
    struct batch batch = {.loaded = &loaded};
    for (size_t r = 0; r < 2; r++) {
        add_case(&batch, cases_at(doc, 1, "inputs"), true);
        struct infer_request *request = batch.requests[r];
        assert_int_equal(request->cost.items, 3);
        request->cost.items = (uint32_t)count[r];
        for (size_t i = 0; i < request->input_count; i++)
            request->inputs[i] = rows_of(request->inputs[i], first[r], count[r]);
    }
    assert_good(execute(&batch));
    yyjson_val *item;
    size_t index, outputs;
    yyjson_arr_foreach(cases_at(doc, 1, "outputs"), index, outputs, item) {
        for (size_t r = 0; r < 2; r++) {
            struct tensor whole = case_tensor(item, batch.requests[r]->arena);
            struct tensor expected = rows_of(whole, first[r], count[r]);
            assert_tensors_close(output(&batch, r, yyjson_get_str(yyjson_obj_get(item, "name"))), &expected);
        }
    }
    batch_close(&batch);
    yyjson_doc_free(doc);
    loaded_close(&loaded);
}

static void test_only_wanted_outputs_are_given(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load_foreign(&engine, "torch_bert", "onnxruntime", &loaded));
    yyjson_doc *doc = cases_open("torch_bert");
    struct batch batch = {.loaded = &loaded};
    add_case(&batch, cases_at(doc, 0, "inputs"), true);
    add_case(&batch, cases_at(doc, 0, "inputs"), true);
    struct requested_output wanted = {.name = slice_of("end_logits")};
    batch.requests[1]->outputs = &wanted;
    batch.requests[1]->output_count = 1;
    assert_good(execute(&batch));
    assert_case(&batch, 0, cases_at(doc, 0, "outputs"));
    assert_int_equal(batch.responses[1]->output_count, 1);
    assert_non_null(output(&batch, 1, "end_logits"));
    batch_close(&batch);
    yyjson_doc_free(doc);
    loaded_close(&loaded);
}

static void test_an_unread_optional_input_may_be_left_out(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load_foreign(&engine, "tf_bert_frozen", "tensorflow", &loaded));
    yyjson_doc *doc = cases_open("tf_bert_frozen");
    for (size_t i = 0; i < cases_count(doc); i++) {
        struct batch batch = {.loaded = &loaded};
        add_case(&batch, cases_at(doc, i, "inputs"), false);
        assert_int_equal(batch.requests[0]->input_count, 3);
        assert_good(execute(&batch));
        assert_case(&batch, 0, cases_at(doc, i, "outputs"));
        batch_close(&batch);
    }
    yyjson_doc_free(doc);
    loaded_close(&loaded);
}

/* Inputs that start at odd addresses, as in the body of a binary HTTP request. */
static void test_unaligned_input_data(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load_foreign(&engine, "torch_bert", "onnxruntime", &loaded));
    yyjson_doc *doc = cases_open("torch_bert");
    struct batch batch = {.loaded = &loaded};
    add_case(&batch, cases_at(doc, 1, "inputs"), true);
    char *moved[8];
    for (size_t i = 0; i < batch.requests[0]->input_count; i++) {
        struct tensor *input = &batch.requests[0]->inputs[i];
        moved[i] = malloc(input->data.size + 1 + i);
        assert_non_null(moved[i]);
        memcpy(moved[i] + 1 + i, input->data.data, input->data.size);
        input->data.data = moved[i] + 1 + i;
    }
    assert_good(execute(&batch));
    assert_case(&batch, 0, cases_at(doc, 1, "outputs"));
    for (size_t i = 0; i < batch.requests[0]->input_count; i++)
        free(moved[i]);
    batch_close(&batch);
    yyjson_doc_free(doc);
    loaded_close(&loaded);
}

/* fp32 keeps fp32's digits although the CPU may have bf16; bf16 is close to it and, on a CPU that has it, not equal. */
static void test_precision(void **state) {
    (void)state;
    static const char *const precisions[] = {"fp32", "bf16"};
    float worst[2] = {0, 0};
    yyjson_doc *doc = cases_open("torch_bert_dynamo");
    for (int p = 0; p < 2; p++) {
        char config[256];
        struct loaded loaded;
        snprintf(config, sizeof config,
                 "backend: \"onnxruntime\" parameters { key: \"inference_precision\" value { string_value: \"%s\" } }",
                 precisions[p]);
        assert_good(load(&engine, FOREIGN "repository/torch_bert_dynamo/1", config, &loaded));
        struct batch batch = {.loaded = &loaded};
        add_case(&batch, cases_at(doc, 1, "inputs"), true);
        assert_good(execute(&batch));
        struct tensor expected = case_tensor(yyjson_arr_get(cases_at(doc, 1, "outputs"), 0), batch.requests[0]->arena);
        const struct tensor *got = output(&batch, 0, "start_logits");
        assert_int_equal(got->data.size, expected.data.size);
        char what[64];
        engine.ops->describe(loaded.model, &(struct instance_place){0}, what, sizeof what);
        if (p == 0)
            assert_string_equal(what, "fp32");
        else if (strcmp(what, "bf16") != 0)
            assert_string_equal(what, "fp32, as this CPU does not multiply bf16");
        for (size_t i = 0; i < got->data.size; i += sizeof(float)) {
            float a, b;
            memcpy(&a, got->data.data + i, sizeof a);
            memcpy(&b, expected.data.data + i, sizeof b);
            worst[p] = fmaxf(worst[p], fabsf(a - b));
        }
        batch_close(&batch);
        loaded_close(&loaded);
    }
    yyjson_doc_free(doc);
    print_message("largest difference: fp32 %g, bf16 %g\n", (double)worst[0], (double)worst[1]);
    assert_true(worst[0] < 1e-4F);
    assert_true(worst[1] < 0.2F);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_alone),
        cmocka_unit_test(test_joined_requests_get_their_own_rows),
        cmocka_unit_test(test_outputs_are_split_by_rows),
        cmocka_unit_test(test_only_wanted_outputs_are_given),
        cmocka_unit_test(test_an_unread_optional_input_may_be_left_out),
        cmocka_unit_test(test_unaligned_input_data),
        cmocka_unit_test(test_precision),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

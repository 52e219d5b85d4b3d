/* Tasks classification and embedding on the small classifier: the numbers of a plain forward pass, whatever else is in
 * the batch; and configs and requests that are refused. */
#include <yyjson.h>

#include "bert_fixture.h"

#define CLASSIFIER "tests/fixtures/hf_classifier"
#define CONFIG(task)                                                                                                   \
    "backend: \"bert\" max_batch_size: 8 parameters { key: \"inference_precision\" value { string_value: \"fp32\" } "  \
    "} "                                                                                                               \
    "parameters { key: \"task\" value { string_value: \"" task "\" } } "

enum { LENGTH = 12, ROWS = 2, LABELS = 3, H = 32 };

static yyjson_doc *read_expected(void) {
    yyjson_doc *document = yyjson_read_file(CLASSIFIER "/expected.json", 0, NULL, NULL);
    assert_non_null(document);
    return document;
}

static void add_numbers(struct call *call, yyjson_doc *document, const char *name, const char *member, int32_t *numbers,
                        size_t first, size_t rows) {
    struct tensor *tensor = &call->request->inputs[call->request->input_count++];
    yyjson_val *all = yyjson_obj_get(yyjson_doc_get_root(document), member);
    *tensor = (struct tensor){.name = slice_of(name), .type = DATATYPE_INT32, .rank = 2};
    tensor->shape[0] = (int64_t)rows;
    tensor->shape[1] = LENGTH;
    for (size_t i = 0; i < rows * LENGTH; i++)
        numbers[i] = (int32_t)yyjson_get_int(yyjson_arr_get(yyjson_arr_get(all, first + i / LENGTH), i % LENGTH));
    tensor->data = (struct slice){(const char *)numbers, rows * LENGTH * sizeof *numbers};
}

/* `rows` of the expected sequences. */
static void call_open(struct call *call, yyjson_doc *document, size_t first, size_t rows) {
    call_begin(call, 3);
    add_numbers(call, document, "input_ids", "input_ids", call->ids, first, rows);
    add_numbers(call, document, "input_mask", "input_mask", call->mask, first, rows);
    add_numbers(call, document, "segment_ids", "segment_ids", call->segments, first, rows);
}

static void expect_output(const struct call *call, size_t index, yyjson_doc *document, const char *name, size_t first,
                          size_t size) {
    assert_true(index < call->response->output_count);
    const struct tensor *output = &call->response->outputs[index];
    yyjson_val *all = yyjson_obj_get(yyjson_doc_get_root(document), name);
    assert_true(slice_equal_text(output->name, name));
    assert_int_equal(output->rank, 2);
    assert_int_equal(output->shape[1], size);
    assert_int_equal(output->data.size, (size_t)output->shape[0] * size * sizeof(float));
    for (size_t i = 0; i < (size_t)output->shape[0] * size; i++) {
        float got, expected = (float)yyjson_get_num(yyjson_arr_get(yyjson_arr_get(all, first + i / size), i % size));
        memcpy(&got, output->data.data + i * sizeof got, sizeof got);
        if (!(fabsf(got - expected) < 1e-4f))
            fail_msg("%s %zu: expected %g, got %g", name, i, (double)expected, (double)got);
    }
}

struct wanted {
    const char *name;
    size_t size;
};

/* Two requests in one batch: one of both sequences, one of the second alone. */
static void check(const char *config, const struct wanted *wanted, size_t outputs) {
    struct loaded loaded;
    struct call calls[2];
    yyjson_doc *document = read_expected();
    assert_good(load_from(CLASSIFIER, config, &loaded));
    call_open(&calls[0], document, 0, 2);
    call_open(&calls[1], document, 1, 1);
    execute(&loaded, calls, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_good(calls[i].response->status);
        assert_int_equal(calls[i].response->output_count, outputs);
        assert_int_equal(calls[i].response->outputs[0].shape[0], 2 - i);
        for (size_t k = 0; k < outputs; k++)
            expect_output(&calls[i], k, document, wanted[k].name, i, wanted[k].size);
        call_close(&calls[i]);
    }
    yyjson_doc_free(document);
    unload(&loaded);
}

static void classifies(void **state) {
    (void)state;
    check(CONFIG("classification"), (const struct wanted[]){{"logits", LABELS}}, 1);
    check(CONFIG("classification") "output [ { name: \"logits\" data_type: TYPE_FP32 dims: [ 3 ] }, "
                                   "{ name: \"pooler_output\" data_type: TYPE_FP32 dims: [ 32 ] } ]",
          (const struct wanted[]){{"logits", LABELS}, {"pooler_output", H}}, 2);
}

static void embeds(void **state) {
    (void)state;
    check(CONFIG("embedding"), (const struct wanted[]){{"sentence_embedding", H}}, 1);
    check(CONFIG("embedding") "output [ { name: \"pooler_output\" data_type: TYPE_FP32 dims: [ -1 ] } ]",
          (const struct wanted[]){{"pooler_output", H}}, 1);
}

/* Piece by piece: each sequence alone. */
static void cuts_large_batches(void **state) {
    (void)state;
    check(CONFIG("classification") "parameters { key: \"max_batch_tokens\" value { string_value: \"1\" } }",
          (const struct wanted[]){{"logits", LABELS}}, 1);
}

static void refuses_rows_without_tokens(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[2];
    yyjson_doc *document = read_expected();
    assert_good(load_from(CLASSIFIER, CONFIG("classification"), &loaded));
    call_open(&calls[0], document, 0, 2);
    call_open(&calls[1], document, 0, 2);
    memset(calls[0].mask + LENGTH, 0, LENGTH * sizeof *calls[0].mask);
    execute(&loaded, calls, 2);
    assert_error(calls[0].response->status, "sequence 1: expected 1 token or more");
    expect_output(&calls[1], 0, document, "logits", 0, LABELS);
    call_close(&calls[0]);
    call_close(&calls[1]);
    yyjson_doc_free(document);
    unload(&loaded);
}

static void refuses_what_the_model_has_not(void **state) {
    (void)state;
    static const struct {
        const char *checkpoint, *config, *text;
    } rows[] = {
        {CLASSIFIER, CONFIG("span_logits"), "task span_logits: the model has no question-answering head"},
        {HF, CONFIG("classification"), "task classification: the model has no classifier of sequences"},
        {HF, CONFIG("embedding") "output [ { name: \"pooler_output\" data_type: TYPE_FP32 dims: [ -1 ] } ]",
         "output 'pooler_output': the model has no such head"},
        {CLASSIFIER, CONFIG("classification") "output [ { name: \"logits\" data_type: TYPE_FP32 dims: [ 2 ] } ]",
         "output 'logits' must have dims [ 3 ] or [ -1 ]"},
        {CLASSIFIER, CONFIG("embedding") "output [ { name: \"logits\" data_type: TYPE_FP32 dims: [ 3 ] } ]",
         "has no output 'logits'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct loaded loaded;
        assert_error(load_from(rows[i].checkpoint, rows[i].config, &loaded), rows[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classifies),
        cmocka_unit_test(embeds),
        cmocka_unit_test(cuts_large_batches),
        cmocka_unit_test(refuses_rows_without_tokens),
        cmocka_unit_test(refuses_what_the_model_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

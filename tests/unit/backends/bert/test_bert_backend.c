/* The backend as the scheduler calls it, on the small checkpoint: requests of several lengths and rows in one batch,
 * masks with padding and holes, what one wrong request does to the others, and configs that are refused. */
#include "bert_fixture.h"

/* ---- requests ---- */

static void add_input(struct infer_request *request, const char *name, const int64_t shape[2], const int32_t *numbers) {
    struct tensor *tensor = &request->inputs[request->input_count++];
    *tensor = (struct tensor){.name = slice_of(name), .type = DATATYPE_INT32, .rank = 2};
    memcpy(tensor->shape, shape, 2 * sizeof *shape);
    tensor->data = (struct slice){(const char *)numbers, (size_t)(shape[0] * shape[1]) * sizeof *numbers};
}

/* `seed` makes the tokens; all are real. */
static void call_open(struct call *call, int64_t rows, int64_t length, int32_t seed) {
    const int64_t shape[2] = {rows, length};
    call_begin(call, 3);
    for (int32_t i = 0; i < rows * length; i++) {
        call->ids[i] = (seed + i * 31) % 64;
        call->mask[i] = 1;
        call->segments[i] = i % 2;
    }
    add_input(call->request, "input_ids", shape, call->ids);
    add_input(call->request, "input_mask", shape, call->mask);
    add_input(call->request, "segment_ids", shape, call->segments);
}

static float logit(const struct call *call, const char *name, size_t at) {
    for (size_t i = 0; i < call->response->output_count; i++)
        if (slice_equal_text(call->response->outputs[i].name, name)) {
            float number;
            memcpy(&number, call->response->outputs[i].data.data + at * sizeof number, sizeof number);
            return number;
        }
    fail_msg("no output %s: %s", name, call->response->status.message);
    return 0;
}

static void expect_same(const struct call *got, size_t got_at, const struct call *expected, size_t at, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_true(logit(got, "start_logits", got_at + i) == logit(expected, "start_logits", at + i));
        assert_true(logit(got, "end_logits", got_at + i) == logit(expected, "end_logits", at + i));
    }
}

/* ---- tests ---- */

static void batches_any_lengths(void **state) {
    (void)state;
    static const int64_t rows[] = {1, 2, 1}, lengths[] = {7, 40, 48};
    struct loaded loaded;
    struct call together[3], alone;
    assert_good(load(base_config, &loaded));
    for (int i = 0; i < 3; i++)
        call_open(&together[i], rows[i], lengths[i], i);
    execute(&loaded, together, 3);
    for (int i = 0; i < 3; i++) {
        call_open(&alone, rows[i], lengths[i], i);
        execute(&loaded, &alone, 1);
        assert_int_equal(together[i].response->outputs[0].shape[0], rows[i]);
        assert_int_equal(together[i].response->outputs[0].shape[1], lengths[i]);
        expect_same(&together[i], 0, &alone, 0, (size_t)(rows[i] * lengths[i]));
        call_close(&alone);
        call_close(&together[i]);
    }
    unload(&loaded);
}

static void does_not_compute_padding(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[2];
    assert_good(load(base_config, &loaded));
    call_open(&calls[0], 1, 9, 3);
    call_open(&calls[1], 2, 20, 3);
    for (int32_t i = 9; i < 40; i++) { /* its first row is the other request, padded; its second is empty */
        calls[1].mask[i] = 0;
        calls[1].ids[i] = 1000000;
    }
    execute(&loaded, calls, 2);
    assert_int_equal(calls[1].request->cost.tokens, 9);
    assert_int_equal(calls[1].request->cost.items, 2);
    expect_same(&calls[1], 0, &calls[0], 0, 9);
    for (size_t i = 9; i < 40; i++)
        assert_true(logit(&calls[1], "end_logits", i) == BERT_LOGIT_OF_PADDING);
    call_close(&calls[0]);
    call_close(&calls[1]);
    unload(&loaded);
}

/* A hole in the mask is no key for others, and they keep their positions: other tokens in it change nothing, and
 * without it they stand elsewhere. */
static void leaves_holes_out(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[3], closed;
    assert_good(load(base_config, &loaded));
    for (int i = 0; i < 3; i++) {
        call_open(&calls[i], 1, 12, 5);
        calls[i].mask[4] = i == 2;
        calls[i].ids[4] += i;
    }
    execute(&loaded, calls, 3);
    assert_true(logit(&calls[0], "start_logits", 4) == BERT_LOGIT_OF_PADDING);
    expect_same(&calls[1], 0, &calls[0], 0, 12);
    assert_true(logit(&calls[2], "start_logits", 5) != logit(&calls[0], "start_logits", 5));
    call_open(&closed, 1, 11, 5);
    memcpy(closed.ids + 4, calls[0].ids + 5, 7 * sizeof *closed.ids);
    memcpy(closed.segments + 4, calls[0].segments + 5, 7 * sizeof *closed.segments);
    execute(&loaded, &closed, 1);
    assert_true(logit(&closed, "start_logits", 4) != logit(&calls[0], "start_logits", 5));
    call_close(&closed);
    for (int i = 0; i < 3; i++)
        call_close(&calls[i]);
    unload(&loaded);
}

static void a_wrong_request_hurts_itself_alone(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[4], alone;
    assert_good(load(base_config, &loaded));
    for (int i = 0; i < 4; i++)
        call_open(&calls[i], 1, 10 + i, i);
    calls[0].ids[3] = 64;
    calls[1].request->inputs[1].shape[1] = 5;
    calls[3].segments[2] = -1;
    execute(&loaded, calls, 4);
    assert_error(calls[0].response->status, "token 3: expected a word of 0..63, got 64");
    assert_error(calls[1].response->status, "input 'input_mask': expected the shape [1,11] of input_ids, got [1,5]");
    assert_error(calls[3].response->status, "expected a segment of 0..1, got -1");
    call_open(&alone, 1, 12, 2);
    execute(&loaded, &alone, 1);
    expect_same(&calls[2], 0, &alone, 0, 12);
    for (int i = 0; i < 4; i++)
        call_close(&calls[i]);
    call_close(&alone);
    unload(&loaded);
}

/* More tokens than are computed together: the batch is cut, and nobody sees it. */
static void cuts_large_batches(void **state) {
    (void)state;
    struct loaded small, large;
    struct call cut[3], whole[3];
    assert_good(load("backend: \"bert\" max_batch_size: 8 "
                     "parameters { key: \"inference_precision\" value { string_value: \"fp32\" } } "
                     "parameters { key: \"max_batch_tokens\" value { string_value: \"1\" } }",
                     &small));
    assert_good(load(base_config, &large));
    assert_int_equal(bert_backend()->token_budget(small.model, &(struct instance_place){false, 0}), 1);
    for (int i = 0; i < 3; i++) {
        call_open(&cut[i], 2, 30 + i, i);
        call_open(&whole[i], 2, 30 + i, i);
    }
    execute(&small, cut, 3);
    execute(&large, whole, 3);
    for (int i = 0; i < 3; i++) {
        expect_same(&cut[i], 0, &whole[i], 0, (size_t)(2 * (30 + i)));
        call_close(&cut[i]);
        call_close(&whole[i]);
    }
    unload(&small);
    unload(&large);
}

/* Two sequences that have one token too many for a piece are two pieces. */
static void a_piece_has_no_token_too_many(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[2];
    assert_good(load("backend: \"bert\" max_batch_size: 8 "
                     "parameters { key: \"inference_precision\" value { string_value: \"fp32\" } } "
                     "parameters { key: \"max_batch_tokens\" value { string_value: \"1\" } }",
                     &loaded));
    call_open(&calls[0], 1, 24, 1); /* a piece takes the 48 tokens of the longest sequence */
    call_open(&calls[1], 1, 25, 2);
    execute(&loaded, calls, 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(calls[i].response->status.message, "");
        call_close(&calls[i]);
    }
    unload(&loaded);
}

static void refuses_wrong_configs(void **state) {
    (void)state;
    static const struct {
        const char *config, *text;
    } rows[] = {
        {"parameters { key: \"inference_precision\" value { string_value: \"fp4\" } }",
         "must be one of auto, fp32, bf16, int8, fp16, fp8, got 'fp4'"},
        {"parameters { key: \"instruction_set\" value { string_value: \"mmx\" } }", "reference, avx2, avx512"},
        {"parameters { key: \"short_batches\" value { string_value: \"long\" } }", "graphs, auto or persistent"},
        {"parameters { key: \"short_batches\" value { string_value: \"persistent\" } }",
         "the CPU computes short batches like"},
        {"parameters { key: \"max_batch_tokens\" value { string_value: \"0\" } }", "must be 1 to 65536, got '0'"},
        {"parameters { key: \"bf16_layers\" value { string_value: \"-1\" } }", "must be 0 to 1000, got '-1'"},
        {"parameters { key: \"bf16_layers\" value { string_value: \"2\" } }",
         "parameter bf16_layers is for inference_precision fp8, not auto"},
        {"parameters { key: \"presicion\" value { string_value: \"fp32\" } }", "presicion"},
        {"input [ { name: \"ids\" data_type: TYPE_INT32 dims: [ -1 ] } ]", "has no input 'ids'"},
        {"input [ { name: \"input_mask\" data_type: TYPE_INT32 dims: [ -1 ] } ]", "needs an input 'input_ids'"},
        {"input [ { name: \"input_ids\" data_type: TYPE_INT64 dims: [ -1 ] } ]", "must be TYPE_INT32 with dims [ -1 ]"},
        {"input [ { name: \"input_ids\" data_type: TYPE_INT32 dims: [ -1, 2 ] } ]", "'input_ids' must be TYPE_INT32"},
        {"input [ { name: \"input_ids\" data_type: TYPE_INT32 dims: [ -1 ] reshape { shape: [ 1, -1 ] } } ]",
         "no reshape"},
        {"input [ { name: \"input_ids\" data_type: TYPE_INT32 dims: [ 1 ] reshape { } } ]", "no reshape"},
        {"input [ { name: \"input_ids\" data_type: TYPE_INT32 dims: [ -1 ] optional: true } ]", "not optional"},
        {"parameters { key: \"task\" value { string_value: \"poetry\" } }",
         "span_logits, question_answering, classification or embedding, got 'poetry'"},
        {"parameters { key: \"n_best\" value { string_value: \"3\" } }", "has no parameter 'n_best'"},
        {"output [ { name: \"logits\" data_type: TYPE_FP32 dims: [ -1 ] } ]", "has no output 'logits'"},
        {"output [ { name: \"end_logits\" data_type: TYPE_FP32 dims: [ 384 ] } ]",
         "must be TYPE_FP32 with dims [ -1 ]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct loaded loaded;
        char config[512];
        snprintf(config, sizeof config, "backend: \"bert\" max_batch_size: 8 %s", rows[i].config);
        assert_error(load(config, &loaded), rows[i].text);
    }
}

/* What nobody wants any more is left out, and the others are computed as ever. */
static void leaves_out_what_was_cancelled(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[4], alone;
    assert_good(load("backend: \"bert\" max_batch_size: 8 "
                     "parameters { key: \"inference_precision\" value { string_value: \"fp32\" } } "
                     "parameters { key: \"max_batch_tokens\" value { string_value: \"1\" } }",
                     &loaded));
    for (int i = 0; i < 4; i++)
        call_open(&calls[i], 2, 20 + i, i);
    atomic_store(&calls[0].request->cancelled, true);
    atomic_store(&calls[2].request->cancelled, true);
    execute(&loaded, calls, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls[i].response->status.code, i % 2 ? STATUS_OK : STATUS_CANCELLED);
        call_open(&alone, 2, 20 + i, i);
        execute(&loaded, &alone, 1);
        if (i % 2)
            expect_same(&calls[i], 0, &alone, 0, (size_t)(2 * (20 + i)));
        call_close(&alone);
        call_close(&calls[i]);
    }
    unload(&loaded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_any_lengths),   cmocka_unit_test(does_not_compute_padding),
        cmocka_unit_test(leaves_holes_out),      cmocka_unit_test(a_wrong_request_hurts_itself_alone),
        cmocka_unit_test(cuts_large_batches),    cmocka_unit_test(a_piece_has_no_token_too_many),
        cmocka_unit_test(refuses_wrong_configs), cmocka_unit_test(leaves_out_what_was_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

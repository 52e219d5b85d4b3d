/* Heads of whole sequences: what a plain forward pass wrote down for a small classifier, the same bits in every batch,
 * and models that lack a head. */
#include <math.h>

#include "models.h"

#define CLASSIFIER "tests/fixtures/hf_classifier"
#define SPAN "tests/fixtures/hf_checkpoint"

enum { H = 32, LABELS = 3 };

struct expected {
    int32_t ids[2 * LENGTH], segments[2 * LENGTH];
    float labels[2 * LABELS], pooled[2 * H], mean[2 * H];
};

static struct expected read_expected(void) {
    struct expected expected;
    yyjson_doc *document = yyjson_read_file(CLASSIFIER "/expected.json", 0, NULL, NULL);
    assert_non_null(document);
    yyjson_val *root = yyjson_doc_get_root(document);
    for (size_t row = 0; row < 2; row++) {
        size_t count = row == 0 ? LENGTH : MASKED_LENGTH;
        read_row(root, "input_ids", row, count, NULL, expected.ids + row * LENGTH);
        read_row(root, "segment_ids", row, count, NULL, expected.segments + row * LENGTH);
        read_row(root, "logits", row, LABELS, expected.labels + row * LABELS, NULL);
        read_row(root, "pooler_output", row, H, expected.pooled + row * H, NULL);
        read_row(root, "sentence_embedding", row, H, expected.mean + row * H, NULL);
    }
    yyjson_doc_free(document);
    return expected;
}

static void expect_near(const char *what, const float *got, const float *expected, size_t count, float tolerance) {
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - expected[i]) <= tolerance))
            fail_msg("%s %zu: expected %g, got %g", what, i, (double)expected[i], (double)got[i]);
}

static void check_classifier(enum bert_isa isa, enum bert_precision precision, float tolerance) {
    struct expected expected = read_expected();
    struct model model;
    if (!open_model(CLASSIFIER, isa, precision, 2, 64, &model))
        return;
    static const uint32_t offsets[] = {0, LENGTH, LENGTH + MASKED_LENGTH};
    float labels[2 * LABELS], pooled[2 * H], mean[2 * H];
    const struct bert_batch batch = {2, offsets, expected.ids, expected.segments, NULL};
    expect_ok(bert_session_run(model.session, &batch,
                               &(struct bert_results){.labels = labels, .pooled = pooled, .mean = mean}));
    expect_near("label", labels, expected.labels, 2 * LABELS, 4 * tolerance);
    expect_near("pooled", pooled, expected.pooled, 2 * H, tolerance);
    expect_near("mean", mean, expected.mean, 2 * H, 4 * tolerance);
    close_model(&model);
}

static void equals_the_plain_forward_pass(void **state) {
    (void)state;
    for (int isa = BERT_ISA_REFERENCE; isa <= BERT_ISA_AVX512_BF16; isa++) {
        check_classifier((enum bert_isa)isa, BERT_PRECISION_FP32, 1e-5f);
        check_classifier((enum bert_isa)isa, BERT_PRECISION_BF16, 0.06f);
        check_classifier((enum bert_isa)isa, BERT_PRECISION_INT8, 0.12f);
    }
}

/* More sequences than the heads take at a time, then each alone. */
static void batch_mates_change_nothing(void **state) {
    (void)state;
    enum { SEQUENCES = 100, TOKENS_MAX = 1000 };
    static uint32_t offsets[SEQUENCES + 1];
    static int32_t ids[TOKENS_MAX];
    static float labels[2][SEQUENCES * LABELS], pooled[2][SEQUENCES * H];
    struct model model;
    for (uint32_t i = 0; i < SEQUENCES; i++)
        offsets[i + 1] = offsets[i] + 1 + i * 7 % 19;
    for (int32_t i = 0; i < TOKENS_MAX; i++)
        ids[i] = i * 7919 % 64;
    assert_true(offsets[SEQUENCES] <= TOKENS_MAX);
    for (int precision = BERT_PRECISION_FP32; precision <= BERT_PRECISION_INT8; precision++) {
        assert_true(open_model(CLASSIFIER, BERT_ISA_AUTO, (enum bert_precision)precision, 2, TOKENS_MAX, &model));
        const struct bert_batch batch = {SEQUENCES, offsets, ids, NULL, NULL};
        expect_ok(
            bert_session_run(model.session, &batch, &(struct bert_results){.labels = labels[0], .pooled = pooled[0]}));
        for (size_t i = 0; i < SEQUENCES; i++) {
            const uint32_t alone[] = {0, offsets[i + 1] - offsets[i]};
            const struct bert_batch one = {1, alone, ids + offsets[i], NULL, NULL};
            expect_ok(bert_session_run(
                model.session, &one,
                &(struct bert_results){.labels = labels[1] + i * LABELS, .pooled = pooled[1] + i * H}));
        }
        assert_memory_equal(labels[0], labels[1], sizeof labels[0]);
        assert_memory_equal(pooled[0], pooled[1], sizeof pooled[0]);
        close_model(&model);
    }
}

static void what_no_head_gives_is_not_written(void **state) {
    (void)state;
    static const struct {
        const char *path;
        bool span, others;
    } rows[] = {{SPAN, true, false}, {CLASSIFIER, false, true}};
    static const uint32_t offsets[] = {0, 2};
    static const int32_t ids[] = {7, 8};
    for (size_t i = 0; i < 2; i++) {
        struct model model;
        float starts[2] = {-99, -99}, ends[2] = {-99, -99}, pooled[H] = {-99}, labels[LABELS] = {-99};
        assert_true(open_model(rows[i].path, BERT_ISA_AUTO, BERT_PRECISION_FP32, 1, 2, &model));
        assert_int_equal(bert_engine_has(model.engine, BERT_HEAD_SPAN), rows[i].span);
        assert_int_equal(bert_engine_has(model.engine, BERT_HEAD_POOLER), rows[i].others);
        assert_int_equal(bert_engine_has(model.engine, BERT_HEAD_CLASSIFIER), rows[i].others);
        assert_int_equal(bert_engine_config(model.engine)->label_count, rows[i].others ? LABELS : 0);
        const struct bert_batch batch = {1, offsets, ids, NULL, NULL};
        const struct bert_results results = {.starts = starts, .ends = ends, .pooled = pooled, .labels = labels};
        expect_ok(bert_session_run(model.session, &batch, &results));
        assert_int_equal(starts[1] != -99 && ends[1] != -99, rows[i].span);
        assert_int_equal(pooled[0] != -99 && labels[0] != -99, rows[i].others);
        close_model(&model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_plain_forward_pass),
        cmocka_unit_test(batch_mates_change_nothing),
        cmocka_unit_test(what_no_head_gives_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

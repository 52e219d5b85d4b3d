/* Whole models: the logits that the frameworks wrote down for the small checkpoints, on every instruction set and in
 * every precision; the same bits in every batch; the reference logits of the embedded model; and what is refused. */
#include <math.h>

#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "models.h"

#define TF "tests/fixtures/tf_checkpoint"
#define HF "tests/fixtures/hf_checkpoint"
#define MINILM "models/minilm-squad"
#define GOLDEN "../shared/models/golden.safetensors"

/* ---- the small checkpoints ---- */

/* Two sequences: the second is shorter than it is stored. */
struct expected {
    int32_t ids[2 * LENGTH], segments[2 * LENGTH];
    float starts[2 * LENGTH], ends[2 * LENGTH];
};

static struct expected read_expected(const char *folder) {
    struct expected expected;
    char path[128];
    snprintf(path, sizeof path, "%s/expected.json", folder);
    yyjson_doc *document = yyjson_read_file(path, 0, NULL, NULL);
    assert_non_null(document);
    yyjson_val *root = yyjson_doc_get_root(document);
    for (size_t row = 0; row < 2; row++) {
        size_t count = row == 0 ? LENGTH : MASKED_LENGTH, at = row * LENGTH;
        read_row(root, "input_ids", row, count, NULL, expected.ids + at);
        read_row(root, "segment_ids", row, count, NULL, expected.segments + at);
        read_row(root, "start_logits", row, count, expected.starts + at, NULL);
        read_row(root, "end_logits", row, count, expected.ends + at, NULL);
    }
    yyjson_doc_free(document);
    return expected;
}

static void check_small(const char *path, enum bert_isa isa, enum bert_precision precision, float tolerance) {
    struct model model;
    struct expected expected = read_expected(path);
    if (!open_model(path, isa, precision, 2, 64, &model))
        return;
    static const uint32_t offsets[] = {0, LENGTH, LENGTH + MASKED_LENGTH};
    float starts[2 * LENGTH], ends[2 * LENGTH];
    const struct bert_batch batch = {2, offsets, expected.ids, expected.segments, NULL};
    expect_ok(bert_session_run(model.session, &batch, &(struct bert_results){.starts = starts, .ends = ends}));
    for (size_t i = 0; i < LENGTH + MASKED_LENGTH; i++)
        if (!(fabsf(starts[i] - expected.starts[i]) <= tolerance && fabsf(ends[i] - expected.ends[i]) <= tolerance))
            fail_msg("%s %s %s: token %zu: expected %g %g, got %g %g", path, bert_engine_kernels(model.engine),
                     bert_precision_text(precision), i, (double)expected.starts[i], (double)expected.ends[i],
                     (double)starts[i], (double)ends[i]);
    close_model(&model);
}

static void equals_the_frameworks(void **state) {
    (void)state;
    for (int isa = BERT_ISA_REFERENCE; isa <= BERT_ISA_AVX512_BF16; isa++) {
        check_small(HF, (enum bert_isa)isa, BERT_PRECISION_FP32, 1e-4f);
        check_small(TF, (enum bert_isa)isa, BERT_PRECISION_FP32, 1e-4f);
        check_small(HF, (enum bert_isa)isa, BERT_PRECISION_BF16, 0.06f);
        check_small(TF, (enum bert_isa)isa, BERT_PRECISION_BF16, 0.06f);
        check_small(HF, (enum bert_isa)isa, BERT_PRECISION_INT8, 0.15f);
        check_small(TF, (enum bert_isa)isa, BERT_PRECISION_INT8, 0.15f);
    }
}

/* ---- batches ---- */

enum { SEQUENCES = 5, TOKENS = 130 };
static const uint32_t ragged[SEQUENCES + 1] = {0, 1, 48, 55, 88, TOKENS};

static void fill_tokens(int32_t *ids, int32_t *segments, int32_t vocabulary) {
    for (int32_t i = 0; i < TOKENS; i++) {
        ids[i] = i * 7919 % vocabulary;
        segments[i] = i % 3 == 0;
    }
}

/* All together, then one by one, on other numbers of threads. */
static void check_batches(enum bert_isa isa, enum bert_precision precision) {
    struct model together, alone;
    int32_t ids[TOKENS], segments[TOKENS];
    float starts[2][TOKENS], ends[2][TOKENS], mean[2][SEQUENCES * 32];
    if (!open_model(HF, isa, precision, 3, TOKENS, &together))
        return;
    assert_true(open_model(HF, isa, precision, 1, 48, &alone));
    fill_tokens(ids, segments, 64);
    const struct bert_batch batch = {SEQUENCES, ragged, ids, segments, NULL};
    expect_ok(bert_session_run(together.session, &batch,
                               &(struct bert_results){.starts = starts[0], .ends = ends[0], .mean = mean[0]}));
    for (size_t i = 0; i < SEQUENCES; i++) {
        uint32_t offsets[2] = {0, ragged[i + 1] - ragged[i]}, at = ragged[i];
        const struct bert_batch one = {1, offsets, ids + at, segments + at, NULL};
        expect_ok(bert_session_run(
            alone.session, &one,
            &(struct bert_results){.starts = starts[1] + at, .ends = ends[1] + at, .mean = mean[1] + i * 32}));
    }
    assert_memory_equal(starts[0], starts[1], sizeof starts[0]);
    assert_memory_equal(ends[0], ends[1], sizeof ends[0]);
    assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
    close_model(&together);
    close_model(&alone);
}

static void batch_mates_change_nothing(void **state) {
    (void)state;
    for (int isa = BERT_ISA_REFERENCE; isa <= BERT_ISA_AVX512_BF16; isa++)
        for (int precision = BERT_PRECISION_FP32; precision <= BERT_PRECISION_INT8; precision++)
            check_batches((enum bert_isa)isa, (enum bert_precision)precision);
}

/* Hidden rows, their mean and the first of them; positions given are those counted. */
static void gives_embeddings(void **state) {
    (void)state;
    struct model model;
    int32_t ids[TOKENS], segments[TOKENS], positions[TOKENS];
    static float hidden[2][TOKENS * 32], mean[SEQUENCES * 32], first[SEQUENCES * 32];
    assert_true(open_model(HF, BERT_ISA_AUTO, BERT_PRECISION_FP32, 2, TOKENS, &model));
    fill_tokens(ids, segments, 64);
    for (uint32_t i = 0, sequence = 0; i < TOKENS; i++) {
        sequence += i == ragged[sequence + 1];
        positions[i] = (int32_t)(i - ragged[sequence]);
    }
    const struct bert_batch counted = {SEQUENCES, ragged, ids, segments, NULL};
    const struct bert_batch given = {SEQUENCES, ragged, ids, segments, positions};
    expect_ok(bert_session_run(model.session, &counted,
                               &(struct bert_results){.hidden = hidden[0], .mean = mean, .first = first}));
    expect_ok(bert_session_run(model.session, &given, &(struct bert_results){.hidden = hidden[1]}));
    assert_memory_equal(hidden[0], hidden[1], sizeof hidden[0]);
    for (size_t i = 0; i < SEQUENCES; i++) {
        assert_memory_equal(first + i * 32, hidden[0] + ragged[i] * 32, 32 * sizeof(float));
        float sum = 0;
        for (size_t at = ragged[i]; at < ragged[i + 1]; at++)
            sum += hidden[0][at * 32 + 5];
        assert_true(fabsf(mean[i * 32 + 5] - sum / (float)(ragged[i + 1] - ragged[i])) < 1e-5f);
    }
    close_model(&model);
}

/* ---- the embedded model ---- */

struct golden {
    struct safetensors *file;
    const int32_t *ids, *segments;
    const uint32_t *offsets;
    const float *starts, *ends;
};

/* A copy: tensors in a file are aligned for nothing. */
static const void *read_tensor(const struct golden *golden, const char *name) {
    struct weight_set set = safetensors_tensors(golden->file);
    const struct weight *weight = weight_find(&set, slice_of(name));
    assert_non_null(weight);
    void *copy = malloc(weight->bytes.size);
    assert_non_null(copy);
    return memcpy(copy, weight->bytes.data, weight->bytes.size);
}

static bool golden_open(struct golden *ret) {
    if (!file_exists(GOLDEN))
        return false;
    expect_ok(safetensors_open(GOLDEN, &ret->file));
    ret->ids = read_tensor(ret, "input_ids");
    ret->segments = read_tensor(ret, "segment_ids");
    ret->offsets = read_tensor(ret, "offsets");
    ret->starts = read_tensor(ret, "start_logits");
    ret->ends = read_tensor(ret, "end_logits");
    return true;
}

static void golden_close(struct golden *golden) {
    const void *copies[] = {golden->ids, golden->segments, golden->offsets, golden->starts, golden->ends};
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
        free((void *)(uintptr_t)copies[i]);
    safetensors_close(golden->file);
}

/* How far logits are off: at most, and the root mean square beside theirs. */
struct distance {
    float worst;
    double relative;
};

static struct distance distance_between(const float *got, const float *expected, size_t count) {
    struct distance distance = {0};
    double apart = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = (double)got[i] - (double)expected[i];
        distance.worst = fmaxf(distance.worst, fabsf((float)difference));
        apart += difference * difference;
        size += (double)expected[i] * (double)expected[i];
    }
    distance.relative = sqrt(apart / size);
    return distance;
}

/* False where the CPU lacks the instruction set. */
static bool check_golden(enum bert_isa isa, enum bert_precision precision, size_t windows, struct distance most) {
    struct golden golden;
    struct model model;
    if (!golden_open(&golden))
        skip();
    size_t tokens = golden.offsets[windows];
    bool is_there = open_model(MINILM, isa, precision, 0, tokens, &model);
    float *starts = calloc(tokens, sizeof *starts), *ends = calloc(tokens, sizeof *ends);
    const struct bert_batch batch = {windows, golden.offsets, golden.ids, golden.segments, NULL};
    if (is_there) {
        expect_ok(bert_session_run(model.session, &batch, &(struct bert_results){.starts = starts, .ends = ends}));
        const struct distance off[] = {distance_between(starts, golden.starts, tokens),
                                       distance_between(ends, golden.ends, tokens)};
        for (size_t i = 0; i < 2; i++)
            if (!(off[i].worst <= most.worst && off[i].relative <= most.relative))
                fail_msg("%s %s: logits are off by %g at most, by %g of their size", bert_engine_kernels(model.engine),
                         bert_precision_text(precision), (double)off[i].worst, off[i].relative);
        close_model(&model);
    }
    free(starts);
    free(ends);
    golden_close(&golden);
    return is_there;
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { ALL_WINDOWS = 8, SOME_WINDOWS = 2 }; /* they take twenty times as long, and numbers are compared without it */
#else
enum { ALL_WINDOWS = 64, SOME_WINDOWS = 16 };
#endif

static void equals_the_reference_logits(void **state) {
    (void)state;
    assert_true(check_golden(BERT_ISA_AUTO, BERT_PRECISION_FP32, ALL_WINDOWS, (struct distance){1e-3f, 1e-4}));
}

/* Weights that have learned something: random ones make attention nearly even, so that wrong scores hardly show. */
static void stays_near_the_reference_logits(void **state) {
    (void)state;
    for (int isa = BERT_ISA_AVX2; isa <= BERT_ISA_AVX512_BF16; isa++) {
        check_golden((enum bert_isa)isa, BERT_PRECISION_BF16, SOME_WINDOWS, (struct distance){0.3f, 4e-3});
        check_golden((enum bert_isa)isa, BERT_PRECISION_INT8, SOME_WINDOWS, (struct distance){3, 2e-2});
    }
}

/* ---- what is refused ---- */

static void refuses_wrong_batches(void **state) {
    (void)state;
    static const struct {
        uint32_t offsets[3];
        int32_t id, segment, position;
        const char *text;
    } rows[] = {
        {{0, 0, 4}, 1, 0, 0, "sequence 0: expected 1 token or more"},
        {{0, 4, 2}, 1, 0, 0, "sequence 1: expected 1 token or more"},
        {{0, 4, 65}, 1, 0, 0, "expected at most 64 tokens in all, got 65"},
        {{0, 49, 60}, 1, 0, 0, "sequence 0: expected at most 48 tokens, got 49"},
        {{1, 4, 6}, 1, 0, 0, "expected the first sequence to begin at 0, got 1"},
        {{0, 2, 4}, 64, 0, 0, "token 0: expected a word of 0..63, got 64"},
        {{0, 2, 4}, -1, 0, 0, "expected a word of 0..63, got -1"},
        {{0, 2, 4}, 1, 2, 0, "expected a segment of 0..1, got 2"},
        {{0, 2, 4}, 1, 0, 48, "expected a position of 0..47, got 48"},
    };
    struct model model;
    assert_true(open_model(HF, BERT_ISA_REFERENCE, BERT_PRECISION_FP32, 1, 64, &model));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t ids[80] = {rows[i].id}, segments[80] = {rows[i].segment}, positions[80] = {rows[i].position};
        float starts[80], ends[80];
        const struct bert_batch batch = {2, rows[i].offsets, ids, segments, positions};
        expect_error(bert_session_run(model.session, &batch, &(struct bert_results){.starts = starts, .ends = ends}),
                     STATUS_INVALID_ARGUMENT, rows[i].text);
    }
    struct bert_session *none;
    expect_error(bert_session_create(model.engine, 0, &none), STATUS_INVALID_ARGUMENT, "1..1000000 tokens, got 0");
    expect_ok(bert_session_run(model.session, &(struct bert_batch){.sequence_count = 0}, &(struct bert_results){0}));
    close_model(&model);
}

static void has_names(void **state) {
    (void)state;
    enum bert_precision precision;
    enum bert_isa isa;
    assert_true(bert_precision_parse("int8", &precision) && precision == BERT_PRECISION_INT8);
    assert_true(bert_isa_parse("avx512_bf16", &isa) && isa == BERT_ISA_AVX512_BF16);
    assert_true(bert_precision_parse("fp8", &precision) && precision == BERT_PRECISION_FP8);
    assert_false(bert_precision_parse("fp4", &precision));
    assert_false(bert_isa_parse("", &isa));
    assert_string_equal(bert_precision_text(BERT_PRECISION_AUTO), "auto");
    assert_string_equal(bert_isa_text(BERT_ISA_REFERENCE), "reference");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_frameworks),
        cmocka_unit_test(batch_mates_change_nothing),
        cmocka_unit_test(gives_embeddings),
        cmocka_unit_test(equals_the_reference_logits),
        cmocka_unit_test(stays_near_the_reference_logits),
        cmocka_unit_test(refuses_wrong_batches),
        cmocka_unit_test(has_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* engine_pair.h: a made model on the CPU, in fp32, and on the emulated GPU; batches for both, and what they must have
 * in common. */
#ifndef INFERD_TESTS_ENGINE_CUDA_ENGINE_PAIR_H
#define INFERD_TESTS_ENGINE_CUDA_ENGINE_PAIR_H

#include "cuda_emulator.h"
#include "engine/bert_engine.h"
#include "made_model.h"

enum { SEQUENCES_MAX = 24, TOKENS_MAX = 4200, HIDDEN_MAX = 128, POSITIONS = 224, VOCABULARY = 50 };

/* Of what is done for every size and every call, a sanitized build, which takes ten times as long, does a part. */
#ifdef __SANITIZE_ADDRESS__
enum { CALL_STEP = 17, SIZE_STEP = 3, FIRST_PRECISION = 2 };
#else
enum { CALL_STEP = 1, SIZE_STEP = 1, FIRST_PRECISION = 1 };
#endif

/* Its heads of 16 numbers are not for the kernel that computes a short batch alone; those of `wide` are. */
static const struct bert_config small = {.vocab_size = VOCABULARY,
                                         .hidden_size = 32,
                                         .layer_count = 2,
                                         .head_count = 2,
                                         .intermediate_size = 64,
                                         .position_count = POSITIONS,
                                         .type_count = 2,
                                         .label_count = MADE_LABELS,
                                         .activation = BERT_GELU_TANH};

static inline struct bert_config wide(void) {
    struct bert_config config = small;
    config.hidden_size = 64;
    return config;
}

/* ---- a model on both devices ---- */

struct pair {
    struct scratch scratch;
    struct bert_checkpoint *checkpoint;
    struct bert_pool *pool;
    struct bert_engine *cpu, *gpu;
    struct bert_session *cpu_session, *gpu_session;
};

static inline struct bert_engine_options gpu_options(enum bert_precision precision) {
    return (struct bert_engine_options){.precision = precision, .device = {BERT_DEVICE_CUDA, 0}};
}

static inline struct pair open_checkpoint(const struct bert_config *config) {
    struct pair pair = {.scratch = scratch_create()};
    made_model_write(&pair.scratch, config, 0);
    expect_ok(bert_checkpoint_open(pair.scratch.folder, NULL, &pair.checkpoint));
    expect_ok(bert_pool_create(1, &pair.pool));
    return pair;
}

static inline struct pair open_pair_as(const struct bert_config *config, const struct bert_engine_options *gpu,
                                       size_t max_tokens) {
    struct pair pair = open_checkpoint(config);
    const struct bert_engine_options cpu = {.precision = BERT_PRECISION_FP32};
    expect_ok(bert_engine_create(pair.checkpoint, &cpu, pair.pool, &pair.cpu));
    expect_ok(bert_engine_create(pair.checkpoint, gpu, pair.pool, &pair.gpu));
    expect_ok(bert_session_create(pair.cpu, max_tokens, &pair.cpu_session));
    expect_ok(bert_session_create(pair.gpu, max_tokens, &pair.gpu_session));
    return pair;
}

static inline struct pair open_pair(const struct bert_config *config, enum bert_precision precision,
                                    size_t max_tokens) {
    const struct bert_engine_options gpu = gpu_options(precision);
    return open_pair_as(config, &gpu, max_tokens);
}

static inline void close_pair(struct pair *pair) {
    bert_session_destroy(pair->gpu_session);
    bert_session_destroy(pair->cpu_session);
    bert_engine_destroy(pair->gpu);
    bert_engine_destroy(pair->cpu);
    bert_pool_destroy(pair->pool);
    bert_checkpoint_close(pair->checkpoint);
    scratch_remove(&pair->scratch);
    assert_int_equal(emulator_live(), 0);
}

/* ---- batches and what comes out ---- */

struct batch {
    uint32_t offsets[SEQUENCES_MAX + 1];
    int32_t tokens[TOKENS_MAX], segments[TOKENS_MAX], positions[TOKENS_MAX];
    size_t sequences;
    bool with_segments, with_positions;
};

static inline struct batch make_batch(size_t sequences, const uint32_t *lengths) {
    struct batch batch = {.sequences = sequences, .with_segments = true};
    for (size_t i = 0; i < sequences; i++)
        batch.offsets[i + 1] = batch.offsets[i] + lengths[i];
    assert_true(batch.offsets[sequences] <= TOKENS_MAX);
    for (int32_t i = 0; i < (int32_t)batch.offsets[sequences]; i++) {
        batch.tokens[i] = i * 7919 % VOCABULARY;
        batch.segments[i] = i % 3 == 0;
        batch.positions[i] = i * 31 % POSITIONS;
    }
    return batch;
}

struct results {
    float starts[TOKENS_MAX], ends[TOKENS_MAX], hidden[TOKENS_MAX * HIDDEN_MAX];
    float mean[SEQUENCES_MAX * HIDDEN_MAX], first[SEQUENCES_MAX * HIDDEN_MAX], pooled[SEQUENCES_MAX * HIDDEN_MAX];
    float labels[SEQUENCES_MAX * MADE_LABELS];
};

static inline struct bert_results places(struct results *results) {
    memset(results, 0xff, sizeof *results);
    return (struct bert_results){results->starts, results->ends,   results->hidden, results->mean,
                                 results->first,  results->pooled, results->labels};
}

static inline struct status run(struct bert_session *session, const struct batch *batch,
                                const struct bert_results *results) {
    const struct bert_batch call = {batch->sequences, batch->offsets, batch->tokens,
                                    batch->with_segments ? batch->segments : NULL,
                                    batch->with_positions ? batch->positions : NULL};
    return bert_session_run(session, &call, results);
}

/* The root of the mean square of the difference, in parts of that of the numbers. */
static inline double error_of(const float *got, const float *wanted, size_t count) {
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)got[i] - (double)wanted[i]) * ((double)got[i] - (double)wanted[i]);
        size += (double)wanted[i] * (double)wanted[i];
    }
    return sqrt(error / size);
}

static inline void expect_alike(const char *what, const float *got, const float *wanted, size_t count,
                                float tolerance) {
    const double error = error_of(got, wanted, count);
    if (!(error <= (double)tolerance))
        fail_msg("%s: %zu numbers differ by %g, more than %g, of their size", what, count, error, (double)tolerance);
}

static struct results cpu_results, gpu_results;

static inline void compare(const struct pair *pair, const struct batch *batch, float tolerance) {
    const size_t tokens = batch->offsets[batch->sequences], hidden = (size_t)bert_engine_config(pair->cpu)->hidden_size;
    const struct bert_results wanted = places(&cpu_results), got = places(&gpu_results);
    expect_ok(run(pair->cpu_session, batch, &wanted));
    expect_ok(run(pair->gpu_session, batch, &got));
    expect_alike("hidden", got.hidden, wanted.hidden, tokens * hidden, tolerance);
    expect_alike("starts", got.starts, wanted.starts, tokens, tolerance);
    expect_alike("ends", got.ends, wanted.ends, tokens, tolerance);
    expect_alike("mean", got.mean, wanted.mean, batch->sequences * hidden, tolerance);
    expect_alike("first", got.first, wanted.first, batch->sequences * hidden, tolerance);
    expect_alike("pooled", got.pooled, wanted.pooled, batch->sequences * hidden, tolerance);
    expect_alike("labels", got.labels, wanted.labels, batch->sequences * MADE_LABELS, 2 * tolerance);
    assert_true(isnan(gpu_results.starts[tokens]) && isnan(gpu_results.hidden[tokens * hidden]));
}

static inline float tolerance_of(enum bert_precision precision) {
    return precision == BERT_PRECISION_FP16 ? 0.003f : precision == BERT_PRECISION_BF16 ? 0.02f : 0.2f;
}

static const uint32_t mixed[] = {1, 40, 7, 64, 65, 33, 2, 1, 1, 1, 16, 17};
static const enum bert_precision precisions[] = {BERT_PRECISION_BF16, BERT_PRECISION_FP16, BERT_PRECISION_FP8};

#endif

#include "engine/bert_engine.h"

#include <stdlib.h>
#include <string.h>

#include "engine/cpu_features.h"
#include "engine/model/forward.h"
#include "engine/model/heads.h"
#include "engine/thread_pool.h"

enum { SESSION_TOKENS_MAX = 1000000 };

static const char *const precision_texts[] = {"auto", "fp32", "bf16", "int8"};
static const char *const isa_texts[] = {"auto", "reference", "avx2", "avx512", "avx512_bf16"};

struct bert_engine {
    const struct kernels *kernels;
    struct bert_pool *pool;
    enum bert_precision precision;
    struct model_weights weights;
};

struct bert_session {
    const struct bert_engine *engine;
    struct session_room room;
    int32_t *positions; /* [max_tokens] */
};

/* ---- names ---- */

const char *bert_precision_text(enum bert_precision precision) {
    return precision_texts[precision];
}

const char *bert_isa_text(enum bert_isa isa) {
    return isa_texts[isa];
}

static int find_text(const char *const *texts, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return (int)i;
    return -1;
}

bool bert_precision_parse(const char *text, enum bert_precision *ret) {
    int found = find_text(precision_texts, sizeof precision_texts / sizeof precision_texts[0], text);
    if (found >= 0)
        *ret = (enum bert_precision)found;
    return found >= 0;
}

bool bert_isa_parse(const char *text, enum bert_isa *ret) {
    int found = find_text(isa_texts, sizeof isa_texts / sizeof isa_texts[0], text);
    if (found >= 0)
        *ret = (enum bert_isa)found;
    return found >= 0;
}

/* ---- engines ---- */

static enum kernel_format format_of(enum bert_precision precision) {
    if (precision == BERT_PRECISION_INT8)
        return KERNEL_INT8;
    return precision == BERT_PRECISION_BF16 ? KERNEL_BF16 : KERNEL_F32;
}

void bert_engine_resolve(struct bert_engine_options *options) {
    if (options->precision == BERT_PRECISION_AUTO)
        options->precision = cpu_features_fast_bf16(options->isa) ? BERT_PRECISION_BF16 : BERT_PRECISION_FP32;
    if (options->isa == BERT_ISA_AUTO)
        options->isa = cpu_features_best();
}

struct status bert_engine_create(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                                 struct bert_pool *pool, struct bert_engine **ret) {
    const struct kernels *kernels;
    struct bert_engine_options resolved = *options;
    bert_engine_resolve(&resolved);
    STATUS_TRY(cpu_features_kernels(resolved.isa, &kernels));
    struct bert_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    engine->kernels = kernels;
    engine->pool = pool;
    engine->precision = resolved.precision;
    struct status status = model_weights_create(checkpoint, format_of(engine->precision), &engine->weights);
    if (status_is_ok(&status))
        *ret = engine;
    else
        bert_engine_destroy(engine);
    return status;
}

void bert_engine_destroy(struct bert_engine *engine) {
    if (!engine)
        return;
    model_weights_free(&engine->weights);
    free(engine);
}

const struct bert_config *bert_engine_config(const struct bert_engine *engine) {
    return &engine->weights.config;
}

enum bert_precision bert_engine_precision(const struct bert_engine *engine) {
    return engine->precision;
}

const char *bert_engine_kernels(const struct bert_engine *engine) {
    return engine->kernels->name;
}

bool bert_engine_has(const struct bert_engine *engine, enum bert_head head) {
    const struct model_weights *weights = &engine->weights;
    switch (head) {
    case BERT_HEAD_SPAN:
        return weights->span != NULL;
    case BERT_HEAD_POOLER:
        return weights->pooler.panels != NULL;
    case BERT_HEAD_CLASSIFIER:
        return weights->classifier.panels != NULL;
    case BERT_HEAD_COUNT:
        break;
    }
    return false;
}

size_t bert_engine_memory(const struct bert_engine *engine) {
    return engine->weights.block_size;
}

/* ---- sessions ---- */

struct status bert_session_create(const struct bert_engine *engine, size_t max_tokens, struct bert_session **ret) {
    if (max_tokens < 1 || max_tokens > SESSION_TOKENS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "expected a session of 1..%d tokens, got %zu", SESSION_TOKENS_MAX,
                            max_tokens);
    struct bert_session *session = calloc(1, sizeof *session);
    if (!session)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session");
    session->engine = engine;
    session->positions = calloc(max_tokens, sizeof *session->positions);
    const struct session_plan plan = {
        .config = &engine->weights.config,
        .format = format_of(engine->precision),
        .has_pooler = bert_engine_has(engine, BERT_HEAD_POOLER),
        .max_tokens = max_tokens,
        .worker_count = bert_pool_threads(engine->pool),
    };
    struct status status = session->positions ? session_room_create(&plan, &session->room)
                                              : status_error(STATUS_RESOURCE_EXHAUSTED,
                                                             "no memory for a session of %zu tokens", max_tokens);
    if (status_is_ok(&status))
        *ret = session;
    else
        bert_session_destroy(session);
    return status;
}

void bert_session_destroy(struct bert_session *session) {
    if (!session)
        return;
    session_room_free(&session->room);
    free(session->positions);
    free(session);
}

/* ---- one batch ---- */

static struct status check_sequences(const struct bert_batch *batch, size_t longest) {
    const uint32_t *offsets = batch->offsets;
    for (size_t i = 0; i < batch->sequence_count; i++) {
        if (offsets[i + 1] <= offsets[i])
            return status_error(STATUS_INVALID_ARGUMENT, "sequence %zu: expected 1 token or more", i);
        if (offsets[i + 1] - offsets[i] > longest)
            return status_error(STATUS_INVALID_ARGUMENT, "sequence %zu: expected at most %zu tokens, got %u", i,
                                longest, offsets[i + 1] - offsets[i]);
    }
    return status_ok();
}

static struct status check_ids(const char *what, const int32_t *ids, size_t count, int64_t limit) {
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= limit)
            return status_error(STATUS_INVALID_ARGUMENT, "token %zu: expected a %s of 0..%lld, got %d", i, what,
                                (long long)limit - 1, ids[i]);
    return status_ok();
}

struct status bert_engine_check(const struct bert_engine *engine, const struct bert_batch *batch) {
    const struct bert_config *config = bert_engine_config(engine);
    if (batch->sequence_count == 0)
        return status_ok();
    if (batch->offsets[0] != 0)
        return status_error(STATUS_INVALID_ARGUMENT, "expected the first sequence to begin at 0, got %u",
                            batch->offsets[0]);
    STATUS_TRY(check_sequences(batch, (size_t)config->position_count));
    size_t tokens = batch->offsets[batch->sequence_count];
    STATUS_TRY(check_ids("word", batch->token_ids, tokens, config->vocab_size));
    if (batch->segment_ids)
        STATUS_TRY(check_ids("segment", batch->segment_ids, tokens, config->type_count));
    if (batch->position_ids)
        STATUS_TRY(check_ids("position", batch->position_ids, tokens, config->position_count));
    return status_ok();
}

/* The room first: a token past it may not be there to be looked at. */
static struct status check_batch(const struct bert_session *session, const struct bert_batch *batch) {
    for (size_t i = 0; i <= batch->sequence_count; i++)
        if (batch->offsets[i] > session->room.max_tokens)
            return status_error(STATUS_INVALID_ARGUMENT, "expected at most %zu tokens in all, got %u",
                                session->room.max_tokens, batch->offsets[i]);
    return bert_engine_check(session->engine, batch);
}

static void count_positions(const struct bert_batch *batch, int32_t *ret) {
    for (size_t i = 0; i < batch->sequence_count; i++)
        for (uint32_t at = batch->offsets[i]; at < batch->offsets[i + 1]; at++)
            ret[at] = (int32_t)(at - batch->offsets[i]);
}

/* Without those that no head gives. */
static struct bert_results possible(const struct bert_engine *engine, const struct bert_results *wanted) {
    struct bert_results results = *wanted;
    if (!bert_engine_has(engine, BERT_HEAD_SPAN))
        results.starts = results.ends = NULL;
    if (!bert_engine_has(engine, BERT_HEAD_POOLER))
        results.pooled = NULL;
    if (!bert_engine_has(engine, BERT_HEAD_CLASSIFIER))
        results.labels = NULL;
    return results;
}

struct status bert_session_run(struct bert_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) {
    if (batch->sequence_count == 0)
        return status_ok();
    STATUS_TRY(check_batch(session, batch));
    const struct bert_results wanted = possible(session->engine, results);
    struct forward forward = {
        .kernels = session->engine->kernels,
        .weights = &session->engine->weights,
        .room = &session->room,
        .batch = batch,
        .results = &wanted,
        .positions = batch->position_ids,
        .tokens = batch->offsets[batch->sequence_count],
    };
    if (!forward.positions) {
        count_positions(batch, session->positions);
        forward.positions = session->positions;
    }
    thread_pool_enter(session->engine->pool);
    forward_run(&forward, session->engine->pool);
    thread_pool_leave(session->engine->pool);
    heads_run(&forward);
    return status_ok();
}

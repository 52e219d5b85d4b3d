#include "engine/cpu_device.h"

#include <stdlib.h>

#include "engine/cpu_features.h"
#include "engine/model/forward.h"
#include "engine/model/heads.h"
#include "engine/thread_pool.h"

struct cpu_engine {
    const struct kernels *kernels;
    struct bert_pool *pool;
    enum kernel_format format;
    struct model_weights weights;
};

struct cpu_session {
    const struct cpu_engine *engine;
    struct session_room room;
};

/* ---- what there is ---- */

static int count(void) {
    return 1;
}

static struct status check(int index) {
    return index == 0 ? status_ok() : status_error(STATUS_UNSUPPORTED, "there is no CPU %d: all CPUs are one", index);
}

static unsigned precisions(int index) {
    (void)index;
    return 1U << BERT_PRECISION_FP32 | 1U << BERT_PRECISION_BF16 | 1U << BERT_PRECISION_INT8;
}

static struct status suits(const struct bert_config *config) {
    (void)config;
    return status_ok();
}

static struct status resolve(struct bert_engine_options *options) {
    const struct kernels *kernels;
    if (options->short_batches == BERT_SHORT_PERSISTENT)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "the CPU computes short batches like all others: no persistent kernel");
    options->short_batches = BERT_SHORT_GRAPHS;
    if (options->precision == BERT_PRECISION_AUTO)
        options->precision = cpu_features_fast_bf16(options->isa) ? BERT_PRECISION_BF16 : BERT_PRECISION_FP32;
    if (options->isa == BERT_ISA_AUTO)
        options->isa = cpu_features_best();
    return cpu_features_kernels(options->isa, &kernels);
}

/* ---- engines ---- */

static enum kernel_format format_of(enum bert_precision precision) {
    if (precision == BERT_PRECISION_INT8)
        return KERNEL_INT8;
    return precision == BERT_PRECISION_BF16 ? KERNEL_BF16 : KERNEL_F32;
}

static void engine_destroy(void *pointer) {
    struct cpu_engine *engine = pointer;
    model_weights_free(&engine->weights);
    free(engine);
}

static struct status engine_create(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                                   struct bert_pool *pool, void **ret_engine) {
    const struct kernels *kernels;
    STATUS_TRY(cpu_features_kernels(options->isa, &kernels));
    struct cpu_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    engine->kernels = kernels;
    engine->pool = pool;
    engine->format = format_of(options->precision);
    struct status status = model_weights_create(checkpoint, engine->format, &engine->weights);
    if (status_is_ok(&status))
        *ret_engine = engine;
    else
        engine_destroy(engine);
    return status;
}

static size_t engine_memory(const void *engine) {
    return ((const struct cpu_engine *)engine)->weights.block_size;
}

static const char *engine_kernels(const void *engine) {
    return ((const struct cpu_engine *)engine)->kernels->name;
}

/* ---- sessions ---- */

static void session_destroy(void *pointer) {
    struct cpu_session *session = pointer;
    session_room_free(&session->room);
    free(session);
}

static struct status session_create(const void *pointer, size_t max_tokens, void **ret_session) {
    const struct cpu_engine *engine = pointer;
    struct cpu_session *session = calloc(1, sizeof *session);
    if (!session)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session");
    session->engine = engine;
    const struct session_plan plan = {
        .config = &engine->weights.config,
        .format = engine->format,
        .has_pooler = engine->weights.pooler.panels != NULL,
        .max_tokens = max_tokens,
        .worker_count = bert_pool_threads(engine->pool),
    };
    struct status status = session_room_create(&plan, &session->room);
    if (status_is_ok(&status))
        *ret_session = session;
    else
        session_destroy(session);
    return status;
}

static struct status session_run(void *pointer, const struct bert_batch *batch, const struct bert_results *results) {
    struct cpu_session *session = pointer;
    struct forward forward = {
        .kernels = session->engine->kernels,
        .weights = &session->engine->weights,
        .room = &session->room,
        .batch = batch,
        .results = results,
        .positions = batch->position_ids,
        .tokens = batch->offsets[batch->sequence_count],
    };
    thread_pool_enter(session->engine->pool);
    forward_run(&forward, session->engine->pool);
    thread_pool_leave(session->engine->pool);
    heads_run(&forward);
    return status_ok();
}

static const struct device_ops ops = {
    .count = count,
    .check = check,
    .precisions = precisions,
    .suits = suits,
    .resolve = resolve,
    .engine_create = engine_create,
    .engine_destroy = engine_destroy,
    .engine_memory = engine_memory,
    .engine_kernels = engine_kernels,
    .session_create = session_create,
    .session_destroy = session_destroy,
    .session_run = session_run,
};

const struct device_ops *cpu_device(void) {
    return &ops;
}

/* fake_cuda_device.h: a table of CUDA devices for tests, in place of the engine's: two devices that compute on the CPU.
 * A test that includes this defines cuda_device() itself, so the linker takes no other. */
#ifndef INFERD_TESTS_ENGINE_FAKE_CUDA_DEVICE_H
#define INFERD_TESTS_ENGINE_FAKE_CUDA_DEVICE_H

#include <stdlib.h>

#include "engine/cpu_device.h"
#include "engine/cuda/cuda_device.h"

enum { FAKE_DEVICES = 2 };

struct fake_engine {
    void *inner; /* the CPU's */
    int index;
};

/* What was done on each device. */
struct fake_uses {
    int engines, sessions, runs;           /* engines and sessions that live, batches so far */
    bool fails, is_lost;                   /* runs do; for good */
    enum bert_short_batches short_batches; /* of the latest engine, as the next is */
    int64_t bf16_layers;
    int sessions_max;      /* that it has memory for; 0: any */
    size_t session_tokens; /* of the latest session */
    size_t batch_tokens;   /* of the latest run */
};
static struct fake_uses fake_uses[FAKE_DEVICES];
static int fake_heads_max = 1000; /* of models on either */

struct fake_session {
    void *inner;
    int index;
};

static int fake_count(void) {
    return FAKE_DEVICES;
}

static struct status fake_check(int index) {
    return index >= 0 && index < FAKE_DEVICES
               ? status_ok()
               : status_error(STATUS_UNSUPPORTED, "this machine has no CUDA device %d: it has %d, from 0 on", index,
                              FAKE_DEVICES);
}

/* The second is the older one. */
static unsigned fake_precisions(int index) {
    unsigned all = 1U << BERT_PRECISION_FP32 | 1U << BERT_PRECISION_BF16 | 1U << BERT_PRECISION_FP16;
    return index == 0 ? all | 1U << BERT_PRECISION_FP8 : all;
}

/* Models of few enough heads. */
static struct status fake_suits(const struct bert_config *config) {
    return config->head_count <= fake_heads_max
               ? status_ok()
               : status_error(STATUS_UNSUPPORTED, "the GPU has %d heads at most", fake_heads_max);
}

static struct status fake_resolve(struct bert_engine_options *options) {
    if (options->isa != BERT_ISA_AUTO)
        return status_error(STATUS_INVALID_ARGUMENT, "a GPU has no instruction set '%s'", bert_isa_text(options->isa));
    if (options->precision == BERT_PRECISION_AUTO)
        options->precision = BERT_PRECISION_FP16;
    return status_ok();
}

static struct status fake_engine_create(const struct bert_checkpoint *checkpoint,
                                        const struct bert_engine_options *options, struct bert_pool *pool,
                                        void **ret_engine) {
    struct bert_engine_options inner = {.precision = BERT_PRECISION_FP32, .isa = BERT_ISA_REFERENCE};
    struct fake_engine *engine = calloc(1, sizeof *engine);
    engine->index = options->device.index;
    fake_uses[engine->index].short_batches = options->short_batches;
    fake_uses[engine->index].bf16_layers = options->bf16_layers;
    STATUS_TRY(cpu_device()->engine_create(checkpoint, &inner, pool, &engine->inner));
    fake_uses[engine->index].engines++;
    *ret_engine = engine;
    return status_ok();
}

static void fake_engine_destroy(void *pointer) {
    struct fake_engine *engine = pointer;
    fake_uses[engine->index].engines--;
    cpu_device()->engine_destroy(engine->inner);
    free(engine);
}

static size_t fake_engine_memory(const void *engine) {
    return cpu_device()->engine_memory(((const struct fake_engine *)engine)->inner) + 1;
}

static const char *fake_engine_kernels(const void *engine) {
    (void)engine;
    return "fake";
}

static bool fake_engine_is_lost(const void *engine) {
    return fake_uses[((const struct fake_engine *)engine)->index].is_lost;
}

static struct status fake_session_create(const void *pointer, size_t max_tokens, void **ret_session) {
    const struct fake_engine *engine = pointer;
    struct fake_uses *uses = &fake_uses[engine->index];
    if (uses->sessions_max > 0 && uses->sessions >= uses->sessions_max)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory on the GPU");
    struct fake_session *session = calloc(1, sizeof *session);
    uses->session_tokens = max_tokens;
    session->index = engine->index;
    STATUS_TRY(cpu_device()->session_create(engine->inner, max_tokens, &session->inner));
    fake_uses[session->index].sessions++;
    *ret_session = session;
    return status_ok();
}

static void fake_session_destroy(void *pointer) {
    struct fake_session *session = pointer;
    fake_uses[session->index].sessions--;
    cpu_device()->session_destroy(session->inner);
    free(session);
}

static struct status fake_session_run(void *pointer, const struct bert_batch *batch,
                                      const struct bert_results *results) {
    struct fake_session *session = pointer;
    fake_uses[session->index].runs++;
    fake_uses[session->index].batch_tokens = batch->offsets[batch->sequence_count];
    if (fake_uses[session->index].fails)
        return status_error(STATUS_INTERNAL, "the GPU has fallen off the bus");
    return cpu_device()->session_run(session->inner, batch, results);
}

const struct device_ops *cuda_device(void) {
    static const struct device_ops ops = {
        .count = fake_count,
        .check = fake_check,
        .precisions = fake_precisions,
        .suits = fake_suits,
        .resolve = fake_resolve,
        .engine_create = fake_engine_create,
        .engine_destroy = fake_engine_destroy,
        .engine_memory = fake_engine_memory,
        .engine_kernels = fake_engine_kernels,
        .engine_is_lost = fake_engine_is_lost,
        .session_create = fake_session_create,
        .session_destroy = fake_session_destroy,
        .session_run = fake_session_run,
    };
    return &ops;
}

#endif

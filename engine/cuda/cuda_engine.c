/* cuda_engine.c: the table of NVIDIA GPUs: which devices there are, what they compute in, engines and sessions. */
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/cuda/cublas_library.h"
#include "engine/cuda/cuda_device.h"
#include "engine/cuda/cuda_driver.h"
#include "engine/cuda/cuda_session.h"
#include "engine/cuda/cuda_status.h"

/* Compute capabilities, major * 10 + minor. */
enum { CAPABILITY_LEAST = 80, CAPABILITY_FP8 = 90, DIMENSION_STEP = CUDA_HIDDEN_STEP };

struct cuda_engine {
    struct cuda_weights weights;
    struct cuda_gemms *gemms;
    struct cuda_short *shorts;
    int device;
    atomic_bool *is_lost; /* [1] sessions set it */
};

/* ---- devices ---- */

static int count(void) {
    int devices = 0;
    return cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

static int capability_of(int index) {
    int major = 0, minor = 0;
    if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index))
        return 0;
    return major * 10 + minor;
}

static struct status check(int index) {
    struct cuda_device_facts device;
    struct cublas_library library;
    int devices;
    STATUS_TRY(cuda_driver_find(index, &device));
    if (device.major * 10 + device.minor < CAPABILITY_LEAST)
        return cuda_driver_refuse(index, &device, "the engine needs compute capability 8.0 or more");
    cudaError_t error = cudaGetDeviceCount(&devices);
    if (error)
        return cuda_driver_refuse(index, &device, cudaGetErrorString(error));
    struct status cublas = cublas_library_open(&library);
    return status_is_ok(&cublas) ? cublas : cuda_driver_refuse(index, &device, cublas.message);
}

static unsigned precisions(int index) {
    unsigned bits = 1U << BERT_PRECISION_BF16 | 1U << BERT_PRECISION_FP16;
    return capability_of(index) >= CAPABILITY_FP8 ? bits | 1U << BERT_PRECISION_FP8 : bits;
}

static struct status resolve(struct bert_engine_options *options) {
    if (options->isa != BERT_ISA_AUTO)
        return status_error(STATUS_INVALID_ARGUMENT, "a GPU has no instruction set %s: leave it auto",
                            bert_isa_text(options->isa));
    if (options->precision == BERT_PRECISION_AUTO)
        options->precision = BERT_PRECISION_BF16;
    return status_ok();
}

/* ---- engines ---- */

/* What the kernels and the alignment of matrices need. */
static struct status suits(const struct bert_config *config) {
    const int64_t head_size = config->hidden_size / config->head_count;
    if (!cuda_kernels_have_head((int)head_size))
        return status_error(STATUS_UNSUPPORTED,
                            "on a GPU heads have 16, 32 or 64 numbers; the model's have %lld: write 'kind: KIND_CPU'",
                            (long long)head_size);
    if (config->hidden_size % DIMENSION_STEP || config->intermediate_size % DIMENSION_STEP ||
        config->hidden_size > CUDA_HIDDEN_MAX)
        return status_error(STATUS_UNSUPPORTED,
                            "on a GPU hidden and intermediate sizes are multiples of %d, and the hidden size at most "
                            "%d; the model has %lld and %lld: write 'kind: KIND_CPU'",
                            DIMENSION_STEP, CUDA_HIDDEN_MAX, (long long)config->hidden_size,
                            (long long)config->intermediate_size);
    if (config->label_count > CUDA_OUTPUTS_MAX)
        return status_error(STATUS_UNSUPPORTED,
                            "on a GPU a classifier has at most %d labels; the model has %lld: write 'kind: KIND_CPU'",
                            CUDA_OUTPUTS_MAX, (long long)config->label_count);
    return status_ok();
}

static void engine_destroy(void *pointer) {
    struct cuda_engine *engine = pointer;
    if (engine->gemms || engine->weights.block) /* else the device was never touched, and need not be now */
        (void)cudaSetDevice(engine->device);
    cuda_short_destroy(engine->shorts);
    cuda_gemms_destroy(engine->gemms);
    cuda_weights_free(&engine->weights);
    free(engine->is_lost);
    free(engine);
}

/* The first layer in fp8; the count of layers where none is. */
static struct status find_fp8(const struct bert_config *config, const struct bert_engine_options *options,
                              int64_t *ret) {
    *ret = options->precision == BERT_PRECISION_FP8 ? options->bf16_layers : config->layer_count;
    if (options->bf16_layers >= config->layer_count)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%lld layers in bf16: of the model's %lld at least one must be left for fp8",
                            (long long)options->bf16_layers, (long long)config->layer_count);
    return status_ok();
}

static struct status fill(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                          struct cuda_engine *engine) {
    const struct bert_config *config = bert_checkpoint_config(checkpoint);
    const enum cuda_number number = options->precision == BERT_PRECISION_FP16 ? CUDA_FP16 : CUDA_BF16;
    int64_t fp8_from;
    STATUS_TRY(suits(config));
    STATUS_TRY(find_fp8(config, options, &fp8_from));
    engine->is_lost = calloc(1, sizeof *engine->is_lost);
    if (!engine->is_lost)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    CUDA_TRY(cudaSetDevice(engine->device));
    STATUS_TRY(cuda_gemms_create(&engine->weights, &engine->gemms));
    STATUS_TRY(cuda_weights_create(checkpoint, number, fp8_from, &engine->weights));
    return cuda_short_create(&engine->weights, options->short_batches, &engine->shorts);
}

static struct status engine_create(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                                   struct bert_pool *pool, void **ret_engine) {
    (void)pool;
    struct cuda_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    engine->device = options->device.index;
    struct status status = fill(checkpoint, options, engine);
    if (status_is_ok(&status)) {
        *ret_engine = engine;
    } else {
        engine_destroy(engine);
        (void)cudaGetLastError(); /* it has been told, and is not the next call's */
    }
    return status;
}

static size_t engine_memory(const void *engine) {
    return ((const struct cuda_engine *)engine)->weights.block_size;
}

static const char *engine_kernels(const void *engine) {
    (void)engine;
    return "cuda";
}

static bool engine_is_lost(const void *pointer) {
    return atomic_load(((const struct cuda_engine *)pointer)->is_lost);
}

/* ---- sessions ---- */

static struct status session_create(const void *pointer, size_t max_tokens, void **ret_session) {
    const struct cuda_engine *engine = pointer;
    struct cuda_session *session = NULL;
    const struct cuda_session_parts parts = {&engine->weights, engine->gemms, engine->shorts, engine->is_lost,
                                             engine->device};
    struct status status = cuda_session_create(&parts, max_tokens, &session);
    *ret_session = session;
    return status;
}

static void session_destroy(void *session) {
    cuda_session_destroy(session);
}

static struct status session_run(void *session, const struct bert_batch *batch, const struct bert_results *results) {
    return cuda_session_run(session, batch, results);
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
    .engine_is_lost = engine_is_lost,
    .session_create = session_create,
    .session_destroy = session_destroy,
    .session_run = session_run,
};

const struct device_ops *cuda_device(void) {
    return &ops;
}

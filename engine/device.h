/* device.h: what a kind of device offers to the engine: the one boundary between bert_engine.c, which knows names,
 * limits and what a batch must be like, and the code that computes.
 *
 * The CPU's table is in cpu_device.c, over kernels/ and model/; CUDA's is in cuda/. What a device is given has been
 * checked: options are resolved and possible, a batch has a sequence and fits the session and the model, and results
 * that no head gives are not asked for.
 * Thread: as bert_engine.h has it: an engine is used by any number of threads at once, a session by one at a time.
 */
#ifndef INFERD_ENGINE_DEVICE_H
#define INFERD_ENGINE_DEVICE_H

#include "engine/bert_engine.h"

struct device_ops {
    /* bert_device_count and bert_device_check. A table whose count is 0 and whose check always fails needs no more. */
    int (*count)(void);
    struct status (*check)(int index);

    /* Bits 1 << enum bert_precision that device `index` computes in, without AUTO. */
    unsigned (*precisions)(int index);
    /* bert_device_suits. */
    struct status (*suits)(const struct bert_config *config);
    /* Puts definite values in place of AUTO. INVALID_ARGUMENT for options that are not of this kind of device. */
    struct status (*resolve)(struct bert_engine_options *options);

    /* Brings the weights to the device. `pool` is for those that compute on the CPU's threads. */
    struct status (*engine_create)(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                                   struct bert_pool *pool, void **ret_engine);
    void (*engine_destroy)(void *engine);
    size_t (*engine_memory)(const void *engine);
    const char *(*engine_kernels)(const void *engine);
    bool (*engine_is_lost)(const void *engine); /* NULL: never */

    /* Takes all memory that batches of up to max_tokens need. */
    struct status (*session_create)(const void *engine, size_t max_tokens, void **ret_session);
    void (*session_destroy)(void *session);
    /* batch->position_ids is set. */
    struct status (*session_run)(void *session, const struct bert_batch *batch, const struct bert_results *results);
};

#endif

/* bert_engine.h: a BERT encoder, usable by itself: a checkpoint and runs of tokens in, numbers out.
 *
 * A batch is ragged: the tokens of all sequences one behind the other, and where each begins. No sequence is padded,
 * and what comes out for a sequence is the same, bit by bit, whatever else is in the batch and however many threads
 * there are; it may differ between instruction sets and between devices. On a GPU the other sequences of a batch may
 * change it by as much as rounding does; the same batch gives the same while the engine lives, and maybe not from
 * another engine, since what is faster is found out by each.
 *
 *   struct bert_pool *pool;        the CPU's threads; any number of engines use one
 *   struct bert_engine *engine;    the weights, packed for one precision, on one device
 *   struct bert_session *session;  room for one batch at a time
 *
 * Thread: pool and engine may be used by any number of threads at once, a session by one at a time. Sessions that run
 * at the same time get the pool in the order in which they asked, one whole batch each.
 */
#ifndef INFERD_ENGINE_BERT_ENGINE_H
#define INFERD_ENGINE_BERT_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "checkpoint/bert_checkpoint.h"

struct bert_pool;
struct bert_engine;
struct bert_session;

/* What the matrix products are computed in; everything else is float on the CPU. Not every device has all of them: the
 * CPU has FP32, BF16 and INT8, a GPU BF16, FP16 and most FP8.
 * AUTO: bf16 on a GPU and where the CPU multiplies bf16, else fp32; never int8 or fp8, whose answers differ more. */
enum bert_precision {
    BERT_PRECISION_AUTO,
    BERT_PRECISION_FP32,
    BERT_PRECISION_BF16,
    BERT_PRECISION_INT8,
    BERT_PRECISION_FP16,
    BERT_PRECISION_FP8,
    BERT_PRECISION_COUNT
};

/* Of the CPU. AUTO: the best that it has. REFERENCE is plain C; AVX512 includes VNNI. Every precision of the CPU works
 * with each. */
enum bert_isa { BERT_ISA_AUTO, BERT_ISA_REFERENCE, BERT_ISA_AVX2, BERT_ISA_AVX512, BERT_ISA_AVX512_BF16 };

/* How a GPU computes batches of up to 256 tokens, in bf16 or fp16: as graphs of many kernels, in one kernel that stays
 * (PERSISTENT), or (AUTO) in whichever is found to be faster when sessions are made. On the CPU the first two are the
 * same. */
enum bert_short_batches { BERT_SHORT_GRAPHS, BERT_SHORT_AUTO, BERT_SHORT_PERSISTENT };

/* Where an engine has its weights and computes. */
enum bert_device_kind { BERT_DEVICE_CPU, BERT_DEVICE_CUDA };
struct bert_device {
    enum bert_device_kind kind;
    int index; /* of CUDA: the driver's number of the device; the CPU is 0 */
};

/* "auto", "fp32", ... and "auto", "reference", "avx2", "avx512", "avx512_bf16". Never NULL. */
const char *bert_precision_text(enum bert_precision precision);
const char *bert_isa_text(enum bert_isa isa);
/* The other way; false when the text is none of them. Short batches: "graphs", "auto", "persistent". */
bool bert_precision_parse(const char *text, enum bert_precision *ret);
bool bert_isa_parse(const char *text, enum bert_isa *ret);
bool bert_short_batches_parse(const char *text, enum bert_short_batches *ret);
/* "auto, fp32, bf16, ...", for messages: every precision that some device may have. */
void bert_precision_list(char *text, size_t size);

/* How many devices of a kind engines can be made on. 1 CPU; no CUDA device in a build without CUDA. The first time may
 * start the driver. */
int bert_device_count(enum bert_device_kind kind);
/* Whether engines can be made on it. UNSUPPORTED tells what is missing: CUDA in this build, a driver, that device. May
 * ask the driver. */
struct status bert_device_check(const struct bert_device *device) STATUS_MUST_CHECK;

/* Whether it computes models of that shape. UNSUPPORTED as bert_device_check, or tells what it does not have. */
struct status bert_device_suits(const struct bert_device *device, const struct bert_config *config) STATUS_MUST_CHECK;

/* threads: that compute a batch, the calling one among them; 0: as many as CPUs that this process may use.
 * RESOURCE_EXHAUSTED. */
struct status bert_pool_create(int threads, struct bert_pool **ret) STATUS_MUST_CHECK;
void bert_pool_destroy(struct bert_pool *pool); /* accepts NULL; no session runs any more */
int bert_pool_threads(const struct bert_pool *pool);

struct bert_engine_options {
    enum bert_precision precision;
    int64_t bf16_layers; /* of fp8: how many layers, from the first on, compute in bf16; else 0 */
    enum bert_isa isa;
    enum bert_short_batches short_batches;
    struct bert_device device;
};

/* Puts in place of AUTO what the device makes of it; alike options make alike engines. UNSUPPORTED: as
 * bert_device_check, or the device does not have the precision or the instruction set; says which it has.
 * INVALID_ARGUMENT: layers in bf16, and the precision is not fp8. */
struct status bert_engine_resolve(struct bert_engine_options *options) STATUS_MUST_CHECK;
/* Packs the weights; the checkpoint may be closed afterwards. The pool must outlive the engine.
 * Errors: as bert_engine_resolve; INVALID_ARGUMENT for a number that is too large for the precision, or layers in bf16
 * that leave none for fp8; RESOURCE_EXHAUSTED. */
struct status bert_engine_create(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                                 struct bert_pool *pool, struct bert_engine **ret) STATUS_MUST_CHECK;
void bert_engine_destroy(struct bert_engine *engine); /* accepts NULL; all its sessions are gone */
const struct bert_config *bert_engine_config(const struct bert_engine *engine);
/* What AUTO became. */
enum bert_precision bert_engine_precision(const struct bert_engine *engine);
int64_t bert_engine_bf16_layers(const struct bert_engine *engine);
/* The name of the kernels; the CPU's are named as bert_isa_text has it. */
const char *bert_engine_kernels(const struct bert_engine *engine);
/* Whether the checkpoint has the head; what the heads are for is told at enum bert_head. */
bool bert_engine_has(const struct bert_engine *engine, enum bert_head head);
struct bert_device bert_engine_device(const struct bert_engine *engine);
/* A batch has met a fault of the device itself, after which it computes nothing for this process any more. Thread: any.
 */
bool bert_engine_is_lost(const struct bert_engine *engine);
/* Bytes of packed weights, on the device. */
size_t bert_engine_memory(const struct bert_engine *engine);

/* max_tokens: most that a batch may have, 1..1,000,000. All memory is taken here. The engine must outlive the session.
 * RESOURCE_EXHAUSTED, INVALID_ARGUMENT. */
struct status bert_session_create(const struct bert_engine *engine, size_t max_tokens,
                                  struct bert_session **ret) STATUS_MUST_CHECK;
void bert_session_destroy(struct bert_session *session); /* accepts NULL */

struct bert_batch {
    size_t sequence_count;
    const uint32_t
        *offsets; /* [sequence_count + 1], ascending from 0; sequence i is tokens offsets[i] .. offsets[i + 1] */
    const int32_t *token_ids;    /* [T] */
    const int32_t *segment_ids;  /* [T], or NULL: all 0 */
    const int32_t *position_ids; /* [T], or NULL: 0, 1, ... in each sequence */
};

/* Where results go; NULL for what is not wanted. What needs a head that the model has not is not written. */
struct bert_results {
    float *starts, *ends; /* [T] logits of the span head; both or none */
    float *hidden;        /* [T][H] the last layer's output */
    float *mean;          /* [sequence_count][H] its mean over a sequence's tokens: a sentence embedding */
    float *first;         /* [sequence_count][H] its first row */
    float *pooled;        /* [sequence_count][H] of the pooler */
    float *labels;        /* [sequence_count][config's label_count] logits of the classifier */
};

/* Whether the engine can run the batch, if a session has room for it. Errors: INVALID_ARGUMENT as below. */
struct status bert_engine_check(const struct bert_engine *engine, const struct bert_batch *batch) STATUS_MUST_CHECK;

/* Errors: INVALID_ARGUMENT for a token, segment or position that the model does not have, a sequence that is empty or
 * longer than its positions, or more tokens than the session has room for; nothing is computed then. A device may fail
 * in ways of its own; the CPU does not. */
struct status bert_session_run(struct bert_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) STATUS_MUST_CHECK;

#endif

/* compiled_model.h: a model ready to run, and the way back from inferences that fail.
 *
 * Why there is one: the engine (OpenVINO 2026.4) keeps for each node of a stream's graph the shapes that it last ran
 * with, and writes new ones before it knows that the whole graph can take them. After inputs that do not fit together a
 * stream is left with a mixture, and the next request, right in itself, fails, is computed with the wrong shape, or
 * ends the process. So:
 *   - shapes of a kind that has run before (shape_guard.h) run at once, on all streams side by side;
 *   - others are first tried on the model's description, which costs milliseconds and changes nothing that runs, and
 * then run alone;
 *   - a compiled model in which an inference has failed is thrown away and compiled anew before anything else runs;
 * what ran beside it is computed again. Shapes that are all fixed need no trial. But inside a model shapes may follow
 * from the inputs' values, which no trial shows: a model whose outputs tell that they do, or in which shapes that had
 * been tried have failed, runs one inference at a time, on one stream with all threads. */
#ifndef INFERD_BACKENDS_OPENVINO_COMPILED_MODEL_H
#define INFERD_BACKENDS_OPENVINO_COMPILED_MODEL_H

#include <stdatomic.h>

#include "backends/openvino/model_ports.h"
#include "backends/openvino/shape_guard.h"

struct compiled_settings {
    const char *precision; /* the engine's word: "f32", "bf16" */
    int streams;           /* inferences side by side */
    int threads;           /* of all streams together */
};

/* The shape of one engine input. */
struct engine_shape {
    int64_t dims[TENSOR_RANK_MAX];
    int rank;
};

struct shape_trial;

struct compiled_model {
    const ov_core_t *core;
    struct compiled_settings settings;
    ov_model_t *file; /* owned; when dynamic its shapes are changed by trying */
    bool dynamic;
    /* Only when dynamic: */
    ov_partial_shape_t *shapes; /* owned; as the file has them, one an input */
    size_t input_count;
    struct shape_trial *trial; /* the arena's; what try_shapes needs */
    struct shape_guard guard;
    /* Always again: */
    pthread_rwlock_t lock; /* read: inferences; write: those that may fail, and compiling */
    /* Under lock: */
    ov_compiled_model_t *compiled; /* owned; NULL after a failed attempt to compile anew */
    uint64_t generation;
    atomic_bool has_failed; /* an inference of this generation has */
    bool is_alone;          /* one inference at a time: values may make it fail */
};

/* An instance's place in the engine: the engine's request, of one generation. */
struct compiled_request {
    ov_infer_request_t *engine; /* owned; NULL at first */
    uint64_t generation;
};

/* How an inference was entered. */
struct compiled_pass {
    bool alone;
};

/* Takes `file` over, also when it fails. Memory of the arena is used up to the end. */
struct status compiled_model_create(const ov_core_t *core, ov_model_t *file, const struct model_ports *ports,
                                    const struct compiled_settings *settings, struct arena *arena,
                                    struct compiled_model *ret) STATUS_MUST_CHECK;
void compiled_model_destroy(struct compiled_model *model); /* accepts a zeroed one */

/* Begins an inference, beside others or alone: waits for its turn and brings `request` up to date. INVALID_ARGUMENT
 * when the model cannot take the shapes; then there is nothing to leave. `shapes` has one row for each engine input;
 * scratch holds compiled_model_width numbers and is kept until compiled_model_leave. The pass tells whether it is
 * alone: it may be unasked. */
struct status compiled_model_enter(struct compiled_model *model, const struct engine_shape *shapes, int64_t *scratch,
                                   struct compiled_request *request, struct compiled_pass *pass) STATUS_MUST_CHECK;
/* Ends it. The request's outputs stay readable. False: it succeeded beside one that failed, so that its outputs may be
 * wrong; it must be run again, alone. */
bool compiled_model_leave(struct compiled_model *model, const int64_t *scratch, const struct compiled_pass *pass,
                          bool succeeded) STATUS_MUST_CHECK;

size_t compiled_model_width(size_t input_count);
void compiled_request_release(struct compiled_request *request);

#endif

/* compiled_model.h: a model ready to run for one instance: a stream (a set of threads with working memory of its own)
 * and the engine's request.
 *
 * Why each instance has its own: the engine (OpenVINO 2026.4) keeps for each node of a stream's graph the shapes that
 * it last ran with, and writes new ones before it knows that the whole graph can take them. After an inference that
 * failed half-way a stream is left with a mixture, and the next one, right in itself, fails, is computed with the wrong
 * shape, or ends the process. Only who used a stream alone knows that in time; it throws the stream away (has_failed).
 */
#ifndef INFERD_BACKENDS_OPENVINO_COMPILED_MODEL_H
#define INFERD_BACKENDS_OPENVINO_COMPILED_MODEL_H

#include <openvino/c/openvino.h>

#include "base/status.h"

struct compiled_settings {
    const char *precision; /* the engine's word: "f32", "bf16" */
    int threads;           /* of an instance */
};

struct compiled_model {
    ov_compiled_model_t *compiled; /* owned; NULL: is to be compiled */
    ov_infer_request_t *request;   /* owned */
};

/* INVALID_ARGUMENT: the engine cannot compile it. Thread: any, but one at a time for a file. */
struct status compiled_model_create(const ov_core_t *core, const ov_model_t *file,
                                    const struct compiled_settings *settings,
                                    struct compiled_model *ret) STATUS_MUST_CHECK;
/* Accepts a zeroed one, and leaves one. */
void compiled_model_destroy(struct compiled_model *model);

/* Runs the request, whose inputs have been set, and waits. INTERNAL: it has failed, and the model must not be used
 * again. */
struct status compiled_model_run(struct compiled_model *model) STATUS_MUST_CHECK;

#endif

/* openvino_model.h: a model version in the engine: read, checked, compiled; and the engine itself, shared by all
 * models.
 *
 * One compiled model serves all instances of a version: it has one stream (a set of threads with working memory of its
 * own) for each, and the weights once. */
#ifndef INFERD_BACKENDS_OPENVINO_OPENVINO_MODEL_H
#define INFERD_BACKENDS_OPENVINO_OPENVINO_MODEL_H

#include "backends/openvino/compiled_model.h"
#include "backends/openvino/port_binding.h"
#include "core/backend.h"

struct openvino_model {
    struct arena *arena; /* owned; the bindings */
    const struct model_config *config;
    struct port_binding binding;
    struct compiled_model compiled;
    int64_t max_variable_dim; /* largest variable dimension that a request may have; 0: no limit */
    const char *precision;    /* what it computes in, for the log */
};

/* The functions of struct backend_ops (core/backend.h); a backend is an ov_core_t. */
struct status openvino_model_initialize(void **ret_backend) STATUS_MUST_CHECK;
void openvino_model_finalize(void *backend);
struct status openvino_model_complete_config(void *backend, struct model_config *config,
                                             const char *version_directory) STATUS_MUST_CHECK;
struct status openvino_model_load(void *backend, const struct backend_model_args *args,
                                  void **ret_model) STATUS_MUST_CHECK;
void openvino_model_describe(const void *model, const struct instance_place *place, char *text, size_t size);
void openvino_model_unload(void *model);

#endif

/* openvino_model.h: a model version in the engine: read and checked, and compiled for each instance; and the engine
 * itself, shared by all models. */
#ifndef INFERD_BACKENDS_OPENVINO_OPENVINO_MODEL_H
#define INFERD_BACKENDS_OPENVINO_OPENVINO_MODEL_H

#include "backends/openvino/compiled_model.h"
#include "backends/openvino/model_file.h"
#include "backends/openvino/port_binding.h"
#include "backends/openvino/shape_trial.h"
#include "base/file.h"
#include "core/backend.h"

struct openvino_model {
    struct arena *arena; /* owned; the bindings */
    const struct model_config *config;
    const ov_core_t *core;
    const char *version_directory;
    struct file_stamp stamp; /* of the file as it was read */
    struct port_binding binding;
    struct compiled_settings settings;
    struct shape_trial trial;
    int instance_count;
    int64_t max_variable_dim; /* largest variable dimension that a request may have; 0: no limit */
    const char *precision;    /* what it computes in, for the log */
};

/* For an instance, from the file as it was loaded. INVALID_ARGUMENT, INTERNAL: the engine cannot compile it;
 * UNAVAILABLE: the file had to be read again, and is another one now. Thread: any. */
struct status openvino_model_compile(struct openvino_model *model, struct compiled_model *ret) STATUS_MUST_CHECK;

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

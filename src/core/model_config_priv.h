/* model_config_priv.h: the steps of model_config_finish, in their order; private to core/model_config*.c. Each takes
 * the config after the steps before it. */
#ifndef INFERD_CORE_MODEL_CONFIG_PRIV_H
#define INFERD_CORE_MODEL_CONFIG_PRIV_H

#include "core/model_config.h"

/* INVALID_ARGUMENT "model 'm': config.pbtxt:12: <path>: <text>"; file and line only where `path` was written in a file.
 * path is "instance_group[0].kind", or NULL when no field is to blame. */
struct status model_config_error(const struct model_config *config, const char *path, const char *format, ...)
    STATUS_PRINTF(3, 4);
struct status model_config_no_memory(const struct model_config *config);

/* A row of the engines' conventional names. */
struct model_platform {
    const char *platform;
    const char *backend;
    const char *filename; /* default_model_filename, or NULL */
};
/* By any of the three names; NULL when there is none. */
const struct model_platform *model_platform_by_name(struct slice platform);
const struct model_platform *model_platform_by_backend(struct slice backend);
const struct model_platform *model_platform_by_filename(struct slice filename);
/* "onnxruntime_onnx, tensorflow_savedmodel, ...", into text. */
void model_platform_names(char *text, size_t size);

/* model_config_refuse.c: fails on the first field that is set and not implemented. */
struct status model_config_refuse_unimplemented(const struct model_config *config) STATUS_MUST_CHECK;
/* model_config_normalise.c: name, backend, platform, instance groups, policies: checked, and defaults put into the
 * message. */
struct status model_config_normalise(struct model_config *config, const struct model_gpus *gpus) STATUS_MUST_CHECK;
/* model_config_instances.c: the same of instance groups alone, and config->instances. */
struct status model_config_place_instances(struct model_config *config,
                                           const struct model_gpus *gpus) STATUS_MUST_CHECK;
/* model_config_tensors.c: checks input and output of the message and makes config->inputs and config->outputs. */
struct status model_config_derive_tensors(struct model_config *config) STATUS_MUST_CHECK;

#endif

/* model_file.h: which file of a version folder holds the model, and is it safe to hand to the engine?
 *
 * ONNX `model.onnx`, a TensorFlow SavedModel folder `model.savedmodel`, or OpenVINO's own `model.xml` with `model.bin`.
 */
#ifndef INFERD_BACKENDS_OPENVINO_MODEL_FILE_H
#define INFERD_BACKENDS_OPENVINO_MODEL_FILE_H

#include "core/model_config.h"

/* The path, in the arena. default_model_filename of the config decides when given (a plain name), else the config's
 * backend (or its platform's), else what is there. NOT_FOUND tells what was looked for; INVALID_ARGUMENT when several
 * would do. */
struct status model_file_find(const struct model_config *config, const char *version_directory, struct arena *arena,
                              const char **ret_path) STATUS_MUST_CHECK;

/* Checks what the engine itself does not: the weights of a SavedModel (index and checksums). DATA_LOSS,
 * INVALID_ARGUMENT. */
struct status model_file_check(const char *path, struct arena *arena) STATUS_MUST_CHECK;

#endif

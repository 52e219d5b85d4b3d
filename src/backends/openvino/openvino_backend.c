/* The table that the plug-in inferd_backend_openvino.so shows to the server: ONNX, TensorFlow SavedModel and IR models
 * on the CPU, through OpenVINO's C API. */
#include "backends/openvino/openvino_instance.h"
#include "backends/openvino/openvino_model.h"

#ifndef INFERD_OPENVINO_VERSION
#define INFERD_OPENVINO_VERSION "of an unknown version"
#endif

__attribute__((visibility("default"))) const struct backend_ops *inferd_backend(void);

static const struct backend_ops ops = {
    .api_version = BACKEND_API_VERSION,
    .name = "openvino",
    .description = "OpenVINO " INFERD_OPENVINO_VERSION " on the CPU: ONNX, TensorFlow SavedModel, IR",
    .initialize = openvino_model_initialize,
    .finalize = openvino_model_finalize,
    .complete_config = openvino_model_complete_config,
    .load = openvino_model_load,
    .unload = openvino_model_unload,
    .describe = openvino_model_describe,
    .instance_create = openvino_instance_create,
    .instance_destroy = openvino_instance_destroy,
    .execute = openvino_instance_execute,
};

const struct backend_ops *inferd_backend(void) {
    return &ops;
}

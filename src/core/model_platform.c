/* The conventional names that tie a platform to its backend and its model file, as in Triton's documentation. */
#include <stdio.h>

#include "core/model_config_priv.h"

static const struct model_platform platforms[] = {
    {"onnxruntime_onnx", "onnxruntime", "model.onnx"},
    {"tensorflow_savedmodel", "tensorflow", "model.savedmodel"},
    {"openvino", "openvino", "model.xml"},
    {"bert", "bert", NULL},
    {"identity", "identity", NULL},
};

enum { PLATFORM_COUNT = sizeof platforms / sizeof platforms[0] };

const struct model_platform *model_platform_by_name(struct slice platform) {
    for (size_t i = 0; i < PLATFORM_COUNT; i++)
        if (slice_equal_text(platform, platforms[i].platform))
            return &platforms[i];
    return NULL;
}

const struct model_platform *model_platform_by_backend(struct slice backend) {
    for (size_t i = 0; i < PLATFORM_COUNT; i++)
        if (slice_equal_text(backend, platforms[i].backend))
            return &platforms[i];
    return NULL;
}

const struct model_platform *model_platform_by_filename(struct slice filename) {
    for (size_t i = 0; i < PLATFORM_COUNT; i++)
        if (platforms[i].filename && slice_equal_text(filename, platforms[i].filename))
            return &platforms[i];
    return NULL;
}

void model_platform_names(char *text, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < PLATFORM_COUNT && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", platforms[i].platform);
}

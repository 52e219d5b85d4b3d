#include "backends/openvino/compiled_model.h"

#include <stdio.h>

#include "backends/openvino/engine_error.h"

enum {
    /* Kernels that a stream keeps for shapes it has seen. A BERT takes about eight a shape; the engine's own default of
     * 5000 lets a small encoder grow by hundreds of MB when its clients' lengths vary. */
    KERNEL_CACHE_CAPACITY = 2048
};

/* No pinning, since models and processes share the cores. */
static struct status compile(const ov_core_t *core, const ov_model_t *file, const struct compiled_settings *settings,
                             ov_compiled_model_t **ret) {
    char threads[16], cache[16];
    snprintf(threads, sizeof threads, "%d", settings->threads);
    snprintf(cache, sizeof cache, "%d", KERNEL_CACHE_CAPACITY);
    const ov_property_t properties[] = {
        {ov_property_key_hint_inference_precision, settings->precision},
        {ov_property_key_num_streams, "1"},
        {ov_property_key_inference_num_threads, threads},
        {ov_property_key_hint_enable_cpu_pinning, "NO"},
        {"CPU_RUNTIME_CACHE_CAPACITY", cache},
    };
    ov_status_e result =
        ov_core_compile_model_props(core, file, "CPU", sizeof properties / sizeof *properties, properties, ret);
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "cannot compile the model");
    return status_ok();
}

struct status compiled_model_create(const ov_core_t *core, const ov_model_t *file,
                                    const struct compiled_settings *settings, struct compiled_model *ret) {
    *ret = (struct compiled_model){0};
    STATUS_TRY(compile(core, file, settings, &ret->compiled));
    ov_status_e result = ov_compiled_model_create_infer_request(ret->compiled, &ret->request);
    if (result == OK)
        return status_ok();
    compiled_model_destroy(ret);
    return engine_error(result, STATUS_INTERNAL, "cannot create an inference request");
}

void compiled_model_destroy(struct compiled_model *model) {
    ov_infer_request_free(model->request);
    ov_compiled_model_free(model->compiled);
    *model = (struct compiled_model){0};
}

/* The engine's call that starts and waits on this thread would do for requests that are right; but with one thread a
 * stream, shapes that do not fit together made it answer as if all were well, or end the process (OpenVINO 2026.4). */
struct status compiled_model_run(struct compiled_model *model) {
    ov_status_e result = ov_infer_request_start_async(model->request);
    if (result == OK)
        result = ov_infer_request_wait(model->request);
    if (result != OK)
        return engine_error(result, STATUS_INTERNAL, "inference failed");
    return status_ok();
}

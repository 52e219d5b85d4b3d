/* openvino_instance.h: one execution instance: gathers a batch into the engine's inputs, runs it, scatters the outputs.
 *
 * Thread: one batch at a time per instance; instances run beside each other. */
#ifndef INFERD_BACKENDS_OPENVINO_OPENVINO_INSTANCE_H
#define INFERD_BACKENDS_OPENVINO_OPENVINO_INSTANCE_H

#include "core/backend.h"

/* The functions of struct backend_ops (core/backend.h); a model is a struct openvino_model. */
struct status openvino_instance_create(void *model, int index, void **ret_instance) STATUS_MUST_CHECK;
void openvino_instance_destroy(void *instance);
struct status openvino_instance_execute(void *instance, const struct backend_batch *batch,
                                        struct backend_times *ret_times) STATUS_MUST_CHECK;

#endif

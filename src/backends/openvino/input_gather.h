/* input_gather.h: the requests of a batch -> one engine tensor for each engine input.
 *
 * A batch of one request is handed over where it lies; more are copied into one buffer, row behind row. */
#ifndef INFERD_BACKENDS_OPENVINO_INPUT_GATHER_H
#define INFERD_BACKENDS_OPENVINO_INPUT_GATHER_H

#include "backends/openvino/port_binding.h"
#include "backends/openvino/shape_trial.h"
#include "core/backend.h"

/* Reused from batch to batch; grows to the largest one. */
struct gather_buffer {
    char *data; /* aligned for vectors */
    size_t capacity;
};
void gather_buffer_free(struct gather_buffer *buffer);

/* What the engine is to get for one of its inputs. The data is the batch's or the buffer's. */
struct gathered_input {
    struct engine_shape *shape;
    void *data;
    bool absent; /* an optional input that was left out */
};

/* Fills ret->shape and the rest. The batch's tensors must stay where they are until the inference is done.
 * INVALID_ARGUMENT for requests at fault, RESOURCE_EXHAUSTED. */
struct status input_gather(const struct input_binding *binding, const struct backend_batch *batch, bool batches,
                           struct gather_buffer *buffer, struct gathered_input *ret) STATUS_MUST_CHECK;

/* Hands it to the engine as its input `index`. */
struct status gathered_input_set(const struct gathered_input *input, const struct input_binding *binding, size_t index,
                                 ov_infer_request_t *engine) STATUS_MUST_CHECK;

#endif

#include "backends/openvino/input_gather.h"

#include <stdlib.h>
#include <string.h>

#include "backends/openvino/element_type.h"
#include "backends/openvino/engine_error.h"
#include "backends/openvino/input_range.h"

enum { ALIGNMENT = 64 };

void gather_buffer_free(struct gather_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct gather_buffer){NULL, 0};
}

static struct status reserve(struct gather_buffer *buffer, size_t size) {
    if (size <= buffer->capacity && buffer->data)
        return status_ok();
    size_t capacity;
    if (__builtin_add_overflow(size, (size_t)ALIGNMENT, &capacity))
        return status_error(STATUS_TOO_LARGE, "a batch of %zu bytes is too large", size);
    capacity -= capacity % ALIGNMENT;
    gather_buffer_free(buffer);
    buffer->data = aligned_alloc(ALIGNMENT, capacity);
    if (!buffer->data)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a batch of %zu bytes", size);
    buffer->capacity = capacity;
    return status_ok();
}

/* The core joins only requests that agree in all but the batch dimension; this is the check that it did. */
static bool joins(const struct tensor *first, const struct tensor *next) {
    return first && next && first->rank == next->rank && first->rank > 0 && first->type == next->type &&
           memcmp(first->shape + 1, next->shape + 1, (size_t)(first->rank - 1) * sizeof *first->shape) == 0;
}

static struct status check(const struct tensor *tensor) {
    size_t expected;
    STATUS_TRY(tensor_fixed_size(tensor->type, tensor->shape, tensor->rank, &expected));
    if (expected != tensor->data.size)
        return status_error(STATUS_INVALID_ARGUMENT, "input '%.*s': expected %zu bytes, got %zu",
                            SLICE_ARGS(tensor->name), expected, tensor->data.size);
    if (tensor->memory == MEMORY_DEVICE)
        return status_error(STATUS_UNSUPPORTED, "input '%.*s' lies on a device, and this engine runs on the CPU",
                            SLICE_ARGS(tensor->name));
    return input_range_check(tensor);
}

/* The one tensor where it lies, if its address suits its type. */
static bool in_place(const struct tensor *tensor, struct gathered_input *ret) {
    if (tensor->data.size == 0 || (uintptr_t)tensor->data.data % datatype_size(tensor->type) != 0)
        return false;
    ret->data = (void *)(uintptr_t)tensor->data.data; /* the engine only reads inputs */
    return true;
}

static struct status copy(const struct input_binding *binding, const struct backend_batch *batch, size_t size,
                          struct gather_buffer *buffer, struct gathered_input *ret) {
    size_t used = 0;
    STATUS_TRY(reserve(buffer, size));
    for (size_t i = 0; i < batch->count; i++) {
        const struct tensor *tensor = infer_request_input(batch->requests[i], binding->name);
        if (tensor->data.size > 0)
            memcpy(buffer->data + used, tensor->data.data, tensor->data.size);
        used += tensor->data.size;
    }
    ret->data = buffer->data;
    return status_ok();
}

static struct status gather(const struct input_binding *binding, const struct backend_batch *batch, bool batches,
                            struct gather_buffer *buffer, struct gathered_input *ret) {
    const struct tensor *first = infer_request_input(batch->requests[0], binding->name);
    int64_t rows = 0;
    size_t size = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct tensor *tensor = infer_request_input(batch->requests[i], binding->name);
        if (batch->count > 1 && (!batches || !joins(first, tensor)))
            return status_error(STATUS_INTERNAL, "a batch of requests whose input '%.*s' cannot be joined",
                                SLICE_ARGS(binding->name));
        STATUS_TRY(check(tensor));
        if (__builtin_add_overflow(size, tensor->data.size, &size) ||
            __builtin_add_overflow(rows, tensor->rank > 0 ? tensor->shape[0] : 0, &rows))
            return status_error(STATUS_TOO_LARGE, "a batch whose input '%.*s' is too large", SLICE_ARGS(binding->name));
    }
    ret->shape->rank = binding->scalar ? 0 : first->rank;
    memcpy(ret->shape->dims, first->shape, sizeof ret->shape->dims);
    if (first->rank > 0)
        ret->shape->dims[0] = rows;
    if (batch->count == 1 && in_place(first, ret))
        return status_ok();
    return copy(binding, batch, size, buffer, ret);
}

static struct status gather_absent(const struct input_binding *binding, const struct backend_batch *batch,
                                   struct gather_buffer *buffer, struct gathered_input *ret) {
    for (size_t i = 0; i < batch->count; i++)
        if (infer_request_input(batch->requests[i], binding->name))
            return status_error(STATUS_INTERNAL, "a batch of requests of which some have the input '%.*s'",
                                SLICE_ARGS(binding->name));
    STATUS_TRY(reserve(buffer, 0));
    ret->shape->rank = binding->absent_rank;
    memcpy(ret->shape->dims, binding->absent_shape, sizeof ret->shape->dims);
    ret->data = buffer->data;
    return status_ok();
}

struct status input_gather(const struct input_binding *binding, const struct backend_batch *batch, bool batches,
                           struct gather_buffer *buffer, struct gathered_input *ret) {
    ret->absent = !infer_request_input(batch->requests[0], binding->name);
    return ret->absent ? gather_absent(binding, batch, buffer, ret) : gather(binding, batch, batches, buffer, ret);
}

struct status gathered_input_set(const struct gathered_input *input, const struct input_binding *binding, size_t index,
                                 ov_infer_request_t *engine) {
    ov_tensor_t *tensor = NULL;
    ov_shape_t shape = {input->shape->rank, input->shape->dims};
    ov_status_e result = ov_tensor_create_from_host_ptr(element_type_of(binding->type), shape, input->data, &tensor);
    if (result == OK)
        result = ov_infer_request_set_input_tensor_by_index(engine, index, tensor);
    ov_tensor_free(tensor); /* the engine's request keeps a reference */
    if (result != OK)
        return engine_error(result, STATUS_INVALID_ARGUMENT, "cannot set input '%.*s'", SLICE_ARGS(binding->name));
    return status_ok();
}

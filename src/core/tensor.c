#include "core/tensor.h"

#include <inttypes.h>

#include "codec/shape_text.h"

struct status shape_element_count(const int64_t *shape, int rank, int64_t *ret) {
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0)
            return status_error(STATUS_INVALID_ARGUMENT, "dimension %d of a shape must not be negative, got %" PRId64,
                                i, shape[i]);
        empty |= shape[i] == 0;
    }
    int64_t count = empty ? 0 : 1;
    for (int i = 0; i < rank && !empty; i++)
        if (__builtin_mul_overflow(count, shape[i], &count))
            return status_error(STATUS_INVALID_ARGUMENT, "a shape has more elements than 64 bits can count");
    *ret = count;
    return status_ok();
}

struct status tensor_fixed_size(enum datatype type, const int64_t *shape, int rank, size_t *ret) {
    int64_t count;
    STATUS_TRY(shape_element_count(shape, rank, &count));
    size_t size;
    if (__builtin_mul_overflow((uint64_t)count, datatype_size(type), &size))
        return status_error(STATUS_INVALID_ARGUMENT, "a shape has more bytes than memory can hold");
    *ret = size;
    return status_ok();
}

static uint32_t little_endian_u32(const char *data) {
    const unsigned char *bytes = (const unsigned char *)data;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static struct status check_strings(const struct tensor *tensor, int64_t count) {
    struct slice rest = tensor->data;
    for (int64_t i = 0; i < count; i++) {
        if (rest.size < 4)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "expected %" PRId64 " string elements in tensor '%.*s', got %" PRId64
                                " and %zu bytes where the 4-byte length of the next one must stand",
                                count, SLICE_ARGS(tensor->name), i, rest.size);
        uint32_t length = little_endian_u32(rest.data);
        if (length > rest.size - 4)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "string element %" PRId64 " of tensor '%.*s' is %" PRIu32
                                " bytes long by its length prefix, but only %zu bytes are there",
                                i, SLICE_ARGS(tensor->name), length, rest.size - 4);
        rest.data += 4 + (size_t)length;
        rest.size -= 4 + (size_t)length;
    }
    if (rest.size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "expected %" PRId64 " string elements in tensor '%.*s', got %zu bytes more than they take",
                            count, SLICE_ARGS(tensor->name), rest.size);
    return status_ok();
}

struct status tensor_check_size(const struct tensor *tensor) {
    char shape[128];
    shape_format(tensor->shape, tensor->rank, shape, sizeof shape);
    if (tensor->type == DATATYPE_BYTES) {
        int64_t count;
        struct status status = shape_element_count(tensor->shape, tensor->rank, &count);
        if (!status_is_ok(&status))
            return status_prefix(status, "tensor '%.*s' of shape %s", SLICE_ARGS(tensor->name), shape);
        return tensor->memory == MEMORY_REQUEST ? check_strings(tensor, count) : status_ok();
    }
    size_t size;
    struct status status = tensor_fixed_size(tensor->type, tensor->shape, tensor->rank, &size);
    if (!status_is_ok(&status))
        return status_prefix(status, "tensor '%.*s' of shape %s", SLICE_ARGS(tensor->name), shape);
    if (size != tensor->data.size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "byte size mismatch for tensor '%.*s' of type %s and shape %s: expected %zu, got %zu",
                            SLICE_ARGS(tensor->name), datatype_name(tensor->type), shape, size, tensor->data.size);
    return status_ok();
}

void shape_format(const int64_t *shape, int rank, char *text, size_t size) {
    shape_text(shape, rank, text, size);
}

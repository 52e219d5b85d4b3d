/* client_tensor.c: datatypes of KServe v2 and the size that a tensor must have. */
#include "client/client_tensor.h"

#include <string.h>

#include "codec/json_element.h"

int client_tensor_element_size(struct slice datatype) {
    const struct json_element_kind *kind = json_element_kind_of(datatype);
    return kind != NULL ? (int)kind->size : -1;
}

struct status client_tensor_count(const struct infer_tensor *tensor, size_t *ret) {
    size_t count = 1;
    if (tensor->rank > INFER_TENSOR_RANK_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "tensor '%.*s' has %zu dims, more than %d",
                            SLICE_ARGS(tensor->name), tensor->rank, INFER_TENSOR_RANK_MAX);
    for (size_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] < 0)
            return status_error(STATUS_INVALID_ARGUMENT, "tensor '%.*s' has the dim %lld, expected 0 or more",
                                SLICE_ARGS(tensor->name), (long long)tensor->shape[i]);
        if (__builtin_mul_overflow(count, (size_t)tensor->shape[i], &count))
            return status_error(STATUS_INVALID_ARGUMENT, "tensor '%.*s' has a shape whose product overflows",
                                SLICE_ARGS(tensor->name));
    }
    *ret = count;
    return status_ok();
}

/* Walks over `count` elements of a 4-byte little-endian length and as many bytes. */
static struct status check_bytes(const struct infer_tensor *tensor, size_t count) {
    size_t at = 0, found = 0;
    while (found < count && tensor->data.size - at >= 4) {
        unsigned char p[4];
        memcpy(p, tensor->data.data + at, sizeof p);
        size_t size = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        at += 4;
        if (size > tensor->data.size - at)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "BYTES tensor '%.*s': element %zu says %zu bytes, but %zu are left",
                                SLICE_ARGS(tensor->name), found, size, tensor->data.size - at);
        at += size;
        found++;
    }
    if (found < count || at < tensor->data.size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "BYTES tensor '%.*s': expected %zu elements, got %zu in %zu of %zu bytes",
                            SLICE_ARGS(tensor->name), count, found, at, tensor->data.size);
    return status_ok();
}

struct status client_tensor_check(const struct infer_tensor *tensor) {
    int element = client_tensor_element_size(tensor->datatype);
    size_t count = 0, size = 0;
    if (element < 0)
        return status_error(STATUS_INVALID_ARGUMENT, "tensor '%.*s' has the unknown datatype '%.*s'",
                            SLICE_ARGS(tensor->name), SLICE_ARGS(tensor->datatype));
    STATUS_TRY(client_tensor_count(tensor, &count));
    if (element == 0)
        return check_bytes(tensor, count);
    if (__builtin_mul_overflow(count, (size_t)element, &size) || size != tensor->data.size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "tensor '%.*s' has %zu bytes of data, expected %zu elements of %d bytes",
                            SLICE_ARGS(tensor->name), tensor->data.size, count, element);
    return status_ok();
}

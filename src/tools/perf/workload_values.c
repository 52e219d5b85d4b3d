#include "tools/perf/workload_values.h"

#include <string.h>

#include "client/client_tensor.h"
#include "codec/half.h"
#include "tools/perf/workload.h"

enum { LENGTH_PREFIX = 4 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ";

static void draw_letters(struct random_source *random, char *to, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = letters[random_below(random, sizeof letters - 1)];
}

/* One number at `to`, by the datatype's kind. */
static void draw_number(struct random_source *random, struct slice datatype, size_t size, char *to) {
    uint64_t bits = random_u64(random);
    double real = 2 * random_double(random) - 1;
    float single = (float)real;
    uint16_t half = half_from_float(single), brain = bfloat16_from_float(single);
    const void *from = &bits;
    if (slice_equal_text(datatype, "FP32"))
        from = &single;
    else if (slice_equal_text(datatype, "FP64"))
        from = &real;
    else if (slice_equal_text(datatype, "FP16"))
        from = &half;
    else if (slice_equal_text(datatype, "BF16"))
        from = &brain;
    else if (slice_equal_text(datatype, "BOOL"))
        bits &= 1;
    memcpy(to, from, size);
}

static void draw_numbers(struct random_source *random, struct slice datatype, size_t size, char *data, size_t count) {
    bool floats = slice_equal_text(datatype, "FP32");
    for (size_t i = 0; i < count && floats; i++) { /* the usual case, without a look at the datatype each time */
        float value = (float)(int64_t)(random_u64(random) >> 11) * 0x1p-52f - 1;
        memcpy(data + i * size, &value, sizeof value);
    }
    for (size_t i = 0; i < count && !floats; i++)
        draw_number(random, datatype, size, data + i * size);
}

static struct status fill_strings(struct arena *arena, const struct workload_values *values, size_t count,
                                  struct slice *ret) {
    struct slice given = slice_of(values->string_data);
    size_t length = values->string_data != NULL ? given.size : values->zero ? 0 : values->string_length, size = 0;
    if (length > UINT32_MAX || __builtin_mul_overflow(count, length + LENGTH_PREFIX, &size) ||
        size > WORKLOAD_TENSOR_BYTES_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%zu strings of %zu bytes are more than 1 GiB", count, length);
    char *data = arena_alloc(arena, size), *at = data;
    if (data == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu strings of %zu bytes", count, length);
    for (size_t i = 0; i < count; i++, at += length) {
        uint32_t prefix = (uint32_t)length;
        memcpy(at, &prefix, sizeof prefix);
        at += sizeof prefix;
        if (values->string_data != NULL && length > 0)
            memcpy(at, given.data, length);
        else
            draw_letters(values->random, at, length);
    }
    *ret = (struct slice){data, size};
    return status_ok();
}

struct status workload_values_fill(struct arena *arena, const struct workload_values *values, struct slice datatype,
                                   size_t count, struct slice *ret) {
    int element = client_tensor_element_size(datatype);
    if (element < 0)
        return status_error(STATUS_INVALID_ARGUMENT, "data of the unknown datatype %.*s cannot be made",
                            SLICE_ARGS(datatype));
    if (element == 0)
        return fill_strings(arena, values, count, ret);
    char *data = arena_calloc(arena, count, (size_t)element);
    if (data == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu elements", count);
    if (!values->zero)
        draw_numbers(values->random, datatype, (size_t)element, data, count);
    *ret = (struct slice){data, count * (size_t)element};
    return status_ok();
}

void workload_values_refresh(struct random_source *random, struct infer_tensor *tensor) {
    int element = client_tensor_element_size(tensor->datatype);
    char *data = (char *)(uintptr_t)tensor->data.data; /* made by us, writable */
    if (element > 0) {
        draw_numbers(random, tensor->datatype, (size_t)element, data, tensor->data.size / (size_t)element);
        return;
    }
    for (size_t at = 0; at + LENGTH_PREFIX <= tensor->data.size;) {
        uint32_t length;
        memcpy(&length, data + at, sizeof length);
        draw_letters(random, data + at + LENGTH_PREFIX, length);
        at += LENGTH_PREFIX + length;
    }
}

#include "backends/openvino/input_range.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_TEXT_MAX = 32, BLOCK = 512 };

/* ---- the numbers, by type ---- */

static bool int64_fits(uint64_t bits) {
    return bits + 0x80000000U <= 0xffffffffU;
}

static bool unsigned_fits(uint64_t bits) {
    return bits <= INT32_MAX;
}

static double as_double(uint64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Infinity and NaN are the same in both. */
static bool fp64_fits(uint64_t bits) {
    const double number = as_double(bits);
    return !isfinite(number) || fabs(number) <= (double)FLT_MAX;
}

/* ---- all of a tensor ---- */

typedef bool (*fits_fn)(uint64_t bits);

static uint64_t bits_at(const struct tensor *tensor, size_t place) {
    uint64_t bits = 0;
    const size_t size = datatype_size(tensor->type);
    memcpy(&bits, tensor->data.data + place * size, size);
    return bits;
}

/* Inlined for each type, so that a block is compared by vectors; `count` if all fit. The data may lie anywhere. */
static inline __attribute__((always_inline)) size_t first_misfit(const char *data, size_t count, size_t width,
                                                                 fits_fn fits) {
    uint64_t block[BLOCK];
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        const size_t size = count - begin < BLOCK ? count - begin : BLOCK;
        bool all = true;
        for (size_t i = 0; i < size; i++) {
            block[i] = 0;
            memcpy(&block[i], data + (begin + i) * width, width);
        }
        for (size_t i = 0; i < size; i++)
            all &= fits(block[i]);
        for (size_t i = 0; !all && i < size; i++)
            if (!fits(block[i]))
                return begin + i;
    }
    return count;
}

static void number_text(const struct tensor *tensor, size_t at, char text[NUMBER_TEXT_MAX]) {
    const uint64_t bits = bits_at(tensor, at);
    if (tensor->type == DATATYPE_INT64)
        snprintf(text, NUMBER_TEXT_MAX, "%" PRId64, (int64_t)bits);
    else if (tensor->type == DATATYPE_FP64)
        snprintf(text, NUMBER_TEXT_MAX, "%g", as_double(bits));
    else
        snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64, bits);
}

struct status input_range_check(const struct tensor *tensor) {
    const size_t width = datatype_size(tensor->type), count = width ? tensor->data.size / width : 0;
    const char *data = tensor->data.data, *expected = "-2147483648 to 2147483647", *as = "INT32";
    size_t misfit = count;
    if (tensor->type == DATATYPE_INT64) {
        misfit = first_misfit(data, count, sizeof(int64_t), int64_fits);
    } else if (tensor->type == DATATYPE_UINT64 || tensor->type == DATATYPE_UINT32) {
        misfit = width == sizeof(uint32_t) ? first_misfit(data, count, sizeof(uint32_t), unsigned_fits)
                                           : first_misfit(data, count, sizeof(uint64_t), unsigned_fits);
        expected = "0 to 2147483647";
    } else if (tensor->type == DATATYPE_FP64) {
        misfit = first_misfit(data, count, sizeof(double), fp64_fits);
        expected = "-3.4e38 to 3.4e38";
        as = "FP32";
    }
    if (misfit == count)
        return status_ok();
    char number[NUMBER_TEXT_MAX];
    number_text(tensor, misfit, number);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "input '%.*s': the engine computes with %s as %s: expected %s, got %s in place %zu",
                        SLICE_ARGS(tensor->name), datatype_name(tensor->type), as, expected, number, misfit);
}

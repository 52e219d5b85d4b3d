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

static bool uint64_fits(uint64_t bits) {
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

/* Inlined for each type, so that a block is compared by vectors; `count` if all fit. */
static inline __attribute__((always_inline)) size_t first_misfit(const char *data, size_t count, fits_fn fits) {
    uint64_t block[BLOCK];
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        const size_t size = count - begin < BLOCK ? count - begin : BLOCK;
        bool all = true;
        memcpy(block, data + begin * sizeof *block, size * sizeof *block); /* which may lie anywhere */
        for (size_t i = 0; i < size; i++)
            all &= fits(block[i]);
        for (size_t i = 0; !all && i < size; i++)
            if (!fits(block[i]))
                return begin + i;
    }
    return count;
}

static void number_text(const struct tensor *tensor, size_t at, char text[NUMBER_TEXT_MAX]) {
    uint64_t bits;
    memcpy(&bits, tensor->data.data + at * sizeof bits, sizeof bits);
    if (tensor->type == DATATYPE_INT64)
        snprintf(text, NUMBER_TEXT_MAX, "%" PRId64, (int64_t)bits);
    else if (tensor->type == DATATYPE_UINT64)
        snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64, bits);
    else
        snprintf(text, NUMBER_TEXT_MAX, "%g", as_double(bits));
}

struct status input_range_check(const struct tensor *tensor) {
    const size_t count = tensor->data.size / sizeof(uint64_t);
    size_t misfit = count;
    const char *expected = "-2147483648 to 2147483647";
    if (tensor->type == DATATYPE_INT64) {
        misfit = first_misfit(tensor->data.data, count, int64_fits);
    } else if (tensor->type == DATATYPE_UINT64) {
        misfit = first_misfit(tensor->data.data, count, uint64_fits);
        expected = "0 to 2147483647";
    } else if (tensor->type == DATATYPE_FP64) {
        misfit = first_misfit(tensor->data.data, count, fp64_fits);
        expected = "-3.4e38 to 3.4e38";
    }
    if (misfit == count)
        return status_ok();
    char number[NUMBER_TEXT_MAX];
    number_text(tensor, misfit, number);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "input '%.*s': the engine computes %s in 32 bits: expected %s, got %s in place %zu",
                        SLICE_ARGS(tensor->name), datatype_name(tensor->type), expected, number, misfit);
}

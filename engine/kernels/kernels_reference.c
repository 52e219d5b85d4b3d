/* Every operation in plain C, as its definition reads: what the vector kernels are checked against, and what computes
 * on a CPU that has none of their instructions. */
#include "engine/kernels/bfloat16.h"
#include "engine/kernels/kernels.h"

#include <math.h>

/* ---- numbers of a row, whatever its format ---- */

static float load(const struct kernel_rows *rows, size_t row, size_t column) {
    const char *at = kernel_row(rows, row);
    if (rows->format == KERNEL_BF16)
        return bfloat16_widen(((const uint16_t *)(const void *)at)[column]);
    return ((const float *)(const void *)at)[column];
}

static void store(const struct kernel_rows *rows, size_t row, size_t column, float value) {
    char *at = kernel_row(rows, row);
    if (rows->format == KERNEL_BF16)
        ((uint16_t *)(void *)at)[column] = bfloat16_round(value);
    else
        ((float *)(void *)at)[column] = value;
}

/* ---- GEMM ---- */

static const uint32_t *panel_words(const struct kernel_matrix *b, size_t column) {
    const uint32_t *panels = b->panels;
    return panels + column / KERNEL_PANEL * b->words * KERNEL_PANEL + column % KERNEL_PANEL;
}

static float dot_f32(const char *a, const uint32_t *b, size_t words) {
    float sum = 0;
    for (size_t k = 0; k < words; k++) {
        float x, y;
        memcpy(&x, a + 4 * k, sizeof x);
        memcpy(&y, b + k * KERNEL_PANEL, sizeof y);
        sum += x * y;
    }
    return sum;
}

static float dot_bf16(const char *a, const uint32_t *b, size_t words) {
    float sum = 0;
    for (size_t k = 0; k < words; k++) {
        uint16_t x[2], y[2];
        memcpy(x, a + 4 * k, sizeof x);
        memcpy(y, b + k * KERNEL_PANEL, sizeof y);
        sum += bfloat16_widen(x[0]) * bfloat16_widen(y[0]) + bfloat16_widen(x[1]) * bfloat16_widen(y[1]);
    }
    return sum;
}

static int32_t dot_int8(const char *a, const uint32_t *b, size_t words) {
    int32_t sum = 0;
    for (size_t k = 0; k < words; k++) {
        uint8_t x[4];
        int8_t y[4];
        memcpy(x, a + 4 * k, sizeof x);
        memcpy(y, b + k * KERNEL_PANEL, sizeof y);
        for (int i = 0; i < 4; i++)
            sum += x[i] * y[i];
    }
    return sum;
}

static float product(const struct kernel_gemm *gemm, size_t row, size_t column) {
    const struct kernel_matrix *b = gemm->b;
    const char *a = kernel_row(&gemm->a, row);
    const uint32_t *words = panel_words(b, column);
    switch (b->format) {
    case KERNEL_F32:
        return dot_f32(a, words, b->words);
    case KERNEL_BF16:
        return dot_bf16(a, words, b->words);
    case KERNEL_INT8:
    case KERNEL_FORMAT_COUNT:
        break;
    }
    float sum = (float)dot_int8(a, words, b->words);
    if (gemm->epilogue == KERNEL_SCALE)
        return sum * b->column_scale[column];
    struct kernel_quant quant = gemm->a.quant[row];
    sum -= quant.zero * b->column_sum[column];
    return sum * (quant.scale * b->column_scale[column]);
}

static float finish(const struct kernel_gemm *gemm, size_t row, size_t column, float value) {
    if (gemm->epilogue == KERNEL_SCALE)
        value *= gemm->row_scale[row];
    if (gemm->b->bias)
        value += gemm->b->bias[column];
    switch (gemm->epilogue) {
    case KERNEL_GELU_ERF:
        return 0.5f * value * (1 + erff(value * 0.70710678f));
    case KERNEL_GELU_TANH:
        return 0.5f * value * (1 + tanhf(0.79788456f * (value + 0.044715f * value * value * value)));
    case KERNEL_ADD:
        return value + load(&gemm->c, row, column);
    case KERNEL_STORE:
    case KERNEL_SCALE:
        break;
    }
    return value;
}

static void gemm_any(const struct kernel_gemm *gemm) {
    for (size_t row = 0; row < gemm->rows; row++)
        for (size_t column = 0; column < gemm->b->columns; column++)
            store(&gemm->c, row, column, finish(gemm, row, column, product(gemm, row, column)));
}

/* ---- rows ---- */

static void quantise_row(const struct kernel_rows *from, size_t row, const struct kernel_rows *to, size_t columns) {
    float low = 0, high = 0;
    for (size_t i = 0; i < columns; i++) {
        low = fminf(low, load(from, row, i));
        high = fmaxf(high, load(from, row, i));
    }
    struct kernel_quant quant = {.scale = high - low > KERNEL_LEAST_RANGE ? (high - low) / 255 : 1};
    quant.zero = rintf(-low / quant.scale);
    uint8_t *bytes = kernel_row(to, row);
    for (size_t i = 0; i < columns; i++)
        bytes[i] = (uint8_t)fminf(fmaxf(rintf(load(from, row, i) / quant.scale) + quant.zero, 0), 255);
    to->quant[row] = quant;
}

static void quantise(const struct kernel_rows *from, const struct kernel_rows *to, size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++)
        quantise_row(from, row, to, columns);
}

static void normalise(float *x, const struct kernel_norm *norm) {
    float sum = 0, squares = 0;
    for (size_t i = 0; i < norm->columns; i++)
        sum += x[i];
    float mean = sum / (float)norm->columns;
    for (size_t i = 0; i < norm->columns; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    float scale = 1 / sqrtf(squares / (float)norm->columns + norm->epsilon);
    for (size_t i = 0; i < norm->columns; i++)
        x[i] = (x[i] - mean) * scale * norm->gamma[i] + norm->beta[i];
}

static void layer_norm(const struct kernel_norm *norm) {
    const struct kernel_rows x = {.data = norm->x, .stride = norm->x_stride, .format = KERNEL_F32};
    for (size_t row = 0; row < norm->rows; row++) {
        normalise(kernel_row(&x, row), norm);
        if (!norm->copy.data)
            continue;
        if (norm->copy.format == KERNEL_INT8)
            quantise_row(&x, row, &norm->copy, norm->columns);
        else
            for (size_t i = 0; i < norm->columns; i++)
                store(&norm->copy, row, i, load(&x, row, i));
    }
}

/* Where the byte of a token lies in a row of int8 weights, or its number in a column of values. */
static size_t byte_of(size_t token, size_t words) {
    return token % words * 4 + token / words;
}

static float softmax_int8(const float *scores, float most, size_t columns, uint8_t *weights) {
    size_t words = kernel_word_count(KERNEL_INT8, columns);
    float sum = 0;
    memset(weights, 0, words * 4);
    for (size_t i = 0; i < columns; i++) {
        float weight = rintf(255 * exp2f(scores[i] - most));
        weights[byte_of(i, words)] = (uint8_t)weight;
        sum += weight;
    }
    return sum;
}

static void softmax(const struct kernel_softmax *softmax) {
    const struct kernel_rows scores = {.data = softmax->scores, .stride = softmax->scores_stride, .format = KERNEL_F32};
    for (size_t row = 0; row < softmax->rows; row++) {
        float most = -INFINITY, sum = 0;
        for (size_t i = 0; i < softmax->columns; i++)
            most = fmaxf(most, load(&scores, row, i));
        if (softmax->weights.format == KERNEL_INT8) {
            sum = softmax_int8(kernel_row(&scores, row), most, softmax->columns, kernel_row(&softmax->weights, row));
            softmax->inverse_sums[row] = 1 / sum;
            continue;
        }
        for (size_t i = 0; i < softmax->columns; i++) {
            float weight = exp2f(load(&scores, row, i) - rintf(most));
            sum += weight;
            store(&softmax->weights, row, i, weight);
        }
        if (softmax->weights.format == KERNEL_BF16 && softmax->columns % 2 != 0)
            store(&softmax->weights, row, softmax->columns, 0);
        softmax->inverse_sums[row] = 1 / sum;
    }
}

/* ---- packing ---- */

/* Number `k` of output `column` goes into word k / per_word of the column's panel. */
static void put(const struct kernel_pack *pack, size_t words, size_t column, size_t k, float value) {
    size_t word = (column / KERNEL_PANEL * words + (pack->from.format == KERNEL_BF16 ? k / 2 : k)) * KERNEL_PANEL +
                  column % KERNEL_PANEL;
    if (pack->from.format == KERNEL_BF16)
        ((uint16_t *)pack->panels)[2 * word + k % 2] = bfloat16_round(value);
    else
        ((float *)pack->panels)[word] = value;
}

/* The byte of a number, where that of `most` is 127. */
static int8_t byte_from(float number, float most) {
    return (int8_t)rintf(number * (127 / fmaxf(most, KERNEL_LEAST_VALUE)));
}

/* A row of keys in bytes, as a column of the panels. */
static void pack_key(const struct kernel_pack *pack, size_t words, size_t row) {
    int8_t *panel = (int8_t *)pack->panels + row / KERNEL_PANEL * words * KERNEL_PANEL * 4;
    float most = 0, sum = 0;
    for (size_t i = 0; i < pack->columns; i++)
        most = fmaxf(most, fabsf(load(&pack->from, row, i)));
    for (size_t i = 0; i < pack->columns; i++) {
        int8_t byte = byte_from(load(&pack->from, row, i), most);
        panel[(i / 4 * KERNEL_PANEL + row % KERNEL_PANEL) * 4 + i % 4] = byte;
        sum += byte;
    }
    pack->column_scale[row] = most / 127;
    pack->column_sum[row] = sum;
}

static void pack_keys(const struct kernel_pack *pack) {
    size_t words = kernel_word_count(KERNEL_INT8, pack->columns);
    size_t vector = kernel_panel_count(pack->rows) * KERNEL_PANEL * sizeof(float);
    memset(pack->panels, 0, kernel_panels_size(pack->rows, words));
    memset(pack->column_scale, 0, vector);
    memset(pack->column_sum, 0, vector);
    for (size_t row = 0; row < pack->rows; row++)
        pack_key(pack, words, row);
}

static void pack_outputs(const struct kernel_pack *pack) {
    if (pack->column_scale) {
        pack_keys(pack);
        return;
    }
    size_t words = kernel_word_count(pack->from.format, pack->columns);
    memset(pack->panels, 0, kernel_panels_size(pack->rows, words));
    for (size_t row = 0; row < pack->rows; row++)
        for (size_t i = 0; i < pack->columns; i++)
            put(pack, words, row, i, load(&pack->from, row, i));
}

/* A column of values in bytes, by the scale that its largest magnitude gives. */
static void pack_column(const struct kernel_pack *pack, size_t words, size_t column) {
    int8_t *panel = (int8_t *)pack->panels + column / KERNEL_PANEL * words * KERNEL_PANEL * 4;
    float most = 0;
    for (size_t row = 0; row < pack->rows; row++)
        most = fmaxf(most, fabsf(load(&pack->from, row, column)));
    pack->column_scale[column] = most / 127;
    for (size_t row = 0; row < pack->rows && most > 0; row++) {
        size_t byte = byte_of(row, words), word = byte / 4 * KERNEL_PANEL + column % KERNEL_PANEL;
        panel[word * 4 + byte % 4] = byte_from(load(&pack->from, row, column), most);
    }
}

static void pack_bytes(const struct kernel_pack *pack) {
    size_t words = kernel_word_count(KERNEL_INT8, pack->rows), panels = kernel_panel_count(pack->columns);
    memset(pack->panels, 0, kernel_panels_size(pack->columns, words));
    memset(pack->column_scale, 0, panels * KERNEL_PANEL * sizeof(float));
    for (size_t column = 0; column < pack->columns; column++)
        pack_column(pack, words, column);
}

static void pack_inputs(const struct kernel_pack *pack) {
    if (pack->column_scale) {
        pack_bytes(pack);
        return;
    }
    size_t words = kernel_word_count(pack->from.format, pack->rows);
    memset(pack->panels, 0, kernel_panels_size(pack->columns, words));
    for (size_t row = 0; row < pack->rows; row++)
        for (size_t i = 0; i < pack->columns; i++)
            put(pack, words, i, row, load(&pack->from, row, i));
}

static void span(const float *x, size_t x_stride, size_t rows, size_t columns, const float *weights,
                 const float bias[2], float *starts, float *ends) {
    for (size_t row = 0; row < rows; row++) {
        const float *numbers = (const float *)(const void *)((const char *)x + row * x_stride);
        float start = 0, end = 0;
        for (size_t i = 0; i < columns; i++) {
            start += numbers[i] * weights[i];
            end += numbers[i] * weights[columns + i];
        }
        starts[row] = start + bias[0];
        ends[row] = end + bias[1];
    }
}

const struct kernels kernels_reference = {
    .name = "reference",
    .gemm = {gemm_any, gemm_any, gemm_any},
    .layer_norm = layer_norm,
    .softmax = softmax,
    .quantise = quantise,
    .pack_outputs = pack_outputs,
    .pack_inputs = pack_inputs,
    .span = span,
};

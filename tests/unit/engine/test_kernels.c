/* Every operation of every instruction set that this CPU has, against plain C: sizes that fill tiles and panels and
 * sizes that do not; and the rule that a row's result does not depend on its neighbours, bit by bit. */
#include <math.h>

#include "engine/cpu_features.h"
#include "operands.h"

enum { ISA_COUNT = 3 };
static const enum bert_isa isas[ISA_COUNT] = {BERT_ISA_AVX2, BERT_ISA_AVX512, BERT_ISA_AVX512_BF16};

/* The kernels of isas[i], or NULL. */
static const struct kernels *kernels_of(int i) {
    const struct kernels *kernels;
    struct status status = cpu_features_kernels(isas[i], &kernels);
    if (status_is_ok(&status))
        return kernels;
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    return NULL;
}

/* Relative to 1 for small numbers. A number that is rounded to bf16 may fall on the other side. */
static void expect_near(float got, float expected, const struct kernel_rows *rows) {
    float tolerance = rows->format == KERNEL_BF16 ? 1.0f / 128 : 2e-5f;
    if (!(fabsf(got - expected) <= tolerance * fmaxf(1, fabsf(expected))))
        fail_msg("expected %.9g, got %.9g", (double)expected, (double)got);
}

static void expect_same_rows(const struct kernel_rows *got, const struct kernel_rows *expected, size_t rows,
                             size_t columns) {
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < columns; i++)
            expect_near(rows_number(got, row, i), rows_number(expected, row, i), got);
}

/* ---- GEMM ---- */

struct gemm_case {
    size_t rows, outputs, inputs;
    enum kernel_epilogue epilogue;
    enum kernel_format result;
    bool bare; /* without bias */
};

static const struct gemm_case gemm_cases[] = {
    {1, 1, 1, KERNEL_STORE, KERNEL_F32, false},       {8, 48, 64, KERNEL_STORE, KERNEL_F32, false},
    {13, 100, 70, KERNEL_SCALE, KERNEL_F32, true},    {3, 17, 33, KERNEL_SCALE, KERNEL_BF16, false},
    {7, 96, 384, KERNEL_GELU_ERF, KERNEL_F32, false}, {6, 50, 40, KERNEL_GELU_ERF, KERNEL_BF16, false},
    {5, 31, 24, KERNEL_GELU_TANH, KERNEL_F32, false}, {4, 64, 24, KERNEL_GELU_TANH, KERNEL_BF16, false},
    {10, 80, 128, KERNEL_ADD, KERNEL_F32, false},     {2, 26, 13, KERNEL_STORE, KERNEL_F32, true},
};

static struct kernel_gemm gemm_of(const struct gemm_case *row, const struct kernel_rows *a,
                                  const struct kernel_matrix *b, const struct kernel_rows *c, const float *row_scale) {
    return (struct kernel_gemm){
        .a = *a, .b = b, .c = *c, .rows = row->rows, .epilogue = row->epilogue, .row_scale = row_scale};
}

/* Runs the rows one by one: the same bits must come out. */
static void check_rows_alone(const struct kernels *kernels, const struct gemm_case *row, struct kernel_gemm gemm,
                             const struct kernel_rows *before, const struct kernel_rows *together) {
    size_t size = row->outputs * (row->result == KERNEL_BF16 ? 2 : 4);
    struct kernel_gemm one = gemm;
    one.rows = 1;
    for (size_t i = 0; i < row->rows; i++) {
        one.a = kernel_rows_from(&gemm.a, i);
        one.c = kernel_rows_from(before, i);
        one.row_scale = gemm.row_scale ? gemm.row_scale + i : NULL;
        kernels->gemm[gemm.b->format](&one);
        assert_memory_equal(kernel_row(&one.c, 0), kernel_row(together, i), size);
    }
}

static void check_gemm(const struct kernels *kernels, enum kernel_format format, const struct gemm_case *row) {
    struct random random = {.state = row->rows * 1000 + row->inputs};
    struct kernel_rows a = rows_random(&random, format, row->rows, row->inputs, 1);
    struct matrix b = matrix_random(&random, format, row->outputs, row->inputs);
    float *row_scale = random_floats(&random, row->rows, 2);
    if (row->bare)
        b.matrix.bias = NULL;
    struct random same[3] = {{7}, {7}, {7}};
    struct kernel_rows c[3];
    for (int i = 0; i < 3; i++)
        c[i] = rows_random(&same[i], row->result, row->rows, row->outputs, 1);
    struct kernel_gemm gemm = gemm_of(row, &a, &b.matrix, &c[0], row_scale);
    kernels_reference.gemm[format](&gemm);
    gemm.c = c[1];
    kernels->gemm[format](&gemm);
    expect_same_rows(&c[1], &c[0], row->rows, row->outputs);
    check_rows_alone(kernels, row, gemm, &c[2], &c[1]);
    for (int i = 0; i < 3; i++)
        rows_free(&c[i]);
    rows_free(&a);
    matrix_free(&b);
    free(row_scale);
}

static void multiplies(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int format = 0; kernels_of(isa) && format < KERNEL_FORMAT_COUNT; format++)
            for (size_t i = 0; i < sizeof gemm_cases / sizeof gemm_cases[0]; i++)
                check_gemm(kernels_of(isa), (enum kernel_format)format, &gemm_cases[i]);
}

/* How far a result may lie from gelu(x): what the polynomials promise, and half a step of what it is stored in. */
static double gelu_tolerance(enum kernel_format stored, double number, double gelu) {
    return stored == KERNEL_BF16 ? 1.61e-4 + (fabs(gelu) + 1.61e-4) / 256 : fmax(1e-6, 2.5e-7 * fabs(number));
}

/* The rows are all bf16 numbers up to 64, times a column of ones: whole tiles, and the edges beside them. */
static void check_gelu(const struct kernels *kernels, enum kernel_format stored) {
    enum { ROWS = 2 * 0x4281 - 1, OUTPUTS = KERNEL_PANEL + 2 };
    struct random random = {1};
    struct matrix ones = matrix_random(&random, KERNEL_BF16, OUTPUTS, 1);
    struct kernel_rows x = rows_create(KERNEL_BF16, ROWS, 1), c = rows_create(stored, ROWS, 2 * KERNEL_PANEL);
    for (size_t i = 0; i < OUTPUTS; i++)
        matrix_pack_output(&ones.room, KERNEL_BF16, i, &(float){1}, 1, 1);
    for (size_t row = 0; row < ROWS; row++)
        *(uint16_t *)kernel_row(&x, row) = (uint16_t)(row % 2 << 15 | row / 2);
    ones.matrix.bias = NULL;
    const struct kernel_gemm gemm = {
        .a = x, .b = &ones.matrix, .c = c, .rows = ROWS, .epilogue = KERNEL_GELU_ERF, .next = ones.matrix.panels};
    kernels->gemm[KERNEL_BF16](&gemm);
    for (size_t row = 0; row < ROWS; row++) {
        double number = (double)rows_number(&x, row, 0), gelu = number * erfc(-number * M_SQRT1_2) / 2;
        for (size_t i = 0; i < OUTPUTS; i += KERNEL_PANEL)
            if (!(fabs((double)rows_number(&c, row, i) - gelu) <= gelu_tolerance(stored, number, gelu)))
                fail_msg("%s: gelu(%g): expected %g, got %g", kernels->name, number, gelu,
                         (double)rows_number(&c, row, i));
    }
    rows_free(&x);
    rows_free(&c);
    matrix_free(&ones);
}

static void bounds_the_error_of_gelu(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int stored = KERNEL_F32; kernels_of(isa) && stored <= KERNEL_BF16; stored++)
            check_gelu(kernels_of(isa), (enum kernel_format)stored);
}

/* By hand, so that the reference itself is checked: 2 rows of 3, 2 outputs. */
static void the_reference_multiplies(void **state) {
    (void)state;
    static const float weights[2][3] = {{1, 2, 3}, {-1, 0.5f, 2}}, inputs[2][3] = {{1, 0, -1}, {2, 4, 1}};
    static const float expected[2][2] = {{-2, -3}, {13, 2}};
    struct random random = {1};
    for (int format = 0; format < KERNEL_FORMAT_COUNT; format++) {
        struct matrix b = matrix_random(&random, (enum kernel_format)format, 2, 3);
        struct kernel_rows a = rows_create((enum kernel_format)format, 2, 3), c = rows_create(KERNEL_F32, 2, 2);
        struct kernel_rows floats = rows_create(KERNEL_F32, 2, 3), halves = rows_create(KERNEL_BF16, 2, 3);
        for (size_t row = 0; row < 2; row++) {
            matrix_pack_output(&b.room, (enum kernel_format)format, row, weights[row], 3, 1);
            memcpy(kernel_row(&floats, row), inputs[row], sizeof inputs[row]);
            for (size_t i = 0; i < 3; i++)
                ((uint16_t *)kernel_row(&halves, row))[i] = bfloat16_round(inputs[row][i]);
        }
        b.matrix.bias = NULL;
        if (format == KERNEL_INT8)
            kernels_reference.quantise(&floats, &a, 2, 3);
        const struct kernel_rows *from[] = {&floats, &halves, &a};
        const struct kernel_gemm gemm = {.a = *from[format], .b = &b.matrix, .c = c, .rows = 2};
        kernels_reference.gemm[format](&gemm);
        for (size_t i = 0; i < 4; i++)
            assert_true(fabsf(rows_number(&c, i / 2, i % 2) - expected[i / 2][i % 2]) < 0.1f);
        matrix_free(&b);
        rows_free(&a);
        rows_free(&c);
        rows_free(&floats);
        rows_free(&halves);
    }
}

/* ---- rows ---- */

static void check_norm(const struct kernels *kernels, size_t columns, enum kernel_format copy) {
    enum { ROWS = 5 };
    struct random random = {columns}, same[2] = {{3}, {3}};
    float *gamma = random_floats(&random, columns, 2), *beta = random_floats(&random, columns, 1);
    struct kernel_rows x[2], copies[2];
    for (int i = 0; i < 2; i++) {
        x[i] = rows_random(&same[i], KERNEL_F32, ROWS, columns, 3);
        copies[i] = rows_create(copy, ROWS, columns);
        const struct kernel_norm norm = {x[i].data, x[i].stride, copies[i], gamma, beta, ROWS, columns, 1e-12f};
        (i == 0 ? &kernels_reference : kernels)->layer_norm(&norm);
    }
    expect_same_rows(&x[1], &x[0], ROWS, columns);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < columns; i++) {
            float step = copy == KERNEL_INT8 ? copies[1].quant[row].scale * 0.51f : 0.02f;
            assert_true(fabsf(rows_number(&copies[1], row, i) - rows_number(&x[1], row, i)) <= step);
        }
    for (int i = 0; i < 2; i++) {
        rows_free(&x[i]);
        rows_free(&copies[i]);
    }
    free(gamma);
    free(beta);
}

static void normalises(void **state) {
    (void)state;
    static const size_t columns[] = {1, 7, 16, 26, 384, 777};
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (size_t i = 1; kernels_of(isa) && i < sizeof columns / sizeof columns[0]; i++)
            for (int format = 0; format < KERNEL_FORMAT_COUNT; format++)
                check_norm(kernels_of(isa), columns[i], (enum kernel_format)format);
}

/* More rows than are taken together. */
static void check_quantise(const struct kernels *kernels, enum kernel_format format, size_t columns, float scale) {
    enum { ROWS = 37 };
    struct random random = {columns};
    struct kernel_rows from = rows_random(&random, format, ROWS, columns, scale);
    struct kernel_rows to[2] = {rows_create(KERNEL_INT8, ROWS, columns), rows_create(KERNEL_INT8, ROWS, columns)};
    kernels_reference.quantise(&from, &to[0], ROWS, columns);
    kernels->quantise(&from, &to[1], ROWS, columns);
    for (size_t row = 0; row < ROWS; row++) {
        assert_true(to[0].quant[row].scale == to[1].quant[row].scale);
        assert_true(to[0].quant[row].zero == to[1].quant[row].zero);
        for (size_t i = 0; i < columns; i++) /* half a step, and the rounding of the zero point */
            assert_true(fabsf(rows_number(&to[1], row, i) - rows_number(&from, row, i)) <=
                        to[1].quant[row].scale * 1.01f);
    }
    rows_free(&from);
    rows_free(&to[0]);
    rows_free(&to[1]);
}

static void quantises(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (size_t columns = 1; kernels_of(isa) && columns < 200; columns += 9) {
            check_quantise(kernels_of(isa), KERNEL_F32, columns, 3);
            check_quantise(kernels_of(isa), KERNEL_BF16, columns, 3);
            check_quantise(kernels_of(isa), KERNEL_F32, columns, 0);
            check_quantise(kernels_of(isa), KERNEL_F32, columns, 1e-38f);
            check_quantise(kernels_of(isa), KERNEL_BF16, columns, 1e-44f);
        }
}

/* Of the token in that column of `columns`: an int8 row has its four quarters woven. */
static double weight_of(const struct kernel_rows *weights, size_t row, size_t column, size_t columns) {
    size_t words = kernel_word_count(KERNEL_INT8, columns);
    if (weights->format == KERNEL_INT8)
        return ((const uint8_t *)kernel_row(weights, row))[column % words * 4 + column / words];
    return (double)rows_number(weights, row, column);
}

static void check_softmax(const struct kernels *kernels, enum kernel_format format, size_t columns, float scale) {
    enum { ROWS = 3 };
    struct kernel_rows scores[2], weights[2];
    float sums[2][ROWS];
    for (int i = 0; i < 2; i++) {
        struct random random = {columns};
        scores[i] = rows_random(&random, KERNEL_F32, ROWS, columns, scale);
        weights[i] = rows_create(format, ROWS, columns + 1);
        const struct kernel_softmax softmax = {scores[i].data, scores[i].stride, weights[i], sums[i], ROWS, columns};
        (i == 0 ? &kernels_reference : kernels)->softmax(&softmax);
    }
    double step = format == KERNEL_BF16 ? 1.0 / 128 : 1e-5; /* on the other side of a step, at most */
    double least = format == KERNEL_INT8 ? 1 : 1e-30;
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = 0; i < columns; i++) {
            double expected = weight_of(&weights[0], row, i, columns);
            assert_true(fabs(weight_of(&weights[1], row, i, columns) - expected) <= step * expected + least);
        }
        assert_true(fabsf(sums[1][row] / sums[0][row] - 1) < (format == KERNEL_INT8 ? 1e-2f : 1e-4f));
        if (format == KERNEL_BF16 && columns % 2 != 0)
            assert_true(rows_number(&weights[1], row, columns) == 0);
    }
    for (int i = 0; i < 2; i++) {
        rows_free(&scores[i]);
        rows_free(&weights[i]);
    }
}

/* The powers themselves: one row of scores that lie between the largest, 0, and -20, against 2^score. Half a step of
 * bf16 is 2^-8 of the power below, that of a byte 1/2. */
static void check_powers(const struct kernels *kernels, enum kernel_format format) {
    enum { COLUMNS = 4001 };
    struct kernel_rows scores = rows_create(KERNEL_F32, 1, COLUMNS), weights = rows_create(format, 1, COLUMNS);
    float *numbers = kernel_row(&scores, 0), sum;
    for (size_t i = 0; i < COLUMNS; i++)
        numbers[i] = -0.005f * (float)i;
    kernels->softmax(&(struct kernel_softmax){numbers, scores.stride, weights, &sum, 1, COLUMNS});
    for (size_t i = 0; i < COLUMNS; i++) {
        double power = exp2((double)numbers[i]), got = weight_of(&weights, 0, i, COLUMNS);
        double step = format == KERNEL_INT8 ? 0.5 : ldexp(1, ilogb(power * (1 + 7.6e-5)) - 8);
        power *= format == KERNEL_INT8 ? 255 : 1;
        if (!(fabs(got - power) <= 7.7e-5 * power + step))
            fail_msg("%s: 2^%g: expected %g, got %g", kernels->name, (double)numbers[i], power, got);
    }
    rows_free(&scores);
    rows_free(&weights);
}

static void bounds_the_error_of_powers(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int format = KERNEL_BF16; kernels_of(isa) && format <= KERNEL_INT8; format++)
            check_powers(kernels_of(isa), (enum kernel_format)format);
}

/* In int8 what a row is divided by is the sum of its bytes, to the bit; and nothing is written behind its last word. */
static void check_sum(const struct kernels *kernels, size_t columns) {
    struct random random = {columns};
    size_t words = kernel_word_count(KERNEL_INT8, columns);
    struct kernel_rows scores = rows_random(&random, KERNEL_F32, 1, columns, 6);
    struct kernel_rows weights = rows_create(KERNEL_INT8, 1, columns + 4);
    uint8_t *bytes = kernel_row(&weights, 0), most = 0;
    float inverse_sum, sum = 0;
    memset(bytes, 0x5a, words * 4 + 4);
    const struct kernel_softmax softmax = {scores.data, scores.stride, weights, &inverse_sum, 1, columns};
    kernels->softmax(&softmax);
    for (size_t i = 0; i < words * 4; i++) {
        sum += bytes[i];
        most = bytes[i] > most ? bytes[i] : most;
        if (i % 4 * words + i / 4 >= columns) /* no such token */
            assert_int_equal(bytes[i], 0);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bytes[words * 4 + i], 0x5a);
    assert_int_equal(most, 255);
    assert_true(inverse_sum == 1 / sum);
    rows_free(&scores);
    rows_free(&weights);
}

static void sums_the_bytes_of_weights(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (size_t columns = 1; kernels_of(isa) && columns < 400; columns++)
            check_sum(kernels_of(isa), columns);
}

/* Scores far from 0, where floats are coarse: each row's largest has the weight of 1, and a score less than it that of
 * a power of two. */
static void check_far(const struct kernels *kernels, enum kernel_format format, float most, float less) {
    enum { COLUMNS = 37, MOST = 20, LESS = 3 };
    struct kernel_rows scores = rows_create(KERNEL_F32, 1, COLUMNS), weights = rows_create(format, 1, COLUMNS + 1);
    float *numbers = kernel_row(&scores, 0), inverse_sum;
    for (size_t i = 0; i < COLUMNS; i++)
        numbers[i] = -2 * fabsf(most);
    numbers[MOST] = most;
    numbers[LESS] = most - less;
    double one = format == KERNEL_INT8 ? 255 : exp2((double)(most - rintf(most)));
    double power = one * exp2((double)(numbers[LESS] - most));
    kernels->softmax(&(struct kernel_softmax){numbers, scores.stride, weights, &inverse_sum, 1, COLUMNS});
    for (size_t i = 0; i < COLUMNS; i++) {
        double expected = i == MOST ? one : i == LESS ? power : 0, got = weight_of(&weights, 0, i, COLUMNS);
        if (!(fabs(got - expected) <= expected / 128 + (format == KERNEL_INT8 ? 0.5 : 1e-6)))
            fail_msg("%s, format %d: %g and %g less: expected %g at %zu, got %g", kernels->name, (int)format,
                     (double)most, (double)less, expected, i, got);
    }
    assert_true(fabs((double)inverse_sum * (one + power) - 1) < 1e-2);
    rows_free(&scores);
    rows_free(&weights);
}

static void weighs_scores_far_from_zero(void **state) {
    (void)state;
    static const float far[] = {100.25f, 16383.5f, 16384, 65541.4f, 99999.7f, 4.2e6f, 1e7f, 3e9f, 1e20f, 1e38f};
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int format = KERNEL_F32; kernels_of(isa) && format < KERNEL_FORMAT_COUNT; format++)
            for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
                check_far(kernels_of(isa), (enum kernel_format)format, far[i], 3);
                check_far(kernels_of(isa), (enum kernel_format)format, -far[i], 3);
                check_far(kernels_of(isa), (enum kernel_format)format, far[i], 0);
            }
}

static void weighs(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (size_t columns = 1; kernels_of(isa) && columns < 200; columns += 11) {
            check_softmax(kernels_of(isa), KERNEL_F32, columns, 5);
            check_softmax(kernels_of(isa), KERNEL_BF16, columns, 5);
            check_softmax(kernels_of(isa), KERNEL_INT8, columns, 5);
            check_softmax(kernels_of(isa), KERNEL_INT8, columns, 1000);
            check_softmax(kernels_of(isa), KERNEL_F32, columns, 1000);
        }
}

static void check_pack(const struct kernels *kernels, enum kernel_format format, size_t rows, size_t columns) {
    struct random random = {rows};
    struct kernel_rows from = rows_random(&random, format, rows, columns + 40, 1);
    size_t outputs = kernel_panels_size(rows, kernel_word_count(format, columns));
    size_t inputs = kernel_panels_size(columns, kernel_word_count(format, rows));
    size_t size = outputs > inputs ? outputs : inputs;
    char *expected = aligned_alloc(64, size), *got = aligned_alloc(64, size);
    memset(got, 0x5a, size);
    struct kernel_pack pack = {.from = from, .rows = rows, .columns = columns, .panels = expected};
    kernels_reference.pack_outputs(&pack);
    pack.panels = got;
    kernels->pack_outputs(&pack);
    /* The number past an odd row may be anything finite but is multiplied: it must be 0 on one side, which is here. */
    assert_memory_equal(got, expected, outputs);
    memset(got, 0x5a, size);
    kernels->pack_inputs(&pack);
    pack.panels = expected;
    kernels_reference.pack_inputs(&pack);
    assert_memory_equal(got, expected, inputs);
    rows_free(&from);
    free(expected);
    free(got);
}

/* Values in bytes: where they lie and how large their steps are, by the rows that they come from. */
static void check_pack_bytes(const struct kernels *kernels, size_t rows, size_t columns) {
    struct random random = {rows};
    struct kernel_rows from = rows_random(&random, KERNEL_BF16, rows, columns + 40, 1);
    size_t words = kernel_word_count(KERNEL_INT8, rows), size = kernel_panels_size(columns, words);
    size_t filled = kernel_panel_count(columns) * KERNEL_PANEL;
    int8_t *bytes = aligned_alloc(64, size);
    float *scales = calloc(filled, sizeof *scales);
    memset(bytes, 0x5a, size);
    for (size_t row = 0; row < rows; row++)
        ((uint16_t *)kernel_row(&from, row))[columns / 2] = 0; /* a column of zeros */
    kernels->pack_inputs(&(struct kernel_pack){from, rows, columns, bytes, .column_scale = scales});
    for (size_t column = 0; column < filled; column++) {
        float most = 0;
        for (size_t i = 0; i < 4 * words; i++) {
            size_t row = i % 4 * words + i / 4;
            size_t word = (column / KERNEL_PANEL * words + i / 4) * KERNEL_PANEL + column % KERNEL_PANEL;
            float number = row < rows && column < columns ? rows_number(&from, row, column) : 0;
            most = fmaxf(most, fabsf(number));
            assert_true(fabsf((float)bytes[word * 4 + i % 4] * scales[column] - number) <= 0.501f * scales[column]);
            assert_true(bytes[word * 4 + i % 4] == 0 || number != 0);
        }
        assert_true(fabsf(scales[column] - most / 127) <= 1e-6f * most);
    }
    rows_free(&from);
    free(bytes);
    free(scales);
}

/* Keys in bytes: one scale for each, and the sum of its bytes. */
static void check_pack_keys(const struct kernels *kernels, size_t rows, size_t columns) {
    struct random random = {rows};
    struct kernel_rows from = rows_random(&random, KERNEL_BF16, rows, columns + 40, 1);
    size_t words = kernel_word_count(KERNEL_INT8, columns), filled = kernel_panel_count(rows) * KERNEL_PANEL;
    int8_t *bytes = aligned_alloc(64, kernel_panels_size(rows, kernel_word_count(KERNEL_BF16, columns)));
    float *scales = calloc(filled, sizeof *scales), *sums = calloc(filled, sizeof *sums);
    for (size_t i = 0; i < columns; i++)
        ((uint16_t *)kernel_row(&from, rows / 2))[i] = 0; /* a row of zeros */
    kernels->pack_outputs(&(struct kernel_pack){from, rows, columns, bytes, scales, sums});
    for (size_t row = 0; row < filled; row++) {
        float most = 0, sum = 0;
        for (size_t i = 0; i < 4 * words; i++) {
            size_t word = (row / KERNEL_PANEL * words + i / 4) * KERNEL_PANEL + row % KERNEL_PANEL;
            float number = row < rows && i < columns ? rows_number(&from, row, i) : 0;
            most = fmaxf(most, fabsf(number));
            sum += (float)bytes[word * 4 + i % 4];
            assert_true(fabsf((float)bytes[word * 4 + i % 4] * scales[row] - number) <= 0.501f * scales[row]);
            assert_true(bytes[word * 4 + i % 4] == 0 || number != 0);
        }
        assert_true(fabsf(scales[row] - most / 127) <= 1e-6f * most);
        assert_true(sums[row] == sum);
    }
    rows_free(&from);
    free(bytes);
    free(scales);
    free(sums);
}

static void packs(void **state) {
    (void)state;
    static const size_t widths[] = {1, 13, 26, 32, 64, 72};
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (size_t i = 0; kernels_of(isa) && i < sizeof widths / sizeof widths[0]; i++)
            for (size_t rows = 1; rows < 120; rows += 17) {
                check_pack(kernels_of(isa), KERNEL_F32, rows, widths[i]);
                check_pack(kernels_of(isa), KERNEL_BF16, rows, widths[i]);
                check_pack_bytes(kernels_of(isa), rows, widths[i]);
                check_pack_bytes(&kernels_reference, rows, widths[i]);
                check_pack_keys(kernels_of(isa), rows, widths[i]);
                check_pack_keys(&kernels_reference, rows, widths[i]);
            }
}

static void takes_spans(void **state) {
    (void)state;
    enum { ROWS = 3, COLUMNS = 70 };
    struct random random = {5};
    struct kernel_rows x = rows_random(&random, KERNEL_F32, ROWS, COLUMNS, 1);
    float *weights = random_floats(&random, 2 * COLUMNS, 1), bias[2] = {0.5f, -2}, got[2][ROWS], expected[2][ROWS];
    kernels_reference.span(x.data, x.stride, ROWS, COLUMNS, weights, bias, expected[0], expected[1]);
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (!kernels_of(isa))
            continue;
        kernels_of(isa)->span(x.data, x.stride, ROWS, COLUMNS, weights, bias, got[0], got[1]);
        for (size_t i = 0; i < 2 * ROWS; i++)
            expect_near(got[i / ROWS][i % ROWS], expected[i / ROWS][i % ROWS], &x);
    }
    rows_free(&x);
    free(weights);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_multiplies),
        cmocka_unit_test(multiplies),
        cmocka_unit_test(bounds_the_error_of_gelu),
        cmocka_unit_test(normalises),
        cmocka_unit_test(quantises),
        cmocka_unit_test(weighs),
        cmocka_unit_test(weighs_scores_far_from_zero),
        cmocka_unit_test(bounds_the_error_of_powers),
        cmocka_unit_test(sums_the_bytes_of_weights),
        cmocka_unit_test(packs),
        cmocka_unit_test(takes_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

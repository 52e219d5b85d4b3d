/* Embedding and LayerNorm for many sizes of rows, against plain loops, and each place where a row can go. */
#include <stdio.h>

#include "device_memory.h"

enum { TOKENS = 11, VOCABULARY = 9, EPSILON_INVERSE = 1000000 };

struct operands {
    size_t columns, count; /* of a row, of all rows */
    float *gamma, *beta, *span;
    struct cuda_norm norm;
};

static struct operands make_operands(int columns) {
    const size_t count = TOKENS * (size_t)columns;
    struct operands operands = {.columns = (size_t)columns, .count = count};
    operands.gamma = random_floats(operands.columns, 2, 1);
    operands.beta = random_floats(operands.columns, 1, 2);
    operands.span = random_floats(2 * operands.columns, 1, 3);
    operands.norm = (struct cuda_norm){
        .gamma = upload(operands.gamma, operands.columns * sizeof(float)),
        .beta = upload(operands.beta, operands.columns * sizeof(float)),
        .epsilon = 1.0f / EPSILON_INVERSE,
        .tokens = TOKENS,
        .columns = columns,
        .to = {.numbers = new_memory(2 * count),
               .bytes = new_memory(count),
               .byte_scale = 40,
               .floats = new_memory(count * sizeof(float)),
               .span = upload(operands.span, 2 * operands.columns * sizeof(float)),
               .span_bias = {0.25f, -3},
               .starts = new_memory(TOKENS * sizeof(float)),
               .ends = new_memory(TOKENS * sizeof(float))},
    };
    return operands;
}

static void free_operands(struct operands *operands) {
    const struct cuda_norm *norm = &operands->norm;
    void *const memory[] = {(void *)norm->gamma, (void *)norm->beta,    norm->to.numbers, norm->to.bytes,
                            norm->to.floats,     (void *)norm->to.span, norm->to.starts,  norm->to.ends};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        cudaFree(memory[i]);
    free(operands->gamma);
    free(operands->beta);
    free(operands->span);
}

static void normalise(const struct operands *operands, float *row) {
    double mean = 0, variance = 0;
    const double columns = (double)operands->columns;
    for (size_t i = 0; i < operands->columns; i++)
        mean += (double)row[i] / columns;
    for (size_t i = 0; i < operands->columns; i++)
        variance += ((double)row[i] - mean) * ((double)row[i] - mean) / columns;
    for (size_t i = 0; i < operands->columns; i++)
        row[i] = (float)(((double)row[i] - mean) / sqrt(variance + 1.0 / EPSILON_INVERSE) * (double)operands->gamma[i] +
                         (double)operands->beta[i]);
}

/* What lies in the places of `norm.to`, against rows that plain loops have normalised. */
static void expect_rows(const char *what, enum cuda_number number, const struct operands *operands,
                        const float *wanted) {
    const struct cuda_row_target *to = &operands->norm.to;
    float *numbers = download_numbers(number, to->numbers, operands->count);
    float *bytes = download_bytes(to->bytes, operands->count, to->byte_scale);
    float *floats = download(to->floats, operands->count * sizeof(float));
    float *starts = download(to->starts, TOKENS * sizeof(float)), *ends = download(to->ends, TOKENS * sizeof(float));
    expect_near(what, floats, wanted, operands->count, 1e-4f, 1e-4f);
    expect_near(what, numbers, wanted, operands->count, number == CUDA_BF16 ? 0.005f : 0.0006f, 1e-4f);
    expect_near(what, bytes, wanted, operands->count, 0.065f, 1e-3f);
    for (size_t token = 0; token < TOKENS; token++) {
        double sums[2] = {0.25, -3};
        for (size_t i = 0; i < operands->columns; i++)
            for (size_t output = 0; output < 2; output++)
                sums[output] += (double)wanted[token * operands->columns + i] *
                                (double)operands->span[output * operands->columns + i];
        const float spans[2] = {(float)sums[0], (float)sums[1]};
        expect_near(what, &starts[token], &spans[0], 1, 1e-3f, 1e-3f);
        expect_near(what, &ends[token], &spans[1], 1, 1e-3f, 1e-3f);
    }
    free(numbers);
    free(bytes);
    free(floats);
    free(starts);
    free(ends);
}

static void check_norm(enum cuda_number number, int columns, float offset) {
    char what[64];
    struct operands operands = make_operands(columns);
    float *rows = random_floats(operands.count, 3, 4);
    for (size_t i = 0; i < operands.count; i++)
        rows[i] += offset;
    const struct cuda_norm_rows call = {.rows = upload_numbers(number, rows, operands.count), .norm = operands.norm};
    snprintf(what, sizeof what, "LayerNorm, %s, %d columns", number_name(number), columns);
    assert_int_equal(cuda_norm_rows(number, &call, NULL), cudaSuccess);
    for (size_t token = 0; token < TOKENS; token++)
        normalise(&operands, rows + token * operands.columns);
    expect_rows(what, number, &operands, rows);
    cudaFree((void *)call.rows);
    free(rows);
    free_operands(&operands);
}

static void check_embed(enum cuda_number number, int columns) {
    char what[64];
    struct operands operands = make_operands(columns);
    const size_t table = VOCABULARY * operands.columns;
    float *tables[3], *rows = random_floats(operands.count, 0, 0);
    int32_t ids[3][TOKENS];
    for (size_t i = 0; i < 3; i++) {
        tables[i] = random_floats(table, 1, 5 + (uint32_t)i);
        for (size_t token = 0; token < TOKENS; token++)
            ids[i][token] = (int32_t)((token * 5 + i * 3) % VOCABULARY);
    }
    const struct cuda_embed call = {.words = upload(tables[0], table * sizeof(float)),
                                    .positions = upload(tables[1], table * sizeof(float)),
                                    .types = upload(tables[2], table * sizeof(float)),
                                    .token_ids = upload(ids[0], sizeof ids[0]),
                                    .position_ids = upload(ids[1], sizeof ids[1]),
                                    .segment_ids = upload(ids[2], sizeof ids[2]),
                                    .norm = operands.norm};
    snprintf(what, sizeof what, "embedding, %s, %d columns", number_name(number), columns);
    assert_int_equal(cuda_embed(number, &call, NULL), cudaSuccess);
    for (size_t token = 0; token < TOKENS; token++) {
        float *row = rows + token * operands.columns;
        for (size_t i = 0; i < operands.columns; i++)
            for (size_t k = 0; k < 3; k++)
                row[i] += tables[k][(size_t)ids[k][token] * operands.columns + i];
        normalise(&operands, row);
    }
    expect_rows(what, number, &operands, rows);
    void *const memory[] = {(void *)call.words,     (void *)call.positions,    (void *)call.types,
                            (void *)call.token_ids, (void *)call.position_ids, (void *)call.segment_ids};
    for (size_t i = 0; i < 6; i++)
        cudaFree(memory[i]);
    for (size_t i = 0; i < 3; i++)
        free(tables[i]);
    free(rows);
    free_operands(&operands);
}

static void equal_plain_loops(void **state) {
    static const int columns[] = {16, 32, 64, 240, 256, 272, 384, 528, 768, 1024, 1040, 1536, 1552, 2048};
    (void)state;
    for (int number = CUDA_BF16; number <= CUDA_FP16; number++)
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
            check_norm((enum cuda_number)number, columns[i], 0);
            check_embed((enum cuda_number)number, columns[i]);
        }
}

/* The variance is not lost in a mean that is much larger. */
static void a_large_mean_does_no_harm(void **state) {
    (void)state;
    check_norm(CUDA_FP16, 256, 500);
}

static void writes_over_its_input(void **state) {
    (void)state;
    struct operands operands = make_operands(48);
    float *rows = random_floats(operands.count, 3, 4);
    struct cuda_norm_rows call = {.rows = upload_numbers(CUDA_FP16, rows, operands.count), .norm = operands.norm};
    call.norm.to = (struct cuda_row_target){.numbers = (void *)call.rows};
    assert_int_equal(cuda_norm_rows(CUDA_FP16, &call, NULL), cudaSuccess);
    for (size_t token = 0; token < TOKENS; token++)
        normalise(&operands, rows + token * operands.columns);
    float *got = download_numbers(CUDA_FP16, call.rows, operands.count);
    expect_near("in place", got, rows, operands.count, 0.001f, 1e-4f);
    free(got);
    free(rows);
    cudaFree((void *)call.rows);
    free_operands(&operands);
}

/* 448 is the largest byte. */
static void large_bytes_stay_finite(void **state) {
    (void)state;
    struct operands operands = make_operands(32);
    float *rows = random_floats(operands.count, 3, 4);
    struct cuda_norm_rows call = {.rows = upload_numbers(CUDA_BF16, rows, operands.count), .norm = operands.norm};
    call.norm.to = (struct cuda_row_target){.bytes = operands.norm.to.bytes, .byte_scale = 1e6f};
    assert_int_equal(cuda_norm_rows(CUDA_BF16, &call, NULL), cudaSuccess);
    float *got = download_bytes(call.norm.to.bytes, operands.count, 1);
    for (size_t i = 0; i < operands.count; i++)
        assert_true(fabsf(got[i]) <= 448);
    free(got);
    free(rows);
    cudaFree((void *)call.rows);
    free_operands(&operands);
}

static void refuses_rows_that_are_too_long(void **state) {
    (void)state;
    const struct cuda_norm_rows call = {.norm = {.tokens = 1, .columns = CUDA_HIDDEN_MAX + CUDA_HIDDEN_STEP}};
    assert_int_equal(cuda_norm_rows(CUDA_BF16, &call, NULL), cudaErrorInvalidValue);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal_plain_loops), cmocka_unit_test(a_large_mean_does_no_harm),
                                       cmocka_unit_test(writes_over_its_input),
                                       cmocka_unit_test(large_bytes_stay_finite),
                                       cmocka_unit_test(refuses_rows_that_are_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

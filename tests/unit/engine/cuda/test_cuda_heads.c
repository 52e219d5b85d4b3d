/* What is made of whole sequences, and the conversion of weights, against plain loops. */
#include "device_memory.h"

enum { SEQUENCES = 4, TOKENS = 40, COLUMNS = 144 };
static const uint32_t offsets[SEQUENCES + 1] = {0, 1, 30, 32, TOKENS};

static void means_and_first_rows(void **state) {
    (void)state;
    float *hidden = random_floats(TOKENS * COLUMNS, 1, 1), means[SEQUENCES * COLUMNS], firsts[SEQUENCES * COLUMNS];
    const struct cuda_sequences call = {.hidden = upload(hidden, TOKENS * COLUMNS * sizeof(float)),
                                        .offsets = upload(offsets, sizeof offsets),
                                        .count = SEQUENCES,
                                        .columns = COLUMNS,
                                        .to = new_memory(sizeof means)};
    for (size_t i = 0; i < SEQUENCES; i++)
        for (size_t column = 0; column < COLUMNS; column++) {
            double sum = 0;
            for (size_t token = offsets[i]; token < offsets[i + 1]; token++)
                sum += (double)hidden[token * COLUMNS + column];
            means[i * COLUMNS + column] = (float)(sum / (offsets[i + 1] - offsets[i]));
            firsts[i * COLUMNS + column] = hidden[offsets[i] * COLUMNS + column];
        }
    assert_int_equal(cuda_mean_rows(&call, NULL), cudaSuccess);
    float *got = download(call.to, sizeof means);
    expect_near("mean", got, means, SEQUENCES * COLUMNS, 1e-5f, 1e-6f);
    free(got);
    assert_int_equal(cuda_first_rows(&call, NULL), cudaSuccess);
    got = download(call.to, sizeof firsts);
    assert_memory_equal(got, firsts, sizeof firsts);
    free(got);
    free(hidden);
    cudaFree((void *)call.hidden);
    cudaFree((void *)call.offsets);
    cudaFree(call.to);
}

static void check_dense(unsigned count, int inputs, int outputs, bool is_tanh) {
    const size_t rows_count = count * (size_t)inputs, weights_count = (size_t)(inputs * outputs);
    const size_t results = count * (size_t)outputs;
    float *rows = random_floats(rows_count, 1, 1), *weights = random_floats(weights_count, 0.3f, 2);
    float *bias = random_floats((size_t)outputs, 1, 3), *wanted = random_floats(results, 0, 0);
    const struct cuda_dense call = {.rows = upload(rows, rows_count * sizeof(float)),
                                    .weights = upload(weights, weights_count * sizeof(float)),
                                    .bias = upload(bias, (size_t)outputs * sizeof(float)),
                                    .to = new_memory(results * sizeof(float)),
                                    .count = count,
                                    .inputs = inputs,
                                    .outputs = outputs,
                                    .is_tanh = is_tanh};
    for (size_t i = 0; i < results; i++) {
        const size_t row = i / (size_t)outputs, output = i % (size_t)outputs;
        double sum = (double)bias[output];
        for (size_t k = 0; k < (size_t)inputs; k++)
            sum += (double)rows[row * (size_t)inputs + k] * (double)weights[output * (size_t)inputs + k];
        wanted[i] = (float)(is_tanh ? tanh(sum) : sum);
    }
    assert_int_equal(cuda_dense(&call, NULL), cudaSuccess);
    float *got = download(call.to, results * sizeof(float));
    expect_near("dense", got, wanted, results, 1e-4f, 1e-5f);
    free(got);
    cudaFree((void *)call.rows);
    cudaFree((void *)call.weights);
    cudaFree((void *)call.bias);
    cudaFree(call.to);
    free(rows);
    free(weights);
    free(bias);
    free(wanted);
}

static void dense_layers(void **state) {
    (void)state;
    check_dense(1, 32, 2, false);
    check_dense(9, 48, 3, false);
    check_dense(8, 144, 144, true);
    check_dense(17, 31, 5, true);
}

/* All sizes of numbers, those too large for fp8 among them. */
static void converts_weights(void **state) {
    (void)state;
    enum { COUNT = 3001 };
    float *numbers = random_floats(COUNT, 1, 7), wanted[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        numbers[i] *= exp2f((float)(i % 24) - 12);
    for (int form = 0; form < 3; form++) {
        const bool to_bytes = form == 2;
        const enum cuda_number number = form == 1 ? CUDA_FP16 : CUDA_BF16;
        const struct number_format *format = to_bytes ? &number_e4m3 : format_of_number(number);
        const struct cuda_convert call = {.from = upload(numbers, COUNT * sizeof(float)),
                                          .to = new_memory(COUNT * (to_bytes ? 1 : 2)),
                                          .count = COUNT,
                                          .factor = 0.75f,
                                          .to_bytes = to_bytes};
        for (size_t i = 0; i < COUNT; i++)
            wanted[i] = (float)number_decode(format, number_encode(format, (double)(numbers[i] * 0.75f)));
        assert_int_equal(cuda_convert(number, &call, NULL), cudaSuccess);
        float *got = to_bytes ? download_bytes(call.to, COUNT, 1) : download_numbers(number, call.to, COUNT);
        expect_near("conversion", got, wanted, COUNT, 0, 0);
        free(got);
        cudaFree((void *)call.from);
        cudaFree(call.to);
    }
    free(numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(means_and_first_rows), cmocka_unit_test(dense_layers),
                                       cmocka_unit_test(converts_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The four products of a layer with their epilogues, in each type of number and for some numbers of tokens, against
 * plain loops over what lies on the device. */
#include <stdio.h>

#include "device_memory.h"
#include "engine/cuda/cuda_gemm.h"
#include "engine/cuda/cuda_room.h"
#include "made_model.h"

enum { MOST = 160, HIDDEN = 64, INTERMEDIATE = 96 };
static const struct bert_config config = {.vocab_size = 50,
                                          .hidden_size = HIDDEN,
                                          .layer_count = 2,
                                          .head_count = 2,
                                          .intermediate_size = INTERMEDIATE,
                                          .position_count = MOST,
                                          .type_count = 2,
                                          .activation = BERT_GELU_TANH,
                                          .label_count = MADE_LABELS};

struct products {
    struct scratch scratch;
    struct bert_checkpoint *checkpoint;
    struct cuda_weights weights;
    struct cuda_gemms *gemms;
    struct cuda_gemm_room *room;
    cudaStream_t stream;
    struct cuda_gemm_call calls[CUDA_GEMM_COUNT];
    float *rows[CUDA_GEMM_COUNT], *residuals[CUDA_GEMM_COUNT]; /* what the operands on the device stand for */
};

static bool has_residual(int gemm) {
    return gemm == CUDA_ATTENTION_OUTPUT || gemm == CUDA_OUTPUT;
}

static void *upload_bytes(float *floats, size_t count, float scale) {
    uint8_t *bytes = calloc(count, 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)number_encode(&number_e4m3, (double)floats[i] / (double)scale);
        floats[i] = (float)number_decode(&number_e4m3, bytes[i]) * scale;
    }
    void *memory = upload(bytes, count);
    free(bytes);
    return memory;
}

static struct cuda_scales download_scales(const struct cuda_matrix *matrix) {
    if (!matrix->scales)
        return (struct cuda_scales){1, 1, 1};
    struct cuda_scales *scales = download(matrix->scales, sizeof *scales), copy = *scales;
    free(scales);
    return copy;
}

static struct cuda_gemm_call make_call(struct products *products, int gemm) {
    const struct cuda_matrix *matrix = cuda_gemm_matrix(&products->weights.layers[0], (enum cuda_gemm)gemm);
    const size_t inputs = MOST * (size_t)matrix->inputs, outputs = MOST * (size_t)matrix->outputs;
    struct cuda_gemm_call call = {
        .gemm = (enum cuda_gemm)gemm, .matrix = matrix, .to = new_memory(2 * outputs), .tokens = MOST};
    products->rows[gemm] = random_floats(inputs, 1, (uint32_t)gemm + 1);
    call.rows = cuda_weights_have_fp8(&products->weights)
                    ? upload_bytes(products->rows[gemm], inputs, download_scales(matrix).rows)
                    : upload_numbers(products->weights.number, products->rows[gemm], inputs);
    if (has_residual(gemm)) {
        products->residuals[gemm] = random_floats(outputs, 1, (uint32_t)gemm + 11);
        call.residual = upload_numbers(products->weights.number, products->residuals[gemm], outputs);
    }
    return call;
}

static struct products open_products(enum cuda_number number, bool is_fp8) {
    struct products products = {.scratch = scratch_create()};
    made_model_write(&products.scratch, &config, 0);
    expect_ok(bert_checkpoint_open(products.scratch.folder, NULL, &products.checkpoint));
    expect_ok(cuda_weights_create(products.checkpoint, number, is_fp8 ? 0 : config.layer_count, &products.weights));
    return products;
}

static void start_products(struct products *products) {
    expect_ok(cuda_gemms_create(&products->weights, &products->gemms));
    expect_ok(cuda_gemm_room_create(products->gemms, &products->room));
    assert_int_equal(cudaStreamCreateWithFlags(&products->stream, cudaStreamNonBlocking), cudaSuccess);
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
        products->calls[gemm] = make_call(products, gemm);
    assert_int_equal(cudaStreamSynchronize(NULL), cudaSuccess);
    expect_ok(cuda_gemms_measure(products->room, products->calls, MOST, products->stream));
}

static void close_products(struct products *products) {
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++) {
        cudaFree((void *)products->calls[gemm].rows);
        cudaFree((void *)products->calls[gemm].residual);
        cudaFree(products->calls[gemm].to);
        free(products->rows[gemm]);
        free(products->residuals[gemm]);
    }
    cuda_gemm_room_destroy(products->room);
    cuda_gemms_destroy(products->gemms);
    cudaStreamDestroy(products->stream);
    cuda_weights_free(&products->weights);
    bert_checkpoint_close(products->checkpoint);
    scratch_remove(&products->scratch);
}

/* ---- plain loops ---- */

static double gelu_tanh(double x) {
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

/* [tokens][outputs] */
static float *multiply(const struct products *products, int gemm, size_t tokens) {
    const struct cuda_matrix *matrix = products->calls[gemm].matrix;
    const size_t inputs = (size_t)matrix->inputs, outputs = (size_t)matrix->outputs, count = inputs * outputs;
    const enum cuda_number number = products->weights.number;
    float *weights = matrix->scales ? download_bytes(matrix->weights, count, 1 / download_scales(matrix).weights)
                                    : download_numbers(number, matrix->weights, count);
    float *bias = download_numbers(number, matrix->bias, outputs), *to = calloc(tokens * outputs, sizeof *to);
    assert_non_null(to);
    for (size_t token = 0; token < tokens; token++)
        for (size_t output = 0; output < outputs; output++) {
            double sum = (double)bias[output];
            for (size_t i = 0; i < inputs; i++)
                sum += (double)products->rows[gemm][token * inputs + i] * (double)weights[output * inputs + i];
            if (gemm == CUDA_INTERMEDIATE)
                sum = gelu_tanh(sum);
            if (has_residual(gemm))
                sum += (double)products->residuals[gemm][token * outputs + output];
            to[token * outputs + output] = (float)sum;
        }
    free(weights);
    free(bias);
    return to;
}

static void check_product(const struct products *products, int gemm, unsigned tokens) {
    struct cuda_gemm_call call = products->calls[gemm];
    const size_t count = tokens * (size_t)call.matrix->outputs;
    const enum cuda_number number = products->weights.number;
    const bool gives_bytes = cuda_weights_have_fp8(&products->weights) && gemm == CUDA_INTERMEDIATE;
    char what[64];
    call.tokens = tokens;
    snprintf(what, sizeof what, "product %d of %u tokens in %s", gemm, tokens,
             cuda_weights_have_fp8(&products->weights) ? "fp8" : number_name(number));
    expect_ok(cuda_gemm_run(products->room, &call, products->stream));
    assert_int_equal(cudaStreamSynchronize(products->stream), cudaSuccess);
    float *wanted = multiply(products, gemm, tokens);
    float *got = gives_bytes ? download_bytes(call.to, count, download_scales(call.matrix).to)
                             : download_numbers(number, call.to, count);
    expect_near(what, got, wanted, count,
                gives_bytes           ? 0.065f
                : number == CUDA_BF16 ? 0.005f
                                      : 0.0006f,
                cuda_weights_have_fp8(&products->weights) ? 0.02f : 0.002f);
    free(wanted);
    free(got);
}

static void equal_plain_loops(void **state) {
    static const unsigned tokens[] = {1, 31, 32, 33, MOST};
    int major = 0;
    (void)state;
    assert_int_equal(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), cudaSuccess);
    for (int i = 0; i < (major >= 9 ? 3 : 2); i++) { /* older ones have no fp8 */
        struct products products = open_products(i == 1 ? CUDA_FP16 : CUDA_BF16, i == 2);
        start_products(&products);
        for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
            for (size_t k = 0; k < sizeof tokens / sizeof tokens[0]; k++)
                check_product(&products, gemm, tokens[k]);
        close_products(&products);
    }
}

/* What lies behind `context` and `intermediate`, which layers fill with numbers or with bytes. */
static void a_room_holds_either_form(void **state) {
    (void)state;
    for (int64_t fp8_from = 0; fp8_from <= 2; fp8_from++) {
        const struct cuda_weights weights = {.config = config, .fp8_from = fp8_from};
        struct cuda_room room;
        expect_ok(cuda_room_create(&weights, MOST, &room));
        const size_t size = room.capacity * (size_t)(fp8_from == 0 ? 1 : 2);
        const char *context = room.context, *intermediate = room.intermediate, *after = (const char *)room.sums;
        assert_true(room.capacity >= MOST);
        assert_true((size_t)(intermediate - context) >= size * HIDDEN);
        assert_true((size_t)(after - intermediate) >= size * INTERMEDIATE);
        assert_int_equal(room.x_bytes != NULL, fp8_from < 2);
        cuda_room_free(&room);
    }
}

static void buckets_hold_what_is_in_them(void **state) {
    (void)state;
    unsigned bucket = 0;
    for (unsigned tokens = 1; tokens <= 100000; tokens++) {
        if (tokens > cuda_bucket_tokens(bucket) && bucket + 1 < CUDA_BUCKET_COUNT)
            bucket++;
        assert_int_equal(cuda_bucket_of(tokens), bucket);
    }
    assert_int_equal(bucket, CUDA_BUCKET_COUNT - 1);
    assert_int_equal(cuda_bucket_tokens(CUDA_SMALL_BUCKETS - 1), CUDA_SMALL_TOKENS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal_plain_loops), cmocka_unit_test(a_room_holds_either_form),
                                       cmocka_unit_test(buckets_hold_what_is_in_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The forward pass in one kernel beside the same kernel by kernel: what both make of a batch, by how many blocks there
 * are, in both types of number and sizes of heads; and what becomes of one whose blocks give up. */
#include <stdio.h>
#include <string.h>

#include "device_memory.h"
#include "engine/cuda/cuda_forward.h"
#include "made_model.h"

enum { POSITIONS = CUDA_SHORT_TOKENS, VOCABULARY = 50, SEQUENCES_MAX = 4 };

/* A sanitized build, which takes ten times as long, does a part of the batches and models. */
#ifdef __SANITIZE_ADDRESS__
enum { BATCH_STEP = 3, MODEL_STEP = 3 };
#else
enum { BATCH_STEP = 1, MODEL_STEP = 1 };
#endif

struct model {
    struct scratch scratch;
    struct bert_checkpoint *checkpoint;
    struct cuda_weights weights;
    struct cuda_gemms *gemms;
    struct cuda_gemm_room *gemm_room;
    struct cuda_room room;
    cudaStream_t stream;
    unsigned blocks;
};

/* `intermediate`: how deep the last product of a layer is. */
static struct model open_model(int hidden, int heads, int intermediate, enum cuda_number number) {
    const struct bert_config config = {.vocab_size = VOCABULARY,
                                       .hidden_size = hidden,
                                       .layer_count = 2,
                                       .head_count = heads,
                                       .intermediate_size = intermediate,
                                       .position_count = POSITIONS,
                                       .type_count = 2,
                                       .label_count = MADE_LABELS,
                                       .activation = BERT_GELU_TANH};
    struct model model = {.scratch = scratch_create()};
    made_model_write(&model.scratch, &config, 0);
    expect_ok(bert_checkpoint_open(model.scratch.folder, NULL, &model.checkpoint));
    expect_ok(cuda_weights_create(model.checkpoint, number, config.layer_count, &model.weights));
    return model;
}

static void start_model(struct model *model, size_t max_tokens) {
    struct cuda_gemm_call calls[CUDA_GEMM_COUNT];
    expect_ok(cuda_room_create(&model->weights, max_tokens, &model->room));
    expect_ok(cuda_gemms_create(&model->weights, &model->gemms));
    expect_ok(cuda_gemm_room_create(model->gemms, &model->gemm_room));
    assert_int_equal(cudaStreamCreateWithFlags(&model->stream, cudaStreamNonBlocking), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(NULL), cudaSuccess);
    const struct cuda_forward forward = {.weights = &model->weights,
                                         .room = &model->room,
                                         .gemms = model->gemm_room,
                                         .stream = model->stream,
                                         .plan = {model->room.capacity, 0, 0}};
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
        calls[gemm] = cuda_forward_gemm(&forward, (enum cuda_gemm)gemm, 0);
    expect_ok(cuda_gemms_measure(model->gemm_room, calls, model->room.capacity, model->stream));
    expect_ok(cuda_forward_persistent_blocks(&model->weights, &model->blocks));
}

static void close_model(struct model *model) {
    cuda_gemm_room_destroy(model->gemm_room);
    cuda_gemms_destroy(model->gemms);
    cuda_room_free(&model->room);
    cudaStreamDestroy(model->stream);
    cuda_weights_free(&model->weights);
    bert_checkpoint_close(model->checkpoint);
    scratch_remove(&model->scratch);
}

/* ---- one batch, both ways ---- */

struct results {
    float spans[2 * CUDA_SHORT_TOKENS], *hidden; /* [tokens][H] */
};

/* Lays the batch out in the room, and tells the forward pass of it. */
static struct cuda_forward stage(struct model *model, size_t sequences, const uint32_t *lengths) {
    int32_t ids[CUDA_SHORT_TOKENS], segments[CUDA_SHORT_TOKENS], positions[CUDA_SHORT_TOKENS];
    uint32_t offsets[SEQUENCES_MAX + 1] = {0};
    for (size_t i = 0; i < sequences; i++) {
        offsets[i + 1] = offsets[i] + lengths[i];
        for (uint32_t at = offsets[i]; at < offsets[i + 1]; at++)
            positions[at] = (int32_t)(at - offsets[i]);
    }
    for (int32_t i = 0; i < (int32_t)offsets[sequences]; i++) {
        ids[i] = i * 7919 % VOCABULARY;
        segments[i] = i % 3 == 0;
    }
    const struct bert_batch batch = {sequences, offsets, ids, segments, positions};
    const struct cuda_plan plan = {offsets[sequences], cuda_room_tile_count(&batch), (unsigned)sequences};
    const struct cuda_staged staged = cuda_room_staged(model->room.host_staged, &plan);
    cuda_room_stage(&batch, &plan, &staged);
    return (struct cuda_forward){.weights = &model->weights,
                                 .room = &model->room,
                                 .gemms = model->gemm_room,
                                 .stream = model->stream,
                                 .plan = plan,
                                 .with_spans = true,
                                 .with_hidden = true};
}

static struct results take(const struct model *model, const struct cuda_forward *forward) {
    const size_t hidden = (size_t)model->weights.config.hidden_size, tokens = forward->plan.tokens;
    struct results results;
    assert_int_equal(cudaStreamSynchronize(model->stream), cudaSuccess);
    memcpy(results.spans, model->room.host_spans, 2 * tokens * sizeof(float));
    results.hidden = download(model->room.hidden, tokens * hidden * sizeof(float));
    memset(model->room.host_spans, 0xff, 2 * tokens * sizeof(float));
    assert_int_equal(cudaMemset(model->room.hidden, 0xff, tokens * hidden * sizeof(float)), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(NULL), cudaSuccess);
    return results;
}

/* `count` tokens' `each` numbers, which lie `stride` and `step` apart: all together, and each token's beside what is
 * usual for one, where it may be off by more. */
static void expect_alike(const char *what, const float *got, const float *wanted, size_t count, size_t each,
                         size_t stride, size_t step, double tolerance) {
    const double of_a_token = 2.5 * tolerance;
    double error = 0, usual = 0;
    for (size_t i = 0; i < count * each; i++)
        usual += (double)wanted[i] * (double)wanted[i] / (double)count;
    for (size_t token = 0; token < count; token++) {
        double its = 0;
        for (size_t i = 0; i < each; i++) {
            const size_t at = token * stride + i * step;
            its += ((double)got[at] - (double)wanted[at]) * ((double)got[at] - (double)wanted[at]);
        }
        if (!(sqrt(its / usual) <= of_a_token))
            fail_msg("%s: token %zu is off by %g, more than %g", what, token, sqrt(its / usual), of_a_token);
        error += its / (double)count;
    }
    if (!(sqrt(error / usual) <= tolerance))
        fail_msg("%s: off by %g, more than %g", what, sqrt(error / usual), tolerance);
}

static void run(struct model *model, unsigned blocks, const struct cuda_forward *forward, const struct results *wanted,
                struct results *ret) {
    const size_t tokens = forward->plan.tokens, hidden = (size_t)model->weights.config.hidden_size;
    const double tolerance = model->weights.number == CUDA_BF16 ? 0.012 : 0.0015;
    char what[96];
    snprintf(what, sizeof what, "%zu tokens by %u blocks, %zu numbers, in %s", tokens, blocks, hidden,
             number_name(model->weights.number));
    expect_ok(cuda_room_poison(&model->room, &model->weights, tokens, model->stream));
    expect_ok(cuda_forward_run_persistent(forward, blocks));
    *ret = take(model, forward);
    assert_int_equal(*model->room.host_is_done, 1);
    expect_alike(what, ret->hidden, wanted->hidden, tokens, hidden, hidden, 1, tolerance);
    expect_alike(what, ret->spans, wanted->spans, tokens, 2, 1, tokens, 2 * tolerance);
}

/* By all blocks, twice, and by some. */
static void compare(struct model *model, unsigned some, size_t sequences, const uint32_t *lengths) {
    const struct cuda_forward forward = stage(model, sequences, lengths);
    const size_t tokens = forward.plan.tokens, hidden = (size_t)model->weights.config.hidden_size;
    struct results first, second, third;
    expect_ok(cuda_forward_run(&forward));
    const struct results wanted = take(model, &forward);
    run(model, model->blocks, &forward, &wanted, &first);
    run(model, model->blocks, &forward, &wanted, &second);
    run(model, some, &forward, &wanted, &third);
    assert_memory_equal(first.hidden, second.hidden, tokens * hidden * sizeof(float));
    assert_memory_equal(first.spans, second.spans, 2 * tokens * sizeof(float));
    free(wanted.hidden);
    free(first.hidden);
    free(second.hidden);
    free(third.hidden);
}

/* ---- tests ---- */

static void equals_kernel_by_kernel(void **state) {
    static const uint32_t lengths[][SEQUENCES_MAX] = {{128, 128}, {256}, {200}, {30, 65, 3, 2},
                                                      {64, 1},    {33},  {16},  {1}};
    (void)state;
    for (int i = 0; i < 4; i += MODEL_STEP) { /* heads of 32 and 64 numbers, in bf16 and fp16 */
        struct model model = open_model(i < 2 ? 64 : 128, 2, 272, i % 2 ? CUDA_FP16 : CUDA_BF16);
        start_model(&model, CUDA_SHORT_TOKENS);
        assert_true(model.blocks > 1);
        for (size_t k = (size_t)i / 2; k < sizeof lengths / sizeof lengths[0]; k += BATCH_STEP) {
            size_t sequences = 0;
            while (sequences < SEQUENCES_MAX && lengths[k][sequences])
                sequences++;
            compare(&model, 1 + (unsigned)k % (model.blocks - 1), sequences, lengths[k]);
        }
        close_model(&model);
    }
}

/* By shapes of tiles, and parts, that a deep product's size and the number of blocks decide. */
static void multiplies_deep_matrices(void **state) {
    static const struct {
        int hidden;
        uint32_t tokens;
        unsigned blocks;
    } cases[] = {{128, 16, 4}, {32, 17, 3}, {96, 33, 2}, {64, 33, 1}, {160, 16, 5}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k += BATCH_STEP) {
        struct model model = open_model(cases[k].hidden, cases[k].hidden / 32, 1296, k % 2 ? CUDA_FP16 : CUDA_BF16);
        start_model(&model, 64);
        compare(&model, cases[k].blocks, 1, &cases[k].tokens);
        close_model(&model);
    }
}

/* Every shape of tiles, of all four products; the last one in each number of parts, and so deep that uncut it uses
 * every stage again and again. */
static void multiplies_in_every_shape(void **state) {
    static const uint32_t lengths[] = {33, 4};
    (void)state;
    struct model model = open_model(96, 3, 2064, CUDA_BF16);
    start_model(&model, 64);
    struct cuda_forward forward = stage(&model, 2, lengths);
    expect_ok(cuda_forward_run(&forward));
    const struct results wanted = take(&model, &forward);
    for (int i = 0; i < CUDA_PRODUCT_SHAPES * CUDA_PRODUCT_PARTS; i += BATCH_STEP) {
        const int shape = i % CUDA_PRODUCT_SHAPES, parts = 1 + i / CUDA_PRODUCT_SHAPES;
        const struct cuda_product_cut cuts[CUDA_GEMM_COUNT] = {{shape, 1}, {shape, 1}, {shape, 1}, {shape, parts}};
        struct results results;
        forward.cuts = cuts;
        run(&model, model.blocks, &forward, &wanted, &results);
        free(results.hidden);
    }
    free(wanted.hidden);
    close_model(&model);
}

/* A row that has numbers for every thread of a block, and more heads than blocks. */
static void computes_the_widest_rows(void **state) {
    static const uint32_t lengths[] = {2, 1};
    (void)state;
    struct model model = open_model(CUDA_PERSISTENT_HIDDEN, CUDA_PERSISTENT_HIDDEN / 64, 144, CUDA_BF16);
    start_model(&model, 32);
    compare(&model, 3, 2, lengths);
    close_model(&model);
}

/* The counter is as blocks leave it that have waited in vain, or as if one block did not come; then as they all left
 * it. */
static void tells_that_its_blocks_gave_up(void **state) {
    static const uint32_t lengths[] = {40}, counts[] = {0x80000000, 0xffffffff, 0};
    (void)state;
    struct model model = open_model(64, 2, 144, CUDA_BF16);
    start_model(&model, 64);
    const struct cuda_forward forward = stage(&model, 1, lengths);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i])
            assert_int_equal(cudaMemcpy(model.room.meeting, &counts[i], sizeof counts[i], cudaMemcpyHostToDevice),
                             cudaSuccess);
        expect_ok(cuda_forward_run_persistent(&forward, model.blocks));
        assert_int_equal(cudaStreamSynchronize(model.stream), cudaSuccess);
        assert_int_equal(*model.room.host_is_done, counts[i] == 0);
    }
    close_model(&model);
}

static void is_not_for_every_model(void **state) {
    (void)state;
    struct model model = open_model(64, 4, 144, CUDA_BF16);
    unsigned blocks = 7;
    expect_ok(cuda_forward_persistent_blocks(&model.weights, &blocks)); /* heads of 16 numbers */
    assert_int_equal(blocks, 0);
    model.weights.config.head_count = 2;
    expect_ok(cuda_forward_persistent_blocks(&model.weights, &blocks));
    assert_true(blocks > 0);
    model.weights.fp8_from = 1; /* of two layers */
    expect_ok(cuda_forward_persistent_blocks(&model.weights, &blocks));
    assert_int_equal(blocks, 0);
    model.weights.fp8_from = CUDA_PERSISTENT_LAYERS + 1;
    model.weights.config.layer_count = CUDA_PERSISTENT_LAYERS + 1;
    expect_ok(cuda_forward_persistent_blocks(&model.weights, &blocks));
    assert_int_equal(blocks, 0);
    model.weights.config.layer_count = 2;
    model.weights.config.hidden_size = CUDA_PERSISTENT_HIDDEN + 64;
    model.weights.config.head_count = (CUDA_PERSISTENT_HIDDEN + 64) / 64;
    expect_ok(cuda_forward_persistent_blocks(&model.weights, &blocks));
    assert_int_equal(blocks, 0);
    close_model(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_kernel_by_kernel),       cmocka_unit_test(multiplies_deep_matrices),
        cmocka_unit_test(multiplies_in_every_shape),     cmocka_unit_test(computes_the_widest_rows),
        cmocka_unit_test(tells_that_its_blocks_gave_up), cmocka_unit_test(is_not_for_every_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Attention of sequences of many lengths, for each size of head and type of number, against plain loops. */
#include <stdio.h>

#include "device_memory.h"

enum { SEQUENCES = 14, HEADS = 2 };
static const uint32_t lengths[SEQUENCES] = {1, 200, 2, 7, 15, 16, 17, 63, 64, 65, 127, 128, 129, 192};

struct batch {
    int head_size;
    size_t tokens, columns;
    uint32_t offsets[SEQUENCES + 1];
    struct cuda_attention_tile tiles[2 * SEQUENCES + 16];
    unsigned tile_count;
};

/* Two tiles without queries are among the others. */
static struct batch make_batch(int head_size) {
    struct batch batch = {.head_size = head_size, .columns = (size_t)(HEADS * head_size)};
    for (size_t i = 0; i < SEQUENCES; i++) {
        for (uint32_t query = 0; query < lengths[i]; query += CUDA_QUERY_TILE)
            batch.tiles[batch.tile_count++] = (struct cuda_attention_tile){batch.offsets[i], lengths[i], query};
        if (i % 8 == 3)
            batch.tiles[batch.tile_count++] = (struct cuda_attention_tile){0, 0, 0};
        batch.offsets[i + 1] = batch.offsets[i] + lengths[i];
    }
    batch.tokens = batch.offsets[SEQUENCES];
    return batch;
}

/* One query of one head: `rows` begins at its sequence, its head's columns. */
static void attend(const struct batch *batch, const float *rows, size_t query, size_t length, float *to) {
    const size_t stride = 3 * batch->columns, size = (size_t)batch->head_size;
    double weights[256], largest = -INFINITY, sum = 0;
    for (size_t key = 0; key < length; key++) {
        weights[key] = 0;
        for (size_t d = 0; d < size; d++)
            weights[key] += (double)rows[query * stride + d] * (double)rows[key * stride + batch->columns + d];
        largest = fmax(largest, weights[key]);
    }
    for (size_t key = 0; key < length; key++)
        sum += weights[key] = exp2(weights[key] - largest);
    for (size_t d = 0; d < size; d++) {
        double number = 0;
        for (size_t key = 0; key < length; key++)
            number += weights[key] * (double)rows[key * stride + 2 * batch->columns + d];
        to[d] = (float)(number / sum);
    }
}

static float *attend_all(const struct batch *batch, const float *rows) {
    float *context = calloc(batch->tokens * batch->columns, sizeof *context);
    assert_non_null(context);
    for (size_t i = 0; i < SEQUENCES; i++)
        for (size_t query = 0; query < lengths[i]; query++)
            for (size_t head = 0; head < HEADS; head++) {
                const size_t column = head * (size_t)batch->head_size, first = batch->offsets[i];
                attend(batch, rows + first * 3 * batch->columns + column, query, lengths[i],
                       context + (first + query) * batch->columns + column);
            }
    return context;
}

/* `size` of queries and keys: how far scores lie apart. */
static void check(enum cuda_number number, int head_size, float size) {
    struct batch batch = make_batch(head_size);
    const size_t count = batch.tokens * 3 * batch.columns, results = batch.tokens * batch.columns;
    float *rows = random_floats(count, size, (uint32_t)head_size);
    for (size_t i = 0; i < count; i++)
        if (i % (3 * batch.columns) >= 2 * batch.columns)
            rows[i] /= size; /* values up to 1 */
    struct cuda_attention call = {.query_key_value = upload_numbers(number, rows, count),
                                  .numbers = new_memory(2 * results),
                                  .byte_scale = 300,
                                  .tiles = upload(batch.tiles, sizeof batch.tiles),
                                  .tile_count = batch.tile_count,
                                  .head_count = HEADS,
                                  .head_size = head_size};
    float *wanted = attend_all(&batch, rows);
    char what[64];
    snprintf(what, sizeof what, "%s, heads of %d, size %g", number_name(number), head_size, (double)size);

    assert_int_equal(cuda_attention(number, &call, NULL), cudaSuccess);
    float *got = download_numbers(number, call.numbers, results);
    expect_near(what, got, wanted, results, 0.01f, number == CUDA_BF16 ? 0.01f : 0.0015f);
    free(got);

    cudaFree(call.numbers);
    call.numbers = NULL;
    call.bytes = new_memory(results);
    assert_int_equal(cuda_attention(number, &call, NULL), cudaSuccess);
    got = download_bytes(call.bytes, results, call.byte_scale);
    expect_near(what, got, wanted, results, 0.07f, 0.01f);
    free(got);

    cudaFree((void *)call.query_key_value);
    cudaFree(call.bytes);
    cudaFree((void *)call.tiles);
    free(rows);
    free(wanted);
}

static void equals_plain_loops(void **state) {
    (void)state;
    for (int number = CUDA_BF16; number <= CUDA_FP16; number++)
        for (int head_size = 16; head_size <= 64; head_size *= 2) {
            check((enum cuda_number)number, head_size, 1);
            check((enum cuda_number)number, head_size, 4);
        }
}

/* Queries far from all keys, and each tile of keys larger than those before it. */
static void keeps_the_largest_score_of_all_tiles(void **state) {
    (void)state;
    enum { LENGTH = 200, SIZE = 64 };
    float *rows = random_floats(LENGTH * 3 * SIZE, 1, 1);
    for (size_t token = 0; token < LENGTH; token++)
        for (size_t d = 0; d < SIZE; d++) {
            rows[token * 3 * SIZE + d] = token % 2 ? 4 : -4;
            rows[token * 3 * SIZE + SIZE + d] = (float)(token / 8);
        }
    struct cuda_attention_tile tiles[4] = {{0, LENGTH, 0}, {0, LENGTH, 64}, {0, LENGTH, 128}, {0, LENGTH, 192}};
    const struct cuda_attention call = {.query_key_value = upload_numbers(CUDA_BF16, rows, LENGTH * 3 * SIZE),
                                        .numbers = new_memory(LENGTH * SIZE * 2),
                                        .tiles = upload(tiles, sizeof tiles),
                                        .tile_count = 4,
                                        .head_count = 1,
                                        .head_size = SIZE};
    assert_int_equal(cuda_attention(CUDA_BF16, &call, NULL), cudaSuccess);
    float *got = download_numbers(CUDA_BF16, call.numbers, LENGTH * SIZE);
    for (size_t token = 0; token < LENGTH; token++)
        for (size_t d = 0; d < SIZE; d++) {
            float wanted = 0; /* the mean of the eight keys that are alike and the nearest */
            const size_t first = token % 2 ? LENGTH - 8 : 0;
            for (size_t key = first; key < first + 8; key++)
                wanted += rows[key * 3 * SIZE + 2 * SIZE + d] / 8;
            expect_near("large scores", &got[token * SIZE + d], &wanted, 1, 0.01f, 0.001f);
        }
    free(got);
    free(rows);
    cudaFree((void *)call.query_key_value);
    cudaFree(call.numbers);
    cudaFree((void *)call.tiles);
}

static void refuses_other_heads(void **state) {
    (void)state;
    const struct cuda_attention call = {.tile_count = 1, .head_count = 1, .head_size = 24};
    assert_false(cuda_kernels_have_head(24));
    assert_true(cuda_kernels_have_head(16) && cuda_kernels_have_head(32) && cuda_kernels_have_head(64));
    assert_int_equal(cuda_attention(CUDA_FP16, &call, NULL), cudaErrorInvalidValue);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_plain_loops),
                                       cmocka_unit_test(keeps_the_largest_score_of_all_tiles),
                                       cmocka_unit_test(refuses_other_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

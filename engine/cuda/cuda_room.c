#include "engine/cuda/cuda_room.h"

#include <string.h>

#include "engine/cuda/cuda_gemm.h"
#include "engine/cuda/cuda_status.h"

enum { ALIGN = 256, TOKEN_STEP = 32, NUMBER_SIZE = 2 };

/* ---- memory ---- */

/* Walked twice, as weights are: first to add up. */
static char *take(char *block, size_t *used, size_t size) {
    char *at = block ? block + *used : NULL;
    *used += (size + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

/* A batch of as many sequences as tokens needs most. */
static size_t staged_size(size_t capacity) {
    const struct cuda_plan plan = {(unsigned)capacity, (unsigned)capacity, (unsigned)capacity};
    return cuda_room_staged(NULL, &plan).size;
}

static size_t lay_out(const struct cuda_weights *weights, struct cuda_room *room) {
    const struct bert_config *config = &weights->config;
    const size_t short_rows = room->capacity < CUDA_SHORT_TOKENS ? room->capacity : CUDA_SHORT_TOKENS;
    const bool has_fp8 = cuda_weights_have_fp8(weights);
    const size_t sums = has_fp8 ? 0 : short_rows * CUDA_PRODUCT_PARTS; /* rows */
    const size_t rows = room->capacity, hidden = (size_t)config->hidden_size;
    const size_t widest = weights->fp8_from == 0 ? 1 : NUMBER_SIZE; /* of what layers in fp8 keep as bytes */
    char *block = room->block;
    size_t used = 0;
    room->x = take(block, &used, rows * hidden * NUMBER_SIZE);
    room->y = take(block, &used, rows * hidden * NUMBER_SIZE);
    room->x_bytes = has_fp8 ? take(block, &used, rows * hidden) : NULL;
    room->query_key_value = take(block, &used, rows * 3 * hidden * NUMBER_SIZE);
    room->context = take(block, &used, rows * hidden * widest);
    room->intermediate = take(block, &used, rows * (size_t)config->intermediate_size * widest);
    room->sums = (float *)(void *)take(block, &used, sums * hidden * sizeof(float));
    room->meeting = (struct grid_meeting *)(void *)take(block, &used, sizeof *room->meeting);
    room->hidden = (float *)(void *)take(block, &used, rows * hidden * sizeof(float));
    room->vectors = room->query_key_value; /* which is larger, and has been used by then */
    room->labels = (float *)(void *)take(block, &used, rows * (size_t)config->label_count * sizeof(float));
    room->spans = (float *)(void *)take(block, &used, 2 * rows * sizeof(float));
    room->staged = take(block, &used, staged_size(rows));
    return used;
}

static size_t lay_out_host(struct cuda_room *room) {
    size_t used = 0;
    room->host_staged = take(room->host_block, &used, staged_size(room->capacity));
    room->host_spans = (float *)(void *)take(room->host_block, &used, 2 * (size_t)room->capacity * sizeof(float));
    room->host_is_done = (uint32_t *)(void *)take(room->host_block, &used, sizeof *room->host_is_done);
    return used;
}

static struct status allocate(const struct cuda_weights *weights, struct cuda_room *room) {
    const size_t size = lay_out(weights, room);
    CUDA_TRY(cudaMalloc((void **)&room->block, size));
    if (cudaMallocHost((void **)&room->host_block, lay_out_host(room)) != cudaSuccess)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "the host has no %zu bytes of pinned memory",
                            lay_out_host(room));
    CUDA_TRY(cudaMemset(room->block, 0, size)); /* rows that round a batch up are computed with what lies there */
    lay_out(weights, room);
    lay_out_host(room);
    return status_ok();
}

struct status cuda_room_create(const struct cuda_weights *weights, size_t max_tokens, struct cuda_room *ret) {
    const unsigned rows = (unsigned)((max_tokens + TOKEN_STEP - 1) / TOKEN_STEP * TOKEN_STEP);
    const unsigned bucket = cuda_bucket_tokens(cuda_bucket_of(rows)); /* its algorithms are measured at its end */
    *ret = (struct cuda_room){.capacity = rows > bucket ? rows : bucket};
    struct status status = allocate(weights, ret);
    if (!status_is_ok(&status))
        cuda_room_free(ret);
    return status;
}

void cuda_room_free(struct cuda_room *room) {
    cudaFree(room->block);
    cudaFreeHost(room->host_block);
    *room = (struct cuda_room){0};
}

struct status cuda_room_poison(const struct cuda_room *room, const struct cuda_weights *weights, size_t tokens,
                               cudaStream_t stream) {
    const size_t hidden = (size_t)weights->config.hidden_size, numbers = tokens * hidden * NUMBER_SIZE;
    const struct {
        void *memory;
        size_t size;
    } used[] = {{room->x, numbers},
                {room->y, numbers},
                {room->sums, tokens * CUDA_PRODUCT_PARTS * hidden * sizeof(float)},
                {room->context, numbers},
                {room->intermediate, tokens * (size_t)weights->config.intermediate_size * NUMBER_SIZE},
                {room->query_key_value, 3 * numbers},
                {room->hidden, tokens * hidden * sizeof(float)}};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        CUDA_TRY(cudaMemsetAsync(used[i].memory, 0xff, used[i].size, stream));
    return status_ok();
}

/* ---- staging ---- */

static unsigned tiles_of(uint32_t length) {
    return (length + CUDA_QUERY_TILE - 1) / CUDA_QUERY_TILE;
}

unsigned cuda_room_tile_count(const struct bert_batch *batch) {
    unsigned count = 0;
    for (size_t i = 0; i < batch->sequence_count; i++)
        count += tiles_of(batch->offsets[i + 1] - batch->offsets[i]);
    return count;
}

struct cuda_staged cuda_room_staged(char *memory, const struct cuda_plan *plan) {
    size_t used = 0, ids = (size_t)plan->tokens * sizeof(int32_t);
    struct cuda_staged staged;
    staged.token_ids = (int32_t *)(void *)take(memory, &used, ids);
    staged.segment_ids = (int32_t *)(void *)take(memory, &used, ids);
    staged.position_ids = (int32_t *)(void *)take(memory, &used, ids);
    staged.tiles = (struct cuda_attention_tile *)(void *)take(memory, &used, plan->tile_count * sizeof *staged.tiles);
    staged.offsets = (uint32_t *)(void *)take(memory, &used, ((size_t)plan->sequence_count + 1) * sizeof(uint32_t));
    staged.size = used;
    return staged;
}

static void stage_ids(const int32_t *ids, size_t count, size_t room, int32_t *to) {
    if (ids)
        memcpy(to, ids, count * sizeof *to);
    else
        count = 0;
    memset(to + count, 0, (room - count) * sizeof *to);
}

static void stage_tiles(const struct bert_batch *batch, const struct cuda_plan *plan,
                        struct cuda_attention_tile *tiles) {
    unsigned count = 0;
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const uint32_t first = batch->offsets[i], length = batch->offsets[i + 1] - first;
        for (uint32_t query = 0; query < length; query += CUDA_QUERY_TILE)
            tiles[count++] = (struct cuda_attention_tile){first, length, query};
    }
    memset(tiles + count, 0, (plan->tile_count - count) * sizeof *tiles);
}

void cuda_room_stage(const struct bert_batch *batch, const struct cuda_plan *plan, const struct cuda_staged *staged) {
    const size_t tokens = batch->offsets[batch->sequence_count];
    stage_ids(batch->token_ids, tokens, plan->tokens, staged->token_ids);
    stage_ids(batch->segment_ids, tokens, plan->tokens, staged->segment_ids);
    stage_ids(batch->position_ids, tokens, plan->tokens, staged->position_ids);
    stage_tiles(batch, plan, staged->tiles);
    for (size_t i = 0; i <= plan->sequence_count; i++)
        staged->offsets[i] = batch->offsets[i < batch->sequence_count ? i : batch->sequence_count];
}

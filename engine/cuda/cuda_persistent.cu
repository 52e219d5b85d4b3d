/* cuda_persistent.cu: a whole forward pass in one kernel, for a batch so short that launches and the latency of memory
 * are what takes its time. Its blocks, one for each multiprocessor, go through the operations one after another: each
 * has its part of one, and meets the others before the next.
 *
 * What other blocks have written is read through the device's cache: by asynchronous copies, which know no other, or
 * after a barrier, which empties the nearer one.
 */
#include "engine/cuda/attention.cuh"
#include "engine/cuda/product.cuh"
#include "engine/cuda/rows.cuh"

/* What a block keeps in shared memory, since barriers throw it out of every other cache. */
struct kept {
    struct cuda_persistent batch;
    struct product_place places[CUDA_GEMM_COUNT];        /* of its first tile of each product, if it has one */
    struct cuda_attention_tile tiles[CUDA_SHORT_TOKENS]; /* the batch's */
};

enum { STEPS = CUDA_PERSISTENT_HIDDEN / STEP, PARAMETERS_MAX = 4096, MEMORY = PRODUCT_MEMORY + sizeof(struct kept) };
static_assert(sizeof(struct cuda_persistent) <= PARAMETERS_MAX, "a kernel's parameters");
static_assert(MEMORY <= 163 << 10, "a block has as much everywhere");
static_assert(PRODUCT_MEMORY % alignof(struct kept) == 0, "it lies behind the products' memory");
static_assert(sizeof(short_attention_memory<__half, 64>) <= PRODUCT_SUMS, "attention has room where the sums lie");
static_assert(CUDA_PERSISTENT_HIDDEN <= PRODUCT_THREADS * QUAD, "a block has a whole row");

/* ---- one operation ---- */

/* Products are counted from the first layer's to the last one's. */
__device__ static inline const struct cuda_product &product_of(const struct cuda_persistent &batch, int index) {
    return batch.layers[index / CUDA_GEMM_COUNT].products[index % CUDA_GEMM_COUNT];
}

__device__ static inline struct product_call call_of(const struct cuda_persistent &batch, int index) {
    const int gemm = index % CUDA_GEMM_COUNT;
    struct product_call call = {
        batch.x, product_of(batch, index), batch.embed.norm.tokens, batch.cuts[gemm].parts, NULL, NULL, false};
    switch (gemm) {
    case CUDA_QUERY_KEY_VALUE:
        call.to = batch.query_key_value;
        break;
    case CUDA_ATTENTION_OUTPUT:
        call.rows = batch.attention.numbers;
        call.sums = batch.sums;
        break;
    case CUDA_INTERMEDIATE:
        call.to = batch.intermediate;
        call.is_gelu = true;
        break;
    default:
        call.rows = batch.intermediate;
        call.sums = batch.sums;
        break;
    }
    return call;
}

/* Functions of their own, which take little: what lies on the stack is thrown out of the cache too. */
template <typename Number, int SHAPE>
__device__ static __noinline__ void fetch_shape(const struct kept &kept, char *memory, int index) {
    fetch_tile<Number, SHAPE>(memory, call_of(kept.batch, index), kept.places[index % CUDA_GEMM_COUNT]);
}

template <typename Number, int SHAPE>
__device__ static __noinline__ void multiply_shape(const struct kept &kept, char *memory, int index) {
    multiply_tiles<Number, SHAPE>(memory, call_of(kept.batch, index), kept.places[index % CUDA_GEMM_COUNT]);
}

/* Begins to bring what the block needs for a product, if there is one of that number. */
template <typename Number> __device__ static inline void fetch(const struct kept &kept, char *memory, int index) {
    if (index < kept.batch.layer_count * CUDA_GEMM_COUNT)
        with_shape(kept.batch.cuts[index % CUDA_GEMM_COUNT].shape,
                   [&](auto shape) { fetch_shape<Number, decltype(shape)::value>(kept, memory, index); });
}

template <typename Number> __device__ static inline void multiply(const struct kept &kept, char *memory, int index) {
    with_shape(kept.batch.cuts[index % CUDA_GEMM_COUNT].shape,
               [&](auto shape) { multiply_shape<Number, decltype(shape)::value>(kept, memory, index); });
}

template <typename Number, int D>
__device__ static __noinline__ void attend_all(const struct kept &kept, char *memory) {
    struct cuda_attention attention = kept.batch.attention;
    attention.tiles = kept.tiles;
    const unsigned items = attention.tile_count * static_cast<unsigned>(attention.head_count);
    for (unsigned item = block_index().x; item < items; item += block_count())
        attend_short<Number, D, PRODUCT_THREADS>(
            attention, item, *reinterpret_cast<short_attention_memory<Number, D> *>(memory + PRODUCT_SUMS_AT));
}

/* This warp's tokens, from the first one on; those of a block lie far apart, so that all blocks have some. */
__device__ static inline unsigned first_token() {
    return block_index().x + warp_index() * block_count();
}

__device__ static inline unsigned token_step() {
    return block_count() * PRODUCT_WARPS;
}

template <typename Number> __device__ static __noinline__ void embed_all(const struct cuda_embed &embed) {
    for (unsigned token = first_token(); token < embed.norm.tokens; token += token_step())
        embed_token<Number, STEPS>(embed, token);
}

/* What follows a product of sums. */
template <typename Number>
__device__ static __noinline__ void norm_all(const struct cuda_persistent &batch, char *memory, int index) {
    const struct cuda_persistent_layer &layer = batch.layers[index / CUDA_GEMM_COUNT];
    const bool is_output = index % CUDA_GEMM_COUNT == CUDA_OUTPUT;
    struct rows_in_parts rows = {batch.sums, batch.cuts[index % CUDA_GEMM_COUNT].parts, product_of(batch, index).bias,
                                 batch.x, batch.embed.norm};
    rows.norm.gamma = is_output ? layer.output_gamma : layer.attention_gamma;
    rows.norm.beta = is_output ? layer.output_beta : layer.attention_beta;
    if (index + 1 == batch.layer_count * CUDA_GEMM_COUNT)
        rows.norm.to = batch.results;
    for (unsigned token = block_index().x; token < rows.norm.tokens; token += block_count())
        norm_row_in_parts<Number, PRODUCT_WARPS>(rows, token, reinterpret_cast<float *>(memory + PRODUCT_SUMS_AT));
}

/* One block brings what all need of a layer's LayerNorms nearer. */
__device__ static inline void fetch_norms(const struct cuda_persistent &batch, int index) {
    const struct cuda_persistent_layer &layer = batch.layers[index / CUDA_GEMM_COUNT];
    const float *const rows[] = {layer.attention_gamma, layer.attention_beta, layer.output_gamma, layer.output_beta};
    if (block_index().x == 0 && warp_index() < sizeof rows / sizeof rows[0])
        fetch_ahead(rows[warp_index()], static_cast<unsigned>(batch.embed.norm.columns) * sizeof(float));
}

/* ---- all of them ---- */

/* How the blocks meet. */
struct meetings {
    struct grid_meeting *place;
    uint32_t goal;

    /* All of them have come; until then meanwhile() is done by all warps but that one. False: they have lost each
     * other. */
    template <typename Work> __device__ bool meet(unsigned warp, const Work &meanwhile) {
        goal += block_count();
        grid_arrive(place);
        return grid_wait(place, goal, warp, meanwhile);
    }
};

/* While the blocks meet behind a product, all warps but one fetch for the next; that one does so while they meet the
 * next time, or behind the meeting where it is the only one between two products. False: the blocks have lost each
 * other. */
template <typename Number, int D> __device__ static inline bool run_all(const struct kept &kept, char *memory) {
    const struct cuda_persistent &batch = kept.batch;
    struct meetings blocks = {batch.meeting, 0};
    const int products = batch.layer_count * CUDA_GEMM_COUNT;
    if (warp_index() != 0)
        fetch<Number>(kept, memory, 0);
    embed_all<Number>(batch.embed);
    for (int i = 0; i < products; i++) {
        const int gemm = i % CUDA_GEMM_COUNT;
        const auto fetch_rest = [&] {
            if (warp_index() == 0)
                fetch<Number>(kept, memory, i);
        };
        if (gemm == CUDA_OUTPUT)
            fetch_rest();
        else if (!blocks.meet(1, fetch_rest))
            return false;
        if (gemm == CUDA_QUERY_KEY_VALUE)
            fetch_norms(batch, i);
        multiply<Number>(kept, memory, i);
        if (!blocks.meet(0, [&] { fetch<Number>(kept, memory, i + 1); }))
            return false;
        if (gemm == CUDA_QUERY_KEY_VALUE)
            attend_all<Number, D>(kept, memory);
        else if (gemm != CUDA_INTERMEDIATE)
            norm_all<Number>(batch, memory, i);
    }
    return true;
}

/* By all threads of the block. */
__device__ static inline void keep_words(void *to, const void *from, size_t size) {
    for (size_t i = thread_index(); i < size / sizeof(uint32_t); i += PRODUCT_THREADS)
        static_cast<uint32_t *>(to)[i] = static_cast<const uint32_t *>(from)[i];
}

__device__ static inline const struct kept &keep(const struct cuda_persistent &batch, char *memory) {
    struct kept *kept = reinterpret_cast<struct kept *>(memory + PRODUCT_MEMORY);
    keep_words(&kept->batch, &batch, sizeof batch);
    keep_words(kept->tiles, batch.attention.tiles, batch.attention.tile_count * sizeof *kept->tiles);
    const int gemm = static_cast<int>(thread_index());
    if (gemm < CUDA_GEMM_COUNT)
        kept->places[gemm] = place_of(product_shape_of(batch.cuts[gemm].shape), call_of(batch, gemm), block_index().x);
    block_barrier();
    return *kept;
}

template <typename Number, int D>
__global__ void __launch_bounds__(PRODUCT_THREADS, 1)
    persistent_kernel(const __grid_constant__ struct cuda_persistent batch) {
    const struct kept &kept = keep(batch, shared_memory());
    const bool is_done = run_all<Number, D>(kept, shared_memory());
    copy_async_wait<0>();
    grid_leave(batch.meeting);
    if (is_done && block_index().x == 0 && thread_index() == 0)
        *batch.is_done = 1;
}

/* ---- launches ---- */

/* Bytes that the busiest block reads and writes for a product; where LayerNorm adds parts up, with what it reads. */
static size_t cost_of(struct cuda_product_cut cut, const struct cuda_product &matrix, unsigned tokens, unsigned blocks,
                      bool has_sums) {
    const product_shape shape = product_shape_of(cut.shape);
    const unsigned items = shape.tiles(tokens, matrix.outputs) * static_cast<unsigned>(cut.parts);
    const size_t turns = (items + blocks - 1) / blocks, rows_each = (tokens + blocks - 1) / blocks;
    const size_t height = static_cast<size_t>(shape.rows), width = static_cast<size_t>(shape.columns);
    const size_t stages = static_cast<size_t>((shape.stages(matrix.inputs) + cut.parts - 1) / cut.parts);
    const size_t read = (height + width) * stages * static_cast<size_t>(shape.depth()) * 2;
    const size_t added = rows_each * static_cast<size_t>(cut.parts) * static_cast<size_t>(matrix.outputs);
    return turns * (read + height * width * (has_sums ? sizeof(float) : 2)) + (has_sums ? added * sizeof(float) : 0);
}

static struct cuda_product_cut choose_cut(const struct cuda_product &matrix, unsigned tokens, unsigned blocks,
                                          bool has_sums) {
    struct cuda_product_cut best = {0, 1};
    for (int shape = 0; shape < CUDA_PRODUCT_SHAPES; shape++)
        for (int parts = 1; parts <= (has_sums ? CUDA_PRODUCT_PARTS : 1); parts++) {
            const struct cuda_product_cut cut = {shape, parts};
            if (parts <= product_shape_of(shape).stages(matrix.inputs) &&
                cost_of(cut, matrix, tokens, blocks, has_sums) < cost_of(best, matrix, tokens, blocks, has_sums))
                best = cut;
        }
    return best;
}

template <typename Number, int D>
static cudaError_t start(const struct cuda_persistent *batch, unsigned blocks, cudaStream_t stream) {
    struct cuda_persistent cut = *batch;
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
        if (cut.cuts[gemm].parts == 0)
            cut.cuts[gemm] = choose_cut(batch->layers[0].products[gemm], batch->embed.norm.tokens, blocks,
                                        gemm == CUDA_ATTENTION_OUTPUT || gemm == CUDA_OUTPUT);
    return launch_together(persistent_kernel<Number, D>, blocks, PRODUCT_THREADS, MEMORY, stream, cut);
}

template <typename Number> static cudaError_t count_blocks(int head_size, unsigned *ret) {
    switch (head_size) {
    case 32:
        return resident_blocks(persistent_kernel<Number, 32>, PRODUCT_THREADS, MEMORY, ret);
    case 64:
        return resident_blocks(persistent_kernel<Number, 64>, PRODUCT_THREADS, MEMORY, ret);
    default:
        *ret = 0;
        return cudaSuccess;
    }
}

extern "C" cudaError_t cuda_persistent_blocks(enum cuda_number number, int head_size, unsigned *ret) {
    return number == CUDA_BF16 ? count_blocks<__nv_bfloat16>(head_size, ret) : count_blocks<__half>(head_size, ret);
}

extern "C" cudaError_t cuda_persistent(enum cuda_number number, const struct cuda_persistent *batch, unsigned blocks,
                                       cudaStream_t stream) {
    const unsigned tokens = batch->embed.norm.tokens;
    if (tokens == 0 || tokens > CUDA_SHORT_TOKENS || batch->attention.tile_count > CUDA_SHORT_TOKENS)
        return cudaErrorInvalidValue;
    if (batch->attention.head_size == 32)
        return number == CUDA_BF16 ? start<__nv_bfloat16, 32>(batch, blocks, stream)
                                   : start<__half, 32>(batch, blocks, stream);
    if (batch->attention.head_size == 64)
        return number == CUDA_BF16 ? start<__nv_bfloat16, 64>(batch, blocks, stream)
                                   : start<__half, 64>(batch, blocks, stream);
    return cudaErrorInvalidValue;
}

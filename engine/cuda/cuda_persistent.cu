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

enum { STEPS = CUDA_PERSISTENT_HIDDEN / STEP, PARAMETERS_MAX = 4096 };
static_assert(sizeof(struct cuda_persistent) <= PARAMETERS_MAX, "a kernel's parameters");
enum { MEMORY = PRODUCT_MEMORY + PARAMETERS_MAX };
static_assert(sizeof(attention_memory<__half, 64>) <= PRODUCT_SUMS, "attention has room where the sums lie");

/* ---- one operation ---- */

/* Products are counted from the first layer's to the last one's. */
__device__ static inline const struct cuda_product &product_of(const struct cuda_persistent &batch, int index) {
    return batch.layers[index / CUDA_GEMM_COUNT].products[index % CUDA_GEMM_COUNT];
}

/* Begins to bring what the block needs for a product, if there is one of that number. */
template <typename Number>
__device__ static inline void fetch(const struct cuda_persistent &batch, char *memory, int index) {
    if (index < batch.layer_count * CUDA_GEMM_COUNT)
        with_shape(batch.shapes[index % CUDA_GEMM_COUNT], [&](auto shape) {
            fetch_tile<Number, decltype(shape)::value>(memory, product_of(batch, index), batch.embed.norm.tokens);
        });
}

__device__ static inline struct product_call call_of(const struct cuda_persistent &batch, int index) {
    struct product_call call = {batch.x, NULL, batch.y, product_of(batch, index), batch.embed.norm.tokens, false};
    switch (index % CUDA_GEMM_COUNT) {
    case CUDA_QUERY_KEY_VALUE:
        call.to = batch.query_key_value;
        break;
    case CUDA_ATTENTION_OUTPUT:
        call.rows = batch.attention.numbers;
        call.residual = batch.x;
        break;
    case CUDA_INTERMEDIATE:
        call.to = batch.intermediate;
        call.is_gelu = true;
        break;
    default:
        call.rows = batch.intermediate;
        call.residual = batch.x;
        break;
    }
    return call;
}

template <typename Number>
__device__ static inline void multiply(const struct cuda_persistent &batch, char *memory, int index) {
    const struct product_call call = call_of(batch, index);
    with_shape(batch.shapes[index % CUDA_GEMM_COUNT],
               [&](auto shape) { multiply_tiles<Number, decltype(shape)::value>(memory, call); });
}

template <typename Number, int D>
__device__ static __noinline__ void attend_all(const struct cuda_attention &attention, char *memory) {
    const unsigned items = attention.tile_count * static_cast<unsigned>(attention.head_count);
    for (unsigned item = block_index().x; item < items; item += block_count())
        attend<Number, D, PRODUCT_THREADS>(attention, item,
                                           *reinterpret_cast<attention_memory<Number, D> *>(memory + PRODUCT_SUMS_AT));
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

/* What follows a product with a residual. */
template <typename Number>
__device__ static __noinline__ void norm_all(const struct cuda_persistent &batch, int index) {
    const struct cuda_persistent_layer &layer = batch.layers[index / CUDA_GEMM_COUNT];
    const bool is_output = index % CUDA_GEMM_COUNT == CUDA_OUTPUT;
    struct cuda_norm_rows rows = {batch.y, batch.embed.norm};
    rows.norm.gamma = is_output ? layer.output_gamma : layer.attention_gamma;
    rows.norm.beta = is_output ? layer.output_beta : layer.attention_beta;
    if (index + 1 == batch.layer_count * CUDA_GEMM_COUNT)
        rows.norm.to = batch.results;
    for (unsigned token = first_token(); token < rows.norm.tokens; token += token_step())
        norm_token<Number, STEPS>(rows, token);
}

/* One block brings what all need of a layer's LayerNorms nearer. */
__device__ static inline void fetch_norms(const struct cuda_persistent &batch, int index) {
    const struct cuda_persistent_layer &layer = batch.layers[index / CUDA_GEMM_COUNT];
    const float *const rows[] = {layer.attention_gamma, layer.attention_beta, layer.output_gamma, layer.output_beta};
    if (block_index().x == 0 && warp_index() < sizeof rows / sizeof rows[0])
        fetch_row_ahead(rows[warp_index()], static_cast<unsigned>(batch.embed.norm.columns) * sizeof(float));
}

/* ---- all of them ---- */

/* Where the blocks meet. */
struct meeting {
    uint32_t *arrivals, goal;

    __device__ void arrive() {
        goal += block_count();
        grid_arrive(arrivals);
    }
    __device__ bool wait() {
        return grid_wait(arrivals, goal);
    }
};

/* False: the blocks have lost each other. */
template <typename Number, int D>
__device__ static inline bool run_all(const struct cuda_persistent &batch, char *memory) {
    struct meeting blocks = {batch.arrivals, 0};
    const int products = batch.layer_count * CUDA_GEMM_COUNT;
    fetch<Number>(batch, memory, 0);
    embed_all<Number>(batch.embed);
    for (int i = 0; i < products; i++) {
        const int gemm = i % CUDA_GEMM_COUNT;
        if (gemm != CUDA_OUTPUT) { /* else nothing has been done since the blocks met */
            blocks.arrive();
            if (!blocks.wait())
                return false;
        }
        if (gemm == CUDA_QUERY_KEY_VALUE)
            fetch_norms(batch, i);
        multiply<Number>(batch, memory, i);
        blocks.arrive();
        fetch<Number>(batch, memory, i + 1);
        if (!blocks.wait())
            return false;
        if (gemm == CUDA_QUERY_KEY_VALUE)
            attend_all<Number, D>(batch.attention, memory);
        else if (gemm != CUDA_INTERMEDIATE)
            norm_all<Number>(batch, i);
    }
    return true;
}

/* What the kernel was given, in shared memory: barriers throw it out of every other cache. */
__device__ static inline const struct cuda_persistent &keep(const struct cuda_persistent &batch, char *memory) {
    const int count = static_cast<int>(sizeof batch / sizeof(uint64_t));
    const uint64_t *from = reinterpret_cast<const uint64_t *>(&batch);
    uint64_t *to = reinterpret_cast<uint64_t *>(memory + PRODUCT_MEMORY);
    for (int i = static_cast<int>(thread_index()); i < count; i += PRODUCT_THREADS)
        to[i] = from[i];
    block_barrier();
    return *reinterpret_cast<const struct cuda_persistent *>(to);
}

template <typename Number, int D>
__global__ void __launch_bounds__(PRODUCT_THREADS, 1)
    persistent_kernel(const __grid_constant__ struct cuda_persistent parameters) {
    const struct cuda_persistent &batch = keep(parameters, shared_memory());
    const bool is_done = run_all<Number, D>(batch, shared_memory());
    copy_async_wait<0>();
    if (is_done && block_index().x == 0 && thread_index() == 0)
        *batch.is_done = 1;
}

/* ---- launches ---- */

/* The shape whose tiles make the busiest block read least. */
static int choose_shape(unsigned tokens, int outputs, unsigned blocks) {
    int best = 0;
    unsigned least = 0;
    for (int i = 0; i < PRODUCT_SHAPES; i++) {
        const product_shape shape = product_shape_of(i);
        const unsigned turns = (shape.tiles(tokens, outputs) + blocks - 1) / blocks;
        const unsigned read = turns * static_cast<unsigned>(shape.rows + shape.columns);
        if (i > 0 && read >= least)
            continue;
        best = i;
        least = read;
    }
    return best;
}

template <typename Number, int D>
static cudaError_t start(const struct cuda_persistent *batch, unsigned blocks, cudaStream_t stream) {
    struct cuda_persistent shaped = *batch;
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
        shaped.shapes[gemm] = choose_shape(batch->embed.norm.tokens, batch->layers[0].products[gemm].outputs, blocks);
    return launch_together(persistent_kernel<Number, D>, blocks, PRODUCT_THREADS, MEMORY, stream, shaped);
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
    if (batch->attention.head_size == 32)
        return number == CUDA_BF16 ? start<__nv_bfloat16, 32>(batch, blocks, stream)
                                   : start<__half, 32>(batch, blocks, stream);
    if (batch->attention.head_size == 64)
        return number == CUDA_BF16 ? start<__nv_bfloat16, 64>(batch, blocks, stream)
                                   : start<__half, 64>(batch, blocks, stream);
    return cudaErrorInvalidValue;
}

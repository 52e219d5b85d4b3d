/* product.cuh: rows of numbers times a matrix of weights, for so few rows that bringing the operands takes longer than
 * multiplying: by the eight warps of a block, for one tile of the result after another.
 *
 * A tile is small, so that as many blocks of the device as can be have one. Its warps share out the depth, the numbers
 * that a result is the sum of: in a stage, 32 numbers deep for each of them, every warp multiplies its own part of the
 * same rows and weights, and what they have added up is added once, at the end. Four stages are in shared memory, three
 * of them on their way. The weights of the first two are fetched before the rows are known, while the block still waits
 * for those that compute them.
 */
#ifndef INFERD_ENGINE_CUDA_PRODUCT_CUH
#define INFERD_ENGINE_CUDA_PRODUCT_CUH

#include "engine/cuda/cuda_kernels.h"
#include "engine/cuda/numbers.cuh"
#include "engine/cuda/warp.cuh"

enum {
    PRODUCT_WARPS = 8,
    PRODUCT_THREADS = PRODUCT_WARPS * WARP,
    PRODUCT_STAGES = 4,
    PRODUCT_AHEAD = 2,       /* stages whose weights come before their rows */
    PRODUCT_SLOT = 32 << 10, /* bytes of a stage at most */
    PRODUCT_SUMS = 80 << 10, /* bytes of the warps' sums at most, and what an operation between may use */
    WARP_DEPTH = 32          /* of a stage, for one warp */
};

/* Shared memory: the stages; behind those that are fetched ahead lie the sums as well. */
enum {
    PRODUCT_SUMS_AT = PRODUCT_AHEAD * PRODUCT_SLOT,
    PRODUCT_MEMORY = PRODUCT_SUMS_AT + PRODUCT_SUMS,
};
static_assert(PRODUCT_MEMORY >= PRODUCT_STAGES * PRODUCT_SLOT, "all stages have room");

/* A tile of the result. Its warps are in groups that have different rows, and those of a group have different depths.
 */
struct product_shape {
    int rows, columns, row_groups;

    __host__ __device__ constexpr int depth_groups() const {
        return PRODUCT_WARPS / row_groups;
    }
    /* Numbers, of a stage. */
    __host__ __device__ constexpr int depth() const {
        return depth_groups() * WARP_DEPTH;
    }
    /* Floats from one row of sums to the next: so that eight rows' lie in different banks. */
    __host__ __device__ constexpr int sums_stride() const {
        return columns % 16 == 8 ? columns : columns + 8;
    }
    __host__ __device__ constexpr unsigned tiles(unsigned tokens, int outputs) const {
        const unsigned height = static_cast<unsigned>(rows), width = static_cast<unsigned>(columns);
        return (tokens + height - 1) / height * ((static_cast<unsigned>(outputs) + width - 1) / width);
    }
};

/* The shapes that there are, from the one that reads least. */
enum { PRODUCT_SHAPES = 6 };
__host__ __device__ static constexpr product_shape product_shape_of(int index) {
    switch (index) {
    case 0:
        return {16, 24, 1};
    case 1:
        return {32, 24, 1};
    case 2:
        return {32, 32, 1};
    case 3:
        return {32, 48, 2};
    case 4:
        return {64, 48, 2};
    default:
        return {64, 64, 2};
    }
}

struct product_call {
    const void *rows;     /* [tokens][inputs] */
    const void *residual; /* [tokens][outputs], or NULL */
    void *to;             /* [tokens][outputs] */
    struct cuda_product matrix;
    unsigned tokens;
    bool is_gelu;
};

/* Where a tile lies: its first token and its first output. Tiles that read the same weights are neighbours. */
struct product_place {
    unsigned token;
    int output;

    __device__ product_place(product_shape shape, unsigned tokens, unsigned tile) {
        const unsigned height = static_cast<unsigned>(shape.rows), rows = (tokens + height - 1) / height;
        token = tile % rows * height;
        output = static_cast<int>(tile / rows) * shape.columns;
    }
};

/* ---- operands in shared memory ---- */

/* Rows of `depth` numbers in pieces of 16 bytes, exchanged so that eight rows' of one column lie in different banks. */
__device__ static inline int product_piece(int depth, int row_index, int piece) {
    return row_index * depth + (piece ^ row_index % 8) * PACK;
}

/* The part of a stage of `count` rows, of which `rows_left` are there, and `left` numbers of each. A thread has a piece
 * of every so many rows, which are exchanged alike. */
template <typename Number>
__device__ static inline void copy_part(Number *to, int depth, int count, const Number *from, int stride, int rows_left,
                                        int left) {
    const int pieces = depth / PACK, step = PRODUCT_THREADS / pieces, thread = static_cast<int>(thread_index());
    const int first = thread / pieces, piece = thread % pieces;
    Number *place = to + product_piece(depth, first, piece);
    const Number *at = from + static_cast<ptrdiff_t>(first) * stride + piece * PACK;
    const bool is_there = piece * PACK < left;
#pragma unroll
    for (int i = 0; i < count / step; i++)
        copy_async_16(place + i * step * depth, at + static_cast<ptrdiff_t>(i * step) * stride,
                      is_there && first + i * step < rows_left);
}

template <typename Number> __device__ static inline Number *slot_of(char *memory, int stage) {
    return reinterpret_cast<Number *>(memory + stage % PRODUCT_STAGES * PRODUCT_SLOT);
}

/* Weights come first in a slot. */
template <typename Number>
__device__ static inline void copy_weights(char *memory, product_shape shape, const struct cuda_product &matrix,
                                           int output, int stage) {
    const int begin = stage * shape.depth();
    copy_part(slot_of<Number>(memory, stage), shape.depth(), shape.columns,
              static_cast<const Number *>(matrix.weights) + static_cast<ptrdiff_t>(output) * matrix.inputs + begin,
              matrix.inputs, matrix.outputs - output, matrix.inputs - begin);
}

template <typename Number>
__device__ static inline void copy_rows(char *memory, product_shape shape, const struct product_call &call,
                                        unsigned token, int stage) {
    const int begin = stage * shape.depth(), inputs = call.matrix.inputs;
    copy_part(slot_of<Number>(memory, stage) + shape.columns * shape.depth(), shape.depth(), shape.rows,
              static_cast<const Number *>(call.rows) + static_cast<ptrdiff_t>(token) * inputs + begin, inputs,
              static_cast<int>(call.tokens - token), inputs - begin);
}

/* What the block's first tile of a product needs and is known before its rows: the weights of the first stages, as a
 * group of copies of its own; the rest of them, and the bias, come as near as the device's cache. */
template <typename Number, int SHAPE>
__device__ static __noinline__ void fetch_tile(char *memory, const struct cuda_product &matrix, unsigned tokens) {
    constexpr product_shape shape = product_shape_of(SHAPE);
    if (block_index().x >= shape.tiles(tokens, matrix.outputs))
        return;
    const int output = product_place(shape, tokens, block_index().x).output, begin = PRODUCT_AHEAD * shape.depth();
    for (int stage = 0; stage < PRODUCT_AHEAD; stage++)
        copy_weights<Number>(memory, shape, matrix, output, stage);
    copy_async_end_group();
    const int left = matrix.outputs - output, count = left < shape.columns ? left : shape.columns;
    const Number *from = static_cast<const Number *>(matrix.weights) + static_cast<ptrdiff_t>(output) * matrix.inputs;
    const int warp = static_cast<int>(warp_index());
    if (matrix.inputs > begin)
        for (int row_index = warp; row_index < count; row_index += PRODUCT_WARPS)
            fetch_row_ahead(from + static_cast<ptrdiff_t>(row_index) * matrix.inputs + begin,
                            static_cast<unsigned>(matrix.inputs - begin) * sizeof *from);
    if (warp == PRODUCT_WARPS - 1)
        fetch_row_ahead(static_cast<const Number *>(matrix.bias) + output, static_cast<unsigned>(count) * sizeof *from);
}

/* ---- one tile ---- */

template <typename Number, int SHAPE> struct product_tile {
    static constexpr product_shape shape = product_shape_of(SHAPE);
    enum {
        ROWS = shape.rows,
        COLUMNS = shape.columns,
        ROW_GROUPS = shape.row_groups,
        DEPTH = shape.depth(),
        ROW_BLOCKS = ROWS / ROW_GROUPS / 16,
        STRIDE = shape.sums_stride(),
        WORDS = ROWS * COLUMNS / 2 / PRODUCT_THREADS + (ROWS * COLUMNS / 2 % PRODUCT_THREADS != 0) /* of a thread */
    };
    static_assert((ROWS + COLUMNS) * DEPTH * 2 <= PRODUCT_SLOT, "a stage fits its slot");
    static_assert(PRODUCT_THREADS * PACK / DEPTH % 8 == 0, "rows of a thread are exchanged alike");
    static_assert(ROWS * DEPTH % (PRODUCT_THREADS * PACK) == 0 && COLUMNS * DEPTH % (PRODUCT_THREADS * PACK) == 0,
                  "every thread copies as much");
    static_assert(shape.depth_groups() * ROWS * STRIDE * 4 <= PRODUCT_SUMS, "the sums have room");

    float sums[ROW_BLOCKS][COLUMNS / 8][4]; /* of this warp */
    uint32_t residual[WORDS];               /* of what this thread writes */

    /* The warp's rows and depth of a stage. */
    __device__ void multiply(const Number *slot) {
        const int lane = lane_index(), warp = static_cast<int>(warp_index());
        const int first = warp % ROW_GROUPS * ROW_BLOCKS * 16, piece = warp / ROW_GROUPS * 4;
        const Number *rows = slot + COLUMNS * DEPTH;
        uint32_t a[ROW_BLOCKS][2][4];
#pragma unroll
        for (int block = 0; block < ROW_BLOCKS; block++)
            for (int half = 0; half < 2; half++)
                load_matrices(a[block][half], rows + product_piece(DEPTH, first + block * 16 + lane % 16,
                                                                   piece + 2 * half + lane / 16));
#pragma unroll
        for (int column = 0; column < COLUMNS / 8; column++) {
            uint32_t b[4];
            load_matrices(b, slot + product_piece(DEPTH, column * 8 + lane % 8, piece + lane / 8));
#pragma unroll
            for (int block = 0; block < ROW_BLOCKS; block++) {
                multiply_add(sums[block][column], a[block][0], b[0], b[1], Number());
                multiply_add(sums[block][column], a[block][1], b[2], b[3], Number());
            }
        }
    }

    __device__ void begin_stage(char *memory, const struct product_call &call, product_place place, int stage,
                                bool has_weights) {
        if (stage * DEPTH < call.matrix.inputs) {
            copy_rows<Number>(memory, shape, call, place.token, stage);
            if (!has_weights)
                copy_weights<Number>(memory, shape, call.matrix, place.output, stage);
        }
        copy_async_end_group();
    }

    /* has_weights: fetch_tile has begun to bring them. */
    __device__ void multiply_all(char *memory, const struct product_call &call, product_place place, bool has_weights) {
        const int stages = (call.matrix.inputs + DEPTH - 1) / DEPTH, lead = PRODUCT_STAGES - 1;
        for (int stage = 0; stage < lead; stage++)
            begin_stage(memory, call, place, stage, has_weights && stage < PRODUCT_AHEAD);
        for (int stage = 0; stage < stages; stage++) {
            copy_async_wait<lead - 1>();
            block_barrier();
            begin_stage(memory, call, place, stage + lead, false);
            multiply(slot_of<Number>(memory, stage));
        }
        copy_async_wait<0>();
        block_barrier();
    }

    /* Of word i of this thread: two numbers of a row. False: the tile or the result has no such place. */
    __device__ static bool find(const struct product_call &call, product_place place, int i, int *row_index,
                                int *column, size_t *at) {
        const int word = static_cast<int>(thread_index()) + i * PRODUCT_THREADS;
        *row_index = word / (COLUMNS / 2);
        *column = word % (COLUMNS / 2) * 2;
        const unsigned token = place.token + static_cast<unsigned>(*row_index);
        *at = static_cast<size_t>(token) * static_cast<size_t>(call.matrix.outputs) +
              static_cast<size_t>(place.output + *column);
        return *row_index < ROWS && token < call.tokens && place.output + *column < call.matrix.outputs;
    }

    __device__ void load_residual(const struct product_call &call, product_place place) {
        int row_index, column;
        size_t at;
#pragma unroll
        for (int i = 0; i < WORDS; i++)
            residual[i] = call.residual && find(call, place, i, &row_index, &column, &at)
                              ? *reinterpret_cast<const uint32_t *>(static_cast<const Number *>(call.residual) + at)
                              : 0;
    }

    /* Where all threads find what each warp has added up. */
    __device__ void share_sums(float *shared) const {
        const int lane = lane_index(), warp = static_cast<int>(warp_index());
        const int first = warp % ROW_GROUPS * ROW_BLOCKS * 16 + lane / 4;
        float *to = shared + warp / ROW_GROUPS * ROWS * STRIDE + lane % 4 * 2;
#pragma unroll
        for (int block = 0; block < ROW_BLOCKS; block++)
            for (int column = 0; column < COLUMNS / 8; column++)
                for (int half = 0; half < 2; half++) {
                    float2 *pair =
                        reinterpret_cast<float2 *>(to + (first + block * 16 + half * 8) * STRIDE + column * 8);
                    *pair = make_float2(sums[block][column][2 * half], sums[block][column][2 * half + 1]);
                }
    }

    __device__ void write(const float *shared, const struct product_call &call, product_place place) const {
        int row_index, column;
        size_t at;
#pragma unroll
        for (int i = 0; i < WORDS; i++) {
            if (!find(call, place, i, &row_index, &column, &at))
                continue;
            float numbers[2], more[2];
            const Number *bias = static_cast<const Number *>(call.matrix.bias) + place.output + column;
            unpack_pair<Number>(*reinterpret_cast<const uint32_t *>(bias), numbers);
#pragma unroll
            for (int group = 0; group < shape.depth_groups(); group++) {
                const float *from = shared + (group * ROWS + row_index) * STRIDE + column;
                numbers[0] += from[0];
                numbers[1] += from[1];
            }
            if (call.is_gelu)
                for (int k = 0; k < 2; k++)
                    numbers[k] = gelu(numbers[k]);
            unpack_pair<Number>(residual[i], more);
            *reinterpret_cast<uint32_t *>(static_cast<Number *>(call.to) + at) =
                pack_pair<Number>(numbers[0] + more[0], numbers[1] + more[1]);
        }
    }

    /* The tanh approximation, as cuBLASLt has it. */
    __device__ static float gelu(float x) {
        return 0.5f * x * (1 + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    }
};

/* ---- all tiles of a block ---- */

template <typename Number, int SHAPE>
__device__ static __noinline__ void multiply_tiles(char *memory, const struct product_call &call) {
    constexpr product_shape shape = product_shape_of(SHAPE);
    const unsigned tiles = shape.tiles(call.tokens, call.matrix.outputs), first = block_index().x;
    float *shared = reinterpret_cast<float *>(memory + PRODUCT_SUMS_AT);
    for (unsigned tile = first; tile < tiles; tile += block_count()) {
        const product_place place(shape, call.tokens, tile);
        product_tile<Number, SHAPE> work = {};
        work.load_residual(call, place);
        work.multiply_all(memory, call, place, tile == first);
        work.share_sums(shared);
        block_barrier();
        work.write(shared, call, place);
        block_barrier();
    }
}

/* work(number), the number being one for the compiler. */
template <int NUMBER> struct product_shape_number { static constexpr int value = NUMBER; };
template <typename Work> __device__ static inline void with_shape(int number, const Work &work) {
    switch (number) {
    case 0:
        return work(product_shape_number<0>());
    case 1:
        return work(product_shape_number<1>());
    case 2:
        return work(product_shape_number<2>());
    case 3:
        return work(product_shape_number<3>());
    case 4:
        return work(product_shape_number<4>());
    default:
        return work(product_shape_number<5>());
    }
}

#endif

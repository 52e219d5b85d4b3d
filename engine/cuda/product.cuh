/* product.cuh: rows of numbers times a matrix of weights, for so few rows that bringing the operands takes longer than
 * multiplying: by the eight warps of a block, for one tile of the result after another.
 *
 * A tile is small, so that as many blocks of the device as can be have one; where tiles are few, their depth, the
 * numbers that a result is the sum of, is cut into parts too, for a block each, and who reads the result adds them. The
 * warps of a block share out what it has of the depth: in a stage, 32 numbers deep for each of them, every warp
 * multiplies its own part of the same rows and weights, and what they have added up is added once, at the end. Four
 * stages are in shared memory, three of them on their way. The weights of the first two, and the bias, are fetched
 * before the rows are known, while the block still waits for those that compute them.
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

/* Shared memory: the stages; behind those that are fetched ahead lie the sums as well. Then a tile's bias. */
enum {
    PRODUCT_SUMS_AT = PRODUCT_AHEAD * PRODUCT_SLOT,
    PRODUCT_BIAS_AT = PRODUCT_SUMS_AT + PRODUCT_SUMS,
    PRODUCT_BIAS = 256,
    PRODUCT_MEMORY = PRODUCT_BIAS_AT + PRODUCT_BIAS
};
static_assert(PRODUCT_BIAS_AT >= PRODUCT_STAGES * PRODUCT_SLOT, "all stages have room");

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
    __host__ __device__ constexpr unsigned tiles_down(unsigned tokens) const {
        return (tokens + static_cast<unsigned>(rows) - 1) / static_cast<unsigned>(rows);
    }
    __host__ __device__ constexpr unsigned tiles_across(int outputs) const {
        return static_cast<unsigned>((outputs + columns - 1) / columns);
    }
    __host__ __device__ constexpr unsigned tiles(unsigned tokens, int outputs) const {
        return tiles_down(tokens) * tiles_across(outputs);
    }
    __host__ __device__ constexpr int stages(int inputs) const {
        return (inputs + depth() - 1) / depth();
    }
};

/* The CUDA_PRODUCT_SHAPES that there are, from the one that reads least. */
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
    case 5:
        return {64, 64, 2};
    default:
        return {64, 96, 4};
    }
}

struct product_call {
    const void *rows; /* [tokens][inputs] */
    struct cuda_product matrix;
    unsigned tokens;
    int parts;   /* of the depth, at most as many as there are stages */
    float *sums; /* [parts][tokens][outputs], without the bias; or NULL: then, of one part, */
    void *to;    /* [tokens][outputs] */
    bool is_gelu;

    __device__ unsigned items(product_shape shape) const {
        return shape.tiles(tokens, matrix.outputs) * static_cast<unsigned>(parts);
    }
};

/* Where a tile lies: its first token, its first output, and its part of the depth, in stages. */
struct product_place {
    unsigned token;
    int output, part, first_stage, end_stage;

    __device__ int stages() const {
        return end_stage - first_stage;
    }
};

/* Of an item that there is. Tiles that read the same weights are neighbours. */
__device__ static inline product_place place_of(product_shape shape, const struct product_call &call, unsigned item) {
    const unsigned down = shape.tiles_down(call.tokens), across = shape.tiles_across(call.matrix.outputs);
    const unsigned tile = item / down;
    const int stages = shape.stages(call.matrix.inputs), part = static_cast<int>(tile / across);
    return {item % down * static_cast<unsigned>(shape.rows), static_cast<int>(tile % across) * shape.columns, part,
            part * stages / call.parts, (part + 1) * stages / call.parts};
}

/* ---- operands in shared memory ---- */

/* Rows of `depth` numbers in pieces of 16 bytes, exchanged so that eight rows' of one column lie in different banks. */
__device__ static inline int product_piece(int depth, int row_index, int piece) {
    return row_index * depth + (piece ^ row_index % 8) * PACK;
}

/* How a thread copies one operand of a stage after another: COUNT rows of DEPTH numbers. It has a piece of every STEP
 * rows, which are exchanged alike. */
template <typename Number, int COUNT, int DEPTH> struct operand_copy {
    enum { PIECES = DEPTH / PACK, STEP = PRODUCT_THREADS / PIECES, TURNS = COUNT / STEP };
    static_assert(STEP % 8 == 0, "rows of a thread are exchanged alike");
    static_assert(COUNT % STEP == 0, "every thread copies as much");

    const Number *at; /* its first piece of the next stage */
    ptrdiff_t step;   /* numbers from one of its rows to the next */
    int place;        /* of that piece in a slot's operand */
    int left;         /* numbers of its rows, from `at` on */
    int turns;        /* that have a row */

    /* `rows`: of `inputs` numbers; `rows_left` of them are there. */
    __device__ operand_copy(const void *rows, int inputs, int rows_left, int first_stage) {
        const int thread = static_cast<int>(thread_index()), first = thread / PIECES;
        const int column = first_stage * DEPTH + thread % PIECES * PACK;
        at = static_cast<const Number *>(rows) + static_cast<ptrdiff_t>(first) * inputs + column;
        step = static_cast<ptrdiff_t>(STEP) * inputs;
        place = product_piece(DEPTH, first, thread % PIECES);
        left = inputs - column;
        turns = rows_left <= first ? 0 : (rows_left - first + STEP - 1) / STEP;
    }
    __device__ void copy_stage(Number *to) {
#pragma unroll
        for (int i = 0; i < TURNS; i++)
            copy_async_16(to + place + i * STEP * DEPTH, at + i * step, left > 0 && i < turns);
        at += DEPTH;
        left -= DEPTH;
    }
};

/* Weights come first in a slot. */
template <typename Number> __device__ static inline Number *slot_of(char *memory, int stage) {
    return reinterpret_cast<Number *>(memory + stage % PRODUCT_STAGES * PRODUCT_SLOT);
}

template <typename Number> __device__ static inline Number *bias_of(char *memory) {
    return reinterpret_cast<Number *>(memory + PRODUCT_BIAS_AT);
}

/* The weights of a tile, from a stage of its part on. */
template <typename Number, int SHAPE>
__device__ static inline auto copy_of_weights(const struct cuda_product &matrix, product_place place, int stage) {
    constexpr product_shape shape = product_shape_of(SHAPE);
    return operand_copy<Number, shape.columns, shape.depth()>(
        static_cast<const Number *>(matrix.weights) + static_cast<ptrdiff_t>(place.output) * matrix.inputs,
        matrix.inputs, matrix.outputs - place.output, place.first_stage + stage);
}

/* What a tile needs that is known before its rows: the weights of its first stages, and the bias. */
template <typename Number, int SHAPE>
__device__ static inline void copy_ahead(char *memory, const struct product_call &call, product_place place) {
    const struct cuda_product &matrix = call.matrix;
    auto weights = copy_of_weights<Number, SHAPE>(matrix, place, 0);
#pragma unroll 1
    for (int stage = 0; stage < PRODUCT_AHEAD && stage < place.stages(); stage++)
        weights.copy_stage(slot_of<Number>(memory, stage));
    const int column = static_cast<int>(thread_index()) * PACK;
    if (!call.sums && column < product_shape_of(SHAPE).columns)
        copy_async_16(bias_of<Number>(memory) + column,
                      static_cast<const Number *>(matrix.bias) + place.output + column,
                      place.output + column < matrix.outputs);
}

/* Every block brings its share of a matrix as near as the device's cache. */
template <typename Number> __device__ static inline void fetch_share(const struct cuda_product &matrix) {
    const size_t size = static_cast<size_t>(matrix.outputs) * static_cast<size_t>(matrix.inputs) * sizeof(Number);
    const size_t line = 128, share = (size / block_count() / line + 1) * line, begin = share * block_index().x;
    if (begin < size && warp_index() == PRODUCT_WARPS - 1)
        fetch_ahead(static_cast<const char *>(matrix.weights) + begin,
                    static_cast<unsigned>(size - begin < share ? size - begin : share));
}

/* What the block needs for its first tile, as a group of copies of its own. What the rows are is not looked at. */
template <typename Number, int SHAPE>
__device__ static inline void fetch_tile(char *memory, const struct product_call &call, product_place place) {
    fetch_share<Number>(call.matrix);
    if (block_index().x >= call.items(product_shape_of(SHAPE)))
        return;
    copy_ahead<Number, SHAPE>(memory, call, place);
    copy_async_end_group();
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
        LEAD = PRODUCT_STAGES - 1 /* stages that are on their way */
    };
    static_assert((ROWS + COLUMNS) * DEPTH * 2 <= PRODUCT_SLOT, "a stage fits its slot");
    static_assert(shape.depth_groups() * ROWS * STRIDE * 4 <= PRODUCT_SUMS, "the sums have room");
    static_assert(COLUMNS * 2 <= PRODUCT_BIAS, "the bias has room");

    /* Of this warp: its share of a stage, and what it has added up. */
    uint32_t rows[ROW_BLOCKS][2][4], weights[COLUMNS / 8][4];
    float sums[ROW_BLOCKS][COLUMNS / 8][4];
    int rows_at[2], weights_at; /* where this lane's pieces of it lie in a slot */

    __device__ void find_pieces() {
        const int lane = lane_index(), warp = static_cast<int>(warp_index());
        const int first = warp % ROW_GROUPS * ROW_BLOCKS * 16 + lane % 16, piece = warp / ROW_GROUPS * 4;
        for (int half = 0; half < 2; half++)
            rows_at[half] = kept_number(COLUMNS * DEPTH + product_piece(DEPTH, first, piece + 2 * half + lane / 16));
        weights_at = kept_number(product_piece(DEPTH, lane % 8, piece + lane / 8));
    }

    /* Rows that are a multiple of eight apart are exchanged alike. */
    __device__ void load(const Number *slot) {
#pragma unroll
        for (int block = 0; block < ROW_BLOCKS; block++)
            for (int half = 0; half < 2; half++)
                load_matrices(rows[block][half], slot + rows_at[half] + block * 16 * DEPTH);
#pragma unroll
        for (int column = 0; column < COLUMNS / 8; column++)
            load_matrices(weights[column], slot + weights_at + column * 8 * DEPTH);
    }

    __device__ void multiply() {
#pragma unroll
        for (int half = 0; half < 2; half++)
            for (int column = 0; column < COLUMNS / 8; column++)
                for (int block = 0; block < ROW_BLOCKS; block++)
                    multiply_add(sums[block][column], rows[block][half], weights[column][2 * half],
                                 weights[column][2 * half + 1], Number());
    }

    /* Behind copy_ahead. The first turns only begin stages; in the others the next one's copies are asked for while the
     * operands of this one come from shared memory. */
    __device__ void multiply_all(char *memory, const struct product_call &call, product_place place) {
        const int inputs = call.matrix.inputs, stages = place.stages();
        operand_copy<Number, ROWS, DEPTH> copy_rows(
            static_cast<const Number *>(call.rows) + static_cast<ptrdiff_t>(place.token) * inputs, inputs,
            static_cast<int>(call.tokens - place.token), place.first_stage);
        auto copy_weights = copy_of_weights<Number, SHAPE>(call.matrix, place, PRODUCT_AHEAD);
        find_pieces();
#pragma unroll 1
        for (int stage = -LEAD; stage < stages; stage++) {
            const int next = stage + LEAD;
            if (stage >= 0) {
                copy_async_wait<LEAD - 1>();
                block_barrier();
                load(slot_of<Number>(memory, stage));
            }
            if (next < stages)
                copy_rows.copy_stage(slot_of<Number>(memory, next) + COLUMNS * DEPTH);
            if (next < stages && next >= PRODUCT_AHEAD)
                copy_weights.copy_stage(slot_of<Number>(memory, next));
            copy_async_end_group();
            if (stage >= 0)
                multiply();
        }
        copy_async_wait<0>();
        block_barrier();
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

    /* Four numbers of the tile, after what all warps have added up. */
    __device__ static float_pack add_up(const float *shared, int row_index, int column) {
        float_pack quad = {};
#pragma unroll
        for (int group = 0; group < shape.depth_groups(); group++) {
            const float_pack more =
                *reinterpret_cast<const float_pack *>(shared + (group * ROWS + row_index) * STRIDE + column);
            for (int i = 0; i < 4; i++)
                quad.numbers[i] += more.numbers[i];
        }
        return quad;
    }

    /* Quads of a tile are shared out among the threads of the block. */
    __device__ static void write(char *memory, const struct product_call &call, product_place place) {
        const float *shared = reinterpret_cast<const float *>(memory + PRODUCT_SUMS_AT);
        const size_t outputs = static_cast<size_t>(call.matrix.outputs);
        for (int i = static_cast<int>(thread_index()); i < ROWS * COLUMNS / 4; i += PRODUCT_THREADS) {
            const int row_index = i / (COLUMNS / 4), column = i % (COLUMNS / 4) * 4;
            const unsigned token = place.token + static_cast<unsigned>(row_index);
            if (token >= call.tokens || place.output + column >= call.matrix.outputs)
                continue;
            const float_pack quad = add_up(shared, row_index, column);
            const size_t at = token * outputs + static_cast<size_t>(place.output + column);
            if (call.sums)
                *reinterpret_cast<float_pack *>(call.sums + static_cast<size_t>(place.part) * call.tokens * outputs +
                                                at) = quad;
            else
                *reinterpret_cast<quad_pack *>(static_cast<Number *>(call.to) + at) =
                    finish(quad, *reinterpret_cast<const quad_pack *>(bias_of<Number>(memory) + column), call.is_gelu);
        }
    }

    __device__ static quad_pack finish(float_pack quad, quad_pack bias, bool is_gelu) {
        float more[4];
        unpack_pair<Number>(bias.words[0], more);
        unpack_pair<Number>(bias.words[1], more + 2);
        for (int i = 0; i < 4; i++) {
            quad.numbers[i] += more[i];
            if (is_gelu)
                quad.numbers[i] = gelu(quad.numbers[i]);
        }
        return {
            {pack_pair<Number>(quad.numbers[0], quad.numbers[1]), pack_pair<Number>(quad.numbers[2], quad.numbers[3])}};
    }

    /* The approximation by tanh, as cuBLASLt has it: x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)). */
    __device__ static float gelu(float x) {
        const float root = 0.7978845608028654f, log2_e = 1.4426950408889634f; /* root of 2 / pi */
        return x * inverse(1 + power_of_2(-2 * log2_e * root * (x + 0.044715f * x * x * x)));
    }
};

/* ---- all tiles of a block ---- */

/* Behind fetch_tile, which had the same place. */
template <typename Number, int SHAPE>
__device__ static inline void multiply_tiles(char *memory, const struct product_call &call, product_place place) {
    constexpr product_shape shape = product_shape_of(SHAPE);
    const unsigned items = call.items(shape);
    for (unsigned item = block_index().x; item < items;) {
        product_tile<Number, SHAPE> work = {};
        work.multiply_all(memory, call, place);
        work.share_sums(reinterpret_cast<float *>(memory + PRODUCT_SUMS_AT));
        block_barrier();
        work.write(memory, call, place);
        block_barrier();
        item += block_count();
        if (item >= items)
            break;
        place = place_of(shape, call, item);
        copy_ahead<Number, SHAPE>(memory, call, place);
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
    case 5:
        return work(product_shape_number<5>());
    default:
        return work(product_shape_number<6>());
    }
}

#endif

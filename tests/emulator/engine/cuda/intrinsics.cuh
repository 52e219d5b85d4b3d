/* intrinsics.cuh: in place of the engine's file of that name: the same functions, computed on the CPU (block.h). */
#ifndef INFERD_TESTS_EMULATOR_INTRINSICS_CUH
#define INFERD_TESTS_EMULATOR_INTRINSICS_CUH

#include <cmath>
#include <cstdint>
#include <cstring>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime_api.h>

#include "block.h"
#include "cuda_emulator.h"
#include "engine/cuda/cuda_kernels.h"

#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __grid_constant__
#define __grid_constant__
#undef __noinline__
#define __noinline__
#undef __shared__
#define __shared__ static /* one block runs at a time */

/* ---- launching ---- */

template <typename Arguments> static void run_kernel(void (*kernel)(void), const void *arguments) {
    reinterpret_cast<void (*)(Arguments)>(kernel)(*static_cast<const Arguments *>(arguments));
}

template <typename Arguments>
static inline cudaError_t launch(void (*kernel)(Arguments), dim3 grid, unsigned threads, cudaStream_t stream,
                                 Arguments arguments) {
    const emulated_kernel call = {__PRETTY_FUNCTION__,
                                  run_kernel<Arguments>,
                                  reinterpret_cast<void (*)(void)>(kernel),
                                  {grid.x, grid.y, grid.z},
                                  threads,
                                  0,
                                  false};
    return emulator_launch(&call, &arguments, sizeof arguments, stream);
}

template <typename Arguments>
static inline cudaError_t resident_blocks(void (*)(Arguments), unsigned, size_t shared_size, unsigned *ret) {
    return emulator_resident_blocks(shared_size, ret);
}

template <typename Arguments>
static inline cudaError_t launch_together(void (*kernel)(Arguments), unsigned blocks, unsigned threads,
                                          size_t shared_size, cudaStream_t stream, Arguments arguments) {
    const emulated_kernel call = {__PRETTY_FUNCTION__,
                                  run_kernel<Arguments>,
                                  reinterpret_cast<void (*)(void)>(kernel),
                                  {blocks, 1, 1},
                                  threads,
                                  shared_size,
                                  true};
    return emulator_launch(&call, &arguments, sizeof arguments, stream);
}

static inline unsigned thread_index() {
    return block_thread_index();
}

static inline unsigned block_count() {
    return block_grid()[0];
}

static inline dim3 block_index() {
    const unsigned *index = block_index_of();
    return dim3(index[0], index[1], index[2]);
}

/* ---- a warp, a block and a grid ---- */

static inline float shuffle_xor(float number, int mask) {
    return block_shuffle_xor(number, mask);
}

static inline void block_barrier() {
    block_barrier_all();
}

static inline char *shared_memory() {
    return static_cast<char *>(block_shared_memory());
}

static inline void grid_arrive(struct grid_meeting *meeting) {
    block_grid_arrive(&meeting->arrivals);
}

template <typename Work>
static inline bool grid_wait(struct grid_meeting *meeting, uint32_t goal, unsigned warp, const Work &meanwhile) {
    if (thread_index() / 32 != warp)
        meanwhile();
    return block_grid_wait(&meeting->arrivals, goal);
}

static inline void grid_leave(struct grid_meeting *meeting) {
    if (thread_index() == 0 && ++meeting->departures == block_count())
        *meeting = {0, 0};
}

/* ---- numbers ---- */

static inline float power_of_2(float exponent) {
    return std::exp2(exponent);
}

static inline float inverse_root(float number) {
    return 1 / std::sqrt(number);
}

static inline float inverse(float number) {
    return 1 / number;
}

static inline int kept_number(int number) {
    return number;
}

/* ---- copies ---- */

static inline void copy_async_16(void *shared, const void *global, bool is_there) {
    block_copy(shared, global, is_there);
}

static inline void copy_async_end_group() {
    block_copy_end_group();
}

template <int PENDING> static inline void copy_async_wait() {
    block_copy_wait(PENDING);
}

static inline void fetch_ahead(const void *global, unsigned size) {
    block_fetch(global, size);
}

/* ---- fragments ---- */

static inline void load_matrices(uint32_t (&words)[4], const void *shared) {
    block_load_matrices(words, shared, false);
}

static inline void load_matrices_transposed(uint32_t (&words)[4], const void *shared) {
    block_load_matrices(words, shared, true);
}

static inline float float_of_bf16(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float number;
    std::memcpy(&number, &wide, sizeof number);
    return number;
}

static inline float float_of_fp16(uint16_t bits) {
    return __half2float(__ushort_as_half(bits));
}

static inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, __nv_bfloat16) {
    const uint32_t b[2] = {b0, b1};
    block_multiply_add(c, a, b, float_of_bf16);
}

static inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, __half) {
    const uint32_t b[2] = {b0, b1};
    block_multiply_add(c, a, b, float_of_fp16);
}

#endif

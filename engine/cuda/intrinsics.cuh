/* intrinsics.cuh: the instructions that the kernels are made of, each by a name of its own, so that a kernel reads as
 * what it computes. Nothing outside this file asks the compiler for an instruction of the device; tests put another
 * file in its place that computes the same on the CPU.
 *
 * A fragment is a warp's share of a small matrix. With g = lane / 4 and t = lane % 4 a lane has
 *
 * - of a, 16 x 16 numbers, four words of two: (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8), each with its right
 *   neighbour;
 *
 * - of b, 16 x 8 numbers, two words of two: (2t, g), (2t + 8, g), each with the one below;
 *
 * - of c, 16 x 8 floats, four: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
 *
 * Source: PTX ISA, sections mma.sync, ldmatrix, cp.async, prefetch, and memory consistency model. They exist from
 * compute capability 8.0 on.
 */
#ifndef INFERD_ENGINE_CUDA_INTRINSICS_CUH
#define INFERD_ENGINE_CUDA_INTRINSICS_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>
#include <stdint.h>

#include "engine/cuda/cuda_kernels.h" /* struct grid_meeting */

/* ---- launching ---- */

/* `arguments` by value, of the kernel's own type. */
template <typename Arguments>
static inline cudaError_t launch(void (*kernel)(Arguments), dim3 grid, unsigned threads, cudaStream_t stream,
                                 Arguments arguments) {
    void *list[] = {&arguments};
    return cudaLaunchKernel(reinterpret_cast<const void *>(kernel), grid, dim3(threads), list, 0, stream);
}

static inline cudaError_t device_attribute(enum cudaDeviceAttr attribute, int *ret) {
    int device;
    cudaError_t error = cudaGetDevice(&device);
    return error ? error : cudaDeviceGetAttribute(ret, attribute, device);
}

/* How many blocks the device, the one that was chosen, can hold at once; 0: it cannot start them together, or has not
 * as much shared memory. */
template <typename Arguments>
static inline cudaError_t resident_blocks(void (*kernel)(Arguments), unsigned threads, size_t shared_size,
                                          unsigned *ret) {
    int can = 0, most = 0, units = 0, each = 0;
    const int size = static_cast<int>(shared_size);
    *ret = 0;
    cudaError_t error = device_attribute(cudaDevAttrCooperativeLaunch, &can);
    if (!error)
        error = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, &most);
    if (error || !can || most < size) /* before anything compiles the kernel for a device that is too new */
        return error;
    error = device_attribute(cudaDevAttrMultiProcessorCount, &units);
    if (!error)
        error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, size);
    if (!error)
        error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, static_cast<int>(threads), shared_size);
    if (!error)
        *ret = static_cast<unsigned>(units * each);
    return error;
}

/* All blocks start together, so that they can wait for each other; each has shared_size bytes of shared_memory(). */
template <typename Arguments>
static inline cudaError_t launch_together(void (*kernel)(Arguments), unsigned blocks, unsigned threads,
                                          size_t shared_size, cudaStream_t stream, Arguments arguments) {
    void *list[] = {&arguments};
    return cudaLaunchCooperativeKernel(reinterpret_cast<const void *>(kernel), dim3(blocks), dim3(threads), list,
                                       shared_size, stream);
}

__device__ static inline unsigned thread_index() {
    return threadIdx.x;
}

/* Blocks of the grid's first dimension. */
__device__ static inline unsigned block_count() {
    return gridDim.x;
}

__device__ static inline dim3 block_index() {
    return dim3(blockIdx.x, blockIdx.y, blockIdx.z);
}

/* ---- a warp, a block and a grid ---- */

/* Of the lane whose number differs by `mask`; all lanes of the warp call it. */
__device__ static inline float shuffle_xor(float number, int mask) {
    return __shfl_xor_sync(0xffffffffU, number, mask);
}

/* All threads of the block have come here, and see what each wrote. */
__device__ static inline void block_barrier() {
    __syncthreads();
}

/* Nanoseconds, of the device. */
__device__ static inline uint64_t device_time() {
    uint64_t time;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(time));
    return time;
}

/* What launch_together gave the block; begins at a multiple of 1,024. */
__device__ static inline char *shared_memory() {
    extern __shared__ __align__(1024) char memory_of_the_block[];
    return memory_of_the_block;
}

/* All threads of the block have come, and what they wrote is there for those who wait for it with grid_wait. */
__device__ static inline void grid_arrive(struct grid_meeting *meeting) {
    __syncthreads();
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(&meeting->arrivals) : "memory");
}

/* Until `goal` blocks have come; all threads of the block come here behind grid_arrive. The warp of that number looks
 * out for them, and the others do meanwhile(). False: one did not come for two seconds, here or at the next meeting,
 * and nobody is waited for any more. Of the last meeting all blocks are told the same. */
template <typename Work>
__device__ static inline bool grid_wait(struct grid_meeting *meeting, uint32_t goal, unsigned warp,
                                        const Work &meanwhile) {
    const uint32_t gave_up = 0x80000000U;
    uint32_t *const arrivals = &meeting->arrivals;
    uint32_t seen = 0;
    if (threadIdx.x / 32 != warp)
        meanwhile();
    if (threadIdx.x == warp * 32) {
        const uint64_t begin = device_time(), patience = 2000000000;
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(arrivals) : "memory");
        while (seen < goal) {
            if (device_time() - begin > patience)
                (void)atomicCAS(arrivals, seen, seen | gave_up);
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(arrivals) : "memory");
        }
    }
    return __syncthreads_and(seen < gave_up);
}

/* The block, which has come to all meetings or given up, needs no other: all of its threads are behind grid_wait. The
 * last one sets the counters back, behind whatever others did with them. */
__device__ static inline void grid_leave(struct grid_meeting *meeting) {
    if (threadIdx.x != 0)
        return;
    __threadfence();
    if (atomicAdd(&meeting->departures, 1U) != gridDim.x - 1)
        return;
    __threadfence();
    (void)atomicExch(&meeting->arrivals, 0U);
    (void)atomicExch(&meeting->departures, 0U);
}

/* ---- numbers ---- */

__device__ static inline float power_of_2(float exponent) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
    return power;
}

__device__ static inline float inverse_root(float number) {
    return rsqrtf(number);
}

__device__ static inline float inverse(float number) {
    float ret;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(ret) : "f"(number));
    return ret;
}

/* The number, which the compiler is to keep: not to compute again where registers seem to be short. */
__device__ static inline int kept_number(int number) {
    asm volatile("" : "+r"(number));
    return number;
}

/* ---- copies that run beside the computing ---- */

/* 16 bytes; zeros where `is_there` is false, and nothing is read then. Both addresses are multiples of 16. */
__device__ static inline void copy_async_16(void *shared, const void *global, bool is_there) {
    unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared)), size = is_there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(size) : "memory");
}

/* Ends a group of copies of this thread. */
__device__ static inline void copy_async_end_group() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Until all groups of this thread but the last PENDING have arrived. */
template <int PENDING> __device__ static inline void copy_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

/* Brings bytes nearer, to the cache of the whole device. Address and size are multiples of 16; all lanes of a
 * warp call it alike. */
__device__ static inline void fetch_ahead(const void *global, unsigned size) {
    const unsigned lane = threadIdx.x % 32;
#if __CUDA_ARCH__ >= 900
    if (lane == 0)
        asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(global), "r"(size) : "memory");
#else
    for (unsigned at = lane * 32; at < size; at += 32 * 32)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(static_cast<const char *>(global) + at));
#endif
}

/* ---- fragments ---- */

/* Four matrices of 8 x 8 numbers of 16 bits: lane l gives the address of row l % 8 of matrix l / 8; word i comes from
 * matrix i: row g, columns 2t and 2t + 1; transposed: rows 2t and 2t + 1 of column g. */
__device__ static inline void load_matrices(uint32_t (&words)[4], const void *shared) {
    unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(from)
                 : "memory");
}

__device__ static inline void load_matrices_transposed(uint32_t (&words)[4], const void *shared) {
    unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(from)
                 : "memory");
}

/* c += a * b, for the two types of number. `type` only tells which. */
__device__ static inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                           __nv_bfloat16 type) {
    (void)type;
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ static inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                           __half type) {
    (void)type;
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif

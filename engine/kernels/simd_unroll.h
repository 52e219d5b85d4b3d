/* simd_unroll.h: asks the compiler to unroll the loop that follows completely. Not where sanitizers watch each access:
 * the unrolled code would take them minutes to compile. */
#ifndef INFERD_ENGINE_KERNELS_SIMD_UNROLL_H
#define INFERD_ENGINE_KERNELS_SIMD_UNROLL_H

#if defined(INFERD_PLAIN_LOOPS)
#define SIMD_UNROLL
#elif defined(__clang__)
#define SIMD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIMD_UNROLL _Pragma("GCC unroll 8")
#endif

#endif

/* numbers.cuh: bf16, fp16 and fp8 to and from floats, eight at a time where they lie beside each other. */
#ifndef INFERD_ENGINE_CUDA_NUMBERS_CUH
#define INFERD_ENGINE_CUDA_NUMBERS_CUH

#include "engine/cuda/intrinsics.cuh"

enum { PACK = 8 }; /* numbers in 16 bytes */

struct alignas(16) number_pack {
    uint32_t words[4];
};
struct alignas(8) byte_pack {
    uint32_t words[2];
};
struct alignas(8) quad_pack { /* four numbers */
    uint32_t words[2];
};
struct alignas(16) float_pack {
    float numbers[4];
};

__device__ static inline __nv_bfloat16 number_from(float number, __nv_bfloat16 type) {
    (void)type;
    return __float2bfloat16(number);
}

__device__ static inline __half number_from(float number, __half type) {
    (void)type;
    return __float2half(number);
}

__device__ static inline float float_from_bits(uint32_t bits, __nv_bfloat16 type) {
    (void)type;
    return __bfloat162float(__ushort_as_bfloat16(static_cast<unsigned short>(bits)));
}

__device__ static inline float float_from_bits(uint32_t bits, __half type) {
    (void)type;
    return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}

/* Two numbers in a word, the first in its lower half. */
__device__ static inline uint32_t pack_pair_of(float first, float second, __nv_bfloat16 type) {
    (void)type;
    const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
    return *reinterpret_cast<const uint32_t *>(&pair);
}

__device__ static inline uint32_t pack_pair_of(float first, float second, __half type) {
    (void)type;
    const __half2 pair = __floats2half2_rn(first, second);
    return *reinterpret_cast<const uint32_t *>(&pair);
}

template <typename Number> __device__ static inline uint32_t pack_pair(float first, float second) {
    return pack_pair_of(first, second, Number());
}

/* Two bytes; what is too large becomes the largest. */
__device__ static inline uint32_t pack_bytes(float first, float second) {
    float2 pair = make_float2(first, second);
    return __nv_cvt_float2_to_fp8x2(pair, __NV_SATFINITE, __NV_E4M3);
}

template <typename Number> __device__ static inline void unpack_pair(uint32_t word, float *numbers) {
    numbers[0] = float_from_bits(word & 0xffffU, Number());
    numbers[1] = float_from_bits(word >> 16, Number());
}

template <typename Number> __device__ static inline void unpack(const number_pack &pack, float *numbers) {
    for (int i = 0; i < 4; i++)
        unpack_pair<Number>(pack.words[i], numbers + 2 * i);
}

template <typename Number> __device__ static inline number_pack pack_numbers(const float *numbers) {
    number_pack pack;
    for (int i = 0; i < 4; i++)
        pack.words[i] = pack_pair<Number>(numbers[2 * i], numbers[2 * i + 1]);
    return pack;
}

__device__ static inline byte_pack pack_eight_bytes(const float *numbers, float scale) {
    byte_pack pack;
    for (int i = 0; i < 2; i++)
        pack.words[i] = pack_bytes(numbers[4 * i] * scale, numbers[4 * i + 1] * scale) |
                        pack_bytes(numbers[4 * i + 2] * scale, numbers[4 * i + 3] * scale) << 16;
    return pack;
}

#endif

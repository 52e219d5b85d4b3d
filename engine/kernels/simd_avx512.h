/* simd_avx512.h: vectors of 16 numbers: what kernel_rows.inc and kernel_gemm.inc are written in. For files that are
 * compiled for AVX-512 (F, BW, DQ, VL, VNNI); with AVX512_BF16 its instructions are used. */
#ifndef INFERD_ENGINE_KERNELS_SIMD_AVX512_H
#define INFERD_ENGINE_KERNELS_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SIMD_LANES = 16, SIMD_TILE_ROWS = 8, SIMD_TILE_VECTORS = 3 };

typedef __m512 vf;  /* floats */
typedef __m512i vi; /* 32-bit words */

#define SIMD_INLINE static inline __attribute__((always_inline))

/* The first n lanes. */
SIMD_INLINE __mmask16 simd_mask(size_t n) {
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1);
}

SIMD_INLINE vf vf_set(float x) {
    return _mm512_set1_ps(x);
}
SIMD_INLINE vf vf_load(const float *p) {
    return _mm512_loadu_ps(p);
}
SIMD_INLINE vf vf_load_part(const float *p, size_t n) {
    return n >= 16 ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(simd_mask(n), p);
}
SIMD_INLINE void vf_store(float *p, vf x) {
    _mm512_storeu_ps(p, x);
}
SIMD_INLINE void vf_store_part(float *p, vf x, size_t n) {
    if (n >= 16)
        _mm512_storeu_ps(p, x);
    else
        _mm512_mask_storeu_ps(p, simd_mask(n), x);
}
SIMD_INLINE vf vf_add(vf x, vf y) {
    return _mm512_add_ps(x, y);
}
SIMD_INLINE vf vf_sub(vf x, vf y) {
    return _mm512_sub_ps(x, y);
}
SIMD_INLINE vf vf_mul(vf x, vf y) {
    return _mm512_mul_ps(x, y);
}
SIMD_INLINE vf vf_div(vf x, vf y) {
    return _mm512_div_ps(x, y);
}
SIMD_INLINE vf vf_fma(vf x, vf y, vf z) {
    return _mm512_fmadd_ps(x, y, z);
}
/* z - x * y */
SIMD_INLINE vf vf_fnma(vf x, vf y, vf z) {
    return _mm512_fnmadd_ps(x, y, z);
}
SIMD_INLINE vf vf_abs(vf x) {
    return _mm512_abs_ps(x);
}
SIMD_INLINE vf vf_min(vf x, vf y) {
    return _mm512_min_ps(x, y);
}
SIMD_INLINE vf vf_max(vf x, vf y) {
    return _mm512_max_ps(x, y);
}
SIMD_INLINE float vf_sum(vf x) {
    return _mm512_reduce_add_ps(x);
}
SIMD_INLINE float vf_most(vf x) {
    return _mm512_reduce_max_ps(x);
}
SIMD_INLINE float vf_least(vf x) {
    return _mm512_reduce_min_ps(x);
}
/* x where the lane is below n, else y. */
SIMD_INLINE vf vf_first(vf x, vf y, size_t n) {
    return n >= 16 ? x : _mm512_mask_mov_ps(y, simd_mask(n), x);
}
/* Adds the low bits of n to x's exponent. */
SIMD_INLINE vf vf_raise(vf x, vf n) {
    __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), exponent));
}

/* The nearest whole number. */
SIMD_INLINE vf vf_whole(vf x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* x * 2^n, for whole n; 0 where that is too small. */
SIMD_INLINE vf vf_scale_by_power(vf x, vf n) {
    return _mm512_scalef_ps(x, n);
}
SIMD_INLINE vi vf_bits(vf x) {
    return _mm512_castps_si512(x);
}

SIMD_INLINE vf vf_load_bf16(const uint16_t *p, size_t n) {
    __m256i bits =
        n >= 16 ? _mm256_loadu_si256((const __m256i *)(const void *)p) : _mm256_maskz_loadu_epi16(simd_mask(n), p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
SIMD_INLINE void vf_store_bf16(uint16_t *p, vf x, size_t n) {
#ifdef __AVX512BF16__
    __m256i bits = (__m256i)_mm512_cvtneps_pbh(x);
#else
    __m512i wide = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(wide, 16), _mm512_set1_epi32(1));
    wide = _mm512_add_epi32(wide, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __m256i bits = _mm512_cvtepi32_epi16(_mm512_srli_epi32(wide, 16));
#endif
    if (n >= 16)
        _mm256_storeu_si256((__m256i *)(void *)p, bits);
    else
        _mm256_mask_storeu_epi16(p, simd_mask(n), bits);
}
/* Two whole vectors, one behind the other. */
SIMD_INLINE void vf_store_bf16_pair(uint16_t *p, vf x, vf y) {
#ifdef __AVX512BF16__
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(y, x));
#else
    vf_store_bf16(p, x, SIMD_LANES);
    vf_store_bf16(p + SIMD_LANES, y, SIMD_LANES);
#endif
}
/* Rounded, and what lies outside 0..255 brought to its ends. */
SIMD_INLINE void vf_store_u8(uint8_t *p, vf x, size_t n) {
    __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_max_epi32(_mm512_cvtps_epi32(x), _mm512_setzero_si512()));
    if (n >= 16)
        _mm_storeu_si128((__m128i *)(void *)p, bytes);
    else
        _mm_mask_storeu_epi8(p, simd_mask(n), bytes);
}
/* Four whole vectors, one behind the other. What is packed stays within lanes of 128 bits: the words are in their order
 * only after the permutation. */
SIMD_INLINE void vf_store_u8_four(uint8_t *p, const vf x[4]) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i first = _mm512_packs_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]));
    __m512i second = _mm512_packs_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3]));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(first, second)));
}

SIMD_INLINE vi vi_load(const void *p) {
    return _mm512_loadu_si512(p);
}
SIMD_INLINE void vi_store(void *p, vi x) {
    _mm512_storeu_si512(p, x);
}
SIMD_INLINE vi vi_zero(void) {
    return _mm512_setzero_si512();
}
/* Twice as many 16-bit numbers: all the same; the larger of each two, with and without signs. */
SIMD_INLINE vi vi_set16(uint16_t x) {
    return _mm512_set1_epi16((short)x);
}
SIMD_INLINE vi vi_max16(vi x, vi y) {
    return _mm512_max_epi16(x, y);
}
SIMD_INLINE vi vi_max16_unsigned(vi x, vi y) {
    return _mm512_max_epu16(x, y);
}
/* The word at p in every lane. */
SIMD_INLINE vi vi_word(const void *p) {
    int word;
    memcpy(&word, p, sizeof word);
    return _mm512_set1_epi32(word);
}
SIMD_INLINE vf vi_float(vi x) {
    return _mm512_castsi512_ps(x);
}
SIMD_INLINE vf vi_to_float(vi x) {
    return _mm512_cvtepi32_ps(x);
}

/* Four vectors of numbers from -128 to 255, rounded: lane i of the first is the lowest byte of word i. */
SIMD_INLINE vi vi_bytes(const vf x[4]) {
    const __m512i byte = _mm512_set1_epi32(0xff), half = _mm512_set1_epi32(0xffff);
    enum { SELECT = 0xca }; /* of the second where the first has ones, of the third elsewhere */
    __m512i second = _mm512_slli_epi32(_mm512_cvtps_epi32(x[1]), 8);
    __m512i fourth = _mm512_slli_epi32(_mm512_cvtps_epi32(x[3]), 8);
    __m512i low = _mm512_ternarylogic_epi32(byte, _mm512_cvtps_epi32(x[0]), second, SELECT);
    __m512i high = _mm512_ternarylogic_epi32(byte, _mm512_cvtps_epi32(x[2]), fourth, SELECT);
    return _mm512_ternarylogic_epi32(half, low, _mm512_slli_epi32(high, 16), SELECT);
}

/* Of words of two bf16 numbers: the first, the second, both without their signs. */
SIMD_INLINE vf bf16_low(vi x) {
    return vi_float(_mm512_slli_epi32(x, 16));
}
SIMD_INLINE vf bf16_high(vi x) {
    return vi_float(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)));
}
SIMD_INLINE vi bf16_magnitudes(vi x) {
    return _mm512_and_si512(x, _mm512_set1_epi16(0x7fff));
}

/* sum + the dot product of the words' numbers. */
SIMD_INLINE vf dot_f32(vf sum, vi a, vi b) {
    return _mm512_fmadd_ps(vi_float(a), vi_float(b), sum);
}
SIMD_INLINE vf dot_bf16(vf sum, vi a, vi b) {
#ifdef __AVX512BF16__
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#else
    sum = _mm512_fmadd_ps(bf16_low(a), bf16_low(b), sum);
    return _mm512_fmadd_ps(bf16_high(a), bf16_high(b), sum);
#endif
}
/* Written out, since gcc 12 keeps the sums of the intrinsic, _mm512_dpbusd_epi32, in memory: half the speed. */
SIMD_INLINE vi dot_int8(vi sum, vi a, vi b) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

/* Lane i of row j becomes lane j of row i, 16 by 16 words. */
SIMD_INLINE void simd_transpose(vi rows[16]) {
    vi t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            rows[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            rows[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        rows[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        rows[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}
/* Two rows of 16 bf16 woven into words: lane i holds low[i] and high[i]. */
SIMD_INLINE vi simd_weave(const uint16_t *low, const uint16_t *high, size_t n) {
    __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(simd_mask(n), low));
    if (!high)
        return first;
    __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(simd_mask(n), high));
    return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}

#endif

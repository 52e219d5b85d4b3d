/* simd_avx2.h: vectors of 8 numbers: what kernel_rows.inc and kernel_gemm.inc are written in. For files that are
 * compiled for AVX2 and FMA. */
#ifndef INFERD_ENGINE_KERNELS_SIMD_AVX2_H
#define INFERD_ENGINE_KERNELS_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SIMD_LANES = 8, SIMD_TILE_ROWS = 4, SIMD_TILE_VECTORS = 3 };

typedef __m256 vf;  /* floats */
typedef __m256i vi; /* 32-bit words */

#define SIMD_INLINE static inline __attribute__((always_inline))

/* The first n lanes: all bits. */
SIMD_INLINE vi simd_mask(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > 8 ? 8 : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

SIMD_INLINE vf vf_set(float x) {
    return _mm256_set1_ps(x);
}
SIMD_INLINE vf vf_load(const float *p) {
    return _mm256_loadu_ps(p);
}
SIMD_INLINE vf vf_load_part(const float *p, size_t n) {
    return n >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, simd_mask(n));
}
SIMD_INLINE void vf_store(float *p, vf x) {
    _mm256_storeu_ps(p, x);
}
SIMD_INLINE void vf_store_part(float *p, vf x, size_t n) {
    if (n >= 8)
        _mm256_storeu_ps(p, x);
    else
        _mm256_maskstore_ps(p, simd_mask(n), x);
}
SIMD_INLINE vf vf_add(vf x, vf y) {
    return _mm256_add_ps(x, y);
}
SIMD_INLINE vf vf_sub(vf x, vf y) {
    return _mm256_sub_ps(x, y);
}
SIMD_INLINE vf vf_mul(vf x, vf y) {
    return _mm256_mul_ps(x, y);
}
SIMD_INLINE vf vf_div(vf x, vf y) {
    return _mm256_div_ps(x, y);
}
SIMD_INLINE vf vf_fma(vf x, vf y, vf z) {
    return _mm256_fmadd_ps(x, y, z);
}
/* z - x * y */
SIMD_INLINE vf vf_fnma(vf x, vf y, vf z) {
    return _mm256_fnmadd_ps(x, y, z);
}
SIMD_INLINE vf vf_abs(vf x) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
SIMD_INLINE vf vf_min(vf x, vf y) {
    return _mm256_min_ps(x, y);
}
SIMD_INLINE vf vf_max(vf x, vf y) {
    return _mm256_max_ps(x, y);
}
/* Halves, quarters, eighths brought together by an operation. */
#define SIMD_REDUCE(name, op256, op)                                                                                   \
    SIMD_INLINE float name(vf x) {                                                                                     \
        __m128 y = op(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));                                         \
        y = op(y, _mm_movehl_ps(y, y));                                                                                \
        y = op(y, _mm_shuffle_ps(y, y, 1));                                                                            \
        return _mm_cvtss_f32(y);                                                                                       \
    }
SIMD_REDUCE(vf_sum, _mm256_add_ps, _mm_add_ps)
SIMD_REDUCE(vf_most, _mm256_max_ps, _mm_max_ps)
SIMD_REDUCE(vf_least, _mm256_min_ps, _mm_min_ps)
/* x where the lane is below n, else y. */
SIMD_INLINE vf vf_first(vf x, vf y, size_t n) {
    return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(simd_mask(n)));
}
/* Adds the low bits of n to x's exponent. */
SIMD_INLINE vf vf_raise(vf x, vf n) {
    vi exponent = _mm256_slli_epi32(_mm256_castps_si256(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent));
}

/* The nearest whole number. */
SIMD_INLINE vf vf_whole(vf x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* x * 2^n, for x near 1 and whole n up to 100; what n there is below -100 is taken for that. */
SIMD_INLINE vf vf_scale_by_power(vf x, vf n) {
    vi exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_max_ps(n, _mm256_set1_ps(-100))), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent));
}
SIMD_INLINE vi vf_bits(vf x) {
    return _mm256_castps_si256(x);
}

/* 8 numbers of 16 bits; what lies past n is not read. */
SIMD_INLINE __m128i simd_load_u16(const uint16_t *p, size_t n) {
    uint16_t part[8] = {0};
    if (n >= 8)
        return _mm_loadu_si128((const __m128i *)(const void *)p);
    for (size_t i = 0; i < n; i++)
        part[i] = p[i];
    return _mm_loadu_si128((const __m128i *)(const void *)part);
}
SIMD_INLINE vf vf_load_bf16(const uint16_t *p, size_t n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(simd_load_u16(p, n)), 16));
}
SIMD_INLINE void vf_store_bf16(uint16_t *p, vf x, size_t n) {
    vi wide = _mm256_castps_si256(x);
    vi odd = _mm256_and_si256(_mm256_srli_epi32(wide, 16), _mm256_set1_epi32(1));
    wide = _mm256_srli_epi32(_mm256_add_epi32(wide, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    __m128i bits = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    uint16_t part[8];
    _mm_storeu_si128((__m128i *)(void *)(n >= 8 ? p : part), bits);
    for (size_t i = 0; n < 8 && i < n; i++)
        p[i] = part[i];
}
/* Two whole vectors, one behind the other. */
SIMD_INLINE void vf_store_bf16_pair(uint16_t *p, vf x, vf y) {
    vf_store_bf16(p, x, SIMD_LANES);
    vf_store_bf16(p + SIMD_LANES, y, SIMD_LANES);
}
/* Rounded, and what lies outside 0..255 brought to its ends. */
SIMD_INLINE void vf_store_u8(uint8_t *p, vf x, size_t n) {
    vi wide = _mm256_cvtps_epi32(x);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    uint8_t part[8];
    _mm_storel_epi64((__m128i *)(void *)(n >= 8 ? p : part), _mm_packus_epi16(words, words));
    for (size_t i = 0; n < 8 && i < n; i++)
        p[i] = part[i];
}
/* Four whole vectors, one behind the other. What is packed stays within lanes of 128 bits: the words are in their order
 * only after the permutation. */
SIMD_INLINE void vf_store_u8_four(uint8_t *p, const vf x[4]) {
    const vi order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    vi first = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
    vi second = _mm256_packs_epi32(_mm256_cvtps_epi32(x[2]), _mm256_cvtps_epi32(x[3]));
    vi bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second), order);
    _mm256_storeu_si256((__m256i *)(void *)p, bytes);
}

SIMD_INLINE vi vi_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
SIMD_INLINE void vi_store(void *p, vi x) {
    _mm256_storeu_si256((__m256i *)p, x);
}
SIMD_INLINE vi vi_zero(void) {
    return _mm256_setzero_si256();
}
/* Twice as many 16-bit numbers: all the same; the larger of each two, with and without signs. */
SIMD_INLINE vi vi_set16(uint16_t x) {
    return _mm256_set1_epi16((short)x);
}
SIMD_INLINE vi vi_max16(vi x, vi y) {
    return _mm256_max_epi16(x, y);
}
SIMD_INLINE vi vi_max16_unsigned(vi x, vi y) {
    return _mm256_max_epu16(x, y);
}
/* The word at p in every lane. */
SIMD_INLINE vi vi_word(const void *p) {
    int word;
    memcpy(&word, p, sizeof word);
    return _mm256_set1_epi32(word);
}
SIMD_INLINE vf vi_float(vi x) {
    return _mm256_castsi256_ps(x);
}
SIMD_INLINE vf vi_to_float(vi x) {
    return _mm256_cvtepi32_ps(x);
}

/* Four vectors of numbers from -128 to 255, rounded: lane i of the first is the lowest byte of word i. */
SIMD_INLINE vi vi_bytes(const vf x[4]) {
    const vi byte = _mm256_set1_epi32(0xff);
    vi second = _mm256_slli_epi32(_mm256_cvtps_epi32(x[1]), 8), fourth = _mm256_slli_epi32(_mm256_cvtps_epi32(x[3]), 8);
    vi low = _mm256_blendv_epi8(second, _mm256_cvtps_epi32(x[0]), byte);
    vi high = _mm256_blendv_epi8(fourth, _mm256_cvtps_epi32(x[2]), byte);
    return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}

/* Of words of two bf16 numbers: the first, the second, both without their signs. */
SIMD_INLINE vf bf16_low(vi x) {
    return vi_float(_mm256_slli_epi32(x, 16));
}
SIMD_INLINE vf bf16_high(vi x) {
    return vi_float(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000)));
}
SIMD_INLINE vi bf16_magnitudes(vi x) {
    return _mm256_and_si256(x, _mm256_set1_epi16(0x7fff));
}

/* sum + the dot product of the words' numbers. */
SIMD_INLINE vf dot_f32(vf sum, vi a, vi b) {
    return _mm256_fmadd_ps(vi_float(a), vi_float(b), sum);
}
SIMD_INLINE vf dot_bf16(vf sum, vi a, vi b) {
    sum = _mm256_fmadd_ps(bf16_low(a), bf16_low(b), sum);
    return _mm256_fmadd_ps(bf16_high(a), bf16_high(b), sum);
}
/* Even and odd bytes apart: a sum of two products of bytes may not fit the 16 bits that it is saturated to. */
SIMD_INLINE vi dot_int8(vi sum, vi a, vi b) {
    const vi ones = _mm256_set1_epi16(1), even = _mm256_set1_epi16(0x00ff);
    vi evens = _mm256_maddubs_epi16(_mm256_and_si256(a, even), b);
    vi odds = _mm256_maddubs_epi16(_mm256_andnot_si256(even, a), b);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(evens, ones));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(odds, ones));
}

/* Lane i of row j becomes lane j of row i, 8 by 8 words. */
SIMD_INLINE void simd_transpose(vi rows[8]) {
    vi t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            rows[i + 2 * j] = _mm256_unpacklo_epi64(t[i + j], t[i + j + 2]);
            rows[i + 2 * j + 1] = _mm256_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2x128_si256(rows[i], rows[i + 4], 0x20);
        t[i + 4] = _mm256_permute2x128_si256(rows[i], rows[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        rows[i] = t[i];
}
/* Two rows of 8 bf16 woven into words: lane i holds low[i] and high[i]. */
SIMD_INLINE vi simd_weave(const uint16_t *low, const uint16_t *high, size_t n) {
    vi first = _mm256_cvtepu16_epi32(simd_load_u16(low, n));
    if (!high)
        return first;
    return _mm256_or_si256(first, _mm256_slli_epi32(_mm256_cvtepu16_epi32(simd_load_u16(high, n)), 16));
}

#endif

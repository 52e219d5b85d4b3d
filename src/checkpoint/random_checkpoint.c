#include "checkpoint/random_checkpoint.h"

/* The output function of SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators"). */
static uint64_t mix(uint64_t z) {
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t random_checkpoint_key(uint64_t seed, struct slice tensor_name) {
    uint64_t key = mix(seed);
    for (size_t i = 0; i < tensor_name.size; i++)
        key = mix(key ^ (unsigned char)tensor_name.data[i]);
    return key;
}

void random_checkpoint_fill(uint64_t key, uint64_t first, size_t count, float *ret) {
    /* The sum of four uniform numbers of 0 .. 65535 has mean 131070 and standard deviation 65536 / sqrt(3). */
    const float scale = 0.02f * 1.7320508f / 65536.0f;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = mix(key ^ mix(first + i));
        int32_t sum = (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
        ret[i] = (float)(sum - 131070) * scale;
    }
}

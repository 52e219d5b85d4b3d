/* random.h: a small fast generator of pseudo-random numbers: xoshiro256**, seeded by splitmix64. Not for secrets.
 * Source: prng.di.unimi.it (Blackman and Vigna), public domain. */
#ifndef INFERD_TOOLS_PERF_RANDOM_H
#define INFERD_TOOLS_PERF_RANDOM_H

#include <stdint.h>

struct random_source {
    uint64_t state[4];
};

static inline struct random_source random_seeded(uint64_t seed) {
    struct random_source source;
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        source.state[i] = z ^ z >> 31;
    }
    return source;
}

static inline uint64_t random_rotate(uint64_t x, int k) {
    return x << k | x >> (64 - k);
}

static inline uint64_t random_u64(struct random_source *source) {
    uint64_t *s = source->state, result = random_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* From 0 to below 1. */
static inline double random_double(struct random_source *source) {
    return (double)(random_u64(source) >> 11) * 0x1p-53;
}

/* From 0 to below `bound` (> 0); the bias is below bound / 2^64. */
static inline uint64_t random_below(struct random_source *source, uint64_t bound) {
    return random_u64(source) % bound;
}

#endif

/* bfloat16.h: the upper half of a float, rounded to nearest even; for finite numbers. */
#ifndef INFERD_ENGINE_KERNELS_BFLOAT16_H
#define INFERD_ENGINE_KERNELS_BFLOAT16_H

#include <stdint.h>
#include <string.h>

static inline float bfloat16_widen(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float number;
    memcpy(&number, &wide, sizeof number);
    return number;
}

static inline uint16_t bfloat16_round(float number) {
    uint32_t wide;
    memcpy(&wide, &number, sizeof wide);
    return (uint16_t)((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
}

#endif

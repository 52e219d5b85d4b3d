#include "checkpoint/weight_range.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64 }; /* numbers that are compared side by side */

/* Of `count` <= BLOCK numbers: each lane of `most` takes the larger one. */
static void take_words(const char *from, size_t count, int32_t most[BLOCK]) {
    int32_t words[BLOCK] = {0};
    memcpy(words, from, count * sizeof *words);
    for (size_t i = 0; i < BLOCK; i++) {
        int32_t magnitude = words[i] & 0x7fffffff;
        most[i] = magnitude > most[i] ? magnitude : most[i];
    }
}

static void take_halves(const char *from, size_t count, int16_t most[BLOCK]) {
    int16_t halves[BLOCK] = {0};
    memcpy(halves, from, count * sizeof *halves);
    for (size_t i = 0; i < BLOCK; i++) {
        int16_t magnitude = (int16_t)(halves[i] & 0x7fff);
        most[i] = magnitude > most[i] ? magnitude : most[i];
    }
}

static float largest_word(const char *from, size_t count) {
    int32_t most[BLOCK] = {0}, bits = 0;
    float number;
    for (size_t i = 0; i < count; i += BLOCK)
        take_words(from + i * sizeof bits, count - i < BLOCK ? count - i : BLOCK, most);
    for (size_t i = 0; i < BLOCK; i++)
        bits = most[i] > bits ? most[i] : bits;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static float largest_half(enum weight_type type, const char *from, size_t count) {
    int16_t most[BLOCK] = {0}, bits = 0;
    float number;
    for (size_t i = 0; i < count; i += BLOCK)
        take_halves(from + i * sizeof bits, count - i < BLOCK ? count - i : BLOCK, most);
    for (size_t i = 0; i < BLOCK; i++)
        bits = most[i] > bits ? most[i] : bits;
    weight_to_float(type, (const char *)&bits, 1, &number);
    return number;
}

float weight_largest(enum weight_type type, const char *from, size_t count) {
    float largest = type == WEIGHT_F32 ? largest_word(from, count) : largest_half(type, from, count);
    return isnan(largest) ? INFINITY : largest;
}

size_t weight_first_not_finite(enum weight_type type, const char *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float number;
        weight_to_float(type, from + i * weight_type_size(type), 1, &number);
        if (!isfinite(number))
            return i;
    }
    return count;
}

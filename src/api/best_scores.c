#include "api/best_scores.h"

#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

/* Positive numbers are ordered as their bits are, negative ones the other way round. */
static uint64_t float_key(uint32_t bits) {
    const uint32_t sign = UINT32_C(1) << 31, infinity = UINT32_C(0x7f800000), magnitude = bits & ~sign;
    if (magnitude > infinity)
        return 0; /* NaN: -infinity, the least number, has a greater key */
    if (magnitude == 0)
        return sign;
    return bits & sign ? (uint32_t)~bits : bits | sign;
}

static uint64_t double_key(uint64_t bits) {
    const uint64_t sign = UINT64_C(1) << 63, infinity = UINT64_C(0x7ff) << 52, magnitude = bits & ~sign;
    if (magnitude > infinity)
        return 0;
    if (magnitude == 0)
        return sign;
    return bits & sign ? ~bits : bits | sign;
}

/* The keys of `count` scores whose bits are x. */
#define KEYS(name, type, key)                                                                                          \
    static void name(const char *scores, size_t count, uint64_t *ret) {                                                \
        for (size_t i = 0; i < count; i++) {                                                                           \
            type x;                                                                                                    \
            memcpy(&x, scores + i * sizeof x, sizeof x);                                                               \
            ret[i] = (key);                                                                                            \
        }                                                                                                              \
    }
KEYS(keys_u8, uint8_t, x)
KEYS(keys_u16, uint16_t, x)
KEYS(keys_u32, uint32_t, x)
KEYS(keys_u64, uint64_t, x)
KEYS(keys_i8, uint8_t, x ^ 0x80u)
KEYS(keys_i16, uint16_t, x ^ 0x8000u)
KEYS(keys_i32, uint32_t, x ^ UINT32_C(1) << 31)
KEYS(keys_i64, uint64_t, x ^ UINT64_C(1) << 63)
KEYS(keys_f32, uint32_t, float_key(x))
KEYS(keys_f64, uint64_t, double_key(x))

typedef void keys_function(const char *scores, size_t count, uint64_t *ret);

static keys_function *const keys_by_type[] = {
    [DATATYPE_UINT8] = keys_u8,   [DATATYPE_UINT16] = keys_u16, [DATATYPE_UINT32] = keys_u32,
    [DATATYPE_UINT64] = keys_u64, [DATATYPE_INT8] = keys_i8,    [DATATYPE_INT16] = keys_i16,
    [DATATYPE_INT32] = keys_i32,  [DATATYPE_INT64] = keys_i64,  [DATATYPE_FP32] = keys_f32,
    [DATATYPE_FP64] = keys_f64,
};

bool best_scores_has_order(enum datatype type) {
    size_t row = (size_t)type;
    return row < sizeof keys_by_type / sizeof keys_by_type[0] && keys_by_type[row] != NULL;
}

/* ---- selection ---- */

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };
/* Keys are made a block at a time: one call by pointer for many scores. */
enum { BLOCK = 256 };

struct score_list {
    keys_function *keys;
    const char *scores;
    size_t size; /* of a score */
    uint32_t count;
};

/* Writes the keys from `first` on, at most a block of them; returns how many. */
static uint32_t read_block(const struct score_list *list, uint32_t first, uint64_t *keys) {
    uint32_t count = list->count - first < BLOCK ? list->count - first : BLOCK;
    list->keys(list->scores + first * list->size, count, keys);
    return count;
}

/* How often each digit stands at `shift` in the keys whose higher digits are those of `prefix`. */
static void count_digits(const struct score_list *list, uint64_t prefix, unsigned shift, uint32_t *counts) {
    uint64_t keys[BLOCK], higher = prefix >> shift >> DIGIT_BITS;
    for (uint32_t first = 0, count; first < list->count; first += count) {
        count = read_block(list, first, keys);
        for (uint32_t i = 0; i < count; i++)
            if (keys[i] >> shift >> DIGIT_BITS == higher)
                counts[keys[i] >> shift & (DIGITS - 1)]++;
    }
}

/* Kept are the keys above `floor` and, of those that equal it, the first `ties`. */
struct cut {
    uint64_t floor;
    uint32_t ties;
};

static struct cut find_cut(const struct score_list *list, uint32_t k) {
    struct cut cut = {0, k};
    for (unsigned shift = (unsigned)list->size * 8; shift > 0;) {
        shift -= DIGIT_BITS;
        uint32_t counts[DIGITS] = {0};
        count_digits(list, cut.floor, shift, counts);
        uint64_t digit = DIGITS - 1;
        while (counts[digit] < cut.ties)
            cut.ties -= counts[digit--];
        cut.floor |= digit << shift;
        if (counts[digit] == cut.ties)
            break; /* all of this bucket are kept, whatever their lower digits */
    }
    return cut;
}

static void collect(const struct score_list *list, struct cut cut, struct ranked_score *ret) {
    uint64_t keys[BLOCK];
    for (uint32_t first = 0, count; first < list->count; first += count) {
        count = read_block(list, first, keys);
        for (uint32_t i = 0; i < count; i++) {
            if (keys[i] < cut.floor || (keys[i] == cut.floor && cut.ties == 0))
                continue;
            cut.ties -= keys[i] == cut.floor;
            *ret++ = (struct ranked_score){keys[i], first + i};
        }
    }
}

static int by_rank(const void *left, const void *right) {
    const struct ranked_score *a = left, *b = right;
    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void best_scores_select(enum datatype type, const char *scores, uint32_t count, uint32_t k, struct ranked_score *ret) {
    const struct score_list list = {keys_by_type[type], scores, datatype_size(type), count};
    collect(&list, find_cut(&list, k), ret);
    qsort(ret, k, sizeof *ret, by_rank);
}

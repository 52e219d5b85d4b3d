/* The k best of many scores, against a plain sort of all of them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/best_scores.h"

enum { SCORES_MAX = 3000 };

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* What the scores mean as numbers, and their indices. */
struct scored {
    long double value;
    uint32_t index;
};

static long double value_of(enum datatype type, const char *score) {
#define READ_AS(name, number)                                                                                          \
    if (type == (name)) {                                                                                              \
        number value;                                                                                                  \
        memcpy(&value, score, sizeof value);                                                                           \
        return (long double)value;                                                                                     \
    }
    READ_AS(DATATYPE_UINT8, uint8_t)
    READ_AS(DATATYPE_UINT16, uint16_t)
    READ_AS(DATATYPE_UINT32, uint32_t)
    READ_AS(DATATYPE_UINT64, uint64_t)
    READ_AS(DATATYPE_INT8, int8_t)
    READ_AS(DATATYPE_INT16, int16_t)
    READ_AS(DATATYPE_INT32, int32_t)
    READ_AS(DATATYPE_INT64, int64_t)
    READ_AS(DATATYPE_FP32, float)
    READ_AS(DATATYPE_FP64, double)
    fail();
    return 0;
}

static int by_value(const void *left, const void *right) {
    const struct scored *a = left, *b = right;
    if (isnan(a->value) != isnan(b->value))
        return isnan(a->value) ? 1 : -1;
    if (!isnan(a->value) && a->value != b->value)
        return a->value > b->value ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static void check(enum datatype type, const char *scores, uint32_t count, uint32_t k) {
    static struct scored sorted[SCORES_MAX];
    static struct ranked_score best[SCORES_MAX];
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = (struct scored){value_of(type, scores + i * datatype_size(type)), i};
    qsort(sorted, count, sizeof *sorted, by_value);
    best_scores_select(type, scores, count, k, best);
    for (uint32_t i = 0; i < k; i++)
        if (best[i].index != sorted[i].index)
            fail_msg("%s, %u of %u: rank %u is score %u, not %u", datatype_name(type), k, count, i, sorted[i].index,
                     best[i].index);
}

static const enum datatype types[] = {
    DATATYPE_UINT8, DATATYPE_UINT16, DATATYPE_UINT32, DATATYPE_UINT64, DATATYPE_INT8,
    DATATYPE_INT16, DATATYPE_INT32,  DATATYPE_INT64,  DATATYPE_FP32,   DATATYPE_FP64,
};
enum { TYPES = sizeof types / sizeof types[0] };

/* Any bits, so NaN and infinities too; in some rounds few different ones. */
static void any_scores_are_ordered(void **state) {
    (void)state;
    static char scores[SCORES_MAX * 8 + 1];
    uint64_t random = 17;
    for (int round = 0; round < 600; round++) {
        enum datatype type = types[round % TYPES];
        uint32_t count = 1 + (uint32_t)(next_random(&random) % (round % 3 ? 40 : SCORES_MAX));
        uint32_t k = round % 7 ? 1 + (uint32_t)(next_random(&random) % count) : count;
        for (size_t i = 0; i < count * datatype_size(type); i++)
            scores[1 + i] = (char)(next_random(&random) >> (round % 4 ? 56 : 63));
        check(type, scores + 1, count, k); /* unaligned on purpose */
    }
}

/* Orders that make other ways of selecting slow, and all equal ones. */
static void orderly_scores_are_ordered(void **state) {
    (void)state;
    static float scores[SCORES_MAX];
    for (int slope = -1; slope <= 1; slope++) {
        for (int i = 0; i < SCORES_MAX; i++)
            scores[i] = (float)(slope * i) * 0.25f;
        static const uint32_t wanted[] = {1, 2, 255, 256, 257, SCORES_MAX - 1, SCORES_MAX};
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            check(DATATYPE_FP32, (const char *)scores, SCORES_MAX, wanted[i]);
    }
}

/* Every neighbour of importance, both zeros (which are equal) and NaN of both signs (which are last). */
static void special_floats_are_ordered(void **state) {
    (void)state;
    const double doubles[] = {-0.0,     NAN,  0.0,      -INFINITY, -DBL_MAX, 5e-324, -5e-324,
                              INFINITY, -NAN, -DBL_MIN, DBL_MAX,   DBL_MIN,  0.0,    -0.0,
                              1,        -1,   0.5,      2,         INFINITY, 1e308,  -INFINITY};
    const float floats[] = {-0.0f, NAN, 0.0f,     -INFINITY, -FLT_MAX, 1e-45f, -1e-45f, INFINITY,
                            -NAN,  1,   -FLT_MIN, FLT_MAX,   FLT_MIN,  0.0f,   -0.0f,   -1};
    enum { DOUBLES = sizeof doubles / sizeof doubles[0], FLOATS = sizeof floats / sizeof floats[0] };
    for (uint32_t k = 1; k <= DOUBLES; k++)
        check(DATATYPE_FP64, (const char *)doubles, DOUBLES, k);
    for (uint32_t k = 1; k <= FLOATS; k++)
        check(DATATYPE_FP32, (const char *)floats, FLOATS, k);
}

static void these_types_have_an_order(void **state) {
    (void)state;
    for (size_t i = 0; i < TYPES; i++)
        assert_true(best_scores_has_order(types[i]));
    static const enum datatype others[] = {DATATYPE_BOOL, DATATYPE_FP16, DATATYPE_BF16, DATATYPE_BYTES};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(best_scores_has_order(others[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_scores_are_ordered),
        cmocka_unit_test(orderly_scores_are_ordered),
        cmocka_unit_test(special_floats_are_ordered),
        cmocka_unit_test(these_types_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "api/classification.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Order and text of one element type. */
struct score_kind {
    /* Below, equal to or above zero as element a is less than, equal to or greater than element b. */
    int (*compare)(const char *scores, uint32_t a, uint32_t b);
    int (*format)(const char *score, char *text, size_t size);
    float (*value)(const char *score);
    size_t size;
};

#define COMPARE(name, type)                                                                                            \
    static int name(const char *scores, uint32_t a, uint32_t b) {                                                      \
        type x, y;                                                                                                     \
        memcpy(&x, scores + a * sizeof x, sizeof x);                                                                   \
        memcpy(&y, scores + b * sizeof y, sizeof y);                                                                   \
        return (x > y) - (x < y);                                                                                      \
    }
#define COMPARE_REAL(name, type)                                                                                       \
    static int name(const char *scores, uint32_t a, uint32_t b) {                                                      \
        type x, y;                                                                                                     \
        memcpy(&x, scores + a * sizeof x, sizeof x);                                                                   \
        memcpy(&y, scores + b * sizeof y, sizeof y);                                                                   \
        if (isnan(x) || isnan(y))                                                                                      \
            return !isnan(x) - !isnan(y);                                                                              \
        return (x > y) - (x < y);                                                                                      \
    }
#define FORMAT(name, type, pattern, wide)                                                                              \
    static int name(const char *score, char *text, size_t size) {                                                      \
        type x;                                                                                                        \
        memcpy(&x, score, sizeof x);                                                                                   \
        return snprintf(text, size, pattern, (wide)x);                                                                 \
    }
#define VALUE(name, type)                                                                                              \
    static float name(const char *score) {                                                                             \
        type x;                                                                                                        \
        memcpy(&x, score, sizeof x);                                                                                   \
        return (float)x;                                                                                               \
    }
COMPARE(compare_u8, uint8_t)
COMPARE(compare_u16, uint16_t)
COMPARE(compare_u32, uint32_t)
COMPARE(compare_u64, uint64_t)
COMPARE(compare_i8, int8_t)
COMPARE(compare_i16, int16_t)
COMPARE(compare_i32, int32_t)
COMPARE(compare_i64, int64_t)
COMPARE_REAL(compare_f32, float)
COMPARE_REAL(compare_f64, double)
FORMAT(format_u8, uint8_t, "%" PRIu64, uint64_t)
FORMAT(format_u16, uint16_t, "%" PRIu64, uint64_t)
FORMAT(format_u32, uint32_t, "%" PRIu64, uint64_t)
FORMAT(format_u64, uint64_t, "%" PRIu64, uint64_t)
FORMAT(format_i8, int8_t, "%" PRId64, int64_t)
FORMAT(format_i16, int16_t, "%" PRId64, int64_t)
FORMAT(format_i32, int32_t, "%" PRId64, int64_t)
FORMAT(format_i64, int64_t, "%" PRId64, int64_t)
FORMAT(format_f32, float, "%f", double)
FORMAT(format_f64, double, "%f", double)
VALUE(value_u8, uint8_t)
VALUE(value_u16, uint16_t)
VALUE(value_u32, uint32_t)
VALUE(value_u64, uint64_t)
VALUE(value_i8, int8_t)
VALUE(value_i16, int16_t)
VALUE(value_i32, int32_t)
VALUE(value_i64, int64_t)
VALUE(value_f32, float)
VALUE(value_f64, double)

static const struct score_kind kinds[] = {
    [DATATYPE_UINT8] = {compare_u8, format_u8, value_u8, 1},
    [DATATYPE_UINT16] = {compare_u16, format_u16, value_u16, 2},
    [DATATYPE_UINT32] = {compare_u32, format_u32, value_u32, 4},
    [DATATYPE_UINT64] = {compare_u64, format_u64, value_u64, 8},
    [DATATYPE_INT8] = {compare_i8, format_i8, value_i8, 1},
    [DATATYPE_INT16] = {compare_i16, format_i16, value_i16, 2},
    [DATATYPE_INT32] = {compare_i32, format_i32, value_i32, 4},
    [DATATYPE_INT64] = {compare_i64, format_i64, value_i64, 8},
    [DATATYPE_FP32] = {compare_f32, format_f32, value_f32, 4},
    [DATATYPE_FP64] = {compare_f64, format_f64, value_f64, 8},
};

static const struct score_kind *kind_of(enum datatype type) {
    size_t row = (size_t)type;
    return row < sizeof kinds / sizeof kinds[0] && kinds[row].compare ? &kinds[row] : NULL;
}

/* Whether class a comes after class b in the answer. */
static bool is_worse(const struct score_kind *kind, const char *scores, uint32_t a, uint32_t b) {
    int order = kind->compare(scores, a, b);
    return order != 0 ? order < 0 : a > b;
}

/* Restores the heap below `at`; its root is the worst of the kept classes. */
static void sift_down(const struct score_kind *kind, const char *scores, uint32_t *heap, uint32_t size, uint32_t at) {
    for (;;) {
        uint32_t worst = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++)
            if (is_worse(kind, scores, heap[child], heap[worst]))
                worst = child;
        if (worst == at)
            return;
        uint32_t moved = heap[at];
        heap[at] = heap[worst];
        heap[worst] = moved;
        at = worst;
    }
}

/* Writes the indices of the k best of `count` scores, best first. */
static void select_best(const struct score_kind *kind, const char *scores, uint32_t count, uint32_t k, uint32_t *best) {
    for (uint32_t i = 0; i < k; i++)
        best[i] = i;
    for (uint32_t i = k / 2; i-- > 0;)
        sift_down(kind, scores, best, k, i);
    for (uint32_t i = k; i < count; i++) {
        if (is_worse(kind, scores, best[0], i)) {
            best[0] = i;
            sift_down(kind, scores, best, k, 0);
        }
    }
    for (uint32_t left = k; left > 1; left--) {
        uint32_t worst = best[0];
        best[0] = best[left - 1];
        best[left - 1] = worst;
        sift_down(kind, scores, best, left - 1, 0);
    }
}

/* Fills all of ret but the scores. */
static struct status plan(const struct model *model, const struct tensor *scores, uint32_t k,
                          struct classification *ret, uint32_t *ret_classes) {
    bool batched = model && model_config_of(model)->max_batch_size > 0 && scores->rank > 0;
    int64_t total;
    STATUS_TRY(shape_element_count(scores->shape, scores->rank, &total));
    int64_t entries = batched ? scores->shape[0] : 1;
    int64_t classes = entries > 0 ? total / entries : 0;
    if (classes > UINT32_MAX / 2)
        return status_error(STATUS_INVALID_ARGUMENT, "output '%.*s' has too many elements to be classified: %" PRId64,
                            SLICE_ARGS(scores->name), classes);
    *ret = (struct classification){
        .batched = batched, .entries = entries, .kept = classes < (int64_t)k ? (uint32_t)classes : k};
    *ret_classes = (uint32_t)classes;
    return status_ok();
}

static struct status no_memory(const struct tensor *scores) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the classes of output '%.*s'",
                        SLICE_ARGS(scores->name));
}

/* What one chosen element is told as; false when memory is short. */
static bool describe_class(const struct score_kind *kind, const char *score, struct arena *arena,
                           struct class_score *ret) {
    char text[400]; /* a double has up to 309 digits before the point */
    int length = kind->format(score, text, sizeof text);
    ret->value = kind->value(score);
    ret->text = arena_copy(arena, (struct slice){text, (size_t)length});
    return ret->text.data != NULL;
}

struct status classification_select(const struct model *model, const struct tensor *scores, uint32_t k,
                                    struct arena *arena, struct classification *ret) {
    const struct score_kind *kind = kind_of(scores->type);
    if (!kind)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "classification of output '%.*s': expected an integer, FP32 or FP64 datatype, got %s",
                            SLICE_ARGS(scores->name), datatype_name(scores->type));
    uint32_t classes;
    STATUS_TRY(plan(model, scores, k, ret, &classes));
    if (scores->data.size != (size_t)ret->entries * classes * kind->size)
        return status_error(STATUS_INTERNAL, "output '%.*s' has %zu bytes, which are not those of its shape",
                            SLICE_ARGS(scores->name), scores->data.size);
    uint32_t *best = arena_calloc(arena, ret->kept, sizeof *best);
    struct class_score *score = arena_calloc(arena, (size_t)ret->entries, ret->kept * sizeof *score);
    if (!best || !score)
        return no_memory(scores);
    ret->scores = score;
    for (int64_t entry = 0; ret->kept > 0 && entry < ret->entries; entry++) {
        const char *data = scores->data.data + (size_t)entry * classes * kind->size;
        select_best(kind, data, classes, ret->kept, best);
        for (uint32_t i = 0; i < ret->kept; i++, score++) {
            score->index = best[i];
            if (model)
                score->label = model_label(model, scores->name, best[i]);
            if (!describe_class(kind, data + best[i] * kind->size, arena, score))
                return no_memory(scores);
        }
    }
    return status_ok();
}

/* Appends one length-prefixed "value:index[:label]". */
static void append_class(const struct class_score *score, struct buf *out) {
    char index[16];
    int length = snprintf(index, sizeof index, ":%" PRIu32, score->index);
    size_t label = score->label.size > 0 ? score->label.size + 1 : 0;
    uint32_t prefix = (uint32_t)(score->text.size + (size_t)length + label);
    buf_append(out, &prefix, sizeof prefix);
    buf_append_slice(out, score->text);
    buf_append(out, index, (size_t)length);
    if (label) {
        buf_append_char(out, ':');
        buf_append_slice(out, score->label);
    }
}

struct status classification_encode(const struct model *model, const struct tensor *scores, uint32_t k,
                                    struct arena *arena, struct tensor *ret) {
    struct classification chosen;
    STATUS_TRY(classification_select(model, scores, k, arena, &chosen));
    *ret = (struct tensor){.name = scores->name, .type = DATATYPE_BYTES, .rank = chosen.batched ? 2 : 1};
    ret->shape[0] = chosen.batched ? chosen.entries : chosen.kept;
    ret->shape[1] = chosen.batched ? chosen.kept : 0;
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < (size_t)chosen.entries * chosen.kept; i++)
        append_class(&chosen.scores[i], &text);
    ret->data = arena_copy(arena, buf_slice(&text));
    bool failed = buf_failed(&text) || (text.size > 0 && !ret->data.data);
    buf_free(&text);
    return failed ? no_memory(scores) : status_ok();
}

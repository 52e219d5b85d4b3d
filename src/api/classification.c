#include "api/classification.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/best_scores.h"
#include "codec/fixed_point.h"

/* Text and number of one element type. */
struct score_kind {
    int (*format)(const char *score, char *text, size_t size);
    float (*value)(const char *score);
};

#define FORMAT(name, type, pattern, wide)                                                                              \
    static int name(const char *score, char *text, size_t size) {                                                      \
        type x;                                                                                                        \
        memcpy(&x, score, sizeof x);                                                                                   \
        return snprintf(text, size, pattern, (wide)x);                                                                 \
    }
#define FORMAT_REAL(name, type)                                                                                        \
    static int name(const char *score, char *text, size_t size) {                                                      \
        type x;                                                                                                        \
        memcpy(&x, score, sizeof x);                                                                                   \
        return fixed_point_format(text, size, (double)x);                                                              \
    }
#define VALUE(name, type)                                                                                              \
    static float name(const char *score) {                                                                             \
        type x;                                                                                                        \
        memcpy(&x, score, sizeof x);                                                                                   \
        return (float)x;                                                                                               \
    }
FORMAT(format_u8, uint8_t, "%" PRIu64, uint64_t)
FORMAT(format_u16, uint16_t, "%" PRIu64, uint64_t)
FORMAT(format_u32, uint32_t, "%" PRIu64, uint64_t)
FORMAT(format_u64, uint64_t, "%" PRIu64, uint64_t)
FORMAT(format_i8, int8_t, "%" PRId64, int64_t)
FORMAT(format_i16, int16_t, "%" PRId64, int64_t)
FORMAT(format_i32, int32_t, "%" PRId64, int64_t)
FORMAT(format_i64, int64_t, "%" PRId64, int64_t)
FORMAT_REAL(format_f32, float)
FORMAT_REAL(format_f64, double)
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
    [DATATYPE_UINT8] = {format_u8, value_u8},    [DATATYPE_UINT16] = {format_u16, value_u16},
    [DATATYPE_UINT32] = {format_u32, value_u32}, [DATATYPE_UINT64] = {format_u64, value_u64},
    [DATATYPE_INT8] = {format_i8, value_i8},     [DATATYPE_INT16] = {format_i16, value_i16},
    [DATATYPE_INT32] = {format_i32, value_i32},  [DATATYPE_INT64] = {format_i64, value_i64},
    [DATATYPE_FP32] = {format_f32, value_f32},   [DATATYPE_FP64] = {format_f64, value_f64},
};

/* Fills all of ret but the scores, and takes its classes from those that the answer may still hold. */
static struct status plan(const struct model *model, const struct tensor *scores, uint32_t k, uint32_t *left,
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
    if (ret->kept > 0 && entries > *left / ret->kept)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "classification of output '%.*s': expected at most %d classes in an answer (%" PRIu32
                            " are left), got %" PRId64 " rows of %" PRIu32,
                            SLICE_ARGS(scores->name), CLASSIFICATION_CLASSES_MAX, *left, entries, ret->kept);
    *left -= (uint32_t)entries * ret->kept;
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
    char text[FIXED_POINT_MAX];
    int length = kind->format(score, text, sizeof text);
    ret->value = kind->value(score);
    ret->text = arena_copy(arena, (struct slice){text, (size_t)length});
    return ret->text.data != NULL;
}

struct status classification_select(const struct model *model, const struct tensor *scores, uint32_t k, uint32_t *left,
                                    struct arena *arena, struct classification *ret) {
    if (!best_scores_has_order(scores->type))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "classification of output '%.*s': expected an integer, FP32 or FP64 datatype, got %s",
                            SLICE_ARGS(scores->name), datatype_name(scores->type));
    uint32_t classes;
    STATUS_TRY(plan(model, scores, k, left, ret, &classes));
    const struct score_kind *kind = &kinds[scores->type];
    size_t size = datatype_size(scores->type);
    if (scores->data.size != (size_t)ret->entries * classes * size)
        return status_error(STATUS_INTERNAL, "output '%.*s' has %zu bytes, which are not those of its shape",
                            SLICE_ARGS(scores->name), scores->data.size);
    struct ranked_score *best = arena_calloc(arena, ret->kept, sizeof *best);
    struct class_score *score = arena_calloc(arena, (size_t)ret->entries, ret->kept * sizeof *score);
    if (!best || !score)
        return no_memory(scores);
    ret->scores = score;
    for (int64_t entry = 0; ret->kept > 0 && entry < ret->entries; entry++) {
        const char *data = scores->data.data + (size_t)entry * classes * size;
        best_scores_select(scores->type, data, classes, ret->kept, best);
        for (uint32_t i = 0; i < ret->kept; i++, score++) {
            score->index = best[i].index;
            if (model)
                score->label = model_label(model, scores->name, best[i].index);
            if (!describe_class(kind, data + best[i].index * size, arena, score))
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

struct status classification_encode(const struct model *model, const struct tensor *scores, uint32_t k, uint32_t *left,
                                    struct arena *arena, struct tensor *ret) {
    struct classification chosen;
    STATUS_TRY(classification_select(model, scores, k, left, arena, &chosen));
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

#include "api/tensor_contents.h"

#include <inttypes.h>
#include <string.h>

/* The members of InferTensorContents. */
enum member { NONE, BOOLS, INTS, INT64S, UINTS, UINT64S, FP32S, FP64S, STRINGS, MEMBER_COUNT };

static const struct member_row {
    const char *name;
    size_t offset;
    size_t size; /* of an element in memory */
} members[MEMBER_COUNT] = {
#define MEMBER(name, type)                                                                                             \
    { #name, offsetof(struct pb_infer_tensor_contents, name), sizeof(type) }
    [BOOLS] = MEMBER(bool_contents, bool),         [INTS] = MEMBER(int_contents, int32_t),
    [INT64S] = MEMBER(int64_contents, int64_t),    [UINTS] = MEMBER(uint_contents, uint32_t),
    [UINT64S] = MEMBER(uint64_contents, uint64_t), [FP32S] = MEMBER(fp32_contents, float),
    [FP64S] = MEMBER(fp64_contents, double),       [STRINGS] = MEMBER(bytes_contents, struct slice),
#undef MEMBER
};

/* Where a datatype's elements are, and the range of those that are narrower on our side. */
static const struct type_row {
    enum member member;
    int64_t min, max;
} types[] = {
    [DATATYPE_BOOL] = {BOOLS, 0, 0},
    [DATATYPE_UINT8] = {UINTS, 0, UINT8_MAX},
    [DATATYPE_UINT16] = {UINTS, 0, UINT16_MAX},
    [DATATYPE_UINT32] = {UINTS, 0, 0},
    [DATATYPE_UINT64] = {UINT64S, 0, 0},
    [DATATYPE_INT8] = {INTS, INT8_MIN, INT8_MAX},
    [DATATYPE_INT16] = {INTS, INT16_MIN, INT16_MAX},
    [DATATYPE_INT32] = {INTS, 0, 0},
    [DATATYPE_INT64] = {INT64S, 0, 0},
    [DATATYPE_FP16] = {NONE, 0, 0},
    [DATATYPE_FP32] = {FP32S, 0, 0},
    [DATATYPE_FP64] = {FP64S, 0, 0},
    [DATATYPE_BYTES] = {STRINGS, 0, 0},
    [DATATYPE_BF16] = {NONE, 0, 0},
};

_Static_assert(sizeof(bool) == 1, "bool_contents are taken as they are");

static struct pb_repeated read_member(const struct pb_infer_tensor_contents *contents, enum member member) {
    struct pb_repeated repeated;
    memcpy(&repeated, (const char *)contents + members[member].offset, sizeof repeated);
    return repeated;
}

/* Checks that no other member is filled. */
static struct status check_members(const struct pb_infer_tensor_contents *contents, enum member wanted, size_t index,
                                   const struct tensor *tensor) {
    const char *type = datatype_name(tensor->type);
    if (wanted == NONE)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inputs[%zu].contents: expected raw_input_contents for %s, which has no typed contents",
                            index, type);
    for (enum member member = BOOLS; member < MEMBER_COUNT; member++)
        if (member != wanted && read_member(contents, member).count > 0)
            return status_error(STATUS_INVALID_ARGUMENT, "inputs[%zu].contents: expected %s for %s, got %s", index,
                                members[wanted].name, type, members[member].name);
    return status_ok();
}

static struct status no_memory(size_t index) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for inputs[%zu].contents", index);
}

static struct status pack_strings(const struct slice *strings, size_t count, size_t index, struct arena *arena,
                                  struct tensor *tensor) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += sizeof(uint32_t) + strings[i].size; /* bounded by the message, which is in memory */
    char *out = arena_alloc(arena, size);
    if (!out)
        return no_memory(index);
    tensor->data = (struct slice){out, size};
    for (size_t i = 0; i < count; i++) {
        if (strings[i].size > UINT32_MAX)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "inputs[%zu].contents.bytes_contents[%zu]: %zu bytes are more than an element may have",
                                index, i, strings[i].size);
        uint32_t prefix = (uint32_t)strings[i].size;
        memcpy(out, &prefix, sizeof prefix);
        if (prefix > 0)
            memcpy(out + sizeof prefix, strings[i].data, prefix);
        out += sizeof prefix + prefix;
    }
    return status_ok();
}

/* Elements of 32 bits into fewer, with a check of the range. */
static struct status narrow(const void *items, size_t count, const struct type_row *row, size_t index,
                            struct arena *arena, struct tensor *tensor) {
    size_t size = datatype_size(tensor->type);
    char *out = arena_calloc(arena, count, size);
    if (!out)
        return no_memory(index);
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (row->member == INTS)
            value = ((const int32_t *)items)[i];
        else
            value = ((const uint32_t *)items)[i];
        if (value < row->min || value > row->max)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "inputs[%zu].contents.%s[%zu]: expected an integer in %" PRId64 "..%" PRId64 " for %s, got %" PRId64,
                index, members[row->member].name, i, row->min, row->max, datatype_name(tensor->type), value);
        memcpy(out + i * size, &value, size); /* little-endian: the low bytes come first */
    }
    tensor->data = (struct slice){out, count * size};
    return status_ok();
}

struct status tensor_contents_decode(const struct pb_infer_tensor_contents *contents, size_t index, struct arena *arena,
                                     struct tensor *tensor) {
    const struct type_row *row = &types[tensor->type];
    STATUS_TRY(check_members(contents, row->member, index, tensor));
    struct pb_repeated items = read_member(contents, row->member);
    int64_t wanted;
    struct status status = shape_element_count(tensor->shape, tensor->rank, &wanted);
    if (!status_is_ok(&status))
        return status_prefix(status, "inputs[%zu].shape", index);
    if (items.count != (uint64_t)wanted) {
        char shape[64];
        shape_format(tensor->shape, tensor->rank, shape, sizeof shape);
        return status_error(STATUS_INVALID_ARGUMENT,
                            "inputs[%zu].contents.%s: expected %" PRId64 " elements for shape %s, got %zu", index,
                            members[row->member].name, wanted, shape, items.count);
    }
    if (row->member == STRINGS)
        return pack_strings(items.items, items.count, index, arena, tensor);
    if (row->max > 0)
        return narrow(items.items, items.count, row, index, arena, tensor);
    tensor->data = (struct slice){items.items, items.count * members[row->member].size};
    return status_ok();
}

#include "codec/pb.h"

#include <string.h>

#include "codec/pb_member.h"

const struct pb_field *pb_field_by_number(const struct pb_message *type, uint32_t number) {
    size_t likely = (size_t)number - 1; /* most tables have no gaps */
    if (likely < type->field_count && type->fields[likely].number == number)
        return &type->fields[likely];
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].number == number)
            return &type->fields[i];
    return NULL;
}

const struct pb_field *pb_field_by_name(const struct pb_message *type, struct slice name) {
    for (size_t i = 0; i < type->field_count; i++)
        if (slice_equal_text(name, type->fields[i].name))
            return &type->fields[i];
    return NULL;
}

const char *pb_enum_name(const struct pb_enum *type, int32_t number) {
    for (size_t i = 0; i < type->value_count; i++)
        if (type->values[i].number == number)
            return type->values[i].name;
    return NULL;
}

bool pb_enum_number(const struct pb_enum *type, struct slice name, int32_t *ret) {
    for (size_t i = 0; i < type->value_count; i++)
        if (slice_equal_text(name, type->values[i].name)) {
            *ret = type->values[i].number;
            return true;
        }
    return false;
}

size_t pb_item_size(const struct pb_field *field) {
    static const size_t sizes[] = {
        [PB_BOOL] = sizeof(bool),          [PB_INT32] = sizeof(int32_t),       [PB_INT64] = sizeof(int64_t),
        [PB_UINT32] = sizeof(uint32_t),    [PB_UINT64] = sizeof(uint64_t),     [PB_FLOAT] = sizeof(float),
        [PB_DOUBLE] = sizeof(double),      [PB_ENUMERATION] = sizeof(int32_t), [PB_STRING] = sizeof(struct slice),
        [PB_BYTES] = sizeof(struct slice),
    };
    return field->kind == PB_SUBMESSAGE ? field->message->size : sizes[field->kind];
}

bool pb_reserve(struct arena *arena, struct pb_repeated *repeated, size_t item_size, size_t more) {
    size_t needed, bytes;
    if (__builtin_add_overflow(repeated->count, more, &needed))
        return false;
    if (needed <= repeated->capacity)
        return true;
    size_t capacity = repeated->capacity > needed / 2 ? repeated->capacity * 2 : needed;
    if (__builtin_mul_overflow(capacity, item_size, &bytes))
        return false;
    void *items = arena_alloc(arena, bytes);
    if (!items)
        return false;
    if (repeated->count)
        memcpy(items, repeated->items, repeated->count * item_size);
    repeated->items = items;
    repeated->capacity = capacity;
    return true;
}

void *pb_append(struct arena *arena, const struct pb_field *field, void *message) {
    struct pb_repeated repeated = pb_load_repeated(field, message);
    size_t item_size = pb_item_size(field);
    if (!pb_reserve(arena, &repeated, item_size, 1))
        return NULL;
    void *item = (char *)repeated.items + repeated.count++ * item_size;
    memset(item, 0, item_size);
    pb_store_repeated(field, message, repeated);
    return item;
}

bool pb_field_is_set(const struct pb_field *field, const void *message) {
    return pb_member_is_set(field, message);
}

size_t pb_child_count(const struct pb_field *field, const void *message) {
    if (field->kind != PB_SUBMESSAGE)
        return 0;
    if (field->label == PB_LABEL_SINGULAR)
        return pb_load_message(field, message) ? 1 : 0;
    return pb_load_repeated(field, message).count;
}

const void *pb_child(const struct pb_field *field, const void *message, size_t i) {
    if (field->label == PB_LABEL_SINGULAR)
        return pb_load_message(field, message);
    return pb_item(pb_load_repeated(field, message), field->message->size, i);
}

/* Makes the member absent, but for the choice of its oneof. */
static void clear_member(const struct pb_field *field, void *message) {
    size_t size = pb_item_size(field);
    if (field->label != PB_LABEL_SINGULAR)
        size = sizeof(struct pb_repeated);
    else if (field->kind == PB_SUBMESSAGE)
        size = sizeof(void *);
    memset(pb_member_mutable(field, message), 0, size);
}

void pb_strip(const struct pb_message *type, void *message,
              bool (*drop)(const struct pb_message *type, const struct pb_field *field)) {
    for (size_t i = 0; i < type->field_count; i++) {
        const struct pb_field *field = &type->fields[i];
        if (!pb_field_is_set(field, message))
            continue;
        if (drop(type, field)) {
            clear_member(field, message);
            if (field->oneof)
                pb_store_which(field, message, 0);
            continue;
        }
        for (size_t k = 0; k < pb_child_count(field, message); k++)
            pb_strip(field->message, (void *)(uintptr_t)pb_child(field, message, k), drop);
    }
}

void *pb_obtain_message(struct arena *arena, const struct pb_field *field, void *message) {
    void *inner = pb_load_message(field, message);
    if (!inner) {
        inner = arena_calloc(arena, 1, field->message->size);
        if (inner)
            pb_store_message(field, message, inner);
    }
    return inner;
}

void pb_choose(const struct pb_message *type, const struct pb_field *field, void *message) {
    if (!field->oneof)
        return;
    uint32_t which = pb_load_which(field, message);
    if (which == field->number)
        return;
    const struct pb_field *before = which ? pb_field_by_number(type, which) : NULL;
    if (before)
        clear_member(before, message);
    pb_store_which(field, message, field->number);
}

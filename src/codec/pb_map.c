#include "codec/pb_map.h"

#include <stdlib.h>
#include <string.h>

#include "codec/pb_member.h"

const struct pb_field *pb_map_key_field(const struct pb_message *entry_type) {
    return pb_field_by_number(entry_type, 1);
}

const struct pb_field *pb_map_value_field(const struct pb_message *entry_type) {
    return pb_field_by_number(entry_type, 2);
}

struct keyed {
    struct slice key; /* a string's bytes, or a number's bytes in memory: only equality matters */
    size_t index;
    bool superseded;
};

static int compare_keys(const void *left, const void *right) {
    const struct keyed *a = left, *b = right;
    if (a->key.size != b->key.size)
        return a->key.size < b->key.size ? -1 : 1;
    int order = a->key.size ? memcmp(a->key.data, b->key.data, a->key.size) : 0;
    if (order)
        return order;
    return a->index < b->index ? -1 : 1;
}

static int compare_indices(const void *left, const void *right) {
    const struct keyed *a = left, *b = right;
    return a->index < b->index ? -1 : 1;
}

static struct slice key_bytes(const struct pb_field *key, const void *entry) {
    const void *member = pb_member(key, entry);
    if (key->kind == PB_STRING)
        return pb_load_slice(member);
    return (struct slice){member, pb_item_size(key)};
}

bool pb_map_last_may_repeat(const struct pb_field *map, struct pb_repeated entries) {
    enum { FEW = 8 };
    if (entries.count > FEW)
        return true;
    const struct pb_field *key = pb_map_key_field(map->message);
    size_t size = map->message->size, last = entries.count - 1;
    struct slice last_key = key_bytes(key, pb_item(entries, size, last));
    for (size_t i = 0; i < last; i++)
        if (slice_equal(last_key, key_bytes(key, pb_item(entries, size, i))))
            return true;
    return false;
}

/* The keys in sorted order, those that a later entry repeats marked; to be freed. NULL when memory is short. */
static struct keyed *sort_keys(const struct pb_field *map, struct pb_repeated entries) {
    const struct pb_field *key = pb_map_key_field(map->message);
    struct keyed *keyed = calloc(entries.count, sizeof *keyed);
    if (!keyed)
        return NULL;
    for (size_t i = 0; i < entries.count; i++)
        keyed[i] = (struct keyed){key_bytes(key, pb_item(entries, map->message->size, i)), i, false};
    qsort(keyed, entries.count, sizeof *keyed, compare_keys);
    for (size_t i = 0; i + 1 < entries.count; i++)
        keyed[i].superseded = slice_equal(keyed[i].key, keyed[i + 1].key);
    return keyed;
}

bool pb_map_find_duplicate(const struct pb_field *map, const void *message, bool *ret_found, struct slice *ret_key) {
    struct pb_repeated entries = pb_load_repeated(map, message);
    *ret_found = false;
    if (entries.count < 2)
        return true;
    struct keyed *keyed = sort_keys(map, entries);
    if (!keyed)
        return false;
    for (size_t i = 0; i < entries.count && !*ret_found; i++) {
        *ret_found = keyed[i].superseded;
        if (*ret_found && pb_map_key_field(map->message)->kind == PB_STRING)
            *ret_key = keyed[i].key;
    }
    free(keyed);
    return true;
}

static bool drop_superseded(const struct pb_field *map, void *message) {
    struct pb_repeated entries = pb_load_repeated(map, message);
    size_t size = map->message->size, kept = 0;
    if (entries.count < 2)
        return true;
    struct keyed *keyed = sort_keys(map, entries);
    if (!keyed)
        return false;
    qsort(keyed, entries.count, sizeof *keyed, compare_indices);
    for (size_t i = 0; i < entries.count; i++) {
        if (keyed[i].superseded)
            continue;
        if (kept != i)
            memcpy(pb_item(entries, size, kept), pb_item(entries, size, i), size);
        kept++;
    }
    free(keyed);
    entries.count = kept;
    pb_store_repeated(map, message, entries);
    return true;
}

bool pb_map_make_unique(const struct pb_message *type, void *message) {
    for (size_t i = 0; i < type->field_count; i++) {
        const struct pb_field *field = &type->fields[i];
        if (field->kind != PB_SUBMESSAGE)
            continue;
        if (field->label == PB_LABEL_SINGULAR) {
            void *inner = pb_load_message(field, message);
            if (inner && !pb_map_make_unique(field->message, inner))
                return false;
            continue;
        }
        if (field->label == PB_LABEL_MAP && !drop_superseded(field, message))
            return false;
        struct pb_repeated items = pb_load_repeated(field, message);
        for (size_t k = 0; k < items.count; k++)
            if (!pb_map_make_unique(field->message, pb_item(items, field->message->size, k)))
                return false;
    }
    return true;
}

/* pb_member.h: access to a message struct's members by their table row; private to codec/pb_*.c.
 *
 * All typed members are read and written through memcpy: the tables know only offsets, and a struct pb_x * must not be
 * accessed as a void *. */
#ifndef INFERD_CODEC_PB_MEMBER_H
#define INFERD_CODEC_PB_MEMBER_H

#include <string.h>

#include "codec/pb.h"

static inline const void *pb_member(const struct pb_field *field, const void *message) {
    return (const char *)message + field->offset;
}

static inline void *pb_member_mutable(const struct pb_field *field, void *message) {
    return (char *)message + field->offset;
}

static inline struct pb_repeated pb_load_repeated(const struct pb_field *field, const void *message) {
    struct pb_repeated repeated;
    memcpy(&repeated, pb_member(field, message), sizeof repeated);
    return repeated;
}

static inline void pb_store_repeated(const struct pb_field *field, void *message, struct pb_repeated repeated) {
    memcpy(pb_member_mutable(field, message), &repeated, sizeof repeated);
}

static inline void *pb_load_message(const struct pb_field *field, const void *message) {
    void *inner;
    memcpy(&inner, pb_member(field, message), sizeof inner);
    return inner;
}

static inline void pb_store_message(const struct pb_field *field, void *message, void *inner) {
    memcpy(pb_member_mutable(field, message), &inner, sizeof inner);
}

static inline struct slice pb_load_slice(const void *value) {
    struct slice slice;
    memcpy(&slice, value, sizeof slice);
    return slice;
}

static inline uint32_t pb_load_which(const struct pb_field *field, const void *message) {
    uint32_t which;
    memcpy(&which, (const char *)message + field->which_offset, sizeof which);
    return which;
}

static inline void pb_store_which(const struct pb_field *field, void *message, uint32_t which) {
    memcpy((char *)message + field->which_offset, &which, sizeof which);
}

/* Stores a two's complement value as the kind's C type, which keeps the low bits, as protobuf does; a bool is any that
 * is not 0. */
static inline void pb_store_integer(enum pb_kind kind, uint64_t value, void *to) {
    uint32_t low = (uint32_t)value;
    if (kind == PB_BOOL)
        *(bool *)to = value != 0;
    else if (kind == PB_INT64 || kind == PB_UINT64)
        memcpy(to, &value, sizeof value);
    else
        memcpy(to, &low, sizeof low);
}

/* The i-th item of a repeated member. */
static inline void *pb_item(struct pb_repeated repeated, size_t item_size, size_t i) {
    return (char *)repeated.items + i * item_size;
}

/* Whether a number differs from 0, bit by bit: -0.0 does. */
static inline bool pb_number_is_set(enum pb_kind kind, const void *value) {
    uint64_t wide;
    uint32_t narrow;
    if (kind == PB_BOOL)
        return *(const bool *)value;
    if (kind == PB_INT64 || kind == PB_UINT64 || kind == PB_DOUBLE) {
        memcpy(&wide, value, sizeof wide);
        return wide != 0;
    }
    memcpy(&narrow, value, sizeof narrow);
    return narrow != 0;
}

/* As pb_field_is_set. */
static inline bool pb_member_is_set(const struct pb_field *field, const void *message) {
    if (field->oneof)
        return pb_load_which(field, message) == field->number;
    if (field->label != PB_LABEL_SINGULAR)
        return pb_load_repeated(field, message).count > 0;
    if (field->kind == PB_SUBMESSAGE)
        return pb_load_message(field, message) != NULL;
    if (field->kind == PB_STRING || field->kind == PB_BYTES)
        return pb_load_slice(pb_member(field, message)).size > 0;
    return pb_number_is_set(field->kind, pb_member(field, message));
}

/* Room for `more` items behind count; grows to at least double, so that appending stays linear. False when memory is
 * short. */
bool pb_reserve(struct arena *arena, struct pb_repeated *repeated, size_t item_size, size_t more);
/* The sub-message of a singular member; made, zeroed, when absent. NULL when memory is short. */
void *pb_obtain_message(struct arena *arena, const struct pb_field *field, void *message);
/* Makes `field` the set member of its oneof: another one that was set becomes absent. Nothing to do outside oneofs. */
void pb_choose(const struct pb_message *type, const struct pb_field *field, void *message);
/* The kinds that may be packed. */
static inline bool pb_kind_is_number(enum pb_kind kind) {
    return kind != PB_STRING && kind != PB_BYTES && kind != PB_SUBMESSAGE;
}

#endif

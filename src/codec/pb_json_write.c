/* Message structs -> JSON, by the descriptor tables. */
#include <math.h>

#include "codec/base64.h"
#include "codec/pb_json.h"
#include "codec/pb_map.h"
#include "codec/pb_member.h"

/* What is being written, and in which of the two forms. */
struct emitter {
    struct json_writer *writer;
    bool canonical; /* ProtoJSON by the letter */
};

static void write_message(struct emitter *emitter, const struct pb_message *type, const void *message);

/* JSON has no literal for these; ProtoJSON has strings. */
static void write_real(struct json_writer *writer, enum pb_kind kind, double value) {
    if (isnan(value))
        json_text(writer, "NaN");
    else if (isinf(value))
        json_text(writer, value < 0 ? "-Infinity" : "Infinity");
    else if (kind == PB_FLOAT)
        json_float(writer, (float)value);
    else
        json_double(writer, value);
}

static void write_enum(struct json_writer *writer, const struct pb_enum *type, int32_t number) {
    const char *name = pb_enum_name(type, number);
    if (name)
        json_text(writer, name);
    else
        json_i64(writer, number);
}

static void write_base64(struct json_writer *writer, struct slice bytes) {
    struct buf text = BUF_EMPTY;
    base64_append(&text, bytes);
    json_string(writer, buf_slice(&text));
    writer->out->failed |= buf_failed(&text);
    buf_free(&text);
}

/* 64-bit integers: a reader with doubles alone would lose digits, so the canonical form has strings. */
static void write_wide(struct emitter *emitter, enum pb_kind kind, const void *value) {
    char text[JSON_NUMBER_MAX];
    size_t size = kind == PB_INT64 ? json_format_i64(text, *(const int64_t *)value)
                                   : json_format_u64(text, *(const uint64_t *)value);
    if (emitter->canonical)
        json_string(emitter->writer, (struct slice){text, size});
    else
        json_raw(emitter->writer, (struct slice){text, size});
}

static void write_value(struct emitter *emitter, const struct pb_field *field, const void *value) {
    struct json_writer *writer = emitter->writer;
    switch (field->kind) {
    case PB_BOOL:
        json_bool(writer, *(const bool *)value);
        break;
    case PB_INT32:
        json_i64(writer, *(const int32_t *)value);
        break;
    case PB_INT64:
    case PB_UINT64:
        write_wide(emitter, field->kind, value);
        break;
    case PB_UINT32:
        json_u64(writer, *(const uint32_t *)value);
        break;
    case PB_FLOAT:
        write_real(writer, field->kind, (double)*(const float *)value);
        break;
    case PB_DOUBLE:
        write_real(writer, field->kind, *(const double *)value);
        break;
    case PB_ENUMERATION:
        write_enum(writer, field->enumeration, *(const int32_t *)value);
        break;
    case PB_STRING:
        json_string(writer, pb_load_slice(value));
        break;
    case PB_BYTES:
        write_base64(writer, pb_load_slice(value));
        break;
    case PB_SUBMESSAGE:
        write_message(emitter, field->message, value);
        break;
    }
}

static void write_singular(struct emitter *emitter, const struct pb_field *field, const void *message) {
    bool is_message = field->kind == PB_SUBMESSAGE;
    write_value(emitter, field, is_message ? pb_load_message(field, message) : pb_member(field, message));
}

static void write_map_key(struct emitter *emitter, const struct pb_field *key, const void *entry) {
    if (key->kind == PB_STRING) {
        json_key_slice(emitter->writer, pb_load_slice(pb_member(key, entry)));
        return;
    }
    struct buf text = BUF_EMPTY;
    struct json_writer inner = json_writer_on(&text);
    struct emitter plain = {.writer = &inner};
    write_value(&plain, key, pb_member(key, entry));
    json_key_slice(emitter->writer, buf_slice(&text));
    emitter->writer->out->failed |= buf_failed(&text);
    buf_free(&text);
}

static void write_map(struct emitter *emitter, const struct pb_field *field, const void *message) {
    struct pb_repeated entries = pb_load_repeated(field, message);
    json_begin_object(emitter->writer);
    for (size_t i = 0; i < entries.count; i++) {
        const void *entry = pb_item(entries, field->message->size, i);
        write_map_key(emitter, pb_map_key_field(field->message), entry);
        write_singular(emitter, pb_map_value_field(field->message), entry);
    }
    json_end_object(emitter->writer);
}

static void write_array(struct emitter *emitter, const struct pb_field *field, const void *message) {
    struct pb_repeated items = pb_load_repeated(field, message);
    size_t item_size = pb_item_size(field);
    json_begin_array(emitter->writer);
    for (size_t i = 0; i < items.count; i++)
        write_value(emitter, field, pb_item(items, item_size, i));
    json_end_array(emitter->writer);
}

static bool is_shown(const struct emitter *emitter, const struct pb_field *field, const void *message) {
    bool has_default = field->label != PB_LABEL_SINGULAR || (field->kind != PB_SUBMESSAGE && !field->oneof);
    return (has_default && !emitter->canonical) || pb_field_is_set(field, message);
}

/* "model_status" is modelStatus in the canonical form. */
static void write_name(struct emitter *emitter, const char *name) {
    char camel[64];
    size_t size = 0;
    bool upper = false;
    if (!emitter->canonical) {
        json_key(emitter->writer, name);
        return;
    }
    for (; *name && size < sizeof camel; name++) {
        bool letter = *name >= 'a' && *name <= 'z';
        if (*name != '_')
            camel[size++] = upper && letter ? (char)(*name - 'a' + 'A') : *name;
        upper = *name == '_';
    }
    json_key_slice(emitter->writer, (struct slice){camel, size});
}

/* message: NULL for the empty one. */
static void write_message(struct emitter *emitter, const struct pb_message *type, const void *message) {
    json_begin_object(emitter->writer);
    for (size_t i = 0; message && i < type->field_count; i++) {
        const struct pb_field *field = &type->fields[i];
        if (!is_shown(emitter, field, message))
            continue;
        write_name(emitter, field->name);
        if (field->label == PB_LABEL_MAP)
            write_map(emitter, field, message);
        else if (field->label == PB_LABEL_REPEATED)
            write_array(emitter, field, message);
        else
            write_singular(emitter, field, message);
    }
    json_end_object(emitter->writer);
}

void pb_json_write(struct json_writer *writer, const struct pb_message *type, const void *message) {
    struct emitter emitter = {.writer = writer};
    write_message(&emitter, type, message);
}

static struct status check_memory(const struct pb_message *type, const struct buf *out) {
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the JSON form of a %s", type->name);
    return status_ok();
}

struct status pb_to_json(const struct pb_message *type, const void *message, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    pb_json_write(&writer, type, message);
    return check_memory(type, out);
}

struct status pb_to_canonical_json(const struct pb_message *type, const void *message, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    struct emitter emitter = {.writer = &writer, .canonical = true};
    write_message(&emitter, type, message);
    return check_memory(type, out);
}

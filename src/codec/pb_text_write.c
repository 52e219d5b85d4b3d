#include "codec/pb_text_write.h"

#include <inttypes.h>
#include <math.h>

#include "codec/json_write.h"
#include "codec/pb_map.h"
#include "codec/pb_member.h"

struct text_writer {
    struct buf *out;
    enum pb_text_form form;
    int depth;
};

static void write_message(struct text_writer *writer, const struct pb_message *type, const void *message);

/* ---- values ---- */

static void write_escaped(struct buf *out, struct slice bytes) {
    buf_append_char(out, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (c == '"' || c == '\'' || c == '\\') {
            buf_append_char(out, '\\');
            buf_append_char(out, (char)c);
        } else if (c == '\n') {
            buf_append_text(out, "\\n");
        } else if (c == '\r') {
            buf_append_text(out, "\\r");
        } else if (c == '\t') {
            buf_append_text(out, "\\t");
        } else if (c >= 0x20 && c < 0x7f) {
            buf_append_char(out, (char)c);
        } else {
            buf_printf(out, "\\%03o", c); /* three digits: a digit behind it is not taken for a fourth */
        }
    }
    buf_append_char(out, '"');
}

static void write_real(struct buf *out, enum pb_kind kind, double value) {
    if (isnan(value))
        buf_append_text(out, "nan");
    else if (isinf(value))
        buf_append_text(out, value < 0 ? "-inf" : "inf");
    else if (kind == PB_FLOAT)
        json_append_float(out, (float)value);
    else
        json_append_double(out, value);
}

static void write_enum(struct buf *out, const struct pb_enum *type, int32_t number) {
    const char *name = pb_enum_name(type, number);
    if (name)
        buf_append_text(out, name);
    else
        json_append_i64(out, number);
}

static void write_scalar(struct buf *out, const struct pb_field *field, const void *value) {
    switch (field->kind) {
    case PB_BOOL:
        json_append_bool(out, *(const bool *)value);
        break;
    case PB_INT32:
        json_append_i64(out, *(const int32_t *)value);
        break;
    case PB_INT64:
        json_append_i64(out, *(const int64_t *)value);
        break;
    case PB_UINT32:
        json_append_u64(out, *(const uint32_t *)value);
        break;
    case PB_UINT64:
        json_append_u64(out, *(const uint64_t *)value);
        break;
    case PB_FLOAT:
        write_real(out, field->kind, (double)*(const float *)value);
        break;
    case PB_DOUBLE:
        write_real(out, field->kind, *(const double *)value);
        break;
    case PB_ENUMERATION:
        write_enum(out, field->enumeration, *(const int32_t *)value);
        break;
    case PB_STRING:
    case PB_BYTES:
        write_escaped(out, pb_load_slice(value));
        break;
    case PB_SUBMESSAGE: /* write_field's */
        break;
    }
}

/* ---- layout ---- */

static void begin_item(struct text_writer *writer) {
    if (writer->form == PB_TEXT_LINES)
        for (int i = 0; i < writer->depth; i++)
            buf_append_text(writer->out, "  ");
    else if (writer->out->size > 0 && writer->out->data[writer->out->size - 1] != ' ')
        buf_append_char(writer->out, ' ');
}

static void end_item(struct text_writer *writer) {
    if (writer->form == PB_TEXT_LINES)
        buf_append_char(writer->out, '\n');
}

static void begin_field(struct text_writer *writer, const struct pb_field *field) {
    begin_item(writer);
    buf_append_text(writer->out, field->name);
}

static void begin_nested(struct text_writer *writer) {
    buf_append_text(writer->out, " {");
    end_item(writer);
    writer->depth++;
}

static void end_nested(struct text_writer *writer) {
    writer->depth--;
    begin_item(writer);
    buf_append_char(writer->out, '}');
    end_item(writer);
}

/* `name: value` or `name { ... }`. */
static void write_field(struct text_writer *writer, const struct pb_field *field, const void *value) {
    begin_field(writer, field);
    if (field->kind == PB_SUBMESSAGE) {
        begin_nested(writer);
        write_message(writer, field->message, value);
        end_nested(writer);
    } else {
        buf_append_text(writer->out, ": ");
        write_scalar(writer->out, field, value);
        end_item(writer);
    }
}

static void write_singular(struct text_writer *writer, const struct pb_field *field, const void *message) {
    bool nested = field->kind == PB_SUBMESSAGE;
    write_field(writer, field, nested ? pb_load_message(field, message) : pb_member(field, message));
}

/* Of an entry both key and value are shown, also where they are zero. */
static void write_entries(struct text_writer *writer, const struct pb_field *field, const void *message) {
    struct pb_repeated entries = pb_load_repeated(field, message);
    for (size_t i = 0; i < entries.count; i++) {
        const void *entry = pb_item(entries, field->message->size, i);
        begin_field(writer, field);
        begin_nested(writer);
        write_singular(writer, pb_map_key_field(field->message), entry);
        write_singular(writer, pb_map_value_field(field->message), entry);
        end_nested(writer);
    }
}

static void write_member(struct text_writer *writer, const struct pb_field *field, const void *message) {
    if (!pb_field_is_set(field, message))
        return;
    if (field->label == PB_LABEL_MAP) {
        write_entries(writer, field, message);
    } else if (field->label == PB_LABEL_SINGULAR) {
        write_singular(writer, field, message);
    } else {
        struct pb_repeated items = pb_load_repeated(field, message);
        for (size_t i = 0; i < items.count; i++)
            write_field(writer, field, pb_item(items, pb_item_size(field), i));
    }
}

/* message: NULL for the empty one (of a oneof that was chosen without). */
static void write_message(struct text_writer *writer, const struct pb_message *type, const void *message) {
    for (size_t i = 0; message && i < type->field_count; i++)
        write_member(writer, &type->fields[i], message);
}

struct status pb_text_write(const struct pb_message *type, const void *message, enum pb_text_form form,
                            struct buf *out) {
    struct text_writer writer = {.out = out, .form = form};
    write_message(&writer, type, message);
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the text form of a %s", type->name);
    return status_ok();
}

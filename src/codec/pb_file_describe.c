/* pb_file_describe.c: a file's FileDescriptorProto, as protoc would write it from the .proto file: without comments,
 * options and JSON names, which follow from the others. */
#include <string.h>

#include "codec/pb_file.h"
#include "codec/pb_wire.h"

/* Field numbers of descriptor.proto. */
enum {
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_SYNTAX = 12,

    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_OPTIONS = 7,
    MESSAGE_ONEOF = 8,
    OPTIONS_MAP_ENTRY = 7,
    ONEOF_NAME = 1,

    FIELD_NAME = 1,
    FIELD_NUMBER = 3,
    FIELD_LABEL = 4,
    FIELD_TYPE = 5,
    FIELD_TYPE_NAME = 6,
    FIELD_ONEOF = 9,
    LABEL_OPTIONAL = 1,
    LABEL_REPEATED = 3,

    ENUM_NAME = 1,
    ENUM_VALUE = 2,
    VALUE_NAME = 1,
    VALUE_NUMBER = 2,

    SERVICE_NAME = 1,
    SERVICE_METHOD = 2,
    METHOD_NAME = 1,
    METHOD_INPUT = 2,
    METHOD_OUTPUT = 3,
    METHOD_CLIENT_STREAMS = 5,
    METHOD_SERVER_STREAMS = 6
};

/* FieldDescriptorProto.Type of a pb_kind. */
static const uint8_t types[] = {
    [PB_DOUBLE] = 1, [PB_FLOAT] = 2,  [PB_INT64] = 3,       [PB_UINT64] = 4,       [PB_INT32] = 5,   [PB_BOOL] = 8,
    [PB_STRING] = 9, [PB_BYTES] = 12, [PB_SUBMESSAGE] = 11, [PB_ENUMERATION] = 14, [PB_UINT32] = 13,
};

/* The last part of a name with dots. */
static const char *own_name(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* Whether `name` is declared directly in `parent` (NULL: in the file itself). */
static bool is_child(const char *name, const char *parent) {
    const char *own = own_name(name);
    size_t scope = (size_t)(own - name);
    if (!parent)
        return scope == 0;
    return scope == strlen(parent) + 1 && memcmp(name, parent, scope - 1) == 0;
}

/* ".package.Message.Nested". A file that lends its messages to another package (reflection's) means its own there. */
static void write_type_name(const struct pb_file *file, uint32_t number, const char *package, const char *name,
                            struct buf *out) {
    bool own = false;
    for (size_t i = 0; i < file->message_count; i++)
        own |= file->messages[i]->name == name;
    const char *scope = own ? file->package : package;
    pb_write_bytes_head(out, number, strlen(scope) + strlen(name) + 2);
    buf_append_char(out, '.');
    buf_append_text(out, scope);
    buf_append_char(out, '.');
    buf_append_text(out, name);
}

/* The oneofs of a message in the order of their first members: how many there are before `field`'s. */
static uint64_t oneof_index(const struct pb_message *message, const struct pb_field *field) {
    uint64_t index = 0;
    const char *last = NULL;
    for (const struct pb_field *other = message->fields; strcmp(other->oneof ? other->oneof : "", field->oneof);
         other++)
        if (other->oneof && (!last || strcmp(last, other->oneof) != 0)) {
            last = other->oneof;
            index++;
        }
    return index;
}

static void write_field(const struct pb_file *file, const struct pb_message *message, const struct pb_field *field,
                        struct buf *out) {
    size_t mark = pb_write_begin(out, MESSAGE_FIELD);
    pb_write_text(out, FIELD_NAME, field->name);
    pb_write_uint64(out, FIELD_NUMBER, field->number);
    pb_write_uint64(out, FIELD_LABEL, field->label == PB_LABEL_SINGULAR ? LABEL_OPTIONAL : LABEL_REPEATED);
    pb_write_uint64(out, FIELD_TYPE, types[field->kind]);
    if (field->kind == PB_SUBMESSAGE)
        write_type_name(file, FIELD_TYPE_NAME, field->message->package, field->message->name, out);
    if (field->kind == PB_ENUMERATION)
        write_type_name(file, FIELD_TYPE_NAME, field->enumeration->package, field->enumeration->name, out);
    if (field->oneof)
        pb_write_uint64(out, FIELD_ONEOF, oneof_index(message, field));
    pb_write_end(out, mark);
}

static void write_enum(const struct pb_enum *type, uint32_t number, struct buf *out) {
    size_t mark = pb_write_begin(out, number);
    pb_write_text(out, ENUM_NAME, own_name(type->name));
    for (size_t i = 0; i < type->value_count; i++) {
        size_t value = pb_write_begin(out, ENUM_VALUE);
        pb_write_text(out, VALUE_NAME, type->values[i].name);
        pb_write_int64(out, VALUE_NUMBER, type->values[i].number);
        pb_write_end(out, value);
    }
    pb_write_end(out, mark);
}

static bool is_map_entry(const struct pb_file *file, const struct pb_message *message) {
    for (size_t i = 0; i < file->message_count; i++)
        for (size_t k = 0; k < file->messages[i]->field_count; k++) {
            const struct pb_field *field = &file->messages[i]->fields[k];
            if (field->label == PB_LABEL_MAP && field->message == message)
                return true;
        }
    return false;
}

static void write_message(const struct pb_file *file, const struct pb_message *message, uint32_t number,
                          struct buf *out);

/* The messages and enums that are declared directly in `parent`. */
static void write_children(const struct pb_file *file, const char *parent, uint32_t message_number,
                           uint32_t enum_number, struct buf *out) {
    for (size_t i = 0; i < file->message_count; i++)
        if (is_child(file->messages[i]->name, parent))
            write_message(file, file->messages[i], message_number, out);
    for (size_t i = 0; i < file->enum_count; i++)
        if (is_child(file->enums[i]->name, parent))
            write_enum(file->enums[i], enum_number, out);
}

static void write_oneofs(const struct pb_message *message, struct buf *out) {
    uint64_t next = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct pb_field *field = &message->fields[i];
        if (!field->oneof || oneof_index(message, field) != next)
            continue;
        next++;
        size_t mark = pb_write_begin(out, MESSAGE_ONEOF);
        pb_write_text(out, ONEOF_NAME, field->oneof);
        pb_write_end(out, mark);
    }
}

static void write_message(const struct pb_file *file, const struct pb_message *message, uint32_t number,
                          struct buf *out) {
    size_t mark = pb_write_begin(out, number);
    pb_write_text(out, MESSAGE_NAME, own_name(message->name));
    for (size_t i = 0; i < message->field_count; i++)
        write_field(file, message, &message->fields[i], out);
    write_children(file, message->name, MESSAGE_NESTED, MESSAGE_ENUM, out);
    if (is_map_entry(file, message)) {
        size_t options = pb_write_begin(out, MESSAGE_OPTIONS);
        pb_write_uint64(out, OPTIONS_MAP_ENTRY, 1);
        pb_write_end(out, options);
    }
    write_oneofs(message, out);
    pb_write_end(out, mark);
}

static void write_service(const struct pb_file *file, struct buf *out) {
    size_t mark = pb_write_begin(out, FILE_SERVICE);
    pb_write_text(out, SERVICE_NAME, file->service);
    for (size_t i = 0; i < file->method_count; i++) {
        const struct pb_method *method = &file->methods[i];
        size_t inner = pb_write_begin(out, SERVICE_METHOD);
        pb_write_text(out, METHOD_NAME, method->name);
        write_type_name(file, METHOD_INPUT, method->request->package, method->request->name, out);
        write_type_name(file, METHOD_OUTPUT, method->response->package, method->response->name, out);
        if (method->client_streaming)
            pb_write_uint64(out, METHOD_CLIENT_STREAMS, 1);
        if (method->server_streaming)
            pb_write_uint64(out, METHOD_SERVER_STREAMS, 1);
        pb_write_end(out, inner);
    }
    pb_write_end(out, mark);
}

struct status pb_file_describe(const struct pb_file *file, struct buf *out) {
    pb_write_text(out, FILE_NAME, file->name);
    pb_write_text(out, FILE_PACKAGE, file->package);
    for (size_t i = 0; i < file->import_count; i++)
        pb_write_text(out, FILE_DEPENDENCY, file->imports[i]->name);
    write_children(file, NULL, FILE_MESSAGE, FILE_ENUM, out);
    if (file->service)
        write_service(file, out);
    pb_write_text(out, FILE_SYNTAX, "proto3");
    return buf_failed(out) ? status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a descriptor") : status_ok();
}

/* pb_tool.c: the codec behind a pipe, for test_pb_oracle.py, which compares it with Python's protobuf.
 *
 * Each command is a line "<operation> <message> <size>" and then that many bytes; the answer is a line "ok <size>" or
 * "error <size>" and then the result or the error's text. Operations: wire-wire, wire-json, text-wire, json-wire
 * (decode from the first form, encode to the second) and tables (size 0: all descriptors, a row a line). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/health_messages.h"
#include "codec/inference_messages.h"
#include "codec/pb_json.h"
#include "codec/pb_text.h"

enum { ARENA_LIMIT = 256 << 20, TYPES_MAX = 256, INPUT_MAX = 64 << 20 };

struct types {
    const struct pb_message *items[TYPES_MAX];
    size_t count;
};

/* Adds the type and all that its fields refer to. */
static void collect(struct types *types, const struct pb_message *type) {
    for (size_t i = 0; i < types->count; i++)
        if (types->items[i] == type)
            return;
    if (types->count == TYPES_MAX)
        abort();
    types->items[types->count++] = type;
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].message)
            collect(types, type->fields[i].message);
}

static void collect_methods(struct types *types, const struct pb_method *methods, size_t count) {
    for (size_t i = 0; i < count; i++) {
        collect(types, methods[i].request);
        collect(types, methods[i].response);
    }
}

/* ---- tables ---- */

static const char *const kind_names[] = {
    [PB_BOOL] = "bool",     [PB_INT32] = "int32", [PB_INT64] = "int64",        [PB_UINT32] = "uint32",
    [PB_UINT64] = "uint64", [PB_FLOAT] = "float", [PB_DOUBLE] = "double",      [PB_ENUMERATION] = "enum",
    [PB_STRING] = "string", [PB_BYTES] = "bytes", [PB_SUBMESSAGE] = "message",
};
static const char *const label_names[] = {
    [PB_LABEL_SINGULAR] = "singular", [PB_LABEL_REPEATED] = "repeated", [PB_LABEL_MAP] = "map"};

static void print_field(struct buf *out, const struct pb_message *type, const struct pb_field *field) {
    buf_printf(out, "field %s.%s %u %s %s %s", type->package, type->name, field->number, field->name,
               kind_names[field->kind], label_names[field->label]);
    buf_printf(out, " %s", field->oneof ? field->oneof : "-");
    if (field->message)
        buf_printf(out, " %s.%s", field->message->package, field->message->name);
    else if (field->enumeration)
        buf_printf(out, " %s.%s", field->enumeration->package, field->enumeration->name);
    else
        buf_printf(out, " -");
    buf_append_char(out, '\n');
    for (size_t i = 0; field->enumeration && i < field->enumeration->value_count; i++)
        buf_printf(out, "value %s.%s %d %s\n", field->enumeration->package, field->enumeration->name,
                   (int)field->enumeration->values[i].number, field->enumeration->values[i].name);
}

static void print_methods(struct buf *out, const struct pb_method *methods, size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "method %s %s.%s %s.%s %d %d\n", methods[i].path, methods[i].request->package,
                   methods[i].request->name, methods[i].response->package, methods[i].response->name,
                   methods[i].client_streaming, methods[i].server_streaming);
}

static void print_tables(struct buf *out, const struct types *types) {
    for (size_t i = 0; i < types->count; i++) {
        buf_printf(out, "message %s.%s\n", types->items[i]->package, types->items[i]->name);
        for (size_t k = 0; k < types->items[i]->field_count; k++)
            print_field(out, types->items[i], &types->items[i]->fields[k]);
    }
    print_methods(out, pb_inference_methods, PB_INFERENCE_METHOD_COUNT);
    print_methods(out, pb_health_methods, PB_HEALTH_METHOD_COUNT);
}

/* ---- conversions ---- */

static struct status convert(const char *operation, const struct pb_message *type, struct slice input,
                             struct arena *arena, struct buf *out) {
    void *message = arena_alloc(arena, type->size);
    if (!message)
        abort();
    struct slice rest = slice_of(operation), from;
    slice_split(rest, '-', &from, &rest);
    if (slice_equal_text(from, "wire"))
        STATUS_TRY(pb_decode(type, input, arena, message));
    else if (slice_equal_text(from, "text"))
        STATUS_TRY(pb_text_parse(type, input, "input", arena, message, NULL));
    else if (slice_equal_text(from, "json"))
        STATUS_TRY(pb_json_parse(type, input, arena, message));
    else
        return status_error(STATUS_UNSUPPORTED, "unknown operation %s", operation);
    return slice_equal_text(rest, "json") ? pb_to_json(type, message, out) : pb_encode(type, message, out);
}

static const struct pb_message *find_type(const struct types *types, const char *name) {
    for (size_t i = 0; i < types->count; i++)
        if (strcmp(types->items[i]->name, name) == 0)
            return types->items[i];
    return NULL;
}

static struct status run(const struct types *types, const char *operation, const char *name, struct slice input,
                         struct buf *out) {
    const struct pb_message *type = find_type(types, name);
    if (strcmp(operation, "tables") == 0) {
        print_tables(out, types);
        return status_ok();
    }
    if (!type)
        return status_error(STATUS_NOT_FOUND, "unknown message %s", name);
    struct arena *arena = arena_create(ARENA_LIMIT);
    struct status status = convert(operation, type, input, arena, out);
    arena_destroy(arena);
    return status;
}

static void answer(const char *word, struct slice bytes) {
    printf("%s %zu\n", word, bytes.size);
    fwrite(bytes.data ? bytes.data : "", 1, bytes.size, stdout);
    fflush(stdout);
}

int main(void) {
    struct types types = {.count = 0};
    char operation[32], name[200];
    size_t size;
    collect_methods(&types, pb_inference_methods, PB_INFERENCE_METHOD_COUNT);
    collect_methods(&types, pb_health_methods, PB_HEALTH_METHOD_COUNT);
    while (scanf("%31s %199s %zu", operation, name, &size) == 3 && getchar() == '\n' && size <= INPUT_MAX) {
        /* exactly as large as the input, so that a read past its end is seen */
        char *input = malloc(size ? size : 1);
        if (!input || fread(input, 1, size, stdin) != size)
            return 1;
        struct buf out = BUF_EMPTY;
        struct status status = run(&types, operation, name, (struct slice){input, size}, &out);
        bool good = status_is_ok(&status) && !buf_failed(&out);
        answer(good ? "ok" : "error", good ? buf_slice(&out) : slice_of(status.message));
        buf_free(&out);
        free(input);
    }
    return 0;
}

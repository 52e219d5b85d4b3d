/* JSON -> message structs, by the descriptor tables; yyjson reads the syntax. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/options.h"
#include "codec/base64.h"
#include "codec/pb_json.h"
#include "codec/pb_map.h"
#include "codec/pb_member.h"

enum { FIELDS_MAX = 64, PATH_MAX_BYTES = 256 };

struct json_parser {
    struct arena *arena;
    bool lenient;
    struct status status;
    size_t path_size;
    char path[PATH_MAX_BYTES]; /* "ModelConfig.input[0].dims"; what does not fit is left out */
};

static bool parse_message(struct json_parser *parser, const struct pb_message *type, yyjson_val *json, void *message);

/* ---- errors ---- */

static bool STATUS_PRINTF(2, 3) fail(struct json_parser *parser, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct status inner = status_verror(STATUS_INVALID_ARGUMENT, format, args);
    va_end(args);
    parser->status = status_prefix(inner, "%s", parser->path);
    return false;
}

static bool fail_memory(struct json_parser *parser) {
    parser->status = status_error(STATUS_RESOURCE_EXHAUSTED, "%s: out of memory", parser->path);
    return false;
}

static bool fail_expected(struct json_parser *parser, const char *expected, yyjson_val *json) {
    if (yyjson_is_str(json))
        return fail(parser, "expected %s, got the string \"%.60s\"", expected, yyjson_get_str(json));
    return fail(parser, "expected %s, got %s", expected, yyjson_get_type_desc(json));
}

static size_t path_push(struct json_parser *parser, const char *format, ...) STATUS_PRINTF(2, 3);
static size_t path_push(struct json_parser *parser, const char *format, ...) {
    size_t before = parser->path_size, room = sizeof parser->path - before;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(parser->path + before, room, format, args);
    va_end(args);
    if (length > 0)
        parser->path_size += (size_t)length < room ? (size_t)length : room - 1;
    return before;
}

static void path_pop(struct json_parser *parser, size_t before) {
    parser->path_size = before;
    parser->path[before] = '\0';
}

static struct slice text_of(yyjson_val *json) {
    return (struct slice){yyjson_get_str(json), yyjson_get_len(json)};
}

/* ---- numbers ---- */

/* An integer as sign and magnitude, from a number without fraction or from a string of digits. */
static bool integer_of(yyjson_val *json, bool *ret_negative, uint64_t *ret_magnitude) {
    *ret_negative = false;
    if (yyjson_is_uint(json)) {
        *ret_magnitude = yyjson_get_uint(json);
        return true;
    }
    if (yyjson_is_sint(json)) {
        int64_t value = yyjson_get_sint(json);
        *ret_negative = value < 0;
        *ret_magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        return true;
    }
    if (yyjson_is_real(json)) {
        double value = yyjson_get_real(json);
        if (value != trunc(value) || fabs(value) >= 0x1p63)
            return false;
        *ret_negative = value < 0;
        *ret_magnitude = (uint64_t)fabs(value);
        return true;
    }
    if (!yyjson_is_str(json))
        return false;
    struct slice text = text_of(json);
    *ret_negative = slice_starts_with(text, SLICE_LITERAL("-"));
    if (*ret_negative)
        text = (struct slice){text.data + 1, text.size - 1};
    return slice_to_u64(text, ret_magnitude);
}

static bool parse_integer(struct json_parser *parser, enum pb_kind kind, yyjson_val *json, void *to) {
    static const struct {
        const char *name;
        uint64_t min, max; /* magnitudes */
    } ranges[] = {
        [PB_INT32] = {"int32", (uint64_t)1 << 31, INT32_MAX},
        [PB_ENUMERATION] = {"an enum's name or number", (uint64_t)1 << 31, INT32_MAX},
        [PB_INT64] = {"int64", (uint64_t)1 << 63, INT64_MAX},
        [PB_UINT32] = {"uint32", 0, UINT32_MAX},
        [PB_UINT64] = {"uint64", 0, UINT64_MAX},
    };
    bool negative;
    uint64_t magnitude;
    if (!integer_of(json, &negative, &magnitude))
        return fail_expected(parser, ranges[kind].name, json);
    if (magnitude > (negative ? ranges[kind].min : ranges[kind].max))
        return fail(parser, "%s%llu is out of the range of %s", negative ? "-" : "", (unsigned long long)magnitude,
                    ranges[kind].name);
    pb_store_integer(kind, negative ? 0 - magnitude : magnitude, to);
    return true;
}

static bool real_of(yyjson_val *json, double *ret) {
    if (yyjson_is_num(json)) {
        *ret = yyjson_get_num(json);
        return true;
    }
    if (!yyjson_is_str(json))
        return false;
    static const struct {
        const char *name;
        double value;
    } names[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal_text(text_of(json), names[i].name)) {
            *ret = names[i].value;
            return true;
        }
    return slice_to_double(text_of(json), ret);
}

static bool parse_real(struct json_parser *parser, enum pb_kind kind, yyjson_val *json, void *to) {
    double value;
    if (!real_of(json, &value))
        return fail_expected(parser, "a number", json);
    float narrow = (float)value;
    if (kind == PB_FLOAT)
        memcpy(to, &narrow, sizeof narrow);
    else
        memcpy(to, &value, sizeof value);
    return true;
}

/* ---- other values ---- */

static bool parse_enum(struct json_parser *parser, const struct pb_enum *type, yyjson_val *json, void *to) {
    int32_t number = 0;
    if (!yyjson_is_str(json))
        return parse_integer(parser, PB_ENUMERATION, json, to);
    if (!pb_enum_number(type, text_of(json), &number) && !parser->lenient) {
        const char *names[FIELDS_MAX] = {NULL};
        size_t count = 0;
        for (; count < type->value_count && count < FIELDS_MAX; count++)
            names[count] = type->values[count].name;
        const char *nearest = nearest_name(text_of(json), names, count);
        return fail(parser, "unknown value '%.60s' of enum %s%s%s%s", yyjson_get_str(json), type->name,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    memcpy(to, &number, sizeof number);
    return true;
}

static bool parse_text(struct json_parser *parser, enum pb_kind kind, yyjson_val *json, void *to) {
    if (!yyjson_is_str(json))
        return fail_expected(parser, "a string", json);
    struct slice text = text_of(json), value = {NULL, 0};
    if (kind == PB_BYTES) {
        struct status status = base64_decode(text, parser->arena, &value);
        if (!status_is_ok(&status))
            return fail(parser, "%s", status.message);
    } else {
        value = arena_copy(parser->arena, text);
        if (text.size && !value.data)
            return fail_memory(parser);
    }
    memcpy(to, &value, sizeof value);
    return true;
}

static bool parse_value(struct json_parser *parser, const struct pb_field *field, yyjson_val *json, void *to) {
    switch (field->kind) {
    case PB_BOOL:
        if (!yyjson_is_bool(json))
            return fail_expected(parser, "true or false", json);
        *(bool *)to = yyjson_get_bool(json);
        return true;
    case PB_INT32:
    case PB_INT64:
    case PB_UINT32:
    case PB_UINT64:
        return parse_integer(parser, field->kind, json, to);
    case PB_FLOAT:
    case PB_DOUBLE:
        return parse_real(parser, field->kind, json, to);
    case PB_ENUMERATION:
        return parse_enum(parser, field->enumeration, json, to);
    case PB_STRING:
    case PB_BYTES:
        return parse_text(parser, field->kind, json, to);
    case PB_SUBMESSAGE:
        return parse_message(parser, field->message, json, to);
    }
    return false;
}

/* ---- fields ---- */

static bool parse_singular(struct json_parser *parser, const struct pb_field *field, yyjson_val *json, void *message) {
    if (field->kind != PB_SUBMESSAGE)
        return parse_value(parser, field, json, pb_member_mutable(field, message));
    void *inner = pb_obtain_message(parser->arena, field, message);
    return inner ? parse_value(parser, field, json, inner) : fail_memory(parser);
}

static bool parse_array(struct json_parser *parser, const struct pb_field *field, yyjson_val *json, void *message) {
    if (!yyjson_is_arr(json))
        return fail_expected(parser, "an array", json);
    yyjson_arr_iter items;
    yyjson_arr_iter_init(json, &items);
    for (size_t i = 0; yyjson_arr_iter_has_next(&items); i++) {
        void *item = pb_append(parser->arena, field, message);
        if (!item)
            return fail_memory(parser);
        size_t before = path_push(parser, "[%zu]", i);
        if (!parse_value(parser, field, yyjson_arr_iter_next(&items), item))
            return false;
        path_pop(parser, before);
    }
    return true;
}

/* JSON's keys are strings; those of integer maps are parsed as such. */
static bool parse_map(struct json_parser *parser, const struct pb_field *field, yyjson_val *json, void *message) {
    const struct pb_field *key_field = pb_map_key_field(field->message), *value = pb_map_value_field(field->message);
    struct slice repeated = {NULL, 0};
    bool found = false;
    if (!yyjson_is_obj(json))
        return fail_expected(parser, "an object", json);
    yyjson_obj_iter members;
    yyjson_obj_iter_init(json, &members);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != NULL;) {
        void *entry = pb_append(parser->arena, field, message);
        if (!entry)
            return fail_memory(parser);
        size_t before = path_push(parser, "[\"%.60s\"]", yyjson_get_str(key));
        if (!parse_value(parser, key_field, key, pb_member_mutable(key_field, entry)) ||
            !parse_singular(parser, value, yyjson_obj_iter_get_val(key), entry))
            return false;
        path_pop(parser, before);
    }
    if (!pb_map_find_duplicate(field, message, &found, &repeated))
        return fail_memory(parser);
    return !found || fail(parser, "the key '%.*s' is there twice", SLICE_ARGS(repeated));
}

/* "max_batch_size" is also "maxBatchSize". */
static bool is_camel_case_of(struct slice key, const char *name) {
    size_t at = 0;
    for (; *name; name++) {
        bool raise = *name == '_' && name[1] >= 'a' && name[1] <= 'z';
        char wanted = raise ? (char)(*++name - 'a' + 'A') : *name;
        if (at == key.size || key.data[at++] != wanted)
            return false;
    }
    return at == key.size;
}

static const struct pb_field *find_field(const struct pb_message *type, struct slice key) {
    const struct pb_field *field = pb_field_by_name(type, key);
    for (size_t i = 0; !field && i < type->field_count; i++)
        if (is_camel_case_of(key, type->fields[i].name))
            field = &type->fields[i];
    return field;
}

static bool fail_unknown(struct json_parser *parser, const struct pb_message *type, struct slice key) {
    const char *names[FIELDS_MAX] = {NULL};
    size_t count = 0;
    for (; count < type->field_count && count < FIELDS_MAX; count++)
        names[count] = type->fields[count].name;
    const char *nearest = nearest_name(key, names, count);
    return fail(parser, "unknown field '%.*s' in %s%s%s%s", SLICE_ARGS(key), type->name,
                nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static bool parse_field(struct json_parser *parser, const struct pb_message *type, const struct pb_field *field,
                        yyjson_val *json, void *message) {
    uint32_t which = field->oneof ? pb_load_which(field, message) : 0;
    if (which && which != field->number)
        return fail(parser, "given besides '%s', but %s can have only one of them",
                    pb_field_by_number(type, which)->name, type->name);
    pb_choose(type, field, message);
    if (field->label == PB_LABEL_MAP)
        return parse_map(parser, field, json, message);
    if (field->label == PB_LABEL_REPEATED)
        return parse_array(parser, field, json, message);
    return parse_singular(parser, field, json, message);
}

static bool parse_message(struct json_parser *parser, const struct pb_message *type, yyjson_val *json, void *message) {
    bool seen[FIELDS_MAX] = {false};
    if (!yyjson_is_obj(json))
        return fail_expected(parser, "an object", json);
    yyjson_obj_iter members;
    yyjson_obj_iter_init(json, &members);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members)) != NULL;) {
        const struct pb_field *field = find_field(type, text_of(key));
        if (!field && parser->lenient)
            continue;
        if (!field || field - type->fields >= FIELDS_MAX)
            return fail_unknown(parser, type, text_of(key));
        size_t before = path_push(parser, ".%s", field->name);
        if (seen[field - type->fields])
            return fail(parser, "given twice");
        seen[field - type->fields] = true;
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_null(value) && !parse_field(parser, type, field, value, message))
            return false;
        path_pop(parser, before);
    }
    return true;
}

static struct status parse_document(const struct pb_message *type, struct slice json, struct arena *arena, bool lenient,
                                    void *ret) {
    struct json_parser parser;
    parser.arena = arena;
    parser.lenient = lenient;
    parser.status = status_ok();
    path_pop(&parser, 0);
    path_push(&parser, "%s", type->name);
    memset(ret, 0, type->size);
    yyjson_read_err error;
    char *text = arena_strdup(arena, json); /* yyjson takes a mutable pointer, though it does not write */
    if (!text)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "%s: out of memory", type->name);
    yyjson_doc *document = yyjson_read_opts(text, json.size, YYJSON_READ_NOFLAG, NULL, &error);
    if (!document)
        return status_error(error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? STATUS_RESOURCE_EXHAUSTED
                                                                              : STATUS_INVALID_ARGUMENT,
                            "%s: JSON byte %zu: %s", type->name, error.pos, error.msg);
    parse_message(&parser, type, yyjson_doc_get_root(document), ret);
    yyjson_doc_free(document);
    return parser.status;
}

struct status pb_json_parse(const struct pb_message *type, struct slice json, struct arena *arena, void *ret) {
    return parse_document(type, json, arena, false, ret);
}

struct status pb_json_parse_lenient(const struct pb_message *type, struct slice json, struct arena *arena, void *ret) {
    return parse_document(type, json, arena, true, ret);
}

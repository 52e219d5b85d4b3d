/* Text format -> message structs, by recursive descent over the tokens of pb_text_scanner.c. */
#include "codec/pb_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "codec/pb_map.h"
#include "codec/pb_member.h"
#include "codec/pb_text_scanner.h"

enum { FIELDS_MAX = 64, PATH_MAX_BYTES = 512, DESCRIPTION_MAX = 96 };

struct text_parser {
    struct text_scanner scanner;
    struct arena *arena;
    struct pb_text_marks *marks; /* may be NULL */
    int depth;
    size_t path_size; /* may pass PATH_MAX_BYTES: then the path is cut, and no mark is made */
    char path[PATH_MAX_BYTES];
};

static bool parse_message(struct text_parser *parser, const struct pb_message *type, void *message);

static bool fail_memory(struct text_parser *parser) {
    parser->scanner.status =
        status_error(STATUS_RESOURCE_EXHAUSTED, "%.200s: out of memory while parsing", parser->scanner.file_name);
    return false;
}

/* "expected int32, got string "x"" for the current token. */
static bool fail_expected(struct text_parser *parser, const char *expected) {
    char got[DESCRIPTION_MAX];
    text_describe(&parser->scanner, got, sizeof got);
    return text_fail(&parser->scanner, "expected %s, got %s", expected, got);
}

/* ---- paths and marks ---- */

/* Appends ".name" to the path, or "[index]" where name is NULL; the former size is given back for restoring. */
static size_t path_push(struct text_parser *parser, const char *name, size_t index) {
    size_t before = parser->path_size, room = before < PATH_MAX_BYTES ? PATH_MAX_BYTES - before : 0;
    char *to = room ? parser->path + before : NULL;
    int length = name ? snprintf(to, room, "%s%s", before ? "." : "", name) : snprintf(to, room, "[%zu]", index);
    parser->path_size += length > 0 ? (size_t)length : 0;
    return before;
}

static void path_pop(struct text_parser *parser, size_t before) {
    parser->path_size = before;
}

static bool add_mark(struct text_parser *parser) {
    struct pb_text_marks *marks = parser->marks;
    if (!marks || parser->path_size >= PATH_MAX_BYTES)
        return true;
    struct pb_repeated table = {marks->items, marks->count, marks->capacity};
    char *path = arena_strdup(parser->arena, (struct slice){parser->path, parser->path_size});
    if (!path || !pb_reserve(parser->arena, &table, sizeof *marks->items, 1))
        return fail_memory(parser);
    marks->items = table.items;
    marks->capacity = table.capacity;
    marks->items[marks->count++] = (struct pb_text_mark){path, parser->scanner.token.line};
    return true;
}

int pb_text_line(const struct pb_text_marks *marks, const char *path) {
    for (size_t i = 0; marks && i < marks->count; i++)
        if (strcmp(marks->items[i].path, path) == 0)
            return marks->items[i].line;
    return 0;
}

/* ---- numbers ---- */

struct integer_range {
    const char *name;
    int64_t min;
    uint64_t max;
};

static const struct integer_range *range_of(enum pb_kind kind) {
    static const struct integer_range ranges[] = {
        [PB_INT32] = {"int32 (-2147483648..2147483647)", INT32_MIN, INT32_MAX},
        [PB_ENUMERATION] = {"an enum value (a name, or a number that fits int32)", INT32_MIN, INT32_MAX},
        [PB_INT64] = {"int64 (-9223372036854775808..9223372036854775807)", INT64_MIN, INT64_MAX},
        [PB_UINT32] = {"uint32 (0..4294967295)", 0, UINT32_MAX},
        [PB_UINT64] = {"uint64 (0..18446744073709551615)", 0, UINT64_MAX},
        [PB_BOOL] = {"bool (true or false)", 0, 1},
        [PB_FLOAT] = {"float", 0, 0},
        [PB_DOUBLE] = {"double", 0, 0},
    };
    return &ranges[kind];
}

static bool parse_integer(struct text_parser *parser, enum pb_kind kind, void *to) {
    const struct integer_range *range = range_of(kind);
    bool negative;
    uint64_t magnitude;
    if (!text_skip_symbol(&parser->scanner, '-', &negative))
        return false;
    if (parser->scanner.token.kind != TEXT_INTEGER)
        return fail_expected(parser, range->name);
    bool fits = text_integer_value(parser->scanner.token.text, &magnitude) &&
                magnitude <= (negative ? 0 - (uint64_t)range->min : range->max);
    if (!fits)
        return text_fail(&parser->scanner, "expected %s, got %s%.*s", range->name, negative ? "-" : "",
                         SLICE_ARGS(parser->scanner.token.text));
    pb_store_integer(kind, negative ? 0 - magnitude : magnitude, to);
    return text_next(&parser->scanner);
}

/* Unsigned; the sign is handled by the caller. */
static bool parse_real_magnitude(struct text_parser *parser, enum pb_kind kind, double *ret) {
    const struct text_token *token = &parser->scanner.token;
    struct slice text = token->text;
    if (token->kind == TEXT_IDENTIFIER) {
        if (slice_equal_nocase(text, SLICE_LITERAL("inf")) || slice_equal_nocase(text, SLICE_LITERAL("infinity")))
            *ret = INFINITY;
        else if (slice_equal_nocase(text, SLICE_LITERAL("nan")))
            *ret = NAN;
        else
            return fail_expected(parser, range_of(kind)->name);
        return true;
    }
    bool decimal =
        token->kind == TEXT_FLOAT || (token->kind == TEXT_INTEGER && (text.size == 1 || text.data[0] != '0'));
    if (!decimal)
        return fail_expected(parser, range_of(kind)->name);
    char *copy = arena_strdup(parser->arena, text); /* strtod stops before a suffix f */
    if (!copy)
        return fail_memory(parser);
    *ret = strtod(copy, NULL);
    return true;
}

static bool parse_real(struct text_parser *parser, enum pb_kind kind, void *to) {
    bool negative;
    double value = 0;
    if (!text_skip_symbol(&parser->scanner, '-', &negative) || !parse_real_magnitude(parser, kind, &value))
        return false;
    if (negative)
        value = -value;
    if (kind == PB_DOUBLE) {
        memcpy(to, &value, sizeof value);
    } else {
        float narrow = (float)value;
        memcpy(to, &narrow, sizeof narrow);
    }
    return text_next(&parser->scanner);
}

/* ---- names and strings ---- */

static bool parse_bool(struct text_parser *parser, void *to) {
    struct slice text = parser->scanner.token.text;
    if (parser->scanner.token.kind == TEXT_INTEGER)
        return parse_integer(parser, PB_BOOL, to);
    bool is_name = parser->scanner.token.kind == TEXT_IDENTIFIER;
    bool yes =
        is_name && (slice_equal_text(text, "true") || slice_equal_text(text, "True") || slice_equal_text(text, "t"));
    bool no =
        is_name && (slice_equal_text(text, "false") || slice_equal_text(text, "False") || slice_equal_text(text, "f"));
    if (!yes && !no)
        return fail_expected(parser, range_of(PB_BOOL)->name);
    *(bool *)to = yes;
    return text_next(&parser->scanner);
}

static bool fail_unknown_value(struct text_parser *parser, const struct pb_enum *type) {
    const char *names[FIELDS_MAX] = {NULL};
    size_t count = 0;
    for (; count < type->value_count && count < FIELDS_MAX; count++)
        names[count] = type->values[count].name;
    struct slice word = parser->scanner.token.text;
    const char *nearest = nearest_name(word, names, count);
    if (nearest)
        return text_fail(&parser->scanner, "unknown value '%.*s' of enum %s; did you mean '%s'?", SLICE_ARGS(word),
                         type->name, nearest);
    char known[STATUS_MESSAGE_MAX / 2];
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", names[i]);
    return text_fail(&parser->scanner, "unknown value '%.*s' of enum %s; it has %s", SLICE_ARGS(word), type->name,
                     known);
}

static bool parse_enum(struct text_parser *parser, const struct pb_enum *type, void *to) {
    if (parser->scanner.token.kind != TEXT_IDENTIFIER)
        return parse_integer(parser, PB_ENUMERATION, to);
    int32_t number;
    if (!pb_enum_number(type, parser->scanner.token.text, &number))
        return fail_unknown_value(parser, type);
    memcpy(to, &number, sizeof number);
    return text_next(&parser->scanner);
}

/* The bytes that the string tokens from the current one on take as written. */
static size_t written_size(struct text_scanner scanner) {
    size_t size = 0;
    do
        size += scanner.token.text.size;
    while (text_next(&scanner) && scanner.token.kind == TEXT_STRING);
    return size;
}

/* One string token or several, joined. */
static bool parse_string(struct text_parser *parser, enum pb_kind kind, void *to) {
    struct text_scanner *scanner = &parser->scanner;
    if (scanner->token.kind != TEXT_STRING)
        return fail_expected(parser, kind == PB_STRING ? "string" : "bytes in quotes");
    struct text_token first = scanner->token;
    char *start = arena_alloc(parser->arena, written_size(*scanner)), *end = start;
    if (!start)
        return fail_memory(parser);
    while (scanner->token.kind == TEXT_STRING) {
        end = text_unescape(scanner, end);
        if (!end || !text_next(scanner))
            return false;
    }
    struct slice value = {start, (size_t)(end - start)};
    if (kind == PB_STRING && !slice_is_utf8(value)) {
        scanner->token = first;
        return text_fail(scanner, "a string that is not valid UTF-8");
    }
    memcpy(to, &value, sizeof value);
    return true;
}

/* ---- fields ---- */

static bool parse_scalar(struct text_parser *parser, const struct pb_field *field, void *to) {
    switch (field->kind) {
    case PB_BOOL:
        return parse_bool(parser, to);
    case PB_INT32:
    case PB_INT64:
    case PB_UINT32:
    case PB_UINT64:
        return parse_integer(parser, field->kind, to);
    case PB_FLOAT:
    case PB_DOUBLE:
        return parse_real(parser, field->kind, to);
    case PB_ENUMERATION:
        return parse_enum(parser, field->enumeration, to);
    case PB_STRING:
    case PB_BYTES:
        return parse_string(parser, field->kind, to);
    case PB_SUBMESSAGE:
        break;
    }
    return false;
}

/* A value of the field into `to`: a scalar, or a struct for "{ ... }". */
static bool parse_value(struct text_parser *parser, const struct pb_field *field, void *to) {
    return field->kind == PB_SUBMESSAGE ? parse_message(parser, field->message, to) : parse_scalar(parser, field, to);
}

static bool parse_item(struct text_parser *parser, const struct pb_field *field, void *message) {
    size_t index = pb_load_repeated(field, message).count;
    void *item = pb_append(parser->arena, field, message);
    if (!item)
        return fail_memory(parser);
    size_t before = path_push(parser, NULL, index);
    if (!parse_value(parser, field, item))
        return false;
    path_pop(parser, before);
    if (field->label != PB_LABEL_MAP)
        return true;
    const struct pb_field *value = pb_map_value_field(field->message);
    return value->kind != PB_SUBMESSAGE || pb_obtain_message(parser->arena, value, item) || fail_memory(parser);
}

/* "[a, b]", with the bracket as current token. */
static bool parse_list(struct text_parser *parser, const struct pb_field *field, void *message) {
    bool closed, comma;
    if (!text_next(&parser->scanner) || !text_skip_symbol(&parser->scanner, ']', &closed))
        return false;
    while (!closed) {
        if (!parse_item(parser, field, message) || !text_skip_symbol(&parser->scanner, ']', &closed))
            return false;
        if (closed)
            break;
        if (!text_skip_symbol(&parser->scanner, ',', &comma))
            return false;
        if (!comma)
            return fail_expected(parser, "',' or ']'");
    }
    return true;
}

static bool parse_field_value(struct text_parser *parser, const struct pb_message *type, const struct pb_field *field,
                              void *message) {
    bool colon;
    if (!text_next(&parser->scanner) || !text_skip_symbol(&parser->scanner, ':', &colon))
        return false;
    if (!colon && field->kind != PB_SUBMESSAGE) {
        char expected[DESCRIPTION_MAX];
        snprintf(expected, sizeof expected, "':' after '%s'", field->name);
        return fail_expected(parser, expected);
    }
    if (field->label != PB_LABEL_SINGULAR)
        return text_is_symbol(&parser->scanner, '[') ? parse_list(parser, field, message)
                                                     : parse_item(parser, field, message);
    pb_choose(type, field, message);
    if (field->kind != PB_SUBMESSAGE)
        return parse_value(parser, field, pb_member_mutable(field, message));
    void *inner = pb_obtain_message(parser->arena, field, message);
    return inner ? parse_value(parser, field, inner) : fail_memory(parser);
}

static bool fail_unknown_field(struct text_parser *parser, const struct pb_message *type) {
    const char *names[FIELDS_MAX] = {NULL};
    size_t count = 0;
    for (; count < type->field_count && count < FIELDS_MAX; count++)
        names[count] = type->fields[count].name;
    struct slice word = parser->scanner.token.text;
    const char *nearest = nearest_name(word, names, count);
    if (nearest)
        return text_fail(&parser->scanner, "unknown field '%.*s' in %s; did you mean '%s'?", SLICE_ARGS(word),
                         type->name, nearest);
    return text_fail(&parser->scanner, "unknown field '%.*s' in %s", SLICE_ARGS(word), type->name);
}

static bool check_not_given_before(struct text_parser *parser, const struct pb_message *type,
                                   const struct pb_field *field, const void *message, const bool *seen) {
    if (field->label == PB_LABEL_SINGULAR && seen[field - type->fields])
        return text_fail(&parser->scanner, "field '%s' is given twice in %s", field->name, type->name);
    uint32_t which = field->oneof ? pb_load_which(field, message) : 0;
    if (which && which != field->number)
        return text_fail(&parser->scanner, "field '%s' is given besides '%s', but %s can have only one of them",
                         field->name, pb_field_by_number(type, which)->name, type->name);
    return true;
}

static bool parse_field(struct text_parser *parser, const struct pb_message *type, void *message, bool *seen) {
    struct text_scanner *scanner = &parser->scanner;
    if (text_is_symbol(scanner, '['))
        return text_fail(scanner, "extensions and Any values in [brackets] do not occur in %s", type->name);
    if (scanner->token.kind != TEXT_IDENTIFIER)
        return fail_expected(parser, "a field name");
    const struct pb_field *field = pb_field_by_name(type, scanner->token.text);
    if (!field || field - type->fields >= FIELDS_MAX)
        return fail_unknown_field(parser, type);
    if (!check_not_given_before(parser, type, field, message, seen))
        return false;
    seen[field - type->fields] = true;
    size_t before = path_push(parser, field->name, 0);
    if (!add_mark(parser) || !parse_field_value(parser, type, field, message))
        return false;
    path_pop(parser, before);
    bool separator;
    return text_skip_symbol(scanner, ';', &separator) && (separator || text_skip_symbol(scanner, ',', &separator));
}

static bool check_map_keys(struct text_parser *parser, const struct pb_message *type, const void *message) {
    for (size_t i = 0; i < type->field_count; i++) {
        struct slice key = {NULL, 0};
        bool found = false;
        if (type->fields[i].label != PB_LABEL_MAP)
            continue;
        if (!pb_map_find_duplicate(&type->fields[i], message, &found, &key))
            return fail_memory(parser);
        if (found)
            return text_fail(&parser->scanner, "'%s' has the key '%.*s' twice", type->fields[i].name, SLICE_ARGS(key));
    }
    return true;
}

/* Fields up to the closing symbol ('\0': up to the end of the file), which stays the current token. */
static bool parse_fields(struct text_parser *parser, const struct pb_message *type, void *message, char closer,
                         int open_line) {
    bool seen[FIELDS_MAX] = {false};
    while (closer ? !text_is_symbol(&parser->scanner, closer) : parser->scanner.token.kind != TEXT_END) {
        if (parser->scanner.token.kind == TEXT_END)
            return text_fail(&parser->scanner, "expected '%c' to close the %s of line %d, got end of file", closer,
                             type->name, open_line);
        if (!parse_field(parser, type, message, seen))
            return false;
    }
    return check_map_keys(parser, type, message);
}

static bool parse_message(struct text_parser *parser, const struct pb_message *type, void *message) {
    struct text_scanner *scanner = &parser->scanner;
    char closer = text_is_symbol(scanner, '{') ? '}' : text_is_symbol(scanner, '<') ? '>' : '\0';
    if (!closer) {
        char expected[DESCRIPTION_MAX];
        snprintf(expected, sizeof expected, "'{' to begin a %s", type->name);
        return fail_expected(parser, expected);
    }
    if (parser->depth == PB_DEPTH_MAX)
        return text_fail(scanner, "messages nested deeper than %d", PB_DEPTH_MAX);
    int open_line = scanner->token.line;
    parser->depth++;
    if (!text_next(scanner) || !parse_fields(parser, type, message, closer, open_line))
        return false;
    parser->depth--;
    return text_next(scanner);
}

struct status pb_text_parse(const struct pb_message *type, struct slice text, const char *file_name,
                            struct arena *arena, void *ret, struct pb_text_marks *marks) {
    struct text_parser parser;
    parser.arena = arena;
    parser.marks = marks;
    parser.depth = 0;
    parser.path_size = 0;
    memset(ret, 0, type->size);
    if (!text_scanner_begin(&parser.scanner, text, file_name) || !parse_fields(&parser, type, ret, '\0', 0))
        return parser.scanner.status;
    return status_ok();
}

#include "text/squad/squad_json.h"

#include <stdio.h>

#include "text/squad/squad_dataset.h"

enum { PLACE_TEXT_SIZE = 160 };

struct status squad_json_parse(struct slice json, yyjson_doc **ret) {
    if (json.size > SQUAD_MAX_FILE_BYTES)
        return status_error(STATUS_TOO_LARGE, "JSON of %zu bytes; the most is %d", json.size, SQUAD_MAX_FILE_BYTES);
    yyjson_read_err error = {0};
    /* Without YYJSON_READ_INSITU the text is only read; the parameter lacks its const. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, YYJSON_READ_NOFLAG, NULL, &error);
    if (doc) {
        *ret = doc;
        return status_ok();
    }
    if (error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "JSON of %zu bytes: out of memory", json.size);
    size_t line = 1, column = 1, character = 0;
    if (json.size > 0)
        yyjson_locate_pos(json.data, json.size, error.pos, &line, &column, &character);
    return status_error(STATUS_INVALID_ARGUMENT, "not valid JSON: line %zu, column %zu: %s", line, column,
                        error.msg ? error.msg : "unreadable");
}

/* "data[3].paragraphs[0]"; returns how much of `text` is used. */
static size_t write_place(const struct squad_json_place *place, char *text, size_t size) {
    if (!place)
        return 0;
    size_t used = write_place(place->parent, text, size);
    int more = snprintf(text + used, size - used, "%s%s[%zu]", used ? "." : "", place->name, place->index);
    if (more < 0)
        return used;
    return used + (size_t)more < size ? used + (size_t)more : size - 1;
}

static void place_text(const struct squad_json_place *place, const char *name, char text[PLACE_TEXT_SIZE]) {
    text[0] = '\0';
    size_t used = write_place(place, text, PLACE_TEXT_SIZE);
    if (name)
        snprintf(text + used, PLACE_TEXT_SIZE - used, "%s%s", used ? "." : "", name);
    else if (used == 0)
        snprintf(text, PLACE_TEXT_SIZE, "the document");
}

struct status squad_json_unexpected(const struct squad_json_place *place, const char *name, const char *expected,
                                    yyjson_val *got) {
    char where[PLACE_TEXT_SIZE];
    place_text(place, name, where);
    if (!got)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, but it is missing", where, expected);
    return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, got %s", where, expected, yyjson_get_type_desc(got));
}

struct status squad_json_error(const struct squad_json_place *place, const char *name, const char *format, ...) {
    char where[PLACE_TEXT_SIZE];
    place_text(place, name, where);
    va_list args;
    va_start(args, format);
    struct status status = status_verror(STATUS_INVALID_ARGUMENT, format, args);
    va_end(args);
    return status_prefix(status, "%s", where);
}

struct status squad_json_string(struct arena *arena, const struct squad_json_place *place, yyjson_val *object,
                                const char *name, bool required, size_t max_bytes, struct slice *ret) {
    yyjson_val *value = yyjson_obj_get(object, name);
    *ret = (struct slice){"", 0};
    if (!value && !required)
        return status_ok();
    if (!yyjson_is_str(value))
        return squad_json_unexpected(place, name, "a string", value);
    struct slice text = {yyjson_get_str(value), yyjson_get_len(value)};
    if (text.size > max_bytes)
        return squad_json_error(place, name, "%zu bytes; the most is %zu", text.size, max_bytes);
    if (text.size == 0)
        return status_ok();
    *ret = arena_copy(arena, text);
    if (!ret->data)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "%s: out of memory", name);
    return status_ok();
}

struct status squad_json_array(const struct squad_json_place *place, yyjson_val *object, const char *name,
                               bool required, yyjson_val **ret) {
    yyjson_val *value = yyjson_obj_get(object, name);
    *ret = value;
    if ((value || required) && !yyjson_is_arr(value))
        return squad_json_unexpected(place, name, "an array", value);
    return status_ok();
}

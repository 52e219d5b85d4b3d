#include "api/request_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_value.h"

static struct status no_memory(const char *what) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory while reading the %s of the request", what);
}

struct status request_json_read(struct slice json, yyjson_doc **ret) {
    yyjson_read_err error;
    char *text = (char *)(uintptr_t)json.data; /* only read: the in-situ flag is not set */
    *ret = yyjson_read_opts(text, json.size, YYJSON_READ_ALLOW_INF_AND_NAN | YYJSON_READ_BIGNUM_AS_RAW, NULL, &error);
    if (*ret)
        return status_ok();
    if (error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return no_memory("JSON");
    return status_error(STATUS_INVALID_ARGUMENT, "the request is not JSON: byte %zu of %zu: %s",
                        json.size ? error.pos : 0, json.size, json.size ? error.msg : "it is empty");
}

struct status request_json_error(struct json_place place, const char *member, const char *what) {
    if (!place.list)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: %s", member, what);
    return status_error(STATUS_INVALID_ARGUMENT, "%s[%zu]%s%s: %s", place.list, place.index, member[0] ? "." : "",
                        member, what);
}

struct status request_json_expected(struct json_place place, const char *member, const char *expected,
                                    yyjson_val *got) {
    char got_text[96], what[256];
    json_value_describe(got, got_text, sizeof got_text);
    snprintf(what, sizeof what, "expected %s, got %s", expected, got_text);
    return request_json_error(place, member, what);
}

struct status request_json_string(struct json_place place, const char *member, yyjson_val *value, struct arena *arena,
                                  struct slice *ret) {
    if (!yyjson_is_str(value))
        return request_json_expected(place, member, "a string", value);
    *ret = arena_copy(arena, (struct slice){yyjson_get_str(value), yyjson_get_len(value)});
    return ret->data || yyjson_get_len(value) == 0 ? status_ok() : no_memory(member);
}

/* The name of a member of `object` for messages. */
static void name_member(const char *object, struct slice key, char *text, size_t size) {
    snprintf(text, size, "%s%s%.*s", object ? object : "", object ? "." : "", SLICE_ARGS(key));
}

static struct slice text_of(yyjson_val *string) {
    return (struct slice){yyjson_get_str(string), yyjson_get_len(string)};
}

static int compare_keys(const void *left, const void *right) {
    struct slice a = *(const struct slice *)left, b = *(const struct slice *)right;
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static size_t list_keys(yyjson_val *object, struct slice *ret) {
    size_t at, count;
    yyjson_val *key, *value;
    if (!object)
        return 0;
    yyjson_obj_foreach(object, at, count, key, value) ret[at] = text_of(key);
    return yyjson_obj_size(object);
}

struct status request_json_check_keys(struct json_place place, const char *object, yyjson_val *keys, yyjson_val *other,
                                      struct arena *arena) {
    size_t count = yyjson_obj_size(keys) + yyjson_obj_size(other);
    if (count < 2)
        return status_ok();
    struct slice *sorted = arena_calloc(arena, count, sizeof *sorted);
    if (!sorted)
        return no_memory("names");
    list_keys(other, sorted + list_keys(keys, sorted));
    qsort(sorted, count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (!slice_equal(sorted[i - 1], sorted[i]))
            continue;
        char member[256];
        name_member(object, sorted[i], member, sizeof member);
        return request_json_error(place, member, "the member is given twice");
    }
    return status_ok();
}

struct status request_json_parameter(struct json_place place, const char *object, yyjson_val *key, yyjson_val *value,
                                     struct arena *arena, struct infer_parameter *ret) {
    *ret =
        (struct infer_parameter){.name = arena_copy(arena, (struct slice){yyjson_get_str(key), yyjson_get_len(key)})};
    if (!ret->name.data && yyjson_get_len(key) > 0)
        return no_memory("parameters");
    if (yyjson_is_bool(value)) {
        ret->kind = PARAMETER_BOOL;
        ret->value.boolean = yyjson_get_bool(value);
    } else if (yyjson_is_uint(value)) {
        ret->kind = PARAMETER_UINT;
        ret->value.unsigned_integer = yyjson_get_uint(value);
    } else if (yyjson_is_sint(value)) {
        ret->kind = PARAMETER_INT;
        ret->value.integer = yyjson_get_sint(value);
    } else if (yyjson_is_real(value)) {
        ret->kind = PARAMETER_DOUBLE;
        ret->value.real = yyjson_get_real(value);
    } else if (yyjson_is_str(value)) {
        ret->kind = PARAMETER_STRING;
        return request_json_string(place, "parameters", value, arena, &ret->value.string);
    } else {
        bool too_large = yyjson_is_raw(value); /* how a number beyond 64 bits is read */
        char member[256];
        name_member(object, text_of(key), member, sizeof member);
        return request_json_expected(
            place, member, too_large ? "a number in the range of 64 bits" : "a string, a number, true or false", value);
    }
    return status_ok();
}

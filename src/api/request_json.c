#include "api/request_json.h"

#include <stdio.h>

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
        char member[96];
        snprintf(member, sizeof member, "%s%s%.60s", object ? object : "", object ? "." : "", yyjson_get_str(key));
        return request_json_expected(place, member, "a string, a number, true or false", value);
    }
    return status_ok();
}

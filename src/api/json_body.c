#include "api/json_body.h"

#include "codec/json_value.h"

struct status json_body_expected(const char *member, const char *what, yyjson_val *got) {
    char got_text[96];
    json_value_describe(got, got_text, sizeof got_text);
    return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, got %s", member, what, got_text);
}

struct slice json_body_text(yyjson_val *value) {
    return (struct slice){yyjson_get_str(value), yyjson_get_len(value)};
}

struct status json_body_read(struct slice body, yyjson_doc **ret_doc, yyjson_val **ret) {
    *ret_doc = NULL;
    *ret = NULL;
    if (slice_trim(body).size == 0)
        body = SLICE_LITERAL("{}");
    yyjson_read_err error;
    char *text = (char *)(uintptr_t)body.data; /* only read: the in-situ flag is not set */
    *ret_doc = yyjson_read_opts(text, body.size, YYJSON_READ_NOFLAG, NULL, &error);
    if (!*ret_doc && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory while reading the request");
    if (!*ret_doc)
        return status_error(STATUS_INVALID_ARGUMENT, "the request is not JSON: byte %zu of %zu: %s", error.pos,
                            body.size, error.msg);
    *ret = yyjson_doc_get_root(*ret_doc);
    return yyjson_is_obj(*ret) ? status_ok() : json_body_expected("request", "an object", *ret);
}

#include "api/router.h"

#include <string.h>

#include "base/hex.h"

static struct status percent_decode(struct slice text, struct arena *arena, struct slice *ret) {
    char *out = arena_alloc(arena, text.size);
    if (!out)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory while reading the request path");
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.size ? hex_value(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.data[i + 2]) : -1;
            if (low < 0)
                return status_error(STATUS_INVALID_ARGUMENT,
                                    "the request path has a '%%' that two hexadecimal digits do not follow: '%.*s'",
                                    SLICE_ARGS(text));
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[size++] = c;
    }
    *ret = (struct slice){out, size};
    return status_ok();
}

static bool is_digits(struct slice s) {
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    return s.size > 0;
}

/* What the placeholders of a pattern stand for. */
struct placeholders {
    struct slice model, name; /* still percent-encoded */
    int64_t version;
};

/* Takes what stands for the placeholder that *pattern points to and is moved behind: a segment, or all of `rest`. */
static bool take_placeholder(const char **pattern, struct slice *rest, struct placeholders *ret) {
    char kind = (*pattern)[1]; /* {model}, {name}, {version} or {rest} */
    *pattern = strchr(*pattern, '}') + 1;
    struct slice segment = *rest;
    const char *slash = kind == 'r' || rest->size == 0 ? NULL : memchr(rest->data, '/', rest->size);
    if (slash)
        segment.size = (size_t)(slash - rest->data);
    *rest = (struct slice){rest->data + segment.size, rest->size - segment.size};
    if (kind == 'v')
        return is_digits(segment) && slice_to_i64(segment, &ret->version);
    *(kind == 'm' ? &ret->model : &ret->name) = segment;
    return segment.size > 0;
}

/* Whether the path has the form of the pattern. */
static bool path_matches(const char *pattern, struct slice path, struct placeholders *ret) {
    while (*pattern) {
        if (*pattern == '{') {
            if (!take_placeholder(&pattern, &path, ret))
                return false;
        } else if (path.size == 0 || *path.data != *pattern++) {
            return false;
        } else {
            path = (struct slice){path.data + 1, path.size - 1};
        }
    }
    return path.size == 0;
}

/* Adds a method to the text of an Allow header, once. */
static const char *add_method(const char *allow, const char *method, struct arena *arena) {
    if (!allow)
        return method;
    if (strstr(allow, method))
        return allow;
    const char *longer = arena_printf(arena, "%s, %s", allow, method);
    return longer ? longer : allow;
}

struct status router_match(const struct route *routes, size_t route_count, unsigned classes, struct slice method,
                           struct slice path, struct arena *arena, struct route_match *ret) {
    *ret = (struct route_match){.version = -1};
    for (size_t i = 0; i < route_count; i++) {
        struct placeholders found = {.version = -1};
        if (!(routes[i].class & classes) || !path_matches(routes[i].pattern, path, &found))
            continue;
        if (!slice_equal_text(method, routes[i].method)) {
            ret->allow = add_method(ret->allow, routes[i].method, arena);
            continue;
        }
        ret->route = &routes[i];
        ret->version = found.version;
        ret->name = found.name;
        if (!slice_ends_with(slice_of(routes[i].pattern), SLICE_LITERAL("{rest}")))
            STATUS_TRY(percent_decode(found.name, arena, &ret->name));
        return percent_decode(found.model, arena, &ret->model);
    }
    if (ret->allow)
        return status_error(STATUS_METHOD_NOT_ALLOWED, "Method Not Allowed");
    return status_error(STATUS_NOT_FOUND, "Not Found");
}

#include "backends/openvino/engine_error.h"

#include <stdio.h>
#include <string.h>

/* Where a source position ends: "src/core/node.cpp:12:" gives what is behind it; an empty slice when none is there. */
static struct slice behind_position(struct slice text) {
    struct slice path, rest, number;
    if (slice_split(text, ':', &path, &rest) && slice_split(rest, ':', &number, &rest)) {
        uint64_t line;
        if (slice_to_u64(number, &line))
            return rest;
    }
    return (struct slice){NULL, 0};
}

static bool find(struct slice text, const char *mark, struct slice *ret_behind) {
    struct slice word = slice_of(mark);
    for (size_t i = 0; i + word.size <= text.size; i++)
        if (memcmp(text.data + i, word.data, word.size) == 0) {
            *ret_behind = (struct slice){text.data + i + word.size, text.size - i - word.size};
            return true;
        }
    return false;
}

/* Looks for `mark` and a source position (after `at` behind it, when not NULL): what is before and behind the two. */
static bool cut(struct slice text, const char *mark, const char *at, struct slice *ret_before,
                struct slice *ret_behind) {
    struct slice position;
    if (!find(text, mark, &position))
        return false;
    *ret_before = (struct slice){text.data, (size_t)(position.data - text.data) - strlen(mark)};
    if (at && !find(position, at, &position))
        return false;
    *ret_behind = behind_position(position);
    return ret_behind->data != NULL;
}

static void append(struct slice part, const char *separator, char *text, size_t size, size_t *used) {
    part = slice_trim(part);
    if (part.size == 0 || *used + 1 >= size)
        return;
    int n = snprintf(text + *used, size - *used, "%s%.*s", *used ? separator : "",
                     (int)(part.size > 400 ? 400 : part.size), part.data);
    if (n > 0)
        *used = *used + (size_t)n < size ? *used + (size_t)n : size - 1;
}

/* Without "Exception from src/core/node.cpp:123:" and "Check 'a == b' failed at src/core/node.cpp:12:". */
static void append_line(struct slice line, char *text, size_t size, size_t *used) {
    const char *separator = "; ";
    struct slice before, behind;
    while (cut(line, "Exception from ", NULL, &before, &behind) ||
           cut(line, "Check '", "' failed at ", &before, &behind)) {
        append(before, separator, text, size, used);
        separator = before.size ? " " : separator;
        line = behind;
    }
    append(line, separator, text, size, used);
}

void engine_error_text(struct slice message, char *text, size_t size) {
    size_t used = 0;
    struct slice rest = message, line;
    text[0] = '\0';
    while (rest.size > 0) {
        slice_split(rest, '\n', &line, &rest);
        append_line(line, text, size, &used);
    }
    if (used == 0) /* nothing but positions: better than nothing */
        append(message, "", text, size, &used);
}

struct status engine_error(ov_status_e result, enum status_code code, const char *context, ...) {
    char what[200], said[400];
    va_list args;
    va_start(args, context);
    vsnprintf(what, sizeof what, context, args);
    va_end(args);
    const char *message = ov_get_last_err_msg();
    engine_error_text(slice_of(message ? message : ov_get_error_info(result)), said, sizeof said);
    ov_free(message);
    return status_error(code, "%s: OpenVINO: %s", what, said);
}

bool engine_error_is_shape(const struct status *status) {
    static const char *const signs[] = {"hape infer", "roadcast", "incompatible", "shape", "Shape", "dimension"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(status->message, signs[i]))
            return true;
    return false;
}

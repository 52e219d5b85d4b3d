#include "api/header_pattern.h"

#include <regex.h>
#include <stdlib.h>

#include "base/buf.h"

struct header_pattern {
    regex_t regex;
};

/* Checked first as it stands, so that a message is about what was given, and "a)(b" does not pass because of the
 * brackets that make it match whole names. */
static int compile(const char *expression, regex_t *ret) {
    int error = regcomp(ret, expression, REG_EXTENDED);
    if (error)
        return error;
    regfree(ret);
    struct buf whole = BUF_EMPTY;
    buf_printf(&whole, "^(%s)$", expression);
    buf_append_char(&whole, '\0');
    error = buf_failed(&whole) ? REG_ESPACE : regcomp(ret, whole.data, REG_EXTENDED | REG_ICASE | REG_NOSUB);
    buf_free(&whole);
    return error;
}

struct status header_pattern_create(const char *expression, struct header_pattern **ret) {
    struct header_pattern *pattern = malloc(sizeof *pattern);
    if (!pattern)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a regular expression");
    int error = compile(expression, &pattern->regex);
    if (error) {
        char text[128];
        regerror(error, NULL, text, sizeof text);
        free(pattern);
        return status_error(STATUS_INVALID_ARGUMENT, "expected a POSIX extended regular expression, got \"%.100s\": %s",
                            expression, text);
    }
    *ret = pattern;
    return status_ok();
}

void header_pattern_destroy(struct header_pattern *pattern) {
    if (!pattern)
        return;
    regfree(&pattern->regex);
    free(pattern);
}

bool header_pattern_matches(const struct header_pattern *pattern, struct slice name) {
    char text[HEADER_NAME_MAX + 1];
    if (!pattern || name.size > HEADER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        text[i] = name.data[i]; /* a header's name has no NUL */
    text[name.size] = '\0';
    return regexec(&pattern->regex, text, 0, NULL, 0) == 0;
}

#include "tools/perf/metrics_text.h"

#include <math.h>
#include <string.h>

/* The bytes up to the first of `stops`, or all. */
static struct slice take_until(struct slice text, const char *stops) {
    size_t n = 0;
    while (n < text.size && memchr(stops, text.data[n], strlen(stops)) == NULL)
        n++;
    return (struct slice){text.data, n};
}

static struct slice behind(struct slice text, size_t n) {
    return (struct slice){text.data + n, text.size - n};
}

/* How many bytes of `text` a quoted value takes, both quotes included; 0 when it does not end. */
static size_t quoted_size(struct slice text) {
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            return i + 1;
    }
    return 0;
}

/* The first label of `labels`, which moves behind it. False when there is none, or it is malformed. */
static bool next_label(struct slice *labels, struct slice *ret_name, struct slice *ret_value) {
    struct slice name = take_until(*labels, "="), rest = behind(*labels, name.size);
    if (rest.size < 2 || rest.data[1] != '"')
        return false;
    rest = behind(rest, 1);
    size_t size = quoted_size(rest);
    if (size == 0)
        return false;
    *ret_name = slice_trim(name);
    *ret_value = (struct slice){rest.data + 1, size - 2};
    rest = slice_trim(behind(rest, size));
    *labels = rest.size > 0 && rest.data[0] == ',' ? slice_trim(behind(rest, 1)) : (struct slice){rest.data, 0};
    return true;
}

/* A line's labels: how far they go, braces included. 0 when they do not end. */
static size_t braces_size(struct slice text) {
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == '}')
            return i + 1;
        size_t quoted = text.data[i] == '"' ? quoted_size(behind(text, i)) : 1;
        if (quoted == 0)
            return 0;
        i += quoted - 1;
    }
    return 0;
}

static bool read_line(struct slice line, struct metrics_sample *ret) {
    line = slice_trim(line);
    ret->name = take_until(line, "{ \t#");
    ret->labels = (struct slice){line.data, 0};
    struct slice rest = behind(line, ret->name.size);
    if (ret->name.size == 0)
        return false;
    if (rest.size > 0 && rest.data[0] == '{') {
        size_t size = braces_size(rest);
        if (size == 0)
            return false;
        ret->labels = slice_trim((struct slice){rest.data + 1, size - 2});
        rest = behind(rest, size);
    }
    struct slice value = take_until(slice_trim(rest), " \t"); /* a time may follow */
    return slice_to_double(value, &ret->value) && isfinite(ret->value);
}

bool metrics_text_next(struct slice *rest, struct metrics_sample *ret) {
    struct slice line;
    while (rest->size > 0) {
        slice_split(*rest, '\n', &line, rest);
        if (read_line(line, ret))
            return true;
    }
    return false;
}

struct slice metrics_text_label(const struct metrics_sample *sample, const char *name) {
    struct slice rest = sample->labels, label, value;
    while (rest.size > 0 && next_label(&rest, &label, &value)) {
        if (slice_equal_text(label, name))
            return value;
    }
    return (struct slice){NULL, 0};
}

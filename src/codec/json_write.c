#include "codec/json_write.h"

#include <string.h>

/* ---- values ---- */

void json_append_i64(struct buf *out, int64_t value) {
    char *to = buf_reserve(out, JSON_NUMBER_MAX);
    if (to)
        out->size += json_format_i64(to, value);
}

void json_append_u64(struct buf *out, uint64_t value) {
    char *to = buf_reserve(out, JSON_NUMBER_MAX);
    if (to)
        out->size += json_format_u64(to, value);
}

void json_append_float(struct buf *out, float value) {
    char *to = buf_reserve(out, JSON_NUMBER_MAX);
    if (to)
        out->size += json_format_float(to, value);
}

void json_append_double(struct buf *out, double value) {
    char *to = buf_reserve(out, JSON_NUMBER_MAX);
    if (to)
        out->size += json_format_double(to, value);
}

void json_append_bool(struct buf *out, bool value) {
    buf_append_text(out, value ? "true" : "false");
}

/* Numbers per reservation: calls are rare and little memory is reserved in vain. */
enum { ARRAY_CHUNK = 64 };

void json_append_float_array(struct buf *out, const void *values, size_t count) {
    const char *bytes = values;
    buf_append_char(out, '[');
    for (size_t i = 0; i < count;) {
        char *to = buf_reserve(out, ARRAY_CHUNK * (JSON_NUMBER_MAX + 1));
        if (!to)
            return;
        char *start = to;
        for (size_t end = count - i > ARRAY_CHUNK ? i + ARRAY_CHUNK : count; i < end; i++) {
            float value;
            memcpy(&value, bytes + i * sizeof value, sizeof value);
            if (i)
                *to++ = ',';
            to += json_format_float(to, value);
        }
        out->size += (size_t)(to - start);
    }
    buf_append_char(out, ']');
}

void json_append_double_array(struct buf *out, const void *values, size_t count) {
    const char *bytes = values;
    buf_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        if (i)
            buf_append_char(out, ',');
        json_append_double(out, value);
    }
    buf_append_char(out, ']');
}

/* ---- strings ---- */

static void append_escape(struct buf *out, unsigned char c) {
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the character and its letter */
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2)
        if ((unsigned char)shorts[i] == c) {
            char pair[2] = {'\\', shorts[i + 1]};
            buf_append(out, pair, 2);
            return;
        }
    char code[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    buf_append(out, code, 6);
}

static bool needs_escape(unsigned char c) {
    return c < 0x20 || c == '"' || c == '\\';
}

/* Text that is valid UTF-8. */
static void append_valid(struct buf *out, struct slice text) {
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t i = 0; i < text.size; i++) {
        if (!needs_escape((unsigned char)text.data[i]))
            continue;
        buf_append(out, text.data + plain, i - plain);
        append_escape(out, (unsigned char)text.data[i]);
        plain = i + 1;
    }
    if (text.size > plain)
        buf_append(out, text.data + plain, text.size - plain);
}

static void append_repaired(struct buf *out, struct slice text) {
    while (text.size > 0) {
        size_t size = slice_utf8_length(text);
        if (size)
            append_valid(out, (struct slice){text.data, size});
        else
            buf_append_text(out, "\xEF\xBF\xBD");
        text.data += size ? size : 1;
        text.size -= size ? size : 1;
    }
}

/* Names and short texts mostly are plain ASCII, which goes into JSON as it is. */
static bool is_plain(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            return false;
    }
    return true;
}

void json_append_string(struct buf *out, struct slice text) {
    buf_append_char(out, '"');
    if (is_plain(text))
        buf_append_slice(out, text);
    else if (slice_is_utf8(text))
        append_valid(out, text);
    else
        append_repaired(out, text);
    buf_append_char(out, '"');
}

/* ---- the writer ---- */

static void begin_value(struct json_writer *writer) {
    if (writer->comma)
        buf_append_char(writer->out, ',');
    writer->comma = true;
}

static void open_bracket(struct json_writer *writer, char bracket) {
    begin_value(writer);
    buf_append_char(writer->out, bracket);
    writer->comma = false;
}

static void close_bracket(struct json_writer *writer, char bracket) {
    buf_append_char(writer->out, bracket);
    writer->comma = true;
}

void json_begin_object(struct json_writer *writer) {
    open_bracket(writer, '{');
}

void json_end_object(struct json_writer *writer) {
    close_bracket(writer, '}');
}

void json_begin_array(struct json_writer *writer) {
    open_bracket(writer, '[');
}

void json_end_array(struct json_writer *writer) {
    close_bracket(writer, ']');
}

void json_key_slice(struct json_writer *writer, struct slice name) {
    begin_value(writer);
    json_append_string(writer->out, name);
    buf_append_char(writer->out, ':');
    writer->comma = false;
}

void json_key(struct json_writer *writer, const char *name) {
    begin_value(writer);
    buf_append_char(writer->out, '"');
    buf_append_text(writer->out, name);
    buf_append_text(writer->out, "\":");
    writer->comma = false;
}

void json_string(struct json_writer *writer, struct slice text) {
    begin_value(writer);
    json_append_string(writer->out, text);
}

void json_text(struct json_writer *writer, const char *text) {
    json_string(writer, slice_of(text));
}

void json_i64(struct json_writer *writer, int64_t value) {
    begin_value(writer);
    json_append_i64(writer->out, value);
}

void json_u64(struct json_writer *writer, uint64_t value) {
    begin_value(writer);
    json_append_u64(writer->out, value);
}

void json_float(struct json_writer *writer, float value) {
    begin_value(writer);
    json_append_float(writer->out, value);
}

void json_double(struct json_writer *writer, double value) {
    begin_value(writer);
    json_append_double(writer->out, value);
}

void json_bool(struct json_writer *writer, bool value) {
    begin_value(writer);
    json_append_bool(writer->out, value);
}

void json_null(struct json_writer *writer) {
    begin_value(writer);
    buf_append_text(writer->out, "null");
}

void json_raw(struct json_writer *writer, struct slice json) {
    begin_value(writer);
    buf_append_slice(writer->out, json);
}

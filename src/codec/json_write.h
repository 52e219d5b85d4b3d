/* json_write.h: writes JSON text into a buf, quickly; nothing here reads JSON.
 *
 * Two layers: the json_append_* functions append one value each, for those who lay out commas themselves (tensor data),
 * and struct json_writer puts commas and colons where they belong. Memory shortage shows in buf_failed(), checked once
 * at the end.
 * Thread: as the buf.
 * Source: RFC 8259; NaN and Infinity are written as bare literals, as KServe's peers do. */
#ifndef INFERD_CODEC_JSON_WRITE_H
#define INFERD_CODEC_JSON_WRITE_H

#include "base/buf.h"

/* Most bytes that json_format_* may write. */
enum { JSON_NUMBER_MAX = 32 };

/* Format a number at `to` (room for JSON_NUMBER_MAX) and return the length; no NUL is written. Floats read back as the
 * same value and have the fewest digits that do ("0.1", "1.0", "1e-7"); the others are NaN, Infinity
 * and -Infinity. */
size_t json_format_i64(char *to, int64_t value);
size_t json_format_u64(char *to, uint64_t value);
size_t json_format_float(char *to, float value);
size_t json_format_double(char *to, double value);

void json_append_i64(struct buf *out, int64_t value);
void json_append_u64(struct buf *out, uint64_t value);
void json_append_float(struct buf *out, float value);
void json_append_double(struct buf *out, double value);
void json_append_bool(struct buf *out, bool value);
/* With quotes; escapes what JSON demands and replaces each byte that is no valid UTF-8 by U+FFFD. */
void json_append_string(struct buf *out, struct slice text);
/* Whole arrays, "[1.0,2.5]"; the elements are read by memcpy and may be unaligned. */
void json_append_float_array(struct buf *out, const void *values, size_t count);
void json_append_double_array(struct buf *out, const void *values, size_t count);

/* {"a":1,"b":[true,"x"]} is: begin_object, key a, i64 1, key b, begin_array, boolean, string, end_array, end_object. */
struct json_writer {
    struct buf *out;
    bool comma; /* a value stands before the next one */
};

static inline struct json_writer json_writer_on(struct buf *out) {
    return (struct json_writer){out, false};
}
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
/* A name of ours: ASCII with nothing to escape. */
void json_key(struct json_writer *writer, const char *name);
void json_key_slice(struct json_writer *writer, struct slice name);
void json_string(struct json_writer *writer, struct slice text);
void json_text(struct json_writer *writer, const char *text);
void json_i64(struct json_writer *writer, int64_t value);
void json_u64(struct json_writer *writer, uint64_t value);
void json_float(struct json_writer *writer, float value);
void json_double(struct json_writer *writer, double value);
void json_bool(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* A value that is JSON text already. */
void json_raw(struct json_writer *writer, struct slice json);

#endif

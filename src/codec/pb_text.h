/* pb_text.h: reads protobuf text format (config.pbtxt) into message structs.
 *
 * The whole grammar that protobuf's own TextFormat takes: `field: value`, `msg { }`, `msg: < >`, lists, separators,
 * comments, string concatenation and escapes, hexadecimal and octal integers, floats with suffix, inf and nan, enum
 * names and numbers, maps as repeated entries. As there, giving a singular field twice, or two members of a oneof, is
 * an error; stricter than there, so is giving a map key twice. Source: protobuf.dev, "Text Format Language
 * Specification". */
#ifndef INFERD_CODEC_PB_TEXT_H
#define INFERD_CODEC_PB_TEXT_H

#include "codec/pb.h"

/* Where a field was written, so that later checks can name the line. */
struct pb_text_mark {
    const char *path; /* "instance_group[0].kind"; NUL-terminated, the arena's */
    int line;         /* from 1 */
};

struct pb_text_marks {
    struct pb_text_mark *items;
    size_t count, capacity;
};

/* Parses `text` into the struct at `ret`, which it zeroes first; all memory is the arena's (nothing points into
 * `text`). marks: NULL, or a zeroed table that gets every field in the order of the text. INVALID_ARGUMENT:
 * "config.pbtxt:12:3: unknown field 'max_bach_size' in ModelConfig; did you mean 'max_batch_size'?". */
struct status pb_text_parse(const struct pb_message *type, struct slice text, const char *file_name,
                            struct arena *arena, void *ret, struct pb_text_marks *marks) STATUS_MUST_CHECK;

/* The line on which the field at `path` was written (its first mark), or 0. marks may be NULL. */
int pb_text_line(const struct pb_text_marks *marks, const char *path);

#endif

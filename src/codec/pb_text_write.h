/* pb_text_write.h: writes message structs as protobuf text format; pb_text.h reads it.
 *
 * As protobuf's own TextFormat prints: fields in table order, those that are not set left out, two blanks of
 * indentation a level, enums by name (numbers that have none as they are), strings with C escapes so that the text is
 * ASCII and, of one line, can stand in a header. Source: protobuf.dev, "Text Format Language Specification". */
#ifndef INFERD_CODEC_PB_TEXT_WRITE_H
#define INFERD_CODEC_PB_TEXT_WRITE_H

#include "codec/pb.h"

enum pb_text_form {
    PB_TEXT_LINES,   /* a line for each field, nested ones indented */
    PB_TEXT_ONE_LINE /* `a: 1 b { c: "x" }`, without a line end */
};

/* Appends the text form to `out`. RESOURCE_EXHAUSTED when memory is short. */
struct status pb_text_write(const struct pb_message *type, const void *message, enum pb_text_form form,
                            struct buf *out) STATUS_MUST_CHECK;

#endif

/* pb_text_scanner.h: splits protobuf text format into tokens; private to codec/pb_text.c (and its test). */
#ifndef INFERD_CODEC_PB_TEXT_SCANNER_H
#define INFERD_CODEC_PB_TEXT_SCANNER_H

#include "base/arena.h"
#include "base/status.h"

enum text_token_kind {
    TEXT_END,
    TEXT_IDENTIFIER,
    TEXT_INTEGER, /* decimal, 0x hexadecimal or 0 octal, without sign */
    TEXT_FLOAT,   /* has a point, an exponent or the suffix f */
    TEXT_STRING,  /* with its quotes and escapes */
    TEXT_SYMBOL   /* one character */
};

struct text_token {
    enum text_token_kind kind;
    struct slice text; /* as written */
    int line;          /* from 1 */
};

struct text_scanner {
    const char *file_name;
    const char *start, *at, *end;
    int line;
    struct text_token token; /* the current one */
    struct status status;    /* the first error */
};

/* Stands on the first token afterwards; a byte order mark is skipped. */
bool text_scanner_begin(struct text_scanner *scanner, struct slice text, const char *file_name);
/* Goes to the next token; false on an error, which is then in `status`. */
bool text_next(struct text_scanner *scanner);
bool text_is_symbol(const struct text_scanner *scanner, char symbol);
/* Goes on when the current token is that symbol; `ret_found` tells. False on an error behind it. */
bool text_skip_symbol(struct text_scanner *scanner, char symbol, bool *ret_found);

/* Sets `status` to "file:line:column: message" for the current token; returns false. */
bool text_fail(struct text_scanner *scanner, const char *format, ...) STATUS_PRINTF(2, 3);
/* The current token for an error message: `string "x"`, `'}'`, `end of file`; text holds at least 64 bytes. */
void text_describe(const struct text_scanner *scanner, char *text, size_t size);

/* The value of a TEXT_INTEGER; false when it does not fit 64 bits. */
bool text_integer_value(struct slice token, uint64_t *ret);
/* Appends the bytes that a TEXT_STRING stands for at `to`, which has room for token.text.size; returns the end, or NULL
 * with `status` set. */
char *text_unescape(struct text_scanner *scanner, char *to);

#endif

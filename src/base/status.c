#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"

struct status status_ok(void) {
    struct status status;
    status.code = STATUS_OK;
    status.message[0] = '\0';
    return status;
}

/* Marks a message that did not fit: drops the last, possibly split, UTF-8 character and adds "...". */
static void mark_cut(char *message) {
    size_t end = STATUS_MESSAGE_MAX - 4;
    while (end > 0 && ((unsigned char)message[end] & 0xC0u) == 0x80u)
        end--;
    memcpy(message + end, "...", 4);
}

/* What a message quotes may be any bytes, or a text that SLICE_ARGS cut within a character: bytes that are no UTF-8
 * become '?'. */
static void make_utf8(char *message) {
    struct slice rest = slice_of(message);
    for (;;) {
        size_t good = slice_utf8_prefix(rest);
        if (good == rest.size)
            return;
        message += good;
        *message++ = '?';
        rest = (struct slice){message, rest.size - good - 1};
    }
}

struct status status_verror(enum status_code code, const char *format, va_list args) {
    struct status status;
    status.code = code;
    int length = vsnprintf(status.message, sizeof status.message, format, args);
    if (length < 0)
        status.message[0] = '\0';
    make_utf8(status.message);
    if (length >= (int)sizeof status.message)
        mark_cut(status.message);
    return status;
}

struct status status_error(enum status_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct status status = status_verror(code, format, args);
    va_end(args);
    return status;
}

struct status status_prefix(struct status inner, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct status outer = status_verror(inner.code, format, args);
    va_end(args);
    size_t used = strlen(outer.message);
    int length = snprintf(outer.message + used, sizeof outer.message - used, ": %s", inner.message);
    make_utf8(outer.message); /* the inner one may be cut within a character */
    if (length < 0 || (size_t)length >= sizeof outer.message - used)
        mark_cut(outer.message);
    return outer;
}

const char *status_code_text(enum status_code code) {
    static const char *const texts[] = {
#define STATUS_CODE(name, text) text,
#include "base/status.def"
#undef STATUS_CODE
    };
    if ((unsigned)code >= sizeof texts / sizeof texts[0])
        return "unknown";
    return texts[code];
}

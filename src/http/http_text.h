/* http_text.h: the small texts of HTTP that both protocols need: characters, targets, reasons, dates (RFC 9110). */
#ifndef INFERD_HTTP_HTTP_TEXT_H
#define INFERD_HTTP_HTTP_TEXT_H

#include <stdint.h>

#include "http/exchange.h"

/* Classes of bytes. */
enum {
    HTTP_CHAR_TOKEN = 1,  /* of methods and field names */
    HTTP_CHAR_VALUE = 2,  /* of field values: visible, blank, tab, and 0x80 to 0xFF */
    HTTP_CHAR_TARGET = 4, /* of request targets: visible ASCII but '#' */
    HTTP_CHAR_HOST = 8,   /* of an authority: no '/', '?', '#', '@', '\', ',' */
    HTTP_CHAR_FIELD = 16  /* of HTTP/2's field names: of tokens, but no capital letters */
};
extern const unsigned char http_char_class[256];

/* True when every byte is of that class; true for an empty slice. */
bool http_all_chars(struct slice text, int char_class);
bool http_is_token(struct slice text); /* and not empty */
bool http_is_value(struct slice text); /* of HTTP_CHAR_VALUE alone */

/* Takes a request target apart into path, query and, of the absolute form, authority. False: no form that this server
 * knows for the method. */
bool http_split_target(struct slice target, struct http_request *request);

/* "Not Found"; "" for numbers without a registered phrase. */
const char *http_reason(int status);

/* What may stand around values: OWS (RFC 9110, section 5.6.3). */
static inline bool http_is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* All values of a request's fields of that (lower-case) name, in order, joined by ", " (RFC 9110, section 5.3); memory
 * of the arena, empty and not NULL where there is none. RESOURCE_EXHAUSTED. */
struct status http_join_values(const struct http_request *request, struct slice name, struct arena *arena,
                               struct slice *ret) STATUS_MUST_CHECK;

/* The value of a Date field, made once per second. */
struct http_date {
    uint64_t second; /* of `text`; 0: none yet */
    char text[32];   /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};
struct slice http_date_now(struct http_date *date);

/* Fields of an answer that the session writes itself. */
bool http_is_session_field(struct slice name);

#endif

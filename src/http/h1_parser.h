/* h1_parser.h: HTTP/1.1 requests as bytes (RFC 9112): strict, and without state beyond the structs below.
 *
 * h1_session.c calls: h1_scan_head until the head is complete, h1_parse_head on a copy of it, then h1_body_take for the
 * body. Everything that two parsers might read differently is refused: bare CR or LF, folded lines, blanks around field
 * names, repeated or conflicting lengths. */
#ifndef INFERD_HTTP_H1_PARSER_H
#define INFERD_HTTP_H1_PARSER_H

#include "http/exchange.h"

/* Why a request is refused; status 0: it is not. */
struct h1_error {
    int status;
    const char *text; /* constant, needs no JSON escapes */
};

/* How far the search for the end of a head has come. Zeroed at the start of each. */
struct h1_scan {
    size_t at;    /* bytes looked at */
    size_t start; /* of the request line, behind empty lines */
    size_t line;  /* start of the line that `at` is in */
    size_t lines; /* complete ones since start */
    bool cr;      /* the last byte was CR */
};

/* Looks for the end of the head in all the bytes since its start, of which the first scan->at were given before.
 * Returns the size of the head with its empty line, or 0: not yet, or *reterr. Also checks line ends and control
 * characters. */
size_t h1_scan_head(struct h1_scan *scan, const char *data, size_t n, const struct http_limits *limits,
                    struct h1_error *reterr);

struct h1_head {
    bool keep_alive;
    bool expect_continue;
    bool chunked;
};

/* Parses the head between scan->start and its end, in place: `head` is memory of the arena, to which the request's
 * slices then point (names are put in lower case). `ret_request` is zeroed with content_length -1 by the caller. */
struct h1_error h1_parse_head(const struct h1_scan *scan, char *head, size_t size, struct arena *arena,
                              const struct http_limits *limits, struct http_request *ret_request,
                              struct h1_head *ret_head);

enum h1_body_state {
    H1_BODY_DONE,
    H1_BODY_PLAIN,
    H1_CHUNK_SIZE,
    H1_CHUNK_BLANK, /* behind the size, in front of an extension */
    H1_CHUNK_EXTENSION,
    H1_CHUNK_SIZE_LF,
    H1_CHUNK_DATA,
    H1_CHUNK_DATA_CR,
    H1_CHUNK_DATA_LF,
    H1_TRAILER_START,
    H1_TRAILER_NAME,
    H1_TRAILER_VALUE,
    H1_TRAILER_LF,
    H1_TRAILER_END_LF
};

struct h1_body {
    enum h1_body_state state;
    uint64_t left;         /* of the body, or of the chunk */
    unsigned digits;       /* of the chunk size so far */
    size_t overhead;       /* bytes of extensions and trailers so far */
    size_t overhead_limit; /* of them, over the whole body */
};

void h1_body_begin(struct h1_body *body, const struct http_request *request, const struct h1_head *head,
                   const struct http_limits *limits);
/* Takes at most n bytes: *ret_taken of them, of which *ret_piece (within data, may be empty) belongs to the body. Call
 * again with the rest until state is H1_BODY_DONE or the bytes are used up. Trailers are checked, bounded and dropped.
 */
struct h1_error h1_body_take(struct h1_body *body, const char *data, size_t n, size_t *ret_taken,
                             struct slice *ret_piece);

#endif

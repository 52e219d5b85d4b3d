/* response_parser.h: reads one HTTP/1.1 response: bytes in, status line, chosen headers and body out. No I/O.
 *
 * Used by http_wire for every response of a connection. Strict where laxness invites smuggling (line ends, lengths,
 * framing), silent about headers that the client does not use. Bounds: 64 KiB of head, the caller's limit on the body.
 */
#ifndef INFERD_CLIENT_RESPONSE_PARSER_H
#define INFERD_CLIENT_RESPONSE_PARSER_H

#include "base/buf.h"
#include "base/status.h"

enum response_parser_state {
    RESPONSE_HEAD,        /* up to the blank line */
    RESPONSE_BODY_LENGTH, /* `left` bytes to come */
    RESPONSE_BODY_CLOSE,  /* the body ends with the connection */
    RESPONSE_CHUNK_SIZE,  /* a line "1f;ext" */
    RESPONSE_CHUNK_DATA,
    RESPONSE_CHUNK_END, /* the line end behind a chunk */
    RESPONSE_TRAILERS,  /* lines up to a blank one */
    RESPONSE_DONE
};

struct response_parser {
    enum response_parser_state state;
    struct buf line;   /* head, chunk line or trailers that are not complete yet; owned */
    uint64_t left;     /* of the body or chunk */
    size_t body_limit; /* most bytes of body; set by response_parser_begin */
    size_t trailer_size;
    /* Facts of the head, valid once state has left RESPONSE_HEAD. */
    int status;         /* 200..599 */
    bool keep_alive;    /* another request may follow on this connection */
    bool plain;         /* no Content-Encoding but identity */
    bool has_json_size; /* Inference-Header-Content-Length was there */
    uint64_t json_size;
    struct buf v1_status, v1_header; /* NV-Status and NV-InferResponse; empty: not there. Owned */
};

/* Makes ready for the next response; the parser is zeroed before its first use. */
void response_parser_begin(struct response_parser *parser, size_t body_limit);
void response_parser_free(struct response_parser *parser);
/* Takes bytes up to the end of the response; appends the body to `body`. *ret_used tells how many were taken: fewer
 * than n only when state is RESPONSE_DONE. Errors: DATA_LOSS for anything that is not HTTP/1.1 as agreed,
 * RESOURCE_EXHAUSTED past a bound; the connection cannot be used further. */
struct status response_parser_input(struct response_parser *parser, const char *data, size_t n, struct buf *body,
                                    size_t *ret_used) STATUS_MUST_CHECK;
/* In RESPONSE_BODY_LENGTH: n bytes, at most `left`, were put behind the body by the caller, which has body_size with
 * them. Errors: RESOURCE_EXHAUSTED. */
struct status response_parser_filled(struct response_parser *parser, size_t n, size_t body_size) STATUS_MUST_CHECK;
/* The peer has closed: good (and RESPONSE_DONE) when that is how this body ends. */
struct status response_parser_closed(struct response_parser *parser, size_t body_size) STATUS_MUST_CHECK;

#endif

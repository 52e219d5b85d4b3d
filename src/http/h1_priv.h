/* h1_priv.h: what the parts of an HTTP/1.1 session share:
 *
 *   h1_session.c  requests, one after the other     h1_answer.c  answers as bytes */
#ifndef INFERD_HTTP_H1_PRIV_H
#define INFERD_HTTP_H1_PRIV_H

#include "http/exchange_priv.h"
#include "http/h1_parser.h"
#include "http/http_text.h"

enum h1_state { H1_HEAD, H1_BODY, H1_ANSWER, H1_ENDED };

/* How the end of the answer's body is told. */
enum h1_framing { H1_FRAMED_BY_LENGTH, H1_FRAMED_BY_CHUNKS, H1_FRAMED_BY_CLOSE };

struct h1_session {
    struct session session;
    const struct http_handler *handler;
    const struct http_limits *limits;
    enum h1_state state;
    struct http_exchange *exchange; /* NULL in HEAD, ENDED, and in BODY after an early answer */
    struct h1_scan scan;
    struct h1_body body;
    bool expect_continue; /* the client waits for 100 */
    struct buf in;        /* carried input */
    size_t in_at;         /* of it, looked at and done with */
    size_t in_booked;     /* of its memory */
    struct buf out;       /* heads that output() has not taken yet */
    enum h1_framing framing;
    bool close;        /* no request after this one */
    bool shutdown;     /* the same for whatever request is or comes under way */
    bool input_closed; /* the peer sends no more */
    uint64_t now_ns;
    uint64_t activity_ns; /* begin of the idle time, of the head, or the last byte of a body */
    struct http_date date;
    struct exchange_pool pool;
};

/* ---- h1_answer.c ---- */

extern const struct exchange_ops h1_exchange_ops;

/* Appends what may be sent of the answer under way; true when that was all of it. */
bool h1_answer_write(struct h1_session *h1, struct output *out, size_t target);

#endif

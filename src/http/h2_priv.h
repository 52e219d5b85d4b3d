/* h2_priv.h: what h2_session.c (the connection: settings, floods, time-outs, shutdown) and h2_stream.c (requests and
 * answers) share. Both drive nghttp2, which does frames, header compression, flow control and message checks. */
#ifndef INFERD_HTTP_H2_PRIV_H
#define INFERD_HTTP_H2_PRIV_H

#include <nghttp2/nghttp2.h>

#include "http/exchange_priv.h"
#include "http/http_text.h"

struct h2_session;

struct h2_stream {
    struct http_exchange exchange;
    struct h2_session *h2;
    struct h2_stream *previous, *next;
    int32_t id;
    size_t head_bytes;
    size_t header_capacity;
    struct slice target;  /* :path */
    bool head_complete;   /* of the request */
    bool head_too_large;  /* to be answered 431 */
    bool expect_continue; /* the client waits for 100 */
    bool has_provider;    /* an answer with DATA was submitted */
    bool deferred;        /* nghttp2 waits for more data of it */
    bool end_sent;        /* the frame that ends the answer was handed out */
    bool stopped;         /* after that, the client was told to stop sending */
    size_t dropped;       /* bytes of the request that came after that */
    uint64_t activity_ns; /* last sign of progress, in either direction */
};

/* An orderly end: a GOAWAY that names no last stream, then, when the client has surely seen it, the final one. */
enum h2_phase { H2_OPEN, H2_NOTICED, H2_ENDING, H2_GONE };

struct h2_session {
    struct session session;
    nghttp2_session *nghttp2;
    const struct http_handler *handler;
    const struct http_limits *limits;
    enum h2_phase phase;
    struct h2_stream *streams; /* open ones, the latest first */
    struct h2_stream *latest;  /* that a callback was about, or NULL */
    uint64_t turn_ns;          /* begin of this turn */
    bool turn_wanted;          /* another one, for requests that wait */
    uint64_t now_ns;
    uint64_t deadline_ns;   /* no later than the first that is due; put right by tick */
    uint64_t idle_since_ns; /* no streams; or since the beginning */
    uint64_t noticed_ns;
    uint64_t glitch_window_ns; /* begin of the second in which glitches are counted */
    uint32_t glitches;
    bool greeted;     /* the client's SETTINGS have come */
    bool drain_due;   /* of some exchange */
    struct buf *sink; /* where output() wants bytes; only set there */
    size_t sink_target;
    struct http_date date;
    struct exchange_pool pool;
};

/* h2_stream.c */
void h2_stream_set_callbacks(nghttp2_session_callbacks *callbacks);
/* Gives the exchange its last callback and frees the stream. */
void h2_stream_finish(struct h2_stream *stream, bool sent);
/* When the stream's next time-out is due; 0: none. */
uint64_t h2_stream_deadline(const struct h2_stream *stream);
/* Enforces them. */
void h2_stream_tick(struct h2_stream *stream, uint64_t now_ns);

/* h2_session.c */
/* About the present time: no earlier than what it was before. */
uint64_t h2_session_now(struct h2_session *h2);
/* Asks for a tick at that time at the latest; 0: no wish. */
void h2_session_want_tick(struct h2_session *h2, uint64_t deadline_ns);
/* Whether other connections get their turn before more is worked on; this one then gets another. */
bool h2_session_turn_is_over(struct h2_session *h2);
/* The client did something that costs more than it should; too many of them a second end the connection. */
void h2_session_count_glitch(struct h2_session *h2);
void h2_session_end(struct h2_session *h2, uint32_t error_code);

#endif

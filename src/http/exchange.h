/* exchange.h: one HTTP request and its answer, the same for HTTP/1.1 and HTTP/2; handlers cannot tell which it is.
 *
 * Owner: the session. Thread: the loop thread that drives the session, for every function and every callback here.
 *
 *   on_head  ->  (on_data ...)  ->  on_end  ->  on_close | on_abort
 *
 * A handler answers by the respond functions, from inside a callback or later (other threads hand results over by a
 * loop message). No callback runs inside a respond function. Exactly one of on_close and on_abort ends every exchange
 * that on_head announced; after it the exchange and its arena are gone. The session itself may answer a request before
 * on_end (413, 408, 400 for a broken body): then on_end never comes, only on_close. */
#ifndef INFERD_HTTP_EXCHANGE_H
#define INFERD_HTTP_EXCHANGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

struct http_header {
    struct slice name; /* lower case */
    struct slice value;
};

struct http_request {
    struct slice method;    /* "GET" */
    struct slice path;      /* as sent, up to '?'; starts with '/' (or is "*") */
    struct slice query;     /* behind '?', may be empty */
    struct slice authority; /* Host or :authority */
    struct http_header *headers;
    size_t header_count;
    int64_t content_length; /* -1: not told */
    int version;            /* 10, 11 or 20 */
};

struct http_exchange;

struct http_handler {
    /* The head is complete. To refuse early, respond here: the rest of the body is then dropped. Otherwise the exchange
     * collects the body (http_exchange_body) up to the limit, answering 413 itself, unless on_head asks for the pieces
     * by http_exchange_stream_body. */
    void (*on_head)(void *user, struct http_exchange *exchange);
    /* Bytes of the body as they come, for exchanges of http_exchange_stream_body only; may be NULL if there are none.
     * Returns how many of them it has taken. When it takes fewer the rest is kept, the client is made to wait (flow
     * control), and nothing more is called until http_exchange_resume_body. */
    size_t (*on_data)(void *user, struct http_exchange *exchange, const char *data, size_t size);
    /* Optional. Where the bytes that on_data gets next may be put before: it is then called with that address, if they
     * are the next indeed. *ret_room of them; NULL: it does not matter. */
    char *(*on_place)(void *user, struct http_exchange *exchange, size_t *ret_room);
    /* Optional. Bytes of others were put there, up to `end`: the memory is in use, and to be held, before it is needed.
     */
    void (*on_misplaced)(void *user, struct http_exchange *exchange, const char *end);
    /* Optional. There is no room for what it has not taken; who does not answer now is answered for, with 503. */
    void (*on_no_room)(void *user, struct http_exchange *exchange);
    /* The request is complete, and on_data has taken all of it. Not called once the answer is. */
    void (*on_end)(void *user, struct http_exchange *exchange);
    /* Optional. The time set by http_exchange_set_deadline has passed. */
    void (*on_deadline)(void *user, struct http_exchange *exchange);
    /* Optional. The client has taken so much of the answer as http_exchange_await_drain wanted. */
    void (*on_drain)(void *user, struct http_exchange *exchange);
    /* Optional, HTTP/2. The session is to end: who would hold the exchange open for more requests ends it now. */
    void (*on_shutdown)(void *user, struct http_exchange *exchange);
    /* The peer reset the exchange or the connection was lost before the answer was complete. Last callback. */
    void (*on_abort)(void *user, struct http_exchange *exchange);
    /* The answer has been handed to the connection completely. Last callback. */
    void (*on_close)(void *user, struct http_exchange *exchange);
    void *user;
};

const struct http_request *http_exchange_request(const struct http_exchange *exchange);
/* Value of the first header of that (lower-case) name; false when absent. */
bool http_request_header(const struct http_request *request, const char *name, struct slice *ret);
/* The same for a header that decides how a body is read: INVALID_ARGUMENT when it is there more than once. *ret is an
 * empty slice when absent, of NULL. */
struct status http_request_sole_header(const struct http_request *request, const char *name,
                                       struct slice *ret) STATUS_MUST_CHECK;
/* The collected body. Valid until the exchange ends, or take it over with http_exchange_take_body. */
struct slice http_exchange_body(const struct http_exchange *exchange);
/* Moves the body's memory to the caller (free with buf_free). */
struct buf http_exchange_take_body(struct http_exchange *exchange);
/* From on_head only: the body goes to on_data piece by piece and is neither collected nor limited. idle_allowed: the
 * client may stay silent for any time in the middle of it (a stream of messages); otherwise body_timeout_ns holds. */
void http_exchange_stream_body(struct http_exchange *exchange, bool idle_allowed);
/* Changes that: silence between two messages is all right, and in the middle of one it holds memory for nothing. */
void http_exchange_allow_idle(struct http_exchange *exchange, bool allowed);
/* Tells that on_data has nothing to do before so many more bytes have come (0: not known): they may then be given to it
 * later, and together. */
void http_exchange_await_body(struct http_exchange *exchange, size_t bytes);
/* Goes on after an on_data that did not take all: it is called with what was kept before this function returns, unless
 * it is running right now, and on_end may follow. */
void http_exchange_resume_body(struct http_exchange *exchange);
/* Books the bytes of the request that are in memory until the exchange ends, in place of those booked before; collected
 * bodies, and what on_data has not taken, are booked as they come. For handlers that hold others: messages of a
 * streamed body, a body decompressed. False when the budget of all sessions has no room for them; nothing is changed
 * then. */
bool http_exchange_hold(struct http_exchange *exchange, size_t bytes);
/* Books room in the budget for the pieces of the answer that come next, so many bytes together, in place of what is
 * left of that which was booked before: they are not refused then, whatever others take meanwhile. False: there is
 * none. */
bool http_exchange_take_room(struct http_exchange *exchange, size_t bytes);
/* Where that is booked, for work on the request by other threads (http_budget_take); NULL: there is no bound. */
struct http_budget *http_exchange_budget(const struct http_exchange *exchange);
struct arena *http_exchange_arena(struct http_exchange *exchange);        /* freed with the exchange */
uint64_t http_exchange_received_ns(const struct http_exchange *exchange); /* monotonic, when the head began */
void http_exchange_set_deadline(struct http_exchange *exchange, uint64_t monotonic_ns); /* 0: none */
void http_exchange_set_context(struct http_exchange *exchange, void *context);          /* the handler's own state */
void *http_exchange_context(const struct http_exchange *exchange);
/* A second place, for who stands in front of the handlers. */
void http_exchange_set_note(struct http_exchange *exchange, void *note);
void *http_exchange_note(const struct http_exchange *exchange);
/* What became of the exchange, for logs: the HTTP status (0: there is no answer), the bytes of the answer's body, and
 * the status of the protocol that is carried by HTTP, such as gRPC's (-1: none). */
int http_exchange_status(const struct http_exchange *exchange);
uint64_t http_exchange_answer_bytes(const struct http_exchange *exchange);
void http_exchange_set_inner_status(struct http_exchange *exchange, int status);
int http_exchange_inner_status(const struct http_exchange *exchange);
/* Bytes of the answer that wait for the client to take them: for handlers that produce an answer piece by piece. */
size_t http_exchange_unsent_bytes(const struct http_exchange *exchange);
/* Asks for one call of on_drain, later, when no more than so many bytes of the answer wait any more. */
void http_exchange_await_drain(struct http_exchange *exchange, size_t bytes);
/* Address and port of the client, "127.0.0.1:40000", for logs; "" when it is not known. */
void http_exchange_peer_text(const struct http_exchange *exchange, char *text, size_t size);

/* All respond functions copy names and values, take data over and free it also when they fail, and do nothing on an
 * answer that is complete. Content-Length, Transfer-Encoding, Connection and Date are the session's: rows of these
 * names are left out. Names may be given in any case (HTTP/2 sends them in lower case); control characters in values
 * become blanks. Answers are booked until they are sent; when the budget has no room for one that has not begun it
 * becomes a 503. When memory is short, or the budget has no room for a piece, the exchange is reset. */

/* Bytes of an answer that lie in somebody else's memory, so that they need not be copied. */
struct http_tail {
    struct slice bytes;          /* empty: there is none */
    void (*release)(void *user); /* called once, on the loop thread, when the bytes are not needed any more; or NULL */
    void *user;
};

/* Answers whole: status, headers, body (may be NULL). Content-Length is added. */
void http_respond(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                  struct buf *body);
/* The same with a tail (taken over) behind the body. */
void http_respond_with_tail(struct http_exchange *exchange, int status, const struct http_header *headers,
                            size_t header_count, struct buf *body, struct http_tail tail);
/* Answers in pieces: head, then data, then end with trailers (HTTP/2; HTTP/1.1 sends them in the last chunk), whose
 * names are in lower case. */
void http_respond_head(struct http_exchange *exchange, int status, const struct http_header *headers,
                       size_t header_count);
void http_respond_data(struct http_exchange *exchange, struct buf *data);
void http_respond_tail(struct http_exchange *exchange, struct http_tail tail); /* data of somebody else's */
void http_respond_end(struct http_exchange *exchange, const struct http_header *trailers, size_t trailer_count);
/* Ends the exchange abnormally (RST_STREAM with CANCEL, or closes an HTTP/1.1 connection). on_abort follows, later. */
void http_exchange_reset(struct http_exchange *exchange) STATUS_RARE;

/* What the requests and answers of all sessions together may hold in memory: a share for each session, which nobody
 * else can use up, and a common part for what sessions hold beyond theirs. Thread: any. */
struct http_budget {
    size_t share_bytes;       /* of each session */
    size_t max_bytes;         /* of the common part */
    atomic_size_t held_bytes; /* of it */
    atomic_size_t peak_bytes; /* most of it that was held since someone set this back */
};
/* Takes bytes of the common part for a while, for work on a request that is not its exchange's yet. The session's share
 * is left to what its own thread books meanwhile. False when there is no room. Thread: any. */
bool http_budget_take(struct http_budget *budget, size_t bytes);
/* The same for what is in memory anyway: it may be more than there is room for. */
void http_budget_force(struct http_budget *budget, size_t bytes);
void http_budget_give(struct http_budget *budget, size_t bytes);
/* What is said where it has no room for `what` ("the answer"): RESOURCE_EXHAUSTED, or TOO_LARGE for more bytes than it
 * could ever have room for (0: how many is not known). */
struct status http_budget_no_room(const struct http_budget *budget, size_t bytes, const char *what) STATUS_RARE;

/* Bounds that sessions enforce; 0 is not "unlimited" but refused by the composition root. */
struct http_limits {
    size_t max_head_bytes; /* request line and headers together */
    size_t max_header_count;
    size_t max_body_bytes;
    uint32_t max_concurrent_streams;
    uint64_t idle_timeout_ns;       /* no request under way */
    uint64_t head_timeout_ns;       /* first to last byte of a head */
    uint64_t body_timeout_ns;       /* no byte of an expected body, or no byte of an answer taken (HTTP/2) */
    uint64_t drain_timeout_ns;      /* both, and head_timeout_ns, at most so long once the session is to end */
    uint32_t max_resets_per_second; /* HTTP/2: streams reset by either side and other frames that only cost */
    struct http_budget *budget;     /* borrowed; NULL: no common bound */
    uint64_t turn_ns;               /* on requests that came together, before other connections get their turn */
    size_t min_placed_bytes;        /* fewer bytes of a body are not worth to be received to where they lie */
};
struct http_limits http_limits_default(void);

/* `handler` and `limits` are borrowed and outlive the session. HTTP/1.1 answers pipelined requests one after the other:
 * the next is begun when the one before it is answered, and what lies behind it waits in the socket. */
struct session;
struct status h1_session_create(const struct http_handler *handler, const struct http_limits *limits,
                                struct session **ret) STATUS_MUST_CHECK;
struct status h2_session_create(const struct http_handler *handler, const struct http_limits *limits,
                                struct session **ret) STATUS_MUST_CHECK;

#endif

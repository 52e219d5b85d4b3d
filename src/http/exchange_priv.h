/* exchange_priv.h: the part of an exchange that both sessions share. Only http/ and its tests include this.
 *
 * A session owns its exchanges: it creates one per request, reports head, body and end through the functions below,
 * moves the answer out of `answer`, and ends it with exchange_finish. What differs between the protocols stands in
 * exchange_ops. */
#ifndef INFERD_HTTP_EXCHANGE_PRIV_H
#define INFERD_HTTP_EXCHANGE_PRIV_H

#include "base/clock.h"
#include "base/session.h"
#include "http/exchange.h"
#include "http/http_account.h"
#include "http/http_limits.h"
#include "http/http_queue.h"

/* How long requests that came together on one connection are worked on before others get their turn, and a few ms more
 * by a coarse clock. The one that is begun then is finished. */
#define EXCHANGE_TURN_NS (HTTP_TURN_MS * NS_PER_MS)

enum http_answer_state {
    HTTP_ANSWER_NONE,
    HTTP_ANSWER_BEGUN, /* the head is given */
    HTTP_ANSWER_ENDED, /* all is given; the queue may still be full */
    HTTP_ANSWER_RESET  /* there will be none; on_abort is to come */
};

/* The head of an answer, cleaned: what a session turns into bytes. Memory of the arena. */
struct http_answer_head {
    int status;
    const struct http_header *headers;
    size_t header_count;
    int64_t content_length; /* -1: told by framing */
    bool no_body;           /* HEAD, 204, 304: nothing follows, whatever content_length says */
};

struct exchange_ops {
    /* Takes the head. False when memory is short. */
    bool (*send_head)(struct http_exchange *exchange, const struct http_answer_head *head);
    /* Optional. Whether others are to be worked for before the handler gets more of the request; exchange_take_turn
     * follows then, later. */
    bool (*turn_is_over)(struct http_exchange *exchange);
    /* Optional. So many bytes of the body need no more room: the client may send as many more. */
    void (*taken)(struct http_exchange *exchange, size_t bytes);
    /* Optional. The queue, the state of the answer, the deadline or idle_allowed has changed. In state
     * HTTP_ANSWER_RESET the exchange is to be broken off and exchange_finish called, but later: a handler may be
     * running. */
    void (*changed)(struct http_exchange *exchange);
};

struct http_exchange {
    struct http_request request;
    const struct exchange_ops *ops;
    struct session *session;
    const struct http_handler *handler;
    const struct http_limits *limits;
    struct arena *arena; /* holds this struct too */
    void *context, *note;
    uint64_t received_ns;
    uint64_t deadline_ns;
    struct http_account
        *account;      /* the session's; booked in it: head_bytes, booked_bytes, room and what `answer` holds */
    size_t head_bytes; /* of the head and what an exchange takes anyway, or of the arena once that is more */
    struct buf body;   /* collected; or what on_data has not taken yet, from body_at on */
    size_t body_at;
    size_t used_bytes;   /* of a collected body's memory, if more than its size: see exchange_misplaced */
    size_t held_bytes;   /* by the handler's word */
    size_t booked_bytes; /* those, and what on_data has not taken */
    size_t awaited;      /* bytes of a streamed body, by the handler's word */
    size_t room;         /* for the next pieces of the answer */
    struct http_queue answer;
    size_t drain_bytes;
    struct http_header *trailers;
    size_t trailer_count;
    enum http_answer_state answer_state;
    int status, inner_status; /* of the answer; 0, -1: none */
    uint64_t answer_bytes;    /* of its body, given so far */
    bool announced;           /* on_head was called, so a last callback is owed */
    bool streaming;           /* body goes to on_data */
    bool in_on_data;          /* which runs now */
    bool awaits_turn;         /* before the handler gets more of the request */
    bool drain_wanted;        /* on_drain, when at most drain_bytes are unsent */
    bool idle_allowed;        /* no body time-out */
    bool answer_no_body;
    bool request_ended; /* all of the request has come */
    bool end_told;      /* on_end was called */
};

/* Memory of a session's exchanges: arenas of finished ones, kept for the next, and what all together hold. */
enum { EXCHANGE_POOL_SIZE = 8 };
struct exchange_pool {
    struct arena *spare[EXCHANGE_POOL_SIZE];
    size_t count;
    struct http_account account;
};
void exchange_pool_init(struct exchange_pool *pool, const struct http_limits *limits);
void exchange_pool_free(struct exchange_pool *pool);

/* Bytes that any exchange takes, with its arena. */
enum { EXCHANGE_COST = 4096 };

/* A zeroed exchange of `size` bytes (a struct that begins with struct http_exchange). Its cost is booked by the session
 * (exchange_book_head). NULL when memory is short. */
void *exchange_create(struct exchange_pool *pool, size_t size, struct session *session, const struct exchange_ops *ops,
                      const struct http_handler *handler, const struct http_limits *limits);
/* Books bytes of the head; false when the budget has no room for them. */
bool exchange_book_head(struct http_exchange *exchange, size_t bytes);
/* The head is complete: calls on_head, and answers 413 if the body is told to be too large to collect. */
void exchange_announce(struct http_exchange *exchange);
/* Answers 413 if the body is told to be too large to collect. */
void exchange_check_content_length(struct http_exchange *exchange);
void exchange_add_body(struct http_exchange *exchange, const char *data, size_t size);
void exchange_end_request(struct http_exchange *exchange);
/* Gives the handler what waited for the turn. */
void exchange_take_turn(struct http_exchange *exchange);
/* Answers with {"error": text} on the session's own account, or resets if an answer has begun. The text is printf-style
 * and must hold no byte that JSON would want escaped. */
void exchange_refuse(struct http_exchange *exchange, int status, const char *format, ...)
    STATUS_PRINTF(3, 4) STATUS_RARE;
/* Refuses for want of room for `what` in the budget. */
void exchange_refuse_beyond_budget(struct http_exchange *exchange, const char *what) STATUS_RARE;
/* Refuses a request whose head, or what else is bounded like a head, is too large; the bounds are added to the text. */
void exchange_refuse_large_head(struct http_exchange *exchange, int status, const char *text) STATUS_RARE;
/* A time-out as it holds while the session is to end. */
uint64_t exchange_drain_timeout(const struct http_limits *limits, uint64_t timeout_ns);
/* True once its deadline has passed; calls on_deadline then. */
bool exchange_check_deadline(struct http_exchange *exchange, uint64_t now_ns);
void exchange_free_body(struct http_exchange *exchange);
/* True while the answer is not complete. */
static inline bool exchange_is_open(const struct http_exchange *exchange) {
    return exchange->answer_state == HTTP_ANSWER_NONE || exchange->answer_state == HTTP_ANSWER_BEGUN;
}
/* True while on_data has not taken what came: no more is wanted. */
bool exchange_is_paused(const struct http_exchange *exchange);
/* How many bytes of the body are to come before the handler can do anything; 0: not known. */
size_t exchange_awaited(const struct http_exchange *exchange);
/* Where the bytes that exchange_add_body gets next may be put before, *ret_room of them, so that it need not copy them;
 * NULL: nowhere. */
char *exchange_place(struct http_exchange *exchange, size_t *ret_room);
/* Other bytes were put there, up to `end`: the memory is in use before it is needed, and booked. */
void exchange_misplaced(struct http_exchange *exchange, const char *end);
/* Tells the handler that the session is to end, if it wants to hear it. */
void exchange_shutdown(struct http_exchange *exchange);
/* True when on_drain is due; exchange_drain calls it. */
bool exchange_drain_is_due(const struct http_exchange *exchange);
void exchange_drain(struct http_exchange *exchange);
/* Gives the last callback, on_close if all was sent and else on_abort, and frees the exchange. */
void exchange_finish(struct exchange_pool *pool, struct http_exchange *exchange, bool sent);

#endif

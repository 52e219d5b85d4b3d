/* http_queue.h: bytes of an answer that wait to be sent: pieces in order, each with its memory. Only http/ includes
 * this.
 *
 * What the pieces take is booked in the session's account: of a small one until it has been moved on, of a large one,
 * which may be lent to the output, until the last byte of it is written, even if the exchange is gone by then. Owner:
 * the exchange. Thread: the session's. */
#ifndef INFERD_HTTP_HTTP_QUEUE_H
#define INFERD_HTTP_HTTP_QUEUE_H

#include "base/output.h"
#include "http/exchange.h"
#include "http/http_account.h"

/* One of the two is empty. */
struct http_piece {
    struct buf own;
    struct http_tail tail;
};

struct http_queue_item {
    struct http_piece piece;
    struct output_owner *owner; /* which has taken over the memory, if the piece is large enough to be lent; or NULL */
};

struct http_queue {
    struct http_account *account;  /* borrowed; outlives what is lent */
    struct http_queue_item *items; /* ring of `capacity` */
    size_t capacity;
    size_t head;
    size_t count;
    size_t offset;               /* bytes of the first piece that are gone already */
    size_t bytes;                /* still to be sent, all pieces together */
    struct http_lent *last_lent; /* the last large piece, as long as it is in memory; or NULL */
};

/* Lets go of what is left of it. */
void http_piece_free(struct http_piece *piece);
struct slice http_piece_bytes(const struct http_piece *piece);

/* Takes over *piece, whose bytes are booked, and lets go of it when memory is short (false) or when it is empty. */
bool http_queue_push(struct http_queue *queue, struct http_piece *piece);
/* Moves up to `size` bytes to the end of `out`. */
void http_queue_move(struct http_queue *queue, struct output *out, size_t size);
void http_queue_clear(struct http_queue *queue);
/* `booked` bytes are given back too, but with the last large piece where that is not written yet: it may lie in the
 * request's memory, or keep it. */
void http_queue_free(struct http_queue *queue, size_t booked);

#endif

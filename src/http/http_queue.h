/* http_queue.h: bytes of an answer that wait to be sent: pieces in order, each with its memory. Only http/ includes
 * this.
 *
 * Owner: the exchange. Thread: the session's. */
#ifndef INFERD_HTTP_HTTP_QUEUE_H
#define INFERD_HTTP_HTTP_QUEUE_H

#include "http/exchange.h"

/* One of the two is empty. */
struct http_piece {
    struct buf own;
    struct http_tail tail;
};

struct http_queue {
    struct http_piece *items; /* ring of `capacity` */
    size_t capacity;
    size_t head;
    size_t count;
    size_t offset; /* bytes of the first piece that are gone already */
    size_t bytes;  /* still to be sent, all pieces together */
    size_t held;   /* of the pieces that are there, also what of the first is gone already */
};

/* Lets go of what is left of it. */
void http_piece_free(struct http_piece *piece);
struct slice http_piece_bytes(const struct http_piece *piece);

/* Takes over *piece, and lets go of it when memory is short (false) or when it is empty. */
bool http_queue_push(struct http_queue *queue, struct http_piece *piece);
/* Moves up to `size` bytes to the end of `out`. */
void http_queue_move(struct http_queue *queue, struct buf *out, size_t size);
void http_queue_clear(struct http_queue *queue);
void http_queue_free(struct http_queue *queue);

#endif

#include "http/http_queue.h"

#include <stdlib.h>

void http_piece_free(struct http_piece *piece) {
    buf_free(&piece->own);
    if (piece->tail.release)
        piece->tail.release(piece->tail.user);
    piece->tail = (struct http_tail){.release = NULL};
}

struct slice http_piece_bytes(const struct http_piece *piece) {
    return piece->own.size > 0 ? buf_slice(&piece->own) : piece->tail.bytes;
}

/* ---- what is lent ---- */

/* A piece that is in memory until the output has written it. */
struct http_lent {
    struct output_owner owner; /* the queue has a reference, and each part that is lent */
    struct http_piece piece;
    struct http_account *account;
    size_t booked;            /* given back with it */
    struct http_queue *queue; /* whose last_lent it is; else NULL */
};

static void release_lent(struct output_owner *owner) {
    struct http_lent *lent = (struct http_lent *)owner;
    if (lent->queue)
        lent->queue->last_lent = NULL;
    http_account_give(lent->account, lent->booked);
    http_piece_free(&lent->piece);
    free(lent);
}

static void forget_last_lent(struct http_queue *queue) {
    if (queue->last_lent)
        queue->last_lent->queue = NULL;
    queue->last_lent = NULL;
}

/* NULL when memory is short: then its bytes are copied. */
static struct output_owner *make_owner(struct http_queue *queue, const struct http_piece *piece) {
    struct http_lent *lent = malloc(sizeof *lent);
    if (!lent)
        return NULL;
    forget_last_lent(queue);
    *lent = (struct http_lent){{1, release_lent}, *piece, queue->account, http_piece_bytes(piece).size, queue};
    queue->last_lent = lent;
    return &lent->owner;
}

/* ---- the queue ---- */

static bool grow(struct http_queue *queue) {
    size_t capacity = queue->capacity ? queue->capacity * 2 : 4;
    struct http_queue_item *items = malloc(capacity * sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < queue->count; i++)
        items[i] = queue->items[(queue->head + i) % queue->capacity];
    free(queue->items);
    queue->items = items;
    queue->capacity = capacity;
    queue->head = 0;
    return true;
}

bool http_queue_push(struct http_queue *queue, struct http_piece *piece) {
    size_t size = http_piece_bytes(piece).size;
    if (size == 0 || (queue->count == queue->capacity && !grow(queue))) {
        http_piece_free(piece);
        return size == 0;
    }
    buf_shrink(&piece->own);
    struct http_queue_item *item = &queue->items[(queue->head + queue->count) % queue->capacity];
    item->piece = *piece;
    item->owner = size < OUTPUT_LENT_MIN ? NULL : make_owner(queue, piece);
    queue->count++;
    queue->bytes += size;
    *piece = (struct http_piece){.own = BUF_EMPTY};
    return true;
}

static void drop_first(struct http_queue *queue) {
    struct http_queue_item *item = &queue->items[queue->head];
    if (item->owner) {
        output_owner_unref(item->owner);
    } else {
        http_account_give(queue->account, http_piece_bytes(&item->piece).size);
        http_piece_free(&item->piece);
    }
    queue->offset = 0;
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
}

void http_queue_move(struct http_queue *queue, struct output *out, size_t size) {
    while (size > 0 && queue->count > 0) {
        const struct http_queue_item *item = &queue->items[queue->head];
        struct slice first = http_piece_bytes(&item->piece);
        size_t left = first.size - queue->offset, n = left < size ? left : size;
        output_lend(out, (struct slice){first.data + queue->offset, n}, item->owner);
        queue->offset += n;
        queue->bytes -= n;
        size -= n;
        if (n == left)
            drop_first(queue);
    }
}

void http_queue_clear(struct http_queue *queue) {
    while (queue->count > 0)
        drop_first(queue);
    queue->bytes = 0;
}

void http_queue_free(struct http_queue *queue, size_t booked) {
    http_queue_clear(queue);
    if (queue->last_lent)
        queue->last_lent->booked += booked;
    else
        http_account_give(queue->account, booked);
    forget_last_lent(queue);
    free(queue->items);
    *queue = (struct http_queue){.items = NULL};
}

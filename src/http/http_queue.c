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

static bool grow(struct http_queue *queue) {
    size_t capacity = queue->capacity ? queue->capacity * 2 : 4;
    struct http_piece *items = malloc(capacity * sizeof *items);
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
    queue->items[(queue->head + queue->count) % queue->capacity] = *piece;
    queue->count++;
    queue->bytes += size;
    queue->held += size;
    *piece = (struct http_piece){.own = BUF_EMPTY};
    return true;
}

static void drop_first(struct http_queue *queue) {
    queue->held -= http_piece_bytes(&queue->items[queue->head]).size;
    http_piece_free(&queue->items[queue->head]);
    queue->offset = 0;
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
}

void http_queue_move(struct http_queue *queue, struct buf *out, size_t size) {
    while (size > 0 && queue->count > 0) {
        struct slice first = http_piece_bytes(&queue->items[queue->head]);
        size_t left = first.size - queue->offset, n = left < size ? left : size;
        buf_append(out, first.data + queue->offset, n);
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

void http_queue_free(struct http_queue *queue) {
    http_queue_clear(queue);
    free(queue->items);
    *queue = (struct http_queue){.items = NULL};
}

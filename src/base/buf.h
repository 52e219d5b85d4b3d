/* buf.h: a growable byte buffer that owns its memory.
 *
 * Thread: one owner at a time.
 * Errors: a failed growth sets `failed`, drops the append and all later ones; check once with buf_failed() at
 * the end of a build-up instead of after every append.
 */
#ifndef INFERD_BASE_BUF_H
#define INFERD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
    char *data; /* owned; NULL until the first append */
    size_t size;
    size_t capacity;
    bool failed;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0, false})

void buf_free(struct buf *buf);  /* back to BUF_EMPTY */
void buf_clear(struct buf *buf); /* size 0, memory kept, failed reset */
/* Room for `more` bytes behind size; the pointer to them, or NULL when memory is short. */
char *buf_reserve(struct buf *buf, size_t more);
/* Room for `more` bytes of `promised` ones in all, and at once for the rest of them, but never for more than 2 MiB or
 * twice of what has come: a promise takes no memory. */
void buf_reserve_promised(struct buf *buf, size_t more, size_t promised);
/* Where the next of the promised bytes may be put before buf_append_placed, *ret_room of them; NULL: nowhere. */
char *buf_place(struct buf *buf, size_t promised, size_t *ret_room);
/* Appends, however much; buf_append is the same for where there often is room. */
void buf_append_growing(struct buf *buf, const void *data, size_t size);
static inline void buf_append(struct buf *buf, const void *data, size_t size) {
    if (size > buf->capacity - buf->size || buf->failed) {
        buf_append_growing(buf, data, size);
    } else if (size > 0) {
        memcpy(buf->data + buf->size, data, size);
        buf->size += size;
    }
}
/* The same for bytes that may be there already: whoever had room by buf_place may have put them behind size. */
static inline void buf_append_placed(struct buf *buf, const void *data, size_t size) {
    if (buf->data && data == buf->data + buf->size && size <= buf->capacity - buf->size && !buf->failed)
        buf->size += size;
    else
        buf_append(buf, data, size);
}
static inline void buf_append_slice(struct buf *buf, struct slice text) {
    buf_append(buf, text.data, text.size);
}
static inline void buf_append_text(struct buf *buf, const char *text) {
    buf_append(buf, text, strlen(text));
}
static inline void buf_append_char(struct buf *buf, char c) {
    buf_append(buf, &c, 1);
}
void buf_append_u64(struct buf *buf, uint64_t value); /* in decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Gives back memory beyond size, where that is worth a call. */
void buf_shrink(struct buf *buf);
/* Removes the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
/* Hands the memory over to the caller, who frees it with free(); leaves BUF_EMPTY. */
char *buf_detach(struct buf *buf, size_t *ret_size);
static inline bool buf_failed(const struct buf *buf) {
    return buf->failed;
}
static inline struct slice buf_slice(const struct buf *buf) {
    return (struct slice){buf->data, buf->size};
}

#endif

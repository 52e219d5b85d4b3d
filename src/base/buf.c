#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_CAPACITY = 256, BUF_SHRINK_MIN = 4096, BUF_FIRST_PROMISED = 2 << 20 };

void buf_free(struct buf *buf) {
    free(buf->data);
    *buf = BUF_EMPTY;
}

void buf_clear(struct buf *buf) {
    buf->size = 0;
    buf->failed = false;
}

char *buf_reserve(struct buf *buf, size_t more) {
    if (buf->failed || more > SIZE_MAX / 2 - buf->size) {
        buf->failed = true;
        return NULL;
    }
    size_t needed = buf->size + more;
    if (needed > buf->capacity || !buf->data) {
        size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST_CAPACITY;
        while (capacity < needed)
            capacity *= 2;
        char *grown = realloc(buf->data, capacity);
        if (!grown) {
            buf->failed = true;
            return NULL;
        }
        buf->data = grown;
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

void buf_append_growing(struct buf *buf, const void *data, size_t size) {
    if (size == 0)
        return;
    char *to = buf_reserve(buf, size);
    if (!to)
        return;
    memcpy(to, data, size);
    buf->size += size;
}

void buf_reserve_promised(struct buf *buf, size_t more, size_t promised) {
    if (buf->capacity - buf->size >= more)
        return;
    size_t wanted = buf->size * 2 > BUF_FIRST_PROMISED ? buf->size * 2 : BUF_FIRST_PROMISED;
    if (wanted > promised)
        wanted = promised;
    if (wanted >= buf->size + more)
        buf_reserve(buf, wanted - buf->size);
}

char *buf_place(struct buf *buf, size_t promised, size_t *ret_room) {
    if (promised <= buf->size)
        return NULL;
    buf_reserve_promised(buf, 1, promised);
    size_t room = buf->capacity - buf->size, missing = promised - buf->size;
    *ret_room = room < missing ? room : missing;
    return *ret_room > 0 ? buf->data + buf->size : NULL;
}

void buf_append_u64(struct buf *buf, uint64_t value) {
    char digits[SLICE_U64_DIGITS];
    buf_append_slice(buf, slice_from_u64(value, digits));
}

void buf_printf(struct buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = length < 0 ? NULL : buf_reserve(buf, (size_t)length + 1);
    if (to) {
        vsnprintf(to, (size_t)length + 1, format, again);
        buf->size += (size_t)length;
    }
    va_end(again);
}

void buf_shrink(struct buf *buf) {
    size_t spare = buf->capacity - buf->size;
    if (spare < BUF_SHRINK_MIN || spare < buf->size / 8)
        return;
    if (buf->size == 0) { /* realloc() of no bytes may do anything */
        free(buf->data);
        buf->data = NULL;
        buf->capacity = 0;
        return;
    }
    char *shrunk = realloc(buf->data, buf->size);
    if (!shrunk)
        return;
    buf->data = shrunk;
    buf->capacity = buf->size;
}

void buf_consume(struct buf *buf, size_t n) {
    if (n >= buf->size) {
        buf->size = 0;
        return;
    }
    memmove(buf->data, buf->data + n, buf->size - n);
    buf->size -= n;
}

char *buf_detach(struct buf *buf, size_t *ret_size) {
    char *data = buf->data;
    *ret_size = buf->size;
    *buf = BUF_EMPTY;
    return data;
}

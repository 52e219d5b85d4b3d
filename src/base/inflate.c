#include "base/inflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { STEP_FIRST = 16 << 10, WINDOW_BITS = 15, WINDOW_GZIP = 16 /* more of them mean its form */ };

/* As much again as there is, within bounds, and not beyond what is left. */
static size_t step_of(size_t done, size_t left) {
    size_t step = done < STEP_FIRST ? STEP_FIRST : done;
    if (step > INFLATE_STEP_MAX)
        step = INFLATE_STEP_MAX;
    return step < left ? step : left;
}

/* zlib counts what it is given by an int. */
static void feed(z_stream *z, struct slice data, size_t *given) {
    if (z->avail_in > 0 || *given == data.size)
        return;
    size_t some = data.size - *given < INT_MAX ? data.size - *given : INT_MAX;
    z->next_in = (Bytef *)(uintptr_t)(data.data + *given); /* only read */
    z->avail_in = (uInt)some;
    *given += some;
}

/* Room for one step, or why there is none. */
static enum inflate_end make_room(z_stream *z, size_t max_bytes, struct inflate_gate gate, struct buf *out) {
    /* One byte beyond the limit tells data that are too large from those that just fit. */
    size_t room = step_of(out->size, max_bytes - out->size) + 1;
    if (gate.take && !gate.take(gate.user, room))
        return INFLATE_NO_ROOM;
    if (!buf_reserve(out, room))
        return INFLATE_NO_MEMORY;
    z->next_out = (Bytef *)out->data + out->size;
    z->avail_out = (uInt)room;
    return INFLATE_WHOLE;
}

/* Of zlib's result for a step. With room left and nothing more to read there will be no next one. */
static enum inflate_end end_of(int result, bool is_starved) {
    switch (result) {
    case Z_STREAM_END:
        return INFLATE_WHOLE;
    case Z_OK:
    case Z_BUF_ERROR:
        return is_starved ? INFLATE_CUT_SHORT : INFLATE_WHOLE;
    case Z_MEM_ERROR:
        return INFLATE_NO_MEMORY;
    default:
        return INFLATE_BROKEN;
    }
}

/* Whether a member of gzip may begin at that place: what is shorter than its two first bytes, but for them, is cut. */
static bool is_member(struct slice data, size_t at) {
    static const char magic[] = {0x1f, (char)0x8b};
    size_t left = data.size - at;
    return left > 0 && memcmp(data.data + at, magic, left < sizeof magic ? left : sizeof magic) == 0;
}

/* One zlib stream, or one member. The room that one leaves is the next one's: small ones ask the gate for nothing. */
static enum inflate_end inflate_steps(z_stream *z, struct slice data, size_t max_bytes, struct inflate_gate gate,
                                      size_t *given, struct buf *out) {
    enum inflate_end end = INFLATE_WHOLE;
    for (int result = Z_OK; result != Z_STREAM_END && end == INFLATE_WHOLE;) {
        if (z->avail_out == 0)
            end = make_room(z, max_bytes, gate, out);
        if (end != INFLATE_WHOLE)
            break;
        size_t room = z->avail_out;
        feed(z, data, given);
        result = inflate(z, Z_NO_FLUSH);
        out->size += room - z->avail_out;
        bool is_starved = *given - z->avail_in == data.size && z->avail_out > 0;
        end = out->size > max_bytes ? INFLATE_TOO_LARGE : end_of(result, is_starved);
    }
    return end;
}

static enum inflate_end inflate_all(z_stream *z, enum inflate_form form, struct slice data, size_t max_bytes,
                                    struct inflate_gate gate, size_t *ret_read, struct buf *out) {
    size_t given = 0;
    enum inflate_end end = inflate_steps(z, data, max_bytes, gate, &given, out);
    *ret_read = given - z->avail_in;
    while (end == INFLATE_WHOLE && form == INFLATE_GZIP_MEMBERS && is_member(data, *ret_read)) {
        if (inflateReset(z) != Z_OK)
            return INFLATE_BROKEN;
        end = inflate_steps(z, data, max_bytes, gate, &given, out);
        *ret_read = given - z->avail_in;
    }
    return end == INFLATE_WHOLE && *ret_read < data.size ? INFLATE_FOLLOWED : end;
}

struct inflate_outcome inflate_data(enum inflate_form form, struct slice data, size_t max_bytes,
                                    struct inflate_gate gate, struct buf *ret) {
    struct inflate_outcome outcome = {.end = INFLATE_NO_MEMORY, .reason = "unknown format"};
    z_stream z = {.next_in = NULL};
    if (inflateInit2(&z, form == INFLATE_ZLIB ? WINDOW_BITS : WINDOW_BITS + WINDOW_GZIP) != Z_OK)
        return outcome;
    outcome.end = inflate_all(&z, form, data, max_bytes, gate, &outcome.read, ret);
    if (z.msg)
        outcome.reason = z.msg;
    inflateEnd(&z);
    if (outcome.end != INFLATE_WHOLE)
        buf_free(ret);
    return outcome;
}

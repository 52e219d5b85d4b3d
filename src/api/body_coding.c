#include "api/body_coding.h"

#include <limits.h>
#include <zlib.h>

/* zlib's windowBits: 15 for the zlib form, 16 more for gzip. */
static const struct coding_row {
    const char *name;
    int window_bits;
} rows[] = {
    [BODY_IDENTITY] = {"identity", 0},
    [BODY_GZIP] = {"gzip", 15 + 16},
    [BODY_DEFLATE] = {"deflate", 15},
};

enum { CODING_COUNT = sizeof rows / sizeof rows[0] };

const char *body_coding_name(enum body_coding coding) {
    return rows[coding].name;
}

struct status body_coding_parse(struct slice content_encoding, enum body_coding *ret) {
    struct slice name = slice_trim(content_encoding);
    if (name.size == 0) {
        *ret = BODY_IDENTITY;
        return status_ok();
    }
    for (int i = 0; i < CODING_COUNT; i++) {
        if (slice_equal_nocase(name, slice_of(rows[i].name))) {
            *ret = (enum body_coding)i;
            return status_ok();
        }
    }
    return status_error(STATUS_UNSUPPORTED, "Content-Encoding: expected gzip, deflate or identity, got '%.*s'",
                        SLICE_ARGS(name));
}

/* The weight behind ";q=", 1 where there is none; false when it is not a weight. */
static bool read_weight(struct slice parameters, double *ret) {
    *ret = 1;
    struct slice parameter, name, value;
    while (parameters.size > 0) {
        slice_split(parameters, ';', &parameter, &parameters);
        if (!slice_split(slice_trim(parameter), '=', &name, &value))
            continue;
        if (!slice_equal_nocase(slice_trim(name), SLICE_LITERAL("q")))
            continue;
        if (!slice_to_double(slice_trim(value), ret) || !(*ret >= 0 && *ret <= 1))
            return false;
    }
    return true;
}

enum body_coding body_coding_choose(struct slice accept_encoding) {
    double weights[CODING_COUNT] = {0}, other = 0;
    bool named[CODING_COUNT] = {false}, other_named = false;
    int wanted = 0; /* codings that the client names and does not refuse */
    while (accept_encoding.size > 0) {
        struct slice item, name, parameters;
        double weight;
        slice_split(accept_encoding, ',', &item, &accept_encoding);
        slice_split(item, ';', &name, &parameters);
        name = slice_trim(name);
        if (name.size == 0 || !read_weight(parameters, &weight))
            continue;
        wanted += weight > 0;
        if (slice_equal_text(name, "*")) {
            other = weight;
            other_named = true;
        }
        for (int i = 0; i < CODING_COUNT; i++) {
            if (slice_equal_nocase(name, slice_of(rows[i].name))) {
                weights[i] = weight;
                named[i] = true;
            }
        }
    }
    bool asks_for_one = wanted == 1 && (weights[BODY_GZIP] > 0 || weights[BODY_DEFLATE] > 0);
    if (!named[BODY_IDENTITY] && !other_named && !asks_for_one)
        return BODY_IDENTITY;
    for (int i = 0; i < CODING_COUNT; i++)
        if (!named[i] && other_named)
            weights[i] = other;
    int best = BODY_IDENTITY;
    for (int i = 0; i < CODING_COUNT; i++)
        if (weights[i] > weights[best])
            best = i;
    return (enum body_coding)best;
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the body");
}

static struct status status_of(const struct inflate_outcome *outcome, size_t size, size_t max_bytes) {
    switch (outcome->end) {
    case INFLATE_WHOLE:
        break;
    case INFLATE_CUT_SHORT:
        return status_error(STATUS_INVALID_ARGUMENT, "the compressed body ends early, after %zu bytes", size);
    case INFLATE_BROKEN:
        return status_error(STATUS_INVALID_ARGUMENT, "the compressed body is broken near byte %zu: %s", outcome->read,
                            outcome->reason);
    case INFLATE_FOLLOWED:
        return status_error(STATUS_INVALID_ARGUMENT, "%zu bytes follow the end of the compressed body",
                            size - outcome->read);
    case INFLATE_TOO_LARGE:
        return status_error(STATUS_TOO_LARGE, "the body is larger than %zu bytes when decompressed", max_bytes);
    case INFLATE_NO_ROOM:
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no room for the body decompressed");
    case INFLATE_NO_MEMORY:
        return no_memory();
    }
    return status_ok();
}

struct status body_inflate(enum body_coding coding, size_t max_bytes, struct inflate_gate gate, struct buf *body) {
    if (coding == BODY_IDENTITY)
        return status_ok();
    enum inflate_form form = coding == BODY_GZIP ? INFLATE_GZIP_MEMBERS : INFLATE_ZLIB;
    struct buf plain = BUF_EMPTY;
    struct inflate_outcome outcome = inflate_data(form, buf_slice(body), max_bytes, gate, &plain);
    if (outcome.end != INFLATE_WHOLE)
        return status_prefix(status_of(&outcome, body->size, max_bytes), "Content-Encoding %s", rows[coding].name);
    buf_free(body);
    *body = plain;
    return status_ok();
}

struct status body_deflate(enum body_coding coding, struct buf *body) {
    if (coding == BODY_IDENTITY)
        return status_ok();
    z_stream stream = {0};
    if (body->size > UINT_MAX / 2 ||
        deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, rows[coding].window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return no_memory();
    struct buf packed = BUF_EMPTY;
    uLong bound = deflateBound(&stream, body->size);
    char *room = buf_reserve(&packed, bound);
    int result = Z_MEM_ERROR;
    if (room) {
        stream.next_in = (Bytef *)body->data;
        stream.avail_in = (uInt)body->size;
        stream.next_out = (Bytef *)room;
        stream.avail_out = (uInt)bound;
        result = deflate(&stream, Z_FINISH);
        packed.size = bound - stream.avail_out;
    }
    deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        buf_free(&packed);
        return no_memory();
    }
    buf_free(body);
    *body = packed;
    return status_ok();
}

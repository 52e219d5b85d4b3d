/* uploads.h: requests with large bodies over HTTP/2, frame by frame. */
#ifndef INFERD_TEST_HTTP_UPLOADS_H
#define INFERD_TEST_HTTP_UPLOADS_H

#include "h2_fixture.h"

static inline char *pattern(size_t size) {
    char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    return bytes;
}

/* A request whose body has that many bytes, as it tells. */
static inline void append_upload(struct buf *out, uint32_t stream, const char *path, size_t size) {
    char text[24];
    snprintf(text, sizeof text, "%zu", size);
    struct buf block = request_block(path);
    append_field(&block, "content-length", text);
    append_block(out, stream, &block, 0);
}

static inline void append_bytes(struct buf *out, uint32_t stream, const char *data, size_t size, unsigned flags) {
    append_frame(out, H2_FRAME_DATA, flags, stream, (struct slice){data, size});
}

static inline void give(struct fixture *f, struct buf *bytes) {
    struct status status = give_input(f->peer.session, bytes->data, bytes->size);
    assert_int_equal(status.code, STATUS_OK);
    buf_free(bytes);
}

static inline void take_all(struct fixture *f, struct buf *out) {
    size_t before;
    do {
        before = out->size;
        take_output(f, out);
    } while (out->size > before);
}

/* The client takes all answers at once, and no turn ends because the machine is busy. */
static inline void open_up(struct fixture *f) {
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->limits.turn_ns = UINT64_MAX;
    append_preface(&bytes);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 1 << 30);
    append_window(&bytes, 0, 1 << 30);
    give(f, &bytes);
    take_all(f, &out);
    buf_free(&out);
}

#endif

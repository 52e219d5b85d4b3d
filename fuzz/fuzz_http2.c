/* HTTP/2 connections. Input: how to cut the stream, flags of fuzz_session.h (the top bit: see below), the client's
 * bytes behind the preface. With the top bit the rest is a list of frames without their length and half of their stream
 * number (kind, flags, stream, two bytes of length, payload), from which whole frames are made: mutations then keep the
 * framing. Holds: what fuzz_session.c checks, and that the server sends whole frames. */
#include "fuzz_session.h"

enum { FLAG_FRAMES = 0x80, FRAME_HEAD = 9 };

static void put_frame(struct buf *out, struct fuzz_input *input) {
    uint8_t kind = fuzz_byte(input), flags = fuzz_byte(input), stream = fuzz_byte(input);
    size_t wanted = fuzz_u16(input);
    struct slice payload = fuzz_take(input, wanted);
    const unsigned char head[FRAME_HEAD] = {
        0, (unsigned char)(payload.size >> 8), (unsigned char)payload.size, kind, flags, 0, 0, 0, stream};
    buf_append(out, head, sizeof head);
    buf_append_slice(out, payload);
}

/* The server's bytes are frames; the last may be cut off when the connection broke down. */
static void check_frames(const struct fuzz_driver *driver) {
    struct slice rest = buf_slice(&driver->out);
    while (rest.size >= FRAME_HEAD) {
        const unsigned char *head = (const unsigned char *)rest.data;
        size_t size = FRAME_HEAD + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
        FUZZ_CHECK(head[3] <= 9);
        if (size > rest.size)
            break;
        rest.data += size;
        rest.size -= size;
    }
    FUZZ_CHECK(rest.size == 0 || driver->failed || driver->aborted > 0 || driver->flags & FUZZ_GONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzz_driver driver;
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t seed = fuzz_byte(&input);
    unsigned flags = fuzz_byte(&input);
    struct buf stream = BUF_EMPTY;
    buf_append_text(&stream, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    if (flags & FLAG_FRAMES)
        while (fuzz_left(&input) > 0)
            put_frame(&stream, &input);
    else
        buf_append_slice(&stream, fuzz_rest(&input));
    fuzz_driver_init(&driver, flags);
    struct status status = h2_session_create(&driver.handler, &driver.limits, &driver.session);
    FUZZ_CHECK(status_is_ok(&status));
    fuzz_driver_run(&driver, buf_slice(&stream), seed);
    check_frames(&driver);
    fuzz_driver_free(&driver);
    buf_free(&stream);
    return 0;
}

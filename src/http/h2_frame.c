#include "http/h2_frame.h"

void h2_put_u32(char *at, uint32_t value) {
    at[0] = (char)(value >> 24);
    at[1] = (char)(value >> 16);
    at[2] = (char)(value >> 8);
    at[3] = (char)value;
}

void h2_frame_write(const struct h2_frame *frame, char *at) {
    h2_put_u32(at, frame->length << 8 | frame->type);
    at[4] = (char)frame->flags;
    h2_put_u32(at + 5, frame->stream_id);
}

void h2_frame_append(struct buf *out, enum h2_frame_type type, unsigned flags, uint32_t stream_id,
                     struct slice payload) {
    const struct h2_frame frame = {
        .length = (uint32_t)payload.size, .type = (uint8_t)type, .flags = (uint8_t)flags, .stream_id = stream_id};
    char head[H2_FRAME_HEAD_SIZE];
    h2_frame_write(&frame, head);
    buf_append(out, head, sizeof head);
    buf_append_slice(out, payload);
}

void h2_frame_append_u32(struct buf *out, enum h2_frame_type type, uint32_t stream_id, uint32_t value) {
    char payload[4];
    h2_put_u32(payload, value);
    h2_frame_append(out, type, 0, stream_id, (struct slice){payload, sizeof payload});
}

void h2_frame_append_goaway(struct buf *out, uint32_t last_stream_id, enum h2_error error) {
    char payload[8];
    h2_put_u32(payload, last_stream_id);
    h2_put_u32(payload + 4, error);
    h2_frame_append(out, H2_FRAME_GOAWAY, 0, 0, (struct slice){payload, sizeof payload});
}

/* fake_grpc_server.h: the server's side of HTTP/2 and gRPC framing for tests, without sockets: bytes in, bytes out, and
 * a callback that answers each request as the test wants. */
#ifndef TESTS_FAKE_GRPC_SERVER_H
#define TESTS_FAKE_GRPC_SERVER_H

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { FAKE_GRPC_REPLIES = 64 };

struct fake_grpc {
    nghttp2_session *session;
    /* Called at the end of each request; `request` holds its message with prefix. */
    void (*on_request)(struct fake_grpc *self, int32_t stream_id);
    void *user;
    struct buf request;
    char path[128];
    char timeout[32];
    size_t request_count;
    struct {
        struct buf bytes;
        size_t sent;
        char status[16];
        const char *message;
    } replies[FAKE_GRPC_REPLIES];
    size_t reply_count;
};

static inline nghttp2_nv fake_header(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

static inline int fake_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t n,
                                 const uint8_t *value, size_t m, uint8_t flags, void *user) {
    (void)session;
    (void)frame;
    (void)flags;
    struct fake_grpc *self = user;
    if (n == 5 && memcmp(name, ":path", 5) == 0 && m < sizeof self->path)
        memcpy(self->path, value, m + 1);
    if (n == 12 && memcmp(name, "grpc-timeout", 12) == 0 && m < sizeof self->timeout)
        memcpy(self->timeout, value, m + 1);
    return 0;
}

static inline int fake_on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                               size_t n, void *user) {
    (void)session;
    (void)flags;
    (void)stream_id;
    struct fake_grpc *self = user;
    buf_append(&self->request, data, n);
    return 0;
}

static inline int fake_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    struct fake_grpc *self = user;
    if (frame->hd.type != NGHTTP2_DATA || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    self->request_count++;
    if (self->on_request != NULL)
        self->on_request(self, frame->hd.stream_id);
    buf_clear(&self->request);
    return 0;
}

static inline void fake_grpc_open(struct fake_grpc *self) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, fake_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, fake_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, fake_on_frame);
    nghttp2_session_server_new(&self->session, callbacks, self);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static inline void fake_grpc_close(struct fake_grpc *self) {
    nghttp2_session_del(self->session);
    buf_free(&self->request);
    for (size_t i = 0; i < self->reply_count; i++)
        buf_free(&self->replies[i].bytes);
    memset(self, 0, sizeof *self);
}

static inline void fake_grpc_input(struct fake_grpc *self, struct slice bytes) {
    nghttp2_session_mem_recv(self->session, (const uint8_t *)bytes.data, bytes.size);
}

static inline void fake_grpc_output(struct fake_grpc *self, struct buf *out) {
    const uint8_t *data = NULL;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(self->session, &data)) > 0)
        buf_append(out, data, (size_t)n);
}

static inline ssize_t fake_read(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room, uint32_t *flags,
                                nghttp2_data_source *source, void *user) {
    struct fake_grpc *self = user;
    size_t k = (size_t)source->fd, left = self->replies[k].bytes.size - self->replies[k].sent;
    size_t n = left < room ? left : room;
    if (n > 0)
        memcpy(to, self->replies[k].bytes.data + self->replies[k].sent, n);
    self->replies[k].sent += n;
    if (n == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (self->replies[k].status[0] != '\0') {
            nghttp2_nv trailers[2] = {fake_header("grpc-status", self->replies[k].status),
                                      fake_header("grpc-message", self->replies[k].message)};
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, stream_id, trailers, self->replies[k].message[0] != '\0' ? 2 : 1);
        }
    }
    return (ssize_t)n;
}

/* Answers with HTTP status and content type, raw DATA bytes, then trailers with `grpc_status` ("" for none at all). */
static inline void fake_grpc_answer(struct fake_grpc *self, int32_t stream_id, const char *http_status,
                                    const char *content_type, struct slice bytes, const char *grpc_status,
                                    const char *grpc_message) {
    size_t k = self->reply_count++;
    if (k >= FAKE_GRPC_REPLIES)
        abort();
    buf_append_slice(&self->replies[k].bytes, bytes);
    strncpy(self->replies[k].status, grpc_status, sizeof self->replies[k].status - 1);
    self->replies[k].message = grpc_message;
    nghttp2_nv headers[2] = {fake_header(":status", http_status), fake_header("content-type", content_type)};
    nghttp2_data_provider body = {.source.fd = (int)k, .read_callback = fake_read};
    nghttp2_submit_response(self->session, stream_id, headers, 2, &body);
}

/* A message behind its prefix, and status 0. */
static inline void fake_grpc_good_answer(struct fake_grpc *self, int32_t stream_id, struct slice message) {
    struct buf framed = BUF_EMPTY;
    const char prefix[5] = {0, (char)(message.size >> 24), (char)(message.size >> 16), (char)(message.size >> 8),
                            (char)message.size};
    buf_append(&framed, prefix, 5);
    buf_append_slice(&framed, message);
    fake_grpc_answer(self, stream_id, "200", "application/grpc", buf_slice(&framed), "0", "");
    buf_free(&framed);
}

/* An error without a message: headers only. */
static inline void fake_grpc_trailers_only(struct fake_grpc *self, int32_t stream_id, const char *grpc_status,
                                           const char *grpc_message) {
    nghttp2_nv headers[4] = {fake_header(":status", "200"), fake_header("content-type", "application/grpc"),
                             fake_header("grpc-status", grpc_status), fake_header("grpc-message", grpc_message)};
    nghttp2_submit_response(self->session, stream_id, headers, 4, NULL);
}

#endif

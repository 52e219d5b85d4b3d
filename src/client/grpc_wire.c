/* grpc_wire.c: one HTTP/2 connection that carries gRPC calls, as a client_wire. Used by infer_client.c.
 *
 * nghttp2 does HTTP/2; here is what gRPC puts on top: request headers, one length-prefixed message each way, and the
 * status in the trailers (or in the headers of an answer without a message). A call is complete when the server ends
 * its stream. Source: grpc.github.io, "gRPC over HTTP2"; RFC 9113.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/grpc_wire_priv.h"
#include "client/remote_status.h"

/* The default windows of 64 KiB would make each tensor wait for round trips. */
enum { STREAM_WINDOW = 8 * 1024 * 1024, CONNECTION_WINDOW = 256 * 1024 * 1024, HEADER_LIST_MAX = 64 * 1024 };

static struct grpc_wire *self_of(struct client_wire *wire) {
    return (struct grpc_wire *)wire;
}

void grpc_wire_complete(struct grpc_wire *self, struct client_call *call, struct status status) {
    call_list_remove(&call->on_wire);
    self->base.call_count--;
    call->wire = NULL;
    call->status = status;
    call->on_complete(call);
}

/* The same, while its stream may still live: makes nghttp2 and the server forget it. */
static void complete_early(struct grpc_wire *self, struct client_call *call, struct status status) {
    nghttp2_session_set_stream_user_data(self->session, call->stream_id, NULL);
    nghttp2_submit_rst_stream(self->session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    grpc_wire_complete(self, call, status);
}

static struct client_call *call_of_stream(nghttp2_session *session, int32_t stream_id) {
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* ---- the answer ---- */

/* The length in a message's prefix. */
static uint64_t message_size(const struct buf *answer) {
    const unsigned char *p = (const unsigned char *)answer->data;
    return (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
}

static struct status check_message(const struct buf *answer) {
    if (answer->size < GRPC_MESSAGE_PREFIX)
        return status_error(STATUS_DATA_LOSS, "the gRPC answer is truncated: %zu bytes, expected a message",
                            answer->size);
    if (answer->data[0] != 0)
        return status_error(STATUS_DATA_LOSS, "the gRPC answer is compressed, which was not offered");
    if (message_size(answer) != answer->size - GRPC_MESSAGE_PREFIX)
        return status_error(STATUS_DATA_LOSS, "the gRPC answer says it has one message of %llu bytes, but has %zu",
                            (unsigned long long)message_size(answer), answer->size - GRPC_MESSAGE_PREFIX);
    return status_ok();
}

static struct status outcome_of(const struct client_call *call) {
    if (call->grpc_status > GRPC_STATUS_OK)
        return call->status; /* kept there when the header was read */
    if (call->http_status != 200)
        return status_error(remote_status_http_code(call->http_status),
                            "the server answers a gRPC call with HTTP status %d", call->http_status);
    if (!call->grpc_content)
        return status_error(STATUS_DATA_LOSS, "the server answers a gRPC call with another content type");
    if (call->grpc_status < 0)
        return status_error(STATUS_DATA_LOSS, "the server ended a gRPC call without a grpc-status");
    return check_message(&call->answer);
}

/* Keeps code and message in call->status; grpc-message may come before or after grpc-status. */
static void take_grpc_header(struct client_call *call, struct slice name, struct slice value) {
    uint64_t code = 0;
    if (slice_equal_text(name, "grpc-status")) {
        bool known = slice_to_u64(value, &code) && code <= GRPC_STATUS_MAX;
        call->grpc_status = known ? (int)code : 2;
        struct status plain = remote_status_grpc(call->grpc_status, (struct slice){NULL, 0});
        call->answered = true;
        if (call->status.message[0] == '\0')
            call->status = plain;
        else
            call->status.code = plain.code;
    } else if (slice_equal_text(name, "grpc-message") && value.size > 0) {
        call->status = remote_status_grpc(call->grpc_status > 0 ? call->grpc_status : 2, value);
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *user) {
    (void)flags;
    (void)user;
    struct client_call *call = call_of_stream(session, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS || call == NULL)
        return 0;
    struct slice key = {(const char *)name, name_size}, text = {(const char *)value, value_size};
    uint64_t number = 0;
    if (slice_equal_text(key, ":status") && slice_to_u64(text, &number) && number < 1000)
        call->http_status = (int)number;
    else if (slice_equal_text(key, "content-type"))
        call->grpc_content = slice_starts_with(text, SLICE_LITERAL("application/grpc"));
    else
        take_grpc_header(call, key, text);
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    struct client_call *call = call_of_stream(session, frame->hd.stream_id);
    if (call != NULL && call->timing.receive_start_ns == 0)
        call->timing.receive_start_ns = clock_monotonic_ns();
    return 0;
}

/* True when the message that begins here may come: within the limit, and room is there for it. */
static bool prepare_answer(struct grpc_wire *self, struct client_call *call) {
    uint64_t size = message_size(&call->answer);
    if (size > self->max_answer_bytes) {
        complete_early(self, call,
                       status_error(STATUS_RESOURCE_EXHAUSTED,
                                    "the gRPC answer has a message of %llu bytes, more than the limit of %zu",
                                    (unsigned long long)size, self->max_answer_bytes));
        return false;
    }
    /* One allocation for the whole message; what a server merely announces is not believed without bound. */
    uint64_t left = size - (call->answer.size - GRPC_MESSAGE_PREFIX);
    if (call->answer.size - GRPC_MESSAGE_PREFIX < size)
        buf_reserve(&call->answer, (size_t)(left < CLIENT_RESERVE_MAX ? left : CLIENT_RESERVE_MAX));
    return true;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t n,
                   void *user) {
    (void)flags;
    struct grpc_wire *self = user;
    struct client_call *call = call_of_stream(session, stream_id);
    if (call == NULL || call->http_status != 200 || !call->grpc_content)
        return 0; /* a body that is no message, say a proxy's error page */
    if (call == &self->stream.call) {
        grpc_wire_stream_take(self, data, n);
        return 0;
    }
    bool had_prefix = call->answer.size >= GRPC_MESSAGE_PREFIX;
    buf_append(&call->answer, data, n);
    if (buf_failed(&call->answer)) {
        complete_early(self, call, status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a gRPC answer"));
        return 0;
    }
    if (call->answer.size < GRPC_MESSAGE_PREFIX || (!had_prefix && !prepare_answer(self, call)))
        return 0;
    if (call->answer.size - GRPC_MESSAGE_PREFIX > message_size(&call->answer))
        complete_early(self, call, check_message(&call->answer));
    return 0;
}

static void take_goaway(struct grpc_wire *self, const nghttp2_goaway *goaway) {
    self->going_away = true;
    snprintf(self->problem, sizeof self->problem, "the server takes no more calls on this connection (GOAWAY, %s)",
             nghttp2_http2_strerror(goaway->error_code));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct grpc_wire *self = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        take_goaway(self, &frame->goaway);
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!may_end || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct client_call *call = call_of_stream(session, frame->hd.stream_id);
    if (call == NULL)
        return 0;
    if (call == &self->stream.call) {
        grpc_wire_stream_finish(self);
        return 0;
    }
    struct status outcome = outcome_of(call);
    if (call->request_sent < call->request.size) { /* an answer before the end of the request: nobody wants the rest */
        complete_early(self, call, outcome);
        return 0;
    }
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
    grpc_wire_complete(self, call, outcome);
    return 0;
}

static enum status_code code_of_reset(uint32_t error_code) {
    if (error_code == NGHTTP2_REFUSED_STREAM || error_code == NGHTTP2_ENHANCE_YOUR_CALM)
        return STATUS_UNAVAILABLE;
    return error_code == NGHTTP2_CANCEL ? STATUS_CANCELLED : STATUS_DATA_LOSS;
}

/* A stream that ends without END_STREAM: reset by the server, refused by a GOAWAY, or malformed. */
static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user) {
    struct grpc_wire *self = user;
    struct client_call *call = call_of_stream(session, stream_id);
    if (call == NULL)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    const char *separator = self->problem[0] != '\0' ? ": " : "";
    struct status status =
        status_error(self->going_away ? STATUS_UNAVAILABLE : code_of_reset(error_code), "the call was reset (%s)%s%s",
                     nghttp2_http2_strerror(error_code), separator, self->problem);
    if (!self->going_away)
        self->problem[0] = '\0'; /* it was about this stream */
    if (call == &self->stream.call)
        grpc_wire_stream_end(self, status);
    else
        grpc_wire_complete(self, call, status);
    return 0;
}

/* nghttp2's own words for what it found wrong with the peer. */
static int on_error(nghttp2_session *session, int code, const char *text, size_t n, void *user) {
    (void)session;
    (void)code;
    struct grpc_wire *self = user;
    if (self->going_away)
        return 0;
    int shown = n < GRPC_PROBLEM_MAX - 32 ? (int)n : GRPC_PROBLEM_MAX - 32;
    snprintf(self->problem, sizeof self->problem, "HTTP/2 error: %.*s", shown, text);
    return 0;
}

/* ---- the request ---- */

/* The header that nghttp2 does not have yet: it copies values, names are constants. */
static nghttp2_nv header(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

/* Says how much the next frame has: send_request copies it. */
static ssize_t read_request(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *user) {
    (void)source;
    (void)to;
    struct grpc_wire *self = user;
    struct client_call *call = call_of_stream(session, stream_id);
    if (call == NULL) /* dropped; its reset is on the way */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t left = call->request.size - call->request_sent;
    size_t n = left < room ? left : room;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY | (n == left ? NGHTTP2_DATA_FLAG_EOF : 0);
    if (n == left) {
        call_list_remove(&call->on_wire);
        call_list_append(&self->emitted, &call->on_wire);
    }
    return (ssize_t)n;
}

/* A frame's head and its bytes of the request, in the turn of nghttp2_session_mem_send that read_request has begun. */
static int send_request(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                        nghttp2_data_source *source, void *user) {
    (void)source;
    struct grpc_wire *self = user;
    struct client_call *call = call_of_stream(session, frame->hd.stream_id);
    if (call == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    buf_append(self->out, head, FRAME_HEAD);
    buf_append(self->out, call->request.data + call->request_sent, n);
    call->request_sent += n;
    return 0;
}

struct status grpc_wire_submit(struct grpc_wire *self, struct client_call *call, const char *path,
                               nghttp2_data_source_read_callback read) {
    char timeout[24];
    uint64_t ms = call->timeout_ms < 99999999 ? call->timeout_ms : 99999999; /* gRPC allows eight digits */
    snprintf(timeout, sizeof timeout, "%llum", (unsigned long long)ms);
    nghttp2_nv headers[9 + INFER_CLIENT_HEADERS_MAX] = {
        header(":method", "POST"),
        header(":scheme", call->secure ? "https" : "http"),
        header(":path", path),
        header(":authority", self->authority),
        header("te", "trailers"),
        header("content-type", "application/grpc"),
        header("user-agent", "inferd-grpc"),
        header("grpc-timeout", timeout),
    };
    size_t count = call->timeout_ms == 0 ? 7 : 8;
    if (call->encoding != NULL)
        headers[count++] = header("grpc-encoding", call->encoding);
    for (size_t i = 0; i < call->header_count; i++) {
        const struct infer_header *more = &call->headers[i];
        headers[count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)more->name.data, (uint8_t *)(uintptr_t)more->value.data,
                                        more->name.size, more->value.size, NGHTTP2_NV_FLAG_NONE};
    }
    nghttp2_data_provider body = {.read_callback = read};
    call->grpc_status = -1;
    int32_t id = nghttp2_submit_request(self->session, NULL, headers, count, &body, call);
    if (id < 0)
        return status_error(STATUS_UNAVAILABLE, "a gRPC call cannot be started: %s", nghttp2_strerror(id));
    call->stream_id = id;
    return status_ok();
}

static struct status grpc_start(struct client_wire *wire, struct client_call *call) {
    struct grpc_wire *self = self_of(wire);
    call->request_sent = 0;
    if (!call->on_stream)
        STATUS_TRY(grpc_wire_submit(self, call, call->grpc_path, read_request));
    else if (self->stream.call.stream_id == 0)
        STATUS_TRY(grpc_wire_stream_open(self, call));
    call->wire = wire;
    call_list_append(call->on_stream ? &self->stream.sending : &self->sending, &call->on_wire);
    self->base.call_count++;
    if (call->on_stream)
        grpc_wire_stream_wake(self);
    return status_ok();
}

/* ---- the wire ---- */

static bool grpc_can_start(const struct client_wire *wire) {
    const struct grpc_wire *self = (const struct grpc_wire *)wire;
    return !self->failed && nghttp2_session_check_request_allowed(self->session) != 0;
}

static struct status connection_error(struct grpc_wire *self, const char *fallback) {
    self->failed = true;
    return status_error(STATUS_DATA_LOSS, "the gRPC connection broke: %s",
                        self->problem[0] != '\0' ? self->problem : fallback);
}

static struct status grpc_input(struct client_wire *wire, const char *data, size_t n) {
    struct grpc_wire *self = self_of(wire);
    if (!self->any_input && n >= 5 && memcmp(data, "HTTP/", 5) == 0)
        return connection_error(self, "the server answers in HTTP/1.1 (is this an HTTP port?)");
    self->any_input = true;
    ssize_t used = nghttp2_session_mem_recv(self->session, (const uint8_t *)data, n);
    if (used < 0)
        return connection_error(self, nghttp2_strerror((int)used));
    return status_ok();
}

static struct status grpc_output(struct client_wire *wire, struct buf *out, size_t target) {
    struct grpc_wire *self = self_of(wire);
    self->out = out;
    while (out->size < target) {
        const uint8_t *data = NULL;
        ssize_t n = nghttp2_session_mem_send(self->session, &data);
        if (n < 0)
            return connection_error(self, nghttp2_strerror((int)n));
        if (n == 0)
            break;
        buf_append(out, data, (size_t)n);
    }
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a gRPC request");
    return status_ok();
}

static void grpc_sent(struct client_wire *wire, uint64_t now_ns) {
    struct grpc_wire *self = self_of(wire);
    while (!call_list_is_empty(&self->emitted)) {
        struct client_call *call = call_of_wire_link(self->emitted.next);
        call->timing.sent_ns = now_ns;
        call_list_remove(&call->on_wire);
        call_list_append(&self->waiting, &call->on_wire);
    }
}

static void grpc_drop(struct client_wire *wire, struct client_call *call) {
    struct grpc_wire *self = self_of(wire);
    call_list_remove(&call->on_wire);
    if (!call->on_stream) {
        nghttp2_session_set_stream_user_data(self->session, call->stream_id, NULL);
        nghttp2_submit_rst_stream(self->session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    } else {
        grpc_wire_stream_drop(self, call);
    }
    self->base.call_count--;
    call->wire = NULL;
}

static bool grpc_finished(const struct client_wire *wire) {
    const struct grpc_wire *self = (const struct grpc_wire *)wire;
    bool open = nghttp2_session_want_read(self->session) || nghttp2_session_want_write(self->session);
    return self->failed || !open || (self->base.call_count == 0 && !grpc_can_start(wire));
}

static void fail_list(struct grpc_wire *self, struct call_link *list, const struct status *status) {
    while (!call_list_is_empty(list))
        grpc_wire_complete(self, call_of_wire_link(list->next), *status);
}

static void grpc_closed(struct client_wire *wire, const struct status *why) {
    struct grpc_wire *self = self_of(wire);
    struct status status = *why;
    if (self->problem[0] != '\0')
        status = status_error(status_is_ok(why) ? STATUS_UNAVAILABLE : why->code, "%s", self->problem);
    else if (status_is_ok(&status))
        status = status_error(STATUS_UNAVAILABLE, "the server closed the connection before it answered");
    self->failed = true;
    grpc_wire_stream_end(self, status);
    fail_list(self, &self->sending, &status);
    fail_list(self, &self->emitted, &status);
    fail_list(self, &self->waiting, &status);
}

static void grpc_destroy(struct client_wire *wire) {
    struct grpc_wire *self = self_of(wire);
    nghttp2_session_del(self->session);
    grpc_stream_free(&self->stream);
    free(self);
}

static const struct client_wire_ops grpc_ops = {grpc_can_start, grpc_start, grpc_input,    grpc_output,
                                                grpc_sent,      grpc_drop,  grpc_finished, grpc_closed,
                                                grpc_destroy,   NULL,       NULL,          NULL};

static int create_session(struct grpc_wire *self) {
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return -1;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_request);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
    int rc = nghttp2_session_client_new(&self->session, callbacks, self);
    nghttp2_session_callbacks_del(callbacks);
    return rc;
}

static int submit_settings(struct grpc_wire *self) {
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
    };
    int rc = nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]);
    if (rc != 0)
        return rc;
    return nghttp2_session_set_local_window_size(self->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

struct client_wire *grpc_wire_create(const char *authority, size_t max_answer_bytes,
                                     const struct grpc_stream_form *form) {
    struct grpc_wire *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->base.ops = &grpc_ops;
    self->authority = authority;
    self->max_answer_bytes = max_answer_bytes;
    self->form = form;
    call_list_init(&self->sending);
    call_list_init(&self->emitted);
    call_list_init(&self->waiting);
    grpc_stream_init(&self->stream);
    if (create_session(self) != 0 || submit_settings(self) != 0) {
        nghttp2_session_del(self->session);
        free(self);
        return NULL;
    }
    return &self->base;
}

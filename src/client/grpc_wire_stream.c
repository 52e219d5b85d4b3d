/* grpc_wire_stream.c: the calls of a connection that are messages of one shared stream. See grpc_wire_priv.h. */
#include "client/grpc_wire_priv.h"

#include "base/clock.h"
#include "client/remote_status.h"

void grpc_wire_stream_end(struct grpc_wire *self, struct status status) {
    struct call_link *lists[] = {&self->stream.sending, &self->emitted, &self->waiting};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct call_link *at = lists[i]->next, *next; at != lists[i]; at = next) {
            next = at->next;
            if (call_of_wire_link(at)->on_stream)
                grpc_wire_complete(self, call_of_wire_link(at), status);
        }
    }
    grpc_stream_reset(&self->stream);
}

static void reset_stream(struct grpc_wire *self, struct status status) {
    nghttp2_session_set_stream_user_data(self->session, self->stream.call.stream_id, NULL);
    nghttp2_submit_rst_stream(self->session, NGHTTP2_FLAG_NONE, self->stream.call.stream_id, NGHTTP2_CANCEL);
    grpc_wire_stream_end(self, status);
}

/* The call that an answer names; of one that names none, the oldest. NULL for a call that was dropped. */
static struct client_call *find_stream_call(struct grpc_wire *self, const struct grpc_stream_answer *answer) {
    struct call_link *lists[] = {&self->waiting, &self->emitted};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct call_link *at = lists[i]->next; at != lists[i]; at = at->next) {
            struct client_call *call = call_of_wire_link(at);
            if (call->on_stream && (!answer->named || call->stream_number == answer->number))
                return call;
        }
    }
    return NULL;
}

static void take_stream_answer(struct grpc_wire *self, const struct grpc_stream_answer *answer) {
    struct client_call *call = find_stream_call(self, answer);
    const char prefix[GRPC_MESSAGE_PREFIX] = {0};
    if (call == NULL)
        return;
    call->timing.receive_start_ns = clock_monotonic_ns(); /* in the end, the last answer's */
    if (answer->error.size > 0) {
        grpc_wire_complete(self, call, status_error(STATUS_UNKNOWN, "%.*s", SLICE_ARGS(answer->error)));
        return;
    }
    call->final_is_empty = answer->final && answer->empty;
    if (!call->final_is_empty || call->answer.size == 0) {
        buf_clear(&call->answer);
        buf_append(&call->answer, prefix, sizeof prefix);
        buf_append_slice(&call->answer, answer->response);
    }
    if (buf_failed(&call->answer))
        grpc_wire_complete(self, call, status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a gRPC answer"));
    else if (answer->final)
        grpc_wire_complete(self, call, status_ok());
    else if (call->on_partial != NULL)
        call->on_partial(call);
}

void grpc_wire_stream_take(struct grpc_wire *self, const uint8_t *data, size_t n) {
    struct slice message;
    struct grpc_stream_answer answer;
    struct status status = grpc_stream_take(&self->stream, data, n, self->max_answer_bytes, &message);
    while (status_is_ok(&status) && message.data != NULL) {
        status = self->form->read(message, &answer);
        if (!status_is_ok(&status))
            break;
        take_stream_answer(self, &answer);
        status = grpc_stream_take(&self->stream, NULL, 0, self->max_answer_bytes, &message);
    }
    if (!status_is_ok(&status))
        reset_stream(self, status);
}

static struct status stream_outcome(const struct client_call *call) {
    if (call->grpc_status > GRPC_STATUS_OK)
        return call->status;
    if (call->http_status != 200)
        return status_error(remote_status_http_code(call->http_status),
                            "the server answers a gRPC call with HTTP status %d", call->http_status);
    return status_error(STATUS_UNAVAILABLE, "the server ended the stream");
}

void grpc_wire_stream_finish(struct grpc_wire *self) {
    reset_stream(self, stream_outcome(&self->stream.call));
}

void grpc_wire_stream_drop(struct grpc_wire *self, const struct client_call *call) {
    bool half_sent = call->request_sent > 0 && call->request_sent < call->request.size;
    if (half_sent) /* the rest of its message would be missing */
        reset_stream(self, status_error(STATUS_CANCELLED, "the stream was given up with another request on it"));
}

/* ---- requests ---- */

static ssize_t read_stream(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *user) {
    (void)session;
    (void)source;
    (void)flags;
    struct grpc_wire *self = user;
    struct client_call *sent;
    if (stream_id != self->stream.call.stream_id) /* it was given up; its reset is on the way */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = grpc_stream_fill(&self->stream, to, room, &sent);
    self->stream.deferred = n == 0;
    if (sent != NULL) {
        call_list_remove(&sent->on_wire);
        call_list_append(&self->emitted, &sent->on_wire);
    }
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

/* The shared stream has the time of none of its calls, but their headers. */
struct status grpc_wire_stream_open(struct grpc_wire *self, const struct client_call *first) {
    self->stream.call.headers = first->headers;
    self->stream.call.header_count = first->header_count;
    self->stream.call.secure = first->secure;
    self->stream.call.encoding = first->encoding;
    return grpc_wire_submit(self, &self->stream.call, self->form->path, read_stream);
}

void grpc_wire_stream_wake(struct grpc_wire *self) {
    if (self->stream.deferred)
        nghttp2_session_resume_data(self->session, self->stream.call.stream_id);
}

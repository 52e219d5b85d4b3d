/* http_wire.c: one HTTP/1.1 connection as a client_wire: one call at a time, no pipelining. Used by infer_client.c. */
#include <stdlib.h>

#include "base/clock.h"
#include "client/client_wire.h"
#include "client/response_parser.h"

enum {
    FIRST_READ = 16 * 1024, /* of an answer: small ones are whole with it */
    DIRECT_MIN = 8 * 1024
};

struct http_wire {
    struct client_wire base;
    struct client_call *call; /* under way, or NULL */
    bool emitted;             /* run() has given its request */
    bool spent;               /* no further call on this connection */
    struct response_parser parser;
    size_t max_answer_bytes;
};

static struct http_wire *self_of(struct client_wire *wire) {
    return (struct http_wire *)wire;
}

static void complete(struct http_wire *self, struct status status) {
    struct client_call *call = self->call;
    self->call = NULL;
    self->base.call_count = 0;
    call->wire = NULL;
    call->status = status;
    call->on_complete(call);
}

static bool http_can_start(const struct client_wire *wire) {
    const struct http_wire *self = (const struct http_wire *)wire;
    return self->call == NULL && !self->spent;
}

static struct status http_start(struct client_wire *wire, struct client_call *call) {
    struct http_wire *self = self_of(wire);
    self->call = call;
    self->base.call_count = 1;
    self->emitted = false;
    call->wire = wire;
    response_parser_begin(&self->parser, self->max_answer_bytes);
    return status_ok();
}

static void swap(struct buf *a, struct buf *b) {
    struct buf kept = *a;
    *a = *b;
    *b = kept;
}

static void take_head(struct http_wire *self) {
    struct client_call *call = self->call;
    call->answered = true;
    call->http_status = self->parser.status;
    call->plain = self->parser.plain;
    call->has_json_size = self->parser.has_json_size;
    call->json_size = self->parser.json_size;
    swap(&call->v1_status, &self->parser.v1_status);
    swap(&call->v1_header, &self->parser.v1_header);
}

static void finish_answer(struct http_wire *self) {
    take_head(self);
    /* An answer to a half-sent request (say, 413) leaves the rest of the request in the way of the next one. */
    self->spent = !self->parser.keep_alive || self->call->timing.sent_ns == 0;
    complete(self, status_ok());
}

static struct status http_input(struct client_wire *wire, const char *data, size_t n) {
    struct http_wire *self = self_of(wire);
    size_t used = 0;
    if (self->call != NULL) {
        if (self->call->timing.receive_start_ns == 0)
            self->call->timing.receive_start_ns = clock_monotonic_ns();
        bool in_head = self->parser.state == RESPONSE_HEAD;
        STATUS_TRY(response_parser_input(&self->parser, data, n, &self->call->answer, &used));
        if (in_head && self->parser.state == RESPONSE_BODY_LENGTH) /* one allocation for the rest */
            buf_reserve(&self->call->answer,
                        (size_t)(self->parser.left < CLIENT_RESERVE_MAX ? self->parser.left : CLIENT_RESERVE_MAX));
        if (self->parser.state == RESPONSE_DONE)
            finish_answer(self);
    }
    if (used == n)
        return status_ok();
    self->spent = true;
    return status_error(STATUS_DATA_LOSS, "the server sent %zu bytes that answer no request", n - used);
}

/* A body of known length goes where it stays; the head before it is looked for in small reads. */
static char *http_room(struct client_wire *wire, size_t *size) {
    struct http_wire *self = self_of(wire);
    if (self->call == NULL || self->parser.state == RESPONSE_HEAD)
        *size = *size < FIRST_READ ? *size : FIRST_READ;
    if (self->call == NULL || self->parser.state != RESPONSE_BODY_LENGTH || self->parser.left < DIRECT_MIN)
        return NULL;
    size_t wanted = self->parser.left < CLIENT_RESERVE_MAX ? (size_t)self->parser.left : CLIENT_RESERVE_MAX;
    char *room = buf_reserve(&self->call->answer, wanted);
    *size = room != NULL ? wanted : *size;
    return room;
}

static struct status http_filled(struct client_wire *wire, size_t n) {
    struct http_wire *self = self_of(wire);
    self->call->answer.size += n;
    STATUS_TRY(response_parser_filled(&self->parser, n, self->call->answer.size));
    if (self->parser.state == RESPONSE_DONE)
        finish_answer(self);
    return status_ok();
}

/* The call's bytes are in one place anyway: see http_run. */
static struct status http_output(struct client_wire *wire, struct buf *out, size_t target) {
    (void)wire;
    (void)out;
    (void)target;
    return status_ok();
}

static struct slice http_run(struct client_wire *wire) {
    struct http_wire *self = self_of(wire);
    if (self->call == NULL || self->emitted)
        return (struct slice){NULL, 0};
    self->emitted = true;
    return buf_slice(&self->call->request);
}

static void http_sent(struct client_wire *wire, uint64_t now_ns) {
    struct http_wire *self = self_of(wire);
    if (self->call != NULL && self->emitted && self->call->timing.sent_ns == 0)
        self->call->timing.sent_ns = now_ns;
}

static void http_drop(struct client_wire *wire, struct client_call *call) {
    struct http_wire *self = self_of(wire);
    self->call = NULL; /* its answer may still come, so nothing else can use the connection */
    self->base.call_count = 0;
    self->spent = true;
    call->wire = NULL;
}

static bool http_finished(const struct client_wire *wire) {
    const struct http_wire *self = (const struct http_wire *)wire;
    return self->spent && self->call == NULL;
}

static void http_closed(struct client_wire *wire, const struct status *why) {
    struct http_wire *self = self_of(wire);
    self->spent = true;
    if (self->call == NULL)
        return;
    struct status status = *why;
    if (status_is_ok(&status)) {
        status = response_parser_closed(&self->parser, self->call->answer.size);
        if (status_is_ok(&status)) {
            finish_answer(self);
            return;
        }
    }
    complete(self, status);
}

static void http_destroy(struct client_wire *wire) {
    struct http_wire *self = self_of(wire);
    response_parser_free(&self->parser);
    free(self);
}

static const struct client_wire_ops http_ops = {http_can_start, http_start, http_input,    http_output,
                                                http_sent,      http_drop,  http_finished, http_closed,
                                                http_destroy,   http_run,   http_room,     http_filled};

struct client_wire *http_wire_create(size_t max_answer_bytes) {
    struct http_wire *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->base.ops = &http_ops;
    self->max_answer_bytes = max_answer_bytes;
    return &self->base;
}

/* v2_generate_http.c: POST /v2/models/M[/versions/V]/generate, which has one answer, and .../generate_stream, which has
 * an event for each response (server-sent events, HTML Living Standard). */
#include "api/generate_json.h"
#include "api/handlers.h"
#include "api/infer_start.h"
#include "api/load_report.h"
#include "base/clock.h"
#include "codec/json_write.h"

struct generate {
    struct infer_call call;
    bool begun;        /* generate_stream: the head is out. generate: a response has come */
    struct slice only; /* generate: that response, until it is known to be the only one; memory of the exchange */
};

/* The answer's head, with its body, or for a body that comes in pieces. */
static void answer(struct http_call *http, const char *content_type, struct buf *body) {
    struct http_header headers[2] = {{SLICE_LITERAL("Content-Type"), slice_of(content_type)}};
    size_t count = load_report_header(http->context, http->exchange, &headers[1]) ? 2 : 1;
    if (body)
        http_respond(http->exchange, 200, headers, count, body);
    else
        http_respond_head(http->exchange, 200, headers, count);
}

/* ---- both ---- */

static struct status decode(struct infer_call *call) {
    struct infer_request *request = call->request;
    struct model *model;
    STATUS_TRY(infer_call_reserve_json(call, buf_slice(&call->body)));
    STATUS_TRY(
        inference_server_acquire_model(call->context->server, request->model_name, request->model_version, &model));
    struct status status =
        generate_json_decode(buf_slice(&call->body), model_config_of(model), clock_monotonic_ns(), request);
    model_release(model);
    return status;
}

static void refuse(struct infer_call *call, const struct status *error) {
    http_call_answer_error(call->exchange, error);
}

/* ---- generate: exactly one response ---- */

static struct status encode(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    return response->empty ? status_ok() : generate_json_encode(call->request, response, out);
}

/* Nothing more is wanted of the model. */
static void leave(struct http_call *http) {
    struct infer_call *call = http->infer;
    http->infer = NULL;
    infer_call_detach(call);
}

static void give_up(struct http_call *http, const struct status *status) {
    http_call_answer_error(http, status);
    leave(http);
}

static void keep(struct generate *generate, struct http_call *http, struct slice bytes) {
    generate->begun = true;
    generate->only = arena_copy(http_exchange_arena(http->exchange), bytes);
    const struct status no_memory = {STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer"};
    if (!generate->only.data)
        give_up(http, &no_memory);
}

static void send(struct infer_call *call, struct infer_answer *told) {
    static const struct status count_error = {
        STATUS_INTERNAL, "generate expects model to produce exactly 1 response, use generate stream for model that "
                         "generates various number of responses"};
    struct generate *generate = (struct generate *)call;
    struct http_call *http = call->exchange;
    if (!status_is_ok(&told->status)) {
        http_call_answer_error(http, &told->status);
    } else if (generate->begun != told->empty) { /* a second one, or an end after none */
        give_up(http, &count_error);
    } else if (!told->final) {
        keep(generate, http, buf_slice(&told->bytes));
    } else {
        buf_append_slice(&told->bytes, generate->only);
        answer(http, "application/json", &told->bytes);
    }
}

static const struct infer_call_ops generate_ops = {
    .protocol = "v2-generate", .front = TRACE_HTTP, .decode = decode, .refuse = refuse, .encode = encode, .send = send};

/* ---- generate_stream: events ---- */

static const struct slice event_begin = {"data: ", 6}, event_end = {"\n\n", 2};

static struct status encode_event(struct infer_call *call, const struct infer_response *response, struct buf *out) {
    if (response->empty)
        return status_ok();
    buf_append_slice(out, event_begin);
    STATUS_TRY(generate_json_encode(call->request, response, out));
    buf_append_slice(out, event_end);
    return buf_failed(out) ? status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an event") : status_ok();
}

static void encode_error_event(struct infer_call *call, const struct status *error, struct buf *out) {
    (void)call;
    struct json_writer writer = json_writer_on(out);
    buf_append_slice(out, event_begin);
    json_begin_object(&writer);
    json_key(&writer, "error");
    json_text(&writer, error->message);
    json_end_object(&writer);
    buf_append_slice(out, event_end);
}

/* The first response fixes the status; errors behind it are events. */
static void send_event(struct infer_call *call, struct infer_answer *told) {
    struct generate *generate = (struct generate *)call;
    struct http_call *http = call->exchange;
    if (!generate->begun && !status_is_ok(&told->status)) {
        http_call_answer_error(http, &told->status);
        return;
    }
    if (!generate->begun)
        answer(http, "text/event-stream; charset=utf-8", NULL);
    generate->begun = true;
    if (!http_exchange_take_room(http->exchange, told->bytes.size)) { /* the client does not take its events */
        http_exchange_reset(http->exchange);
        leave(http);
        return;
    }
    http_respond_data(http->exchange, &told->bytes);
    if (told->final)
        http_respond_end(http->exchange, NULL, 0);
}

static const struct infer_call_ops generate_stream_ops = {.protocol = "v2-generate-stream",
                                                          .front = TRACE_HTTP,
                                                          .decode = decode,
                                                          .refuse = refuse,
                                                          .encode = encode_event,
                                                          .encode_error = encode_error_event,
                                                          .send = send_event};

/* ---- request ---- */

static struct status create_call(struct http_call *http, const struct infer_call_ops *ops) {
    STATUS_TRY(http_call_check_plain(http)); /* the extension knows no compression */
    size_t size = http_exchange_body(http->exchange).size;
    struct infer_call *call = infer_call_create(ops, sizeof(struct generate), http->context, http, size);
    if (!call)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
    call->request->takes_several = true;
    return infer_start_take(call, http->model, http->version);
}

static void submit(struct http_call *http, const struct infer_call_ops *ops) {
    struct status status = create_call(http, ops);
    if (status_is_ok(&status))
        infer_start(http->infer, http->infer->body.size);
    else
        http_call_answer_error(http, &status);
}

void v2_generate(struct http_call *http) {
    submit(http, &generate_ops);
}

void v2_generate_stream(struct http_call *http) {
    submit(http, &generate_stream_ops);
}

/* stream_fixture.h: a client of a ModelStreamInfer call over HTTP/2 in memory, with identity models behind it. */
#ifndef INFERD_TEST_API_STREAM_FIXTURE_H
#define INFERD_TEST_API_STREAM_FIXTURE_H

#include "../http/peer.h"
#include "served_models.h"

#include "api/grpc_front.h"
#include "codec/inference_messages.h"

#define MODEL                                                                                                          \
    "backend: \"identity\" max_batch_size: 4 "                                                                         \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [-1] } output { name: \"y\" data_type: TYPE_INT32 dims: [-1] } "
#define TWO                                                                                                            \
    "backend: \"identity\" max_batch_size: 4 "                                                                         \
    "input [{ name: \"x\" data_type: TYPE_INT32 dims: [-1] }, { name: \"x2\" data_type: TYPE_INT32 dims: [-1] }] "     \
    "output [{ name: \"y\" data_type: TYPE_INT32 dims: [-1] }, { name: \"y2\" data_type: TYPE_INT32 dims: [-1] }] "
#define DELAY(ms) "parameters { key: \"execute_delay_ms\" value { string_value: \"" #ms "\" } }"

struct fixture {
    struct served served;
    struct grpc_service service;
    struct http_budget budget; /* for a test that wants one */
    struct peer peer;
    struct peer_response *stream;
    struct buf sent; /* all that the client has to send; stays in place */
    size_t taken;    /* of the answer, read already */
    struct arena *arena;
};

static inline void on_head(void *user, struct http_exchange *exchange) {
    grpc_on_head(&((struct fixture *)user)->service, 1, exchange);
}

static inline size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    (void)user;
    return grpc_on_data(exchange, data, size);
}

static inline void on_end(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_end(exchange);
}

static inline void on_deadline(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_deadline(exchange);
}

static inline void on_drain(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_drain(exchange);
}

static inline void on_shutdown(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_shutdown(exchange);
}

static inline void on_abort(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_abort(exchange);
}

static inline void on_close(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_close(exchange);
}

static inline void open_peer(struct fixture *f) {
    peer_open(&f->peer, true, &f->served.handler, &f->served.limits);
    f->stream = NULL;
    f->taken = 0;
}

static inline int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    served_init(&f->served);
    served_add_model(&f->served, "fast", MODEL);
    served_add_model(&f->served, "slow", MODEL DELAY(30));
    served_add_model(&f->served, "stuck", MODEL DELAY(600000));
    served_add_model(&f->served, "two", TWO);
    served_add_model(&f->served, "decoupled", MODEL "model_transaction_policy { decoupled: true }");
    served_start(&f->served);
    f->served.context.max_stream_requests = 100;
    f->service = grpc_front_service(&f->served.context, 1 << 20);
    f->service.admit = NULL;
    f->served.handler = (struct http_handler){.on_head = on_head,
                                              .on_data = on_data,
                                              .on_end = on_end,
                                              .on_deadline = on_deadline,
                                              .on_drain = on_drain,
                                              .on_shutdown = on_shutdown,
                                              .on_abort = on_abort,
                                              .on_close = on_close,
                                              .user = f};
    f->arena = arena_create(0);
    open_peer(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    served_end(&f->served);
    buf_free(&f->sent);
    arena_destroy(f->arena);
    free(f);
    return 0;
}

/* ---- the client ---- */

static inline void append_message(struct buf *out, const struct pb_message *type, const void *message) {
    struct buf bytes = BUF_EMPTY;
    assert_good(pb_encode(type, message, &bytes));
    const char prefix[] = {0, (char)(bytes.size >> 24), (char)(bytes.size >> 16), (char)(bytes.size >> 8),
                           (char)bytes.size};
    buf_append(out, prefix, sizeof prefix);
    buf_append_slice(out, buf_slice(&bytes));
    buf_free(&bytes);
}

/* A request of one number; one parameter where `name` is not NULL. */
static inline void append_request(struct buf *out, const char *model, const char *id, const char *name, int64_t value) {
    static const int32_t number = 7;
    int64_t shape[] = {1, 1};
    struct slice raw = {(const char *)&number, sizeof number};
    struct pb_model_infer_request_infer_input_tensor input = {.name = slice_of("x"), .datatype = slice_of("INT32")};
    input.shape.items = shape;
    input.shape.count = 2;
    struct pb_infer_parameter parameter = {.which_parameter_choice = pb_infer_parameter_int64_param_number,
                                           .int64_param = value};
    struct pb_model_infer_request_parameters_entry entry = {.key = slice_of(name ? name : ""), .value = &parameter};
    struct pb_model_infer_request request = {.model_name = slice_of(model), .id = slice_of(id)};
    request.inputs.items = &input;
    request.inputs.count = 1;
    request.raw_input_contents.items = &raw;
    request.raw_input_contents.count = 1;
    request.parameters.items = &entry;
    request.parameters.count = name ? 1 : 0;
    append_message(out, &pb_model_infer_request_type, &request);
}

static inline void begin(struct fixture *f, const struct http_header *field) {
    struct http_header fields[3] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
                                    {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")}};
    if (field)
        fields[2] = *field;
    f->stream = peer_request_full(&f->peer, "POST", "/inference.GRPCInferenceService/ModelStreamInfer", fields,
                                  field ? 3 : 2, (struct slice){NULL, 0}, true);
    peer_run(&f->peer);
}

/* Sends what was appended to f->sent from `from` on. */
static inline void send_from(struct fixture *f, size_t from, bool last) {
    struct slice more = {NULL, 0};
    if (f->sent.size > from)
        more = (struct slice){f->sent.data + from, f->sent.size - from};
    peer_send_more(&f->peer, f->stream, more, last);
    peer_run(&f->peer);
}

static inline void ask(struct fixture *f, const char *model, const char *id, const char *name, int64_t value) {
    buf_clear(&f->sent);
    append_request(&f->sent, model, id, name, value);
    send_from(f, 0, false);
}

static inline void half_close(struct fixture *f) {
    buf_clear(&f->sent);
    send_from(f, 0, true);
}

/* The next message, once it is there; the loop's tasks run meanwhile. */
static inline const struct pb_model_stream_infer_response *next_answer(struct fixture *f) {
    const struct buf *body = &f->stream->body;
    while (body->size < f->taken + 5) {
        assert_false(f->stream->complete);
        served_run_task(&f->served);
        peer_run(&f->peer);
    }
    const unsigned char *at = (const unsigned char *)body->data + f->taken;
    size_t size = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
    struct slice bytes = {body->data + f->taken + 5, size};
    assert_true(body->size >= f->taken + 5 + size);
    f->taken += 5 + size;
    struct pb_model_stream_infer_response *answer = arena_calloc(f->arena, 1, sizeof *answer);
    struct slice copy = arena_copy(f->arena, bytes);
    assert_good(pb_decode(&pb_model_stream_infer_response_type, copy, f->arena, answer));
    return answer;
}

static inline void expect_good(struct fixture *f, const char *id, bool final) {
    const struct pb_model_stream_infer_response *answer = next_answer(f);
    assert_int_equal(answer->error_message.size, 0);
    assert_true(slice_equal_text(answer->infer_response->id, id));
    size_t last = answer->infer_response->parameters.count - 1; /* behind those that the model gives back */
    assert_true(slice_equal_text(answer->infer_response->parameters.items[last].key, "triton_final_response"));
    assert_int_equal(answer->infer_response->parameters.items[last].value->bool_param, final);
}

static inline const struct pb_model_infer_response *expect_message(struct fixture *f, const char *id,
                                                                   const char *text) {
    const struct pb_model_stream_infer_response *answer = next_answer(f);
    char message[600];
    snprintf(message, sizeof message, "%.*s", SLICE_ARGS(answer->error_message));
    assert_non_null(strstr(message, text));
    assert_true(slice_equal_text(answer->infer_response->id, id));
    return answer->infer_response;
}

/* A request that was refused: its error names it alone. */
static inline void expect_error(struct fixture *f, const char *id, const char *text) {
    const struct pb_model_infer_response *told = expect_message(f, id, text);
    assert_int_equal(told->model_name.size, 0);
    assert_int_equal(told->parameters.count, 0);
}

/* One that its model has had: it names the model, and is the last of the request. */
static inline void expect_failure(struct fixture *f, const char *id, const char *model, const char *text) {
    const struct pb_model_infer_response *told = expect_message(f, id, text);
    assert_true(slice_equal_text(told->model_name, model));
    assert_int_equal(told->parameters.count, 1);
    assert_true(slice_equal_text(told->parameters.items[0].key, "triton_final_response"));
    assert_true(told->parameters.items[0].value->bool_param);
}

static inline void expect_end(struct fixture *f, const char *trailers) {
    peer_run(&f->peer);
    assert_true(f->stream->complete);
    assert_int_equal(f->stream->body.size, f->taken);
    buf_append_char(&f->stream->fields, '\0');
    assert_non_null(strstr(f->stream->fields.data, trailers));
}

#endif

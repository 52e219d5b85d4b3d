/* infer_client_fixture.h: an infer_client and a fake server that are stepped in the same thread: what the tests of
 * infer_client*.c share. */
#ifndef TESTS_INFER_CLIENT_FIXTURE_H
#define TESTS_INFER_CLIENT_FIXTURE_H

#include "base/clock.h"
#include "client/infer_client.h"
#include "codec/pb_wire.h"
#include "fake_server.h"

enum { STEPS_MAX = 20000, SEEN_MAX = 600 };

/* What callbacks have seen. */
struct seen {
    size_t count;
    enum status_code codes[SEEN_MAX];
    int32_t values[SEEN_MAX]; /* first element of the first output */
    char message[STATUS_MESSAGE_MAX];
    struct infer_timing timing;
};

static inline void on_result(void *user, const struct infer_result *result) {
    struct seen *seen = user;
    assert_in_range(seen->count, 0, SEEN_MAX - 1);
    seen->codes[seen->count] = result->status.code;
    if (result->output_count > 0)
        memcpy(&seen->values[seen->count], result->outputs[0].data.data, sizeof(int32_t));
    memcpy(seen->message, result->status.message, sizeof seen->message);
    seen->timing = result->timing;
    seen->count++;
}

static inline struct infer_client *open_client(const struct fake_server *server, struct infer_client_options options) {
    struct infer_client *client = NULL;
    options.protocol = server->is_grpc ? INFER_PROTOCOL_GRPC : INFER_PROTOCOL_HTTP;
    struct status status = infer_client_open(server->url, &options, &client);
    assert_string_equal(status.message, "");
    return client;
}

static inline void infer(struct infer_client *client, int32_t value, infer_callback_f *callback, void *user) {
    const int64_t shape[] = {1};
    char data[4];
    memcpy(data, &value, sizeof data);
    struct infer_tensor input = {SLICE_LITERAL("in"), SLICE_LITERAL("INT32"), shape, 1, {data, sizeof data}};
    struct infer_request_spec request = {.model = SLICE_LITERAL("echo"), .inputs = &input, .input_count = 1};
    struct status status = infer_client_infer(client, &request, callback, user);
    assert_string_equal(status.message, "");
}

/* Steps both sides until nothing is in flight. */
static inline void drive(struct infer_client *client, struct fake_server *server) {
    for (int step = 0; step < STEPS_MAX && infer_client_in_flight(client) > 0; step++) {
        infer_client_poll(client, NS_PER_MS / 10);
        fake_server_step(server);
    }
    assert_int_equal(infer_client_in_flight(client), 0);
}

/* ---- an echo of one INT32, over both protocols ---- */

static inline void http_echo(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    (void)server;
    static const char json[] =
        "{\"model_version\":\"1\",\"outputs\":[{\"name\":\"out\",\"datatype\":\"INT32\",\"shape\":[1],"
        "\"parameters\":{\"binary_data_size\":4}}]}";
    buf_printf(&connection->out,
               "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
               sizeof json - 1, sizeof json + 3, json);
    buf_append(&connection->out, request.data + request.size - 4, 4);
}

static inline void grpc_echo(struct fake_grpc *grpc, int32_t stream_id) {
    const int64_t shape[] = {1};
    struct buf message = BUF_EMPTY;
    size_t mark = pb_write_begin(&message, 5);
    pb_write_text(&message, 1, "out");
    pb_write_text(&message, 2, "INT32");
    pb_write_packed_int64(&message, 3, shape, 1);
    pb_write_end(&message, mark);
    pb_write_bytes(&message, 6, (struct slice){grpc->request.data + grpc->request.size - 4, 4});
    fake_grpc_good_answer(grpc, stream_id, buf_slice(&message));
    buf_free(&message);
}

static inline void open_echo(struct fake_server *server, bool is_grpc) {
    fake_server_open(server, is_grpc);
    server->on_http = http_echo;
    server->on_grpc = grpc_echo;
}

/* ---- requests without an answer ---- */

static inline void grpc_silent(struct fake_grpc *grpc, int32_t stream_id) {
    (void)grpc;
    (void)stream_id;
}

static inline void step_until_requests(struct infer_client *client, struct fake_server *server, size_t requests) {
    for (int step = 0; step < STEPS_MAX && server->request_count < requests; step++) {
        infer_client_poll(client, 0);
        fake_server_step(server);
    }
    assert_int_equal(server->request_count, requests);
}

/* After five that failed the client is as new: another inference goes well. */
static inline void expect_one_more(struct infer_client *client, struct fake_server *server, struct seen *seen) {
    server->on_http = http_echo;
    server->on_grpc = grpc_echo;
    infer(client, 9, on_result, seen);
    drive(client, server);
    assert_int_equal(seen->codes[5], STATUS_OK);
    assert_int_equal(seen->values[5], 9);
}

#endif

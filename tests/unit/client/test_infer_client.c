/* Tests of infer_client over loopback sockets, against a fake server that is stepped in the same thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "client/infer_client.h"
#include "codec/inference_messages.h"
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

static void on_result(void *user, const struct infer_result *result) {
    struct seen *seen = user;
    assert_in_range(seen->count, 0, SEEN_MAX - 1);
    seen->codes[seen->count] = result->status.code;
    if (result->output_count > 0)
        memcpy(&seen->values[seen->count], result->outputs[0].data.data, sizeof(int32_t));
    memcpy(seen->message, result->status.message, sizeof seen->message);
    seen->timing = result->timing;
    seen->count++;
}

static struct infer_client *open_client(const struct fake_server *server, struct infer_client_options options) {
    struct infer_client *client = NULL;
    options.protocol = server->is_grpc ? INFER_PROTOCOL_GRPC : INFER_PROTOCOL_HTTP;
    struct status status = infer_client_open(server->url, &options, &client);
    assert_string_equal(status.message, "");
    return client;
}

static void infer(struct infer_client *client, int32_t value, infer_callback_f *callback, void *user) {
    const int64_t shape[] = {1};
    char data[4];
    memcpy(data, &value, sizeof data);
    struct infer_tensor input = {SLICE_LITERAL("in"), SLICE_LITERAL("INT32"), shape, 1, {data, sizeof data}};
    struct infer_request_spec request = {.model = SLICE_LITERAL("echo"), .inputs = &input, .input_count = 1};
    struct status status = infer_client_infer(client, &request, callback, user);
    assert_string_equal(status.message, "");
}

/* Steps both sides until nothing is in flight. */
static void drive(struct infer_client *client, struct fake_server *server) {
    for (int step = 0; step < STEPS_MAX && infer_client_in_flight(client) > 0; step++) {
        infer_client_poll(client, NS_PER_MS / 10);
        fake_server_step(server);
    }
    assert_int_equal(infer_client_in_flight(client), 0);
}

/* ---- an echo of one INT32, over both protocols ---- */

static void http_echo(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    (void)server;
    static const char json[] =
        "{\"model_version\":\"1\",\"outputs\":[{\"name\":\"out\",\"datatype\":\"INT32\",\"shape\":[1],"
        "\"parameters\":{\"binary_data_size\":4}}]}";
    buf_printf(&connection->out,
               "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
               sizeof json - 1, sizeof json + 3, json);
    buf_append(&connection->out, request.data + request.size - 4, 4);
}

static void grpc_echo(struct fake_grpc *grpc, int32_t stream_id) {
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

static void open_echo(struct fake_server *server, bool is_grpc) {
    fake_server_open(server, is_grpc);
    server->on_http = http_echo;
    server->on_grpc = grpc_echo;
}

static void check_echo(bool is_grpc, size_t calls, size_t max_connections, size_t expected_connections) {
    static struct fake_server server;
    struct seen seen = {0};
    open_echo(&server, is_grpc);
    struct infer_client *client =
        open_client(&server, (struct infer_client_options){.max_connections = max_connections});
    bool found[SEEN_MAX] = {false};
    for (size_t i = 0; i < calls; i++)
        infer(client, (int32_t)i, on_result, &seen);
    assert_int_equal(infer_client_in_flight(client), calls);
    drive(client, &server);
    assert_int_equal(seen.count, calls);
    for (size_t i = 0; i < calls; i++) {
        assert_int_equal(seen.codes[i], STATUS_OK);
        found[seen.values[i]] = true;
    }
    for (size_t i = 0; i < calls; i++)
        assert_true(found[i]);
    assert_int_equal(server.connection_count, expected_connections);
    assert_true(seen.timing.start_ns > 0 && seen.timing.start_ns <= seen.timing.sent_ns);
    assert_true(seen.timing.sent_ns <= seen.timing.receive_start_ns);
    assert_true(seen.timing.receive_start_ns <= seen.timing.end_ns);
    infer_client_close(client);
    fake_server_close(&server);
}

static void test_grpc_shares_connections(void **state) {
    (void)state;
    check_echo(true, 60, 0, 1);
    check_echo(true, 60, 4, 4);
}

static void test_http_pool(void **state) {
    (void)state;
    check_echo(false, 1, 0, 1);
    check_echo(false, 50, 0, 50);
    check_echo(false, 500, 7, 7);
}

/* Each answer starts the next request: the pool must reuse the one connection. */
struct chain {
    struct infer_client *client;
    int32_t left;
    int failures;
};

static void on_chain(void *user, const struct infer_result *result) {
    struct chain *chain = user;
    chain->failures += result->status.code != STATUS_OK;
    if (--chain->left > 0)
        infer(chain->client, chain->left, on_chain, chain);
}

static void test_requests_from_callbacks(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        open_echo(&server, is_grpc != 0);
        struct chain chain = {open_client(&server, (struct infer_client_options){0}), 60, 0};
        infer(chain.client, 0, on_chain, &chain);
        drive(chain.client, &server);
        assert_int_equal(chain.left, 0);
        assert_int_equal(chain.failures, 0);
        assert_int_equal(server.connection_count, 1);
        infer_client_close(chain.client);
        fake_server_close(&server);
    }
}

/* ---- answers in another order ---- */

static int32_t held[3];
static size_t held_count;

static void grpc_hold_three(struct fake_grpc *grpc, int32_t stream_id) {
    held[held_count++] = stream_id;
    if (held_count < 3)
        return;
    for (size_t i = 3; i-- > 0;)
        fake_grpc_trailers_only(grpc, held[i], i == 0 ? "5" : i == 1 ? "3" : "13", "refused");
}

static void test_grpc_answers_in_any_order(void **state) {
    (void)state;
    static struct fake_server server;
    struct seen seen = {0};
    held_count = 0;
    fake_server_open(&server, true);
    server.on_grpc = grpc_hold_three;
    struct infer_client *client = open_client(&server, (struct infer_client_options){0});
    for (int32_t i = 0; i < 3; i++)
        infer(client, i, on_result, &seen);
    drive(client, &server);
    assert_int_equal(seen.codes[0], STATUS_INTERNAL); /* the last one was answered first */
    assert_int_equal(seen.codes[1], STATUS_INVALID_ARGUMENT);
    assert_int_equal(seen.codes[2], STATUS_NOT_FOUND);
    infer_client_close(client);
    fake_server_close(&server);
}

/* ---- servers that die ---- */

static size_t cut_at;

static void http_cut(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    http_echo(server, connection, request);
    if (connection->out.size > cut_at)
        connection->out.size = cut_at;
    connection->close_after = true;
}

static void test_http_server_dies_at_every_byte(void **state) {
    (void)state;
    static struct fake_server server;
    struct seen seen = {0};
    fake_server_open(&server, false);
    server.on_http = http_cut;
    struct infer_client *client = open_client(&server, (struct infer_client_options){0});
    for (cut_at = 0;; cut_at++) {
        size_t before = seen.count;
        infer(client, 1, on_result, &seen);
        drive(client, &server);
        assert_int_equal(seen.count, before + 1);
        if (seen.codes[before] == STATUS_OK)
            break;
        assert_int_equal(seen.codes[before], STATUS_UNAVAILABLE);
    }
    assert_in_range(cut_at, 150, 400); /* the whole answer and no byte less */
    infer_client_close(client);
    fake_server_close(&server);
}

static void grpc_silent(struct fake_grpc *grpc, int32_t stream_id) {
    (void)grpc;
    (void)stream_id;
}

static void step_until_requests(struct infer_client *client, struct fake_server *server, size_t requests) {
    for (int step = 0; step < STEPS_MAX && server->request_count < requests; step++) {
        infer_client_poll(client, 0);
        fake_server_step(server);
    }
    assert_int_equal(server->request_count, requests);
}

/* After five that failed the client is as new: another inference goes well. */
static void expect_one_more(struct infer_client *client, struct fake_server *server, struct seen *seen) {
    server->on_http = http_echo;
    server->on_grpc = grpc_echo;
    infer(client, 9, on_result, seen);
    drive(client, server);
    assert_int_equal(seen->codes[5], STATUS_OK);
    assert_int_equal(seen->values[5], 9);
}

static void test_lost_connection_then_a_new_one(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct seen seen = {0};
        fake_server_open(&server, is_grpc != 0);
        server.on_grpc = grpc_silent;
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        for (int32_t i = 0; i < 5; i++)
            infer(client, i, on_result, &seen);
        step_until_requests(client, &server, 5);
        for (size_t i = 0; i < server.connection_count; i++)
            fake_connection_close(&server, &server.connections[i]);
        drive(client, &server);
        assert_int_equal(seen.count, 5);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(seen.codes[i], STATUS_UNAVAILABLE);
        expect_one_more(client, &server, &seen);
        infer_client_close(client);
        fake_server_close(&server);
    }
}

static void test_idle_connection_that_the_server_closed(void **state) {
    (void)state;
    static struct fake_server server;
    struct seen seen = {0};
    open_echo(&server, false);
    struct infer_client *client = open_client(&server, (struct infer_client_options){0});
    infer(client, 1, on_result, &seen);
    drive(client, &server);
    fake_connection_close(&server, &server.connections[0]);
    infer_client_poll(client, 0); /* nothing in flight: returns at once */
    infer(client, 2, on_result, &seen);
    /* Whether the loss is seen before or after the request went out is up to the kernel; either way it ends once. */
    drive(client, &server);
    assert_int_equal(seen.count, 2);
    infer_client_close(client);
    fake_server_close(&server);
}

static void test_a_wait_sees_what_the_server_closed(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct seen seen = {0};
        open_echo(&server, is_grpc != 0);
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        infer_client_wait(client, NS_PER_MS); /* without a connection, too */
        for (int32_t i = 0; i < 3; i++) {
            infer(client, i, on_result, &seen);
            infer_client_wait(client, UINT64_MAX); /* something is in flight: returns at once */
            drive(client, &server);
            fake_connection_close(&server, &server.connections[i]);
            infer_client_wait(client, i > 0 ? NS_PER_MS : 0);
            assert_int_equal(seen.codes[i], STATUS_OK);
        }
        assert_int_equal(server.connection_count, 3);
        infer_client_close(client);
        fake_server_close(&server);
    }
}

static void test_nobody_listens(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct seen seen = {0};
        bool ready = true;
        fake_server_open(&server, is_grpc != 0);
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        fake_server_close(&server);
        server.listen_fd = -1;
        infer(client, 1, on_result, &seen);
        infer(client, 2, on_result, &seen);
        while (infer_client_in_flight(client) > 0)
            infer_client_poll(client, 10 * NS_PER_S);
        assert_int_equal(seen.count, 2);
        assert_int_equal(seen.codes[0], STATUS_UNAVAILABLE);
        assert_non_null(strstr(seen.message, server.url));
        assert_int_equal(infer_client_server_ready(client, &ready).code, STATUS_UNAVAILABLE);
        infer_client_close(client);
    }
}

/* ---- time limits and early ends ---- */

static void test_time_limit(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct seen seen = {0};
        fake_server_open(&server, is_grpc != 0);
        server.on_grpc = grpc_silent;
        struct infer_client *client =
            open_client(&server, (struct infer_client_options){.request_timeout_ns = 30 * NS_PER_MS});
        infer(client, 1, on_result, &seen);
        infer(client, 2, on_result, &seen);
        drive(client, &server);
        assert_int_equal(seen.count, 2);
        assert_int_equal(seen.codes[0], STATUS_DEADLINE_EXCEEDED);
        assert_int_equal(seen.codes[1], STATUS_DEADLINE_EXCEEDED);
        if (is_grpc && server.request_count > 0)
            assert_string_equal(server.connections[0].grpc.timeout, "30m");
        infer_client_close(client);
        fake_server_close(&server);
    }
}

static void test_close_with_requests_in_flight(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct seen seen = {0};
        fake_server_open(&server, is_grpc != 0);
        server.on_grpc = grpc_silent;
        struct infer_client *client = open_client(&server, (struct infer_client_options){.max_connections = 2});
        for (int32_t i = 0; i < 4; i++)
            infer(client, i, on_result, &seen);
        step_until_requests(client, &server, is_grpc ? 4 : 2);
        infer_client_close(client);
        assert_int_equal(seen.count, 4);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(seen.codes[i], STATUS_CANCELLED);
        fake_server_close(&server);
    }
}

static void test_cancelled_it_is_as_new(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct seen seen = {0};
        fake_server_open(&server, is_grpc != 0);
        server.on_grpc = grpc_silent;
        struct infer_client *client = open_client(&server, (struct infer_client_options){.max_connections = 2});
        for (int32_t i = 0; i < 5; i++) /* over HTTP some wait for a connection */
            infer(client, i, on_result, &seen);
        step_until_requests(client, &server, is_grpc ? 5 : 2);
        infer_client_cancel(client);
        assert_int_equal(seen.count, 5);
        assert_int_equal(infer_client_in_flight(client), 0);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(seen.codes[i], STATUS_CANCELLED);
        expect_one_more(client, &server, &seen);
        infer_client_close(client);
        fake_server_close(&server);
    }
}

static void test_bad_requests_are_refused_at_once(void **state) {
    (void)state;
    static struct fake_server server;
    fake_server_open(&server, true);
    struct infer_client *client = open_client(&server, (struct infer_client_options){0});
    const int64_t shape[] = {2};
    struct infer_tensor input = {SLICE_LITERAL("in"), SLICE_LITERAL("INT32"), shape, 1, {"1234", 4}};
    struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = &input, .input_count = 1};
    assert_int_equal(infer_client_infer(client, &request, on_result, NULL).code, STATUS_INVALID_ARGUMENT);
    request = (struct infer_request_spec){.model = SLICE_LITERAL("")};
    assert_int_equal(infer_client_infer(client, &request, on_result, NULL).code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(infer_client_in_flight(client), 0);
    infer_client_close(client);
    fake_server_close(&server);
}

static void http_refuse_early(struct fake_server *server, struct fake_connection *connection) {
    (void)server;
    buf_append_text(&connection->out, "HTTP/1.1 413 Too Large\r\nContent-Length: 21\r\n\r\n{\"error\":\"too large\"} ");
}

static void test_http_error_before_the_request_is_read(void **state) {
    (void)state;
    static struct fake_server server;
    struct seen seen = {0};
    fake_server_open(&server, false);
    struct infer_client *client = open_client(&server, (struct infer_client_options){0});
    const int64_t shape[] = {8 * 1024 * 1024};
    char *data = test_calloc(1, (size_t)shape[0]);
    struct infer_tensor input = {SLICE_LITERAL("in"), SLICE_LITERAL("INT8"), shape, 1, {data, (size_t)shape[0]}};
    struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = &input, .input_count = 1};
    struct status status = infer_client_infer(client, &request, on_result, &seen);
    assert_true(status_is_ok(&status));
    test_free(data);
    for (int step = 0; step < STEPS_MAX && server.connection_count == 0; step++) {
        infer_client_poll(client, 0);
        fake_accept(&server);
    }
    http_refuse_early(&server, &server.connections[0]);
    const struct buf *out = &server.connections[0].out;
    assert_int_equal(send(server.connections[0].fd, out->data, out->size, MSG_NOSIGNAL), out->size);
    while (infer_client_in_flight(client) > 0)
        infer_client_poll(client, 10 * NS_PER_S);
    assert_int_equal(seen.codes[0], STATUS_TOO_LARGE);
    assert_string_equal(seen.message, "too large");
    infer_client_close(client);
    fake_server_close(&server);
}

/* ---- questions ---- */

/* As a newer server may answer: with members that are not known here. */
static void http_config(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    (void)server;
    static const char config[] =
        "{\"name\":\"bert\",\"platform\":\"onnxruntime_onnx\",\"backend\":\"openvino\",\"max_batch_size\":8,"
        "\"something_new\":{\"a\":[1]},\"input\":[{\"newer\":true,\"name\":\"ids\",\"data_type\":\"TYPE_INT32\","
        "\"dims\":[-1],\"optional\":true}],\"output\":[{\"name\":\"out\","
        "\"data_type\":\"TYPE_STRING\",\"dims\":[1,2]}],\"parameters\":{\"max_seq_length\":{\"string_value\":\"384\"}}"
        "}";
    static const char metadata[] =
        "{\"name\":\"bert\",\"versions\":[\"1\",\"3\"],\"platform\":\"p\",\"inputs\":[{\"name\":"
        "\"ids\",\"datatype\":\"INT32\",\"shape\":[-1,384]}],\"outputs\":[]}";
    const char *body = "";
    int code = 200;
    if (memmem(request.data, request.size, "/config ", 8) != NULL)
        body = config;
    else if (memmem(request.data, request.size, "GET /v2/models/bert/versions/3 ", 31) != NULL)
        body = metadata;
    else if (memmem(request.data, request.size, "/ready ", 7) == NULL)
        code = 500;
    buf_printf(&connection->out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", code, strlen(body), body);
}

static void grpc_config(struct fake_grpc *grpc, int32_t stream_id) {
    struct buf message = BUF_EMPTY;
    if (strcmp(grpc->path, "/inference.GRPCInferenceService/ModelConfig") == 0) {
        static int64_t any[] = {-1}, two[] = {1, 2};
        struct pb_model_parameter length = {.string_value = SLICE_LITERAL("384")};
        struct pb_model_config_parameters_entry entry = {.key = SLICE_LITERAL("max_seq_length"), .value = &length};
        struct pb_model_input input = {.name = SLICE_LITERAL("ids"), .data_type = PB_TYPE_INT32, .optional = true};
        struct pb_model_output output = {.name = SLICE_LITERAL("out"), .data_type = PB_TYPE_STRING};
        input.dims.items = any;
        input.dims.count = 1;
        output.dims.items = two;
        output.dims.count = 2;
        struct pb_model_config config = {.name = SLICE_LITERAL("bert"),
                                         .platform = SLICE_LITERAL("onnxruntime_onnx"),
                                         .backend = SLICE_LITERAL("openvino"),
                                         .max_batch_size = 8};
        config.input.items = &input;
        config.output.items = &output;
        config.parameters.items = &entry;
        config.input.count = config.output.count = config.parameters.count = 1;
        struct pb_model_config_response response = {.config = &config};
        struct status status = pb_encode(&pb_model_config_response_type, &response, &message);
        assert_string_equal(status.message, "");
    } else if (strcmp(grpc->path, "/inference.GRPCInferenceService/ModelMetadata") == 0) {
        static int64_t shape[] = {-1, 384};
        struct slice versions[] = {SLICE_LITERAL("1"), SLICE_LITERAL("3")};
        struct pb_model_metadata_response_tensor_metadata input = {.name = SLICE_LITERAL("ids"),
                                                                   .datatype = SLICE_LITERAL("INT32")};
        input.shape.items = shape;
        input.shape.count = 2;
        struct pb_model_metadata_response response = {.name = SLICE_LITERAL("bert"), .platform = SLICE_LITERAL("p")};
        response.versions.items = versions;
        response.versions.count = 2;
        response.inputs.items = &input;
        response.inputs.count = 1;
        struct status status = pb_encode(&pb_model_metadata_response_type, &response, &message);
        assert_string_equal(status.message, "");
    } else {
        pb_write_uint64(&message, 1, 1);
    }
    fake_grpc_good_answer(grpc, stream_id, buf_slice(&message));
    buf_free(&message);
}

/* Runs the waiting calls against a server that is a child process, since they do not return in between. */
static pid_t serve_in_child(struct fake_server *server) {
    pid_t child = fork();
    if (child != 0)
        return child;
    for (;;) {
        fake_server_step(server);
        if (server->connection_count > 0 && server->connections[0].fd < 0)
            _exit(0); /* the client has gone */
    }
}

static void check_info(struct infer_client *client) {
    struct arena *arena = arena_create(0);
    struct infer_model_info info;
    struct slice model = SLICE_LITERAL("bert"), none = {NULL, 0};
    bool ready = false;
    struct status status = infer_client_server_ready(client, &ready);
    assert_string_equal(status.message, "");
    assert_true(ready);
    status = infer_client_model_ready(client, model, none, &ready);
    assert_string_equal(status.message, "");
    status = infer_client_model_config(client, model, none, arena, &info);
    assert_string_equal(status.message, "");
    assert_int_equal(info.max_batch_size, 8);
    assert_true(slice_equal_text(info.platform, "onnxruntime_onnx") && slice_equal_text(info.backend, "openvino"));
    assert_true(slice_equal_text(infer_model_parameter_find(&info, "max_seq_length"), "384"));
    assert_null(infer_model_parameter_find(&info, "other").data);
    const struct infer_tensor_info *ids = infer_tensor_info_find(info.inputs, info.input_count, SLICE_LITERAL("ids"));
    assert_non_null(ids);
    assert_true(ids->optional && ids->rank == 1 && ids->shape[0] == -1 && slice_equal_text(ids->datatype, "INT32"));
    assert_true(slice_equal_text(info.outputs[0].datatype, "BYTES"));
    status = infer_client_model_metadata(client, model, SLICE_LITERAL("3"), arena, &info);
    assert_string_equal(status.message, "");
    assert_int_equal(info.version_count, 2);
    assert_true(slice_equal_text(info.versions[1], "3"));
    assert_int_equal(info.inputs[0].shape[1], 384);
    arena_destroy(arena);
}

static void test_questions(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        fake_server_open(&server, is_grpc != 0);
        server.on_http = http_config;
        server.on_grpc = grpc_config;
        pid_t child = serve_in_child(&server);
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        check_info(client);
        infer_client_close(client);
        int state_of_child = 0;
        assert_int_equal(waitpid(child, &state_of_child, 0), child);
        fake_server_close(&server);
    }
}

/* ---- statistics ---- */

static void http_statistics(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    (void)server;
    assert_true(slice_starts_with(request, SLICE_LITERAL("GET /v2/models/m/stats HTTP/1.1\r\n")));
    static const char json[] =
        "{\"model_stats\":[{\"name\":\"m\",\"version\":\"1\",\"inference_count\":7,\"inference_stats\":"
        "{\"queue\":{\"count\":3,\"ns\":99},\"success\":{\"count\":3,\"ns\":500}}}]}";
    buf_printf(&connection->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof json - 1, json);
}

static void grpc_statistics(struct fake_grpc *grpc, int32_t stream_id) {
    struct buf message = BUF_EMPTY;
    size_t model = pb_write_begin(&message, 1);
    pb_write_text(&message, 1, "m");
    pb_write_text(&message, 2, "1");
    pb_write_uint64(&message, 4, 7);
    size_t counters = pb_write_begin(&message, 6);
    for (uint32_t number = 1; number <= 3; number += 2) { /* success, queue */
        size_t counter = pb_write_begin(&message, number);
        pb_write_uint64(&message, 1, 3);
        pb_write_uint64(&message, 2, number == 1 ? 500 : 99);
        pb_write_end(&message, counter);
    }
    pb_write_end(&message, counters);
    pb_write_end(&message, model);
    fake_grpc_good_answer(grpc, stream_id, buf_slice(&message));
    buf_free(&message);
}

struct counted {
    size_t calls;
    enum status_code code;
};

static void on_statistics(void *user, const struct status *status, const struct infer_statistics *items, size_t count) {
    struct counted *counted = user;
    counted->calls++;
    counted->code = status->code;
    if (!status_is_ok(status))
        return;
    assert_int_equal(count, 1);
    assert_true(slice_equal_text(items[0].name, "m") && slice_equal_text(items[0].version, "1"));
    assert_int_equal(items[0].inference_count, 7);
    assert_true(items[0].success.count == 3 && items[0].success.ns == 500 && items[0].queue.ns == 99);
    assert_true(items[0].fail.count == 0 && items[0].compute_infer.ns == 0);
}

static void test_statistics(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct counted counted = {0};
        fake_server_open(&server, is_grpc != 0);
        server.on_http = http_statistics;
        server.on_grpc = grpc_statistics;
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        struct status status =
            infer_client_statistics(client, SLICE_LITERAL("m"), SLICE_LITERAL(""), on_statistics, &counted);
        assert_true(status_is_ok(&status));
        drive(client, &server);
        assert_int_equal(counted.calls, 1);
        assert_int_equal(counted.code, STATUS_OK);
        status = infer_client_statistics(client, SLICE_LITERAL("m"), SLICE_LITERAL(""), on_statistics, &counted);
        assert_true(status_is_ok(&status));
        infer_client_close(client); /* asked, but not answered */
        assert_int_equal(counted.calls, 2);
        assert_int_equal(counted.code, STATUS_CANCELLED);
        fake_server_close(&server);
    }
}

static void test_options_are_checked(void **state) {
    (void)state;
    struct infer_client *client = NULL;
    struct infer_client_options many = {.max_connections = INFER_CLIENT_CONNECTIONS_MAX + 1}, plain = {0};
    struct infer_client_options headers = {.header_count = INFER_CLIENT_HEADERS_MAX + 1};
    assert_int_equal(infer_client_open("127.0.0.1:1", &headers, &client).code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(infer_client_open("127.0.0.1:1", &many, &client).code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(infer_client_open("127.0.0.1", &plain, &client).code, STATUS_INVALID_ARGUMENT);
    assert_null(client);
    infer_client_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grpc_shares_connections),
        cmocka_unit_test(test_http_pool),
        cmocka_unit_test(test_requests_from_callbacks),
        cmocka_unit_test(test_grpc_answers_in_any_order),
        cmocka_unit_test(test_http_server_dies_at_every_byte),
        cmocka_unit_test(test_lost_connection_then_a_new_one),
        cmocka_unit_test(test_idle_connection_that_the_server_closed),
        cmocka_unit_test(test_a_wait_sees_what_the_server_closed),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_close_with_requests_in_flight),
        cmocka_unit_test(test_cancelled_it_is_as_new),
        cmocka_unit_test(test_bad_requests_are_refused_at_once),
        cmocka_unit_test(test_http_error_before_the_request_is_read),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

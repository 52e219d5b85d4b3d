/* Tests of infer_client over loopback sockets: connections, callbacks, and their early end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "infer_client_fixture.h"

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

/* ---- tensors that do not fit into one read or write ---- */

enum { LARGE = 3 * 1000 * 1000 + 7 };

static void http_large(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    (void)server;
    static const char json[] =
        "{\"outputs\":[{\"name\":\"out\",\"datatype\":\"UINT8\",\"shape\":[3000007],\"parameters\":"
        "{\"binary_data_size\":3000007}}]}";
    buf_printf(&connection->out,
               "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
               sizeof json - 1, sizeof json - 1 + LARGE, json);
    buf_append(&connection->out, request.data + request.size - LARGE, LARGE);
}

static void grpc_large(struct fake_grpc *grpc, int32_t stream_id) {
    const int64_t shape[] = {LARGE};
    struct buf message = BUF_EMPTY;
    size_t mark = pb_write_begin(&message, 5);
    pb_write_text(&message, 1, "out");
    pb_write_text(&message, 2, "UINT8");
    pb_write_packed_int64(&message, 3, shape, 1);
    pb_write_end(&message, mark);
    pb_write_bytes(&message, 6, (struct slice){grpc->request.data + grpc->request.size - LARGE, LARGE});
    fake_grpc_good_answer(grpc, stream_id, buf_slice(&message));
    buf_free(&message);
}

static void on_large(void *user, const struct infer_result *result) {
    const struct slice *sent = user;
    assert_string_equal(result->status.message, "");
    assert_int_equal(result->output_count, 1);
    assert_true(slice_equal(result->outputs[0].data, *sent));
    assert_true(result->timing.sent_ns > 0 && result->timing.sent_ns <= result->timing.end_ns);
}

static void test_large_tensors(void **state) {
    (void)state;
    static char bytes[LARGE];
    const int64_t shape[] = {LARGE};
    struct slice data = {bytes, LARGE};
    struct infer_tensor input = {SLICE_LITERAL("in"), SLICE_LITERAL("UINT8"), shape, 1, data};
    struct infer_request_spec request = {.model = SLICE_LITERAL("echo"), .inputs = &input, .input_count = 1};
    for (int i = 0; i < 6; i++) { /* each protocol three times, on the same connection */
        static struct fake_server server;
        static struct infer_client *client;
        if (i % 3 == 0) {
            fake_server_open(&server, i >= 3);
            server.on_http = http_large;
            server.on_grpc = grpc_large;
            client = open_client(&server, (struct infer_client_options){0});
        }
        for (size_t b = 0; b < LARGE; b++)
            bytes[b] = (char)(b * 7 + b / 251 + (size_t)i);
        struct status status = infer_client_infer(client, &request, on_large, &data);
        assert_string_equal(status.message, "");
        drive(client, &server);
        assert_int_equal(server.connection_count, 1);
        if (i % 3 == 2) {
            infer_client_close(client);
            fake_server_close(&server);
        }
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

/* ---- early ends ---- */

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

/* ---- what is refused ---- */

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
        cmocka_unit_test(test_grpc_shares_connections),   cmocka_unit_test(test_http_pool),
        cmocka_unit_test(test_requests_from_callbacks),   cmocka_unit_test(test_large_tensors),
        cmocka_unit_test(test_grpc_answers_in_any_order), cmocka_unit_test(test_close_with_requests_in_flight),
        cmocka_unit_test(test_cancelled_it_is_as_new),    cmocka_unit_test(test_bad_requests_are_refused_at_once),
        cmocka_unit_test(test_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of infer_client with servers that die, are not there, or answer too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "infer_client_fixture.h"

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

/* ---- time limits and early answers ---- */

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_server_dies_at_every_byte),
        cmocka_unit_test(test_lost_connection_then_a_new_one),
        cmocka_unit_test(test_idle_connection_that_the_server_closed),
        cmocka_unit_test(test_a_wait_sees_what_the_server_closed),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_http_error_before_the_request_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of the question for statistics, which does not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "infer_client_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

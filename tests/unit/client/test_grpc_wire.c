/* Tests of grpc_wire against a fake server in memory: good calls, every kind of refusal, and hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/client_wire.h"
#include "client/grpc_stream.h"
#include "fake_grpc_server.h"

enum { ANSWER_LIMIT = 100000 };

static void count_completion(struct client_call *call) {
    ++*(int *)call->owner;
}

struct pair {
    struct client_wire *wire;
    struct fake_grpc server;
    struct client_call call;
    int completions;
};

static void call_init(struct client_call *call, int *completions, const char *request) {
    memset(call, 0, sizeof *call);
    call_list_init(&call->on_wire);
    call_list_init(&call->in_client);
    call->grpc_path = "/inference.GRPCInferenceService/ModelInfer";
    call->on_complete = count_completion;
    call->owner = completions;
    buf_append_text(&call->request, request);
}

static void call_free(struct client_call *call) {
    buf_free(&call->request);
    buf_free(&call->answer);
}

static void pair_open(struct pair *pair, void (*on_request)(struct fake_grpc *, int32_t)) {
    memset(pair, 0, sizeof *pair);
    fake_grpc_open(&pair->server);
    pair->server.on_request = on_request;
    pair->wire = grpc_wire_create("host:1", ANSWER_LIMIT, &grpc_stream_v2);
    assert_non_null(pair->wire);
    call_init(&pair->call, &pair->completions, "prefix and message");
}

static void wire_end(struct client_wire *wire, struct status why) {
    wire->ops->closed(wire, &why);
    assert_int_equal(wire->call_count, 0);
    wire->ops->destroy(wire);
}

static void pair_close(struct pair *pair) {
    wire_end(pair->wire, status_ok());
    fake_grpc_close(&pair->server);
    call_free(&pair->call);
}

/* Carries bytes both ways until both are silent. False when the wire reports an error. */
static bool exchange(struct client_wire *wire, struct fake_grpc *server) {
    for (;;) {
        struct buf up = BUF_EMPTY, down = BUF_EMPTY;
        struct status status = wire->ops->output(wire, &up, 1 << 20);
        if (up.size > 0)
            wire->ops->sent(wire, 77);
        fake_grpc_input(server, buf_slice(&up));
        fake_grpc_output(server, &down);
        if (status_is_ok(&status) && down.size > 0)
            status = wire->ops->input(wire, down.data, down.size);
        bool silent = up.size == 0 && down.size == 0;
        buf_free(&up);
        buf_free(&down);
        if (!status_is_ok(&status))
            return false;
        if (silent)
            return true;
    }
}

static void start(struct client_wire *wire, struct client_call *call) {
    struct status status = wire->ops->start(wire, call);
    assert_string_equal(status.message, "");
}

/* One call to a server that behaves as `on_request` says. */
static void run(struct pair *pair, void (*on_request)(struct fake_grpc *, int32_t)) {
    pair_open(pair, on_request);
    start(pair->wire, &pair->call);
    assert_true(exchange(pair->wire, &pair->server));
}

static void answer_hello(struct fake_grpc *server, int32_t stream_id) {
    assert_memory_equal(server->request.data, "prefix and message", server->request.size);
    fake_grpc_good_answer(server, stream_id, SLICE_LITERAL("hello"));
}

static void test_good_call(void **state) {
    (void)state;
    struct pair pair;
    run(&pair, answer_hello);
    assert_int_equal(pair.completions, 1);
    assert_int_equal(pair.call.status.code, STATUS_OK);
    assert_int_equal(pair.call.answer.size, 10);
    assert_memory_equal(pair.call.answer.data + 5, "hello", 5);
    assert_int_equal(pair.call.timing.sent_ns, 77);
    assert_true(pair.call.timing.receive_start_ns > 0);
    assert_string_equal(pair.server.path, "/inference.GRPCInferenceService/ModelInfer");
    assert_string_equal(pair.server.timeout, "");
    assert_int_equal(pair.wire->call_count, 0);
    assert_true(pair.wire->ops->can_start(pair.wire));
    assert_false(pair.wire->ops->finished(pair.wire));
    pair_close(&pair);
}

static void test_timeout_is_sent(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, answer_hello);
    pair.call.timeout_ms = UINT64_MAX;
    start(pair.wire, &pair.call);
    assert_true(exchange(pair.wire, &pair.server));
    assert_string_equal(pair.server.timeout, "99999999m");
    pair_close(&pair);
}

static void answer_big(struct fake_grpc *server, int32_t stream_id) {
    struct buf big = BUF_EMPTY;
    buf_reserve(&big, ANSWER_LIMIT);
    memset(big.data, 'x', ANSWER_LIMIT);
    big.size = ANSWER_LIMIT;
    fake_grpc_good_answer(server, stream_id, buf_slice(&big));
    buf_free(&big);
}

static void test_big_answer_and_many_calls(void **state) {
    (void)state;
    enum { CALLS = 40 };
    struct pair pair;
    struct client_call calls[CALLS];
    int completions = 0;
    pair_open(&pair, answer_big);
    for (size_t i = 0; i < CALLS; i++) {
        call_init(&calls[i], &completions, "request");
        start(pair.wire, &calls[i]);
    }
    assert_true(exchange(pair.wire, &pair.server));
    assert_int_equal(completions, CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].status.code, STATUS_OK);
        assert_int_equal(calls[i].answer.size, ANSWER_LIMIT + 5);
        call_free(&calls[i]);
    }
    pair_close(&pair);
}

static void answer_not_found(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_trailers_only(server, stream_id, "5", "no model %27x%27");
}
static void answer_late_error(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL("\0\0\0\0\1x"), "13", "broke");
}
static void answer_http_error(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "503", "text/html", SLICE_LITERAL("<html>"), "", "");
}
static void answer_html(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "text/html", SLICE_LITERAL("\0\0\0\0\1x"), "0", "");
}
static void answer_without_status(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL("\0\0\0\0\1x"), "", "");
}
static void answer_nothing(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL(""), "0", "");
}
static void answer_short(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL("\0\0\0\0\5hell"), "0", "");
}
static void answer_two(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL("\0\0\0\0\1a\0\0\0\0\1b"), "0", "");
}
static void answer_compressed(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL("\1\0\0\0\1x"), "0", "");
}
static void answer_too_big(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_answer(server, stream_id, "200", "application/grpc", SLICE_LITERAL("\0\xff\xff\xff\xffx"), "0", "");
}
static void answer_odd_status(struct fake_grpc *server, int32_t stream_id) {
    fake_grpc_trailers_only(server, stream_id, "4294967296", "odd");
}
static void reset_cancel(struct fake_grpc *server, int32_t stream_id) {
    nghttp2_submit_rst_stream(server->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
}
static void reset_refused(struct fake_grpc *server, int32_t stream_id) {
    nghttp2_submit_rst_stream(server->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_REFUSED_STREAM);
}
static void reset_internal(struct fake_grpc *server, int32_t stream_id) {
    nghttp2_submit_rst_stream(server->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_INTERNAL_ERROR);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        void (*on_request)(struct fake_grpc *, int32_t);
        enum status_code code;
        const char *text; /* somewhere in the message */
    } cases[] = {
        {answer_not_found, STATUS_NOT_FOUND, "no model 'x'"},
        {answer_late_error, STATUS_INTERNAL, "broke"},
        {answer_http_error, STATUS_UNAVAILABLE, "503"},
        {answer_html, STATUS_DATA_LOSS, "content type"},
        {answer_without_status, STATUS_DATA_LOSS, "grpc-status"},
        {answer_nothing, STATUS_DATA_LOSS, "truncated"},
        {answer_short, STATUS_DATA_LOSS, "5 bytes"},
        {answer_two, STATUS_DATA_LOSS, "1 bytes"},
        {answer_compressed, STATUS_DATA_LOSS, "compressed"},
        {answer_too_big, STATUS_RESOURCE_EXHAUSTED, "limit"},
        {answer_odd_status, STATUS_UNKNOWN, "odd"},
        {reset_cancel, STATUS_CANCELLED, "reset"},
        {reset_refused, STATUS_UNAVAILABLE, "reset"},
        {reset_internal, STATUS_DATA_LOSS, "reset"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair;
        run(&pair, cases[i].on_request);
        if (pair.completions != 1 || pair.call.status.code != cases[i].code)
            print_error("case %zu: %d, %s\n", i, (int)pair.call.status.code, pair.call.status.message);
        assert_int_equal(pair.completions, 1);
        assert_int_equal(pair.call.status.code, cases[i].code);
        assert_non_null(strstr(pair.call.status.message, cases[i].text));
        /* One bad call does not spoil the connection. */
        assert_true(pair.wire->ops->can_start(pair.wire));
        pair.server.on_request = answer_hello;
        struct client_call next;
        int completions = 0;
        call_init(&next, &completions, "prefix and message");
        start(pair.wire, &next);
        assert_true(exchange(pair.wire, &pair.server));
        assert_int_equal(completions, 1);
        assert_int_equal(next.status.code, STATUS_OK);
        call_free(&next);
        pair_close(&pair);
    }
}

/* An error may come while a big request is still held back by flow control. */
static void answer_early(struct client_wire *wire, struct fake_grpc *server) {
    struct buf up = BUF_EMPTY, down = BUF_EMPTY;
    struct status status = wire->ops->output(wire, &up, 1 << 20);
    assert_true(status_is_ok(&status));
    fake_grpc_input(server, buf_slice(&up));
    fake_grpc_trailers_only(server, 1, "8", "too much");
    fake_grpc_output(server, &down);
    status = wire->ops->input(wire, down.data, down.size);
    assert_true(status_is_ok(&status));
    buf_free(&up);
    buf_free(&down);
}

static void test_answer_before_the_end_of_the_request(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, answer_hello);
    char *big = test_calloc(1, 1000001);
    memset(big, 'r', 1000000);
    buf_append_text(&pair.call.request, big);
    test_free(big);
    start(pair.wire, &pair.call);
    answer_early(pair.wire, &pair.server);
    assert_int_equal(pair.completions, 1);
    assert_int_equal(pair.call.status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_true(exchange(pair.wire, &pair.server));
    assert_int_equal(pair.completions, 1);
    pair_close(&pair);
}

static void goaway_before_this(struct fake_grpc *server, int32_t stream_id) {
    assert_int_equal(stream_id, 1);
    nghttp2_submit_goaway(server->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
}

static void test_goaway_refuses_calls(void **state) {
    (void)state;
    struct pair pair;
    run(&pair, goaway_before_this);
    assert_int_equal(pair.completions, 1);
    assert_int_equal(pair.call.status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(pair.call.status.message, "GOAWAY"));
    assert_false(pair.wire->ops->can_start(pair.wire));
    assert_true(pair.wire->ops->finished(pair.wire));
    pair_close(&pair);
}

static void goaway_after_this(struct fake_grpc *server, int32_t stream_id) {
    nghttp2_submit_goaway(server->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR, NULL, 0);
    fake_grpc_good_answer(server, stream_id, SLICE_LITERAL("last"));
}

static void test_goaway_lets_accepted_calls_finish(void **state) {
    (void)state;
    struct pair pair;
    run(&pair, goaway_after_this);
    assert_int_equal(pair.call.status.code, STATUS_OK);
    assert_false(pair.wire->ops->can_start(pair.wire));
    assert_true(pair.wire->ops->finished(pair.wire));
    pair_close(&pair);
}

/* Calls that wait for a free stream when the GOAWAY comes never reach the server. */
static void test_goaway_with_calls_queued_here(void **state) {
    (void)state;
    enum { CALLS = 4 };
    struct pair pair;
    struct client_call calls[CALLS];
    int completions = 0;
    pair_open(&pair, NULL);
    const nghttp2_settings_entry one = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1};
    nghttp2_submit_settings(pair.server.session, NGHTTP2_FLAG_NONE, &one, 1);
    assert_true(exchange(pair.wire, &pair.server));
    for (size_t i = 0; i < CALLS; i++) {
        call_init(&calls[i], &completions, "request");
        start(pair.wire, &calls[i]);
    }
    assert_true(exchange(pair.wire, &pair.server));
    assert_int_equal(pair.server.request_count, 1);
    nghttp2_submit_goaway(pair.server.session, NGHTTP2_FLAG_NONE, 1, NGHTTP2_NO_ERROR, NULL, 0);
    assert_true(exchange(pair.wire, &pair.server));
    fake_grpc_good_answer(&pair.server, 1, SLICE_LITERAL("x"));
    assert_true(exchange(pair.wire, &pair.server));
    assert_int_equal(completions, CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].status.code, i == 0 ? STATUS_OK : STATUS_UNAVAILABLE);
        call_free(&calls[i]);
    }
    pair_close(&pair);
}

static void test_dropped_calls_are_forgotten(void **state) {
    (void)state;
    struct pair pair;
    /* Before anything was sent: the server never sees it. */
    pair_open(&pair, answer_hello);
    start(pair.wire, &pair.call);
    pair.wire->ops->drop(pair.wire, &pair.call);
    assert_true(exchange(pair.wire, &pair.server));
    assert_int_equal(pair.server.request_count, 0);
    assert_int_equal(pair.completions, 0);
    /* While it waits for its answer. */
    pair.server.on_request = NULL;
    start(pair.wire, &pair.call);
    assert_true(exchange(pair.wire, &pair.server));
    pair.wire->ops->drop(pair.wire, &pair.call);
    assert_int_equal(pair.wire->call_count, 0);
    assert_true(exchange(pair.wire, &pair.server));
    assert_int_equal(pair.completions, 0);
    pair_close(&pair);
    assert_int_equal(pair.completions, 0);
}

static void test_closed_connection_ends_every_call(void **state) {
    (void)state;
    struct pair pair;
    run(&pair, NULL);
    struct client_call unsent;
    int completions = 0;
    call_init(&unsent, &completions, "x");
    start(pair.wire, &unsent);
    struct status why = status_error(STATUS_UNAVAILABLE, "gone");
    pair.wire->ops->closed(pair.wire, &why);
    assert_int_equal(pair.completions, 1);
    assert_int_equal(completions, 1);
    assert_string_equal(unsent.status.message, "gone");
    assert_false(pair.wire->ops->can_start(pair.wire));
    call_free(&unsent);
    pair_close(&pair);
}

static void test_other_protocols_are_named(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    start(pair.wire, &pair.call);
    const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct status status = pair.wire->ops->input(pair.wire, answer, sizeof answer - 1);
    assert_int_equal(status.code, STATUS_DATA_LOSS);
    assert_non_null(strstr(status.message, "HTTP/1.1"));
    assert_true(pair.wire->ops->finished(pair.wire));
    pair_close(&pair);
    assert_int_equal(pair.completions, 1);
}

/* The bytes of a server that answers one call well. */
static void record(struct buf *ret) {
    struct pair pair;
    pair_open(&pair, answer_hello);
    start(pair.wire, &pair.call);
    for (int turn = 0; turn < 4; turn++) {
        struct buf up = BUF_EMPTY;
        size_t from = ret->size;
        struct status status = pair.wire->ops->output(pair.wire, &up, 1 << 20);
        assert_true(status_is_ok(&status));
        fake_grpc_input(&pair.server, buf_slice(&up));
        fake_grpc_output(&pair.server, ret);
        status = pair.wire->ops->input(pair.wire, ret->data + from, ret->size - from);
        assert_true(status_is_ok(&status));
        buf_free(&up);
    }
    assert_int_equal(pair.completions, 1);
    pair_close(&pair);
}

/* Replays server bytes to a new wire with one call; the connection closes behind them. The call must end exactly once.
 */
static enum status_code replay(struct slice bytes, size_t piece) {
    struct client_wire *wire = grpc_wire_create("host:1", ANSWER_LIMIT, &grpc_stream_v2);
    struct client_call call;
    struct buf up = BUF_EMPTY;
    int completions = 0;
    call_init(&call, &completions, "prefix and message");
    start(wire, &call);
    struct status status = wire->ops->output(wire, &up, 1 << 20);
    wire->ops->sent(wire, 1);
    for (size_t at = 0; at < bytes.size && status_is_ok(&status); at += piece) {
        size_t n = bytes.size - at < piece ? bytes.size - at : piece;
        char *exact = test_malloc(n);
        memcpy(exact, bytes.data + at, n);
        status = wire->ops->input(wire, exact, n);
        test_free(exact);
        if (status_is_ok(&status))
            status = wire->ops->output(wire, &up, 1 << 20);
    }
    wire_end(wire, status);
    assert_int_equal(completions, 1);
    buf_free(&up);
    call_free(&call);
    return call.status.code;
}

static void test_truncated_at_every_byte(void **state) {
    (void)state;
    struct buf bytes = BUF_EMPTY;
    record(&bytes);
    assert_int_equal(replay(buf_slice(&bytes), SIZE_MAX / 2), STATUS_OK);
    assert_int_equal(replay(buf_slice(&bytes), 1), STATUS_OK);
    size_t whole = 0; /* the shortest prefix that answers the call; behind it come frames of the connection */
    for (size_t size = 0; size < bytes.size; size++) {
        enum status_code code = replay((struct slice){bytes.data, size}, SIZE_MAX / 2);
        if (code == STATUS_OK && whole == 0)
            whole = size;
        assert_int_equal(code, whole > 0 ? STATUS_OK : STATUS_UNAVAILABLE);
    }
    buf_free(&bytes);
}

static void test_every_byte_changed(void **state) {
    (void)state;
    static const unsigned char changes[] = {0x01, 0x80, 0xff};
    struct buf bytes = BUF_EMPTY;
    record(&bytes);
    for (size_t at = 0; at < bytes.size; at++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            bytes.data[at] = (char)(bytes.data[at] ^ changes[k]);
            replay(buf_slice(&bytes), 7); /* checks that the call ends once; sanitizers watch the rest */
            bytes.data[at] = (char)(bytes.data[at] ^ changes[k]);
        }
    }
    assert_int_equal(replay(buf_slice(&bytes), 7), STATUS_OK);
    buf_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_call),
        cmocka_unit_test(test_timeout_is_sent),
        cmocka_unit_test(test_big_answer_and_many_calls),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_answer_before_the_end_of_the_request),
        cmocka_unit_test(test_goaway_refuses_calls),
        cmocka_unit_test(test_goaway_lets_accepted_calls_finish),
        cmocka_unit_test(test_goaway_with_calls_queued_here),
        cmocka_unit_test(test_dropped_calls_are_forgotten),
        cmocka_unit_test(test_closed_connection_ends_every_call),
        cmocka_unit_test(test_other_protocols_are_named),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_every_byte_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

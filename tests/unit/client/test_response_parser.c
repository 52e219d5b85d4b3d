/* Tests of response_parser: good answers in pieces of every size, bad ones, and truncation at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/response_parser.h"

enum { BODY_LIMIT = 1000 };

struct outcome {
    struct status status;
    struct response_parser parser;
    struct buf body;
    size_t used;
};

/* Feeds `size` bytes in pieces of `piece`; on a good end of input the connection closes if `close` says so. */
static void feed(struct outcome *outcome, const char *text, size_t size, size_t piece, bool close) {
    memset(outcome, 0, sizeof *outcome);
    outcome->status = status_ok();
    response_parser_begin(&outcome->parser, BODY_LIMIT);
    while (outcome->used < size && outcome->parser.state != RESPONSE_DONE) {
        size_t n = size - outcome->used < piece ? size - outcome->used : piece, used = 0;
        /* An own copy, so that AddressSanitizer sees reads behind the piece. */
        char *exact = test_malloc(n);
        memcpy(exact, text + outcome->used, n);
        outcome->status = response_parser_input(&outcome->parser, exact, n, &outcome->body, &used);
        test_free(exact);
        if (!status_is_ok(&outcome->status))
            return;
        outcome->used += used;
    }
    if (close)
        outcome->status = response_parser_closed(&outcome->parser, outcome->body.size);
}

static void release(struct outcome *outcome) {
    buf_free(&outcome->body);
    response_parser_free(&outcome->parser);
}

struct good_case {
    const char *text;
    const char *body;
    int status;
    bool keep_alive;
    bool needs_close;
};

static const struct good_case good_cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200, true, false},
    {"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", "", 200, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "abc", 200, true, false},
    {"HTTP/1.1 404 Not Found\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}", "{}", 404, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
     "abc0123456789", 200, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "a", 200,
     true, false},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 200, false, true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", 200, false, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x", 200, true, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "", 204,
     true, false},
    {"HTTP/1.1 503 Busy\r\nX-Empty:\r\nContent-Length: 1\r\nConnection: te, close\r\n\r\n!", "!", 503, false, false},
};

static void test_good_in_every_piece_size(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good_cases / sizeof good_cases[0]; i++) {
        const struct good_case *c = &good_cases[i];
        size_t size = strlen(c->text);
        for (size_t piece = 1; piece <= size; piece++) {
            struct outcome outcome;
            feed(&outcome, c->text, size, piece, c->needs_close);
            assert_string_equal(outcome.status.message, "");
            assert_int_equal(outcome.parser.state, RESPONSE_DONE);
            assert_int_equal(outcome.parser.status, c->status);
            assert_int_equal(outcome.parser.keep_alive, c->keep_alive);
            assert_int_equal(outcome.used, size);
            assert_int_equal(outcome.body.size, strlen(c->body));
            assert_memory_equal(outcome.body.size > 0 ? outcome.body.data : "", c->body, outcome.body.size);
            release(&outcome);
        }
    }
}

static void test_truncated_at_every_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good_cases / sizeof good_cases[0]; i++) {
        if (good_cases[i].needs_close)
            continue; /* its end is the close */
        for (size_t size = 0; size < strlen(good_cases[i].text); size++) {
            struct outcome outcome;
            feed(&outcome, good_cases[i].text, size, SIZE_MAX, true);
            assert_int_equal(outcome.status.code, STATUS_UNAVAILABLE);
            assert_int_not_equal(outcome.parser.state, RESPONSE_DONE);
            release(&outcome);
        }
    }
}

static void test_stops_behind_the_answer(void **state) {
    (void)state;
    struct outcome outcome;
    const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n";
    feed(&outcome, text, sizeof text - 1, SIZE_MAX, false);
    assert_int_equal(outcome.used, strlen("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"));
    release(&outcome);
}

static void test_inference_headers(void **state) {
    (void)state;
    struct outcome outcome;
    const char text[] = "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: 12\r\nContent-Encoding: gzip\r\n"
                        "Content-Length: 0\r\n\r\n";
    feed(&outcome, text, sizeof text - 1, SIZE_MAX, false);
    assert_true(outcome.parser.has_json_size);
    assert_int_equal(outcome.parser.json_size, 12);
    assert_false(outcome.parser.plain);
    release(&outcome);
}

static void test_v1_headers(void **state) {
    (void)state;
    struct outcome outcome;
    const char text[] = "HTTP/1.1 200 OK\r\nnv-status:code: SUCCESS\r\nNV-InferResponse: id: 7 \r\n"
                        "Content-Length: 0\r\n\r\n";
    feed(&outcome, text, sizeof text - 1, SIZE_MAX, false);
    assert_true(slice_equal_text(buf_slice(&outcome.parser.v1_status), "code: SUCCESS"));
    assert_true(slice_equal_text(buf_slice(&outcome.parser.v1_header), "id: 7"));
    release(&outcome);
}

static const char *const bad_cases[] = {
    "HTTP/1.1 200 OK\r\nNV-Status: a\r\nNV-Status: a\r\n\r\n",
    "HTP/1.1 200 OK\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1 20x OK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200 OK\r\nA: b\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nab",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: x\r\n\r\n",
};

static void test_bad_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        for (size_t piece = 1; piece < 100; piece += 33) {
            struct outcome outcome;
            feed(&outcome, bad_cases[i], strlen(bad_cases[i]), piece, false);
            if (outcome.status.code != STATUS_DATA_LOSS)
                print_error("case %zu: %s\n", i, bad_cases[i]);
            assert_int_equal(outcome.status.code, STATUS_DATA_LOSS);
            release(&outcome);
        }
    }
}

static void feed_repeated(struct outcome *outcome, const char *start, const char *again, size_t times) {
    struct buf text = BUF_EMPTY;
    buf_append_text(&text, start);
    for (size_t i = 0; i < times; i++)
        buf_append_text(&text, again);
    feed(outcome, text.data, text.size, SIZE_MAX, false);
    buf_free(&text);
}

static void test_bounds(void **state) {
    (void)state;
    static const struct {
        const char *start, *again;
        size_t times;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n", "Name: value\r\n", 10000}, /* head */
        {"HTTP/1.1 200 OK\r\nName: ", "x", 100000},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "x", 1}, /* body */
        {"HTTP/1.1 200 OK\r\n\r\n", "x", 1001},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 1001},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", 1000},            /* chunk extension */
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 20000}, /* trailers */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome;
        feed_repeated(&outcome, cases[i].start, cases[i].again, cases[i].times);
        assert_int_equal(outcome.status.code, STATUS_RESOURCE_EXHAUSTED);
        release(&outcome);
    }
}

static void test_parser_is_reusable(void **state) {
    (void)state;
    struct response_parser parser = {0};
    struct buf body = BUF_EMPTY;
    size_t used = 0;
    const char first[] = "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: 1\r\nContent-Length: 1\r\n\r\na";
    const char second[] = "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nbc";
    response_parser_begin(&parser, BODY_LIMIT);
    struct status status = response_parser_input(&parser, first, sizeof first - 1, &body, &used);
    assert_true(status_is_ok(&status) && parser.state == RESPONSE_DONE);
    buf_clear(&body);
    response_parser_begin(&parser, BODY_LIMIT);
    status = response_parser_input(&parser, second, sizeof second - 1, &body, &used);
    assert_true(status_is_ok(&status) && parser.state == RESPONSE_DONE);
    assert_false(parser.has_json_size);
    assert_int_equal(parser.status, 500);
    assert_int_equal(body.size, 2);
    buf_free(&body);
    response_parser_free(&parser);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_in_every_piece_size),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_stops_behind_the_answer),
        cmocka_unit_test(test_inference_headers),
        cmocka_unit_test(test_v1_headers),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_parser_is_reusable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* h1_fixture.h: a session of HTTP/1.1 whose client the tests write byte by byte. */
#ifndef INFERD_TEST_HTTP_H1_FIXTURE_H
#define INFERD_TEST_HTTP_H1_FIXTURE_H

#include "recorder.h"

struct fixture {
    struct recorder recorder;
    struct http_limits limits;
    struct session *session;
    struct buf out;
};

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->limits = http_limits_default();
    recorder_open(&f->recorder);
    struct status status = h1_session_create(&f->recorder.handler, &f->limits, &f->session);
    assert_int_equal(status.code, STATUS_OK);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    f->session->ops->destroy(f->session);
    recorder_close(&f->recorder);
    buf_free(&f->out);
    free(f);
    return 0;
}

static inline void take_output(struct fixture *f) {
    size_t before;
    do {
        before = f->out.size;
        struct status status = take_from(f->session, 4096, &f->out);
        assert_int_equal(status.code, STATUS_OK);
    } while (f->out.size > before);
}

static inline void give(struct fixture *f, struct slice text) {
    struct status status = give_input(f->session, text.data, text.size);
    assert_int_equal(status.code, STATUS_OK);
    take_output(f);
}

static inline void give_text(struct fixture *f, const char *text) {
    give(f, slice_of(text));
}

/* Takes the Date fields out of what was sent, compares, and clears it. */
static inline void expect_output(struct fixture *f, const char *expected) {
    struct buf plain = BUF_EMPTY;
    struct slice line, rest = buf_slice(&f->out);
    while (rest.size > 0) {
        bool whole = slice_split(rest, '\n', &line, &rest);
        if (slice_starts_with(line, SLICE_LITERAL("Date: "))) {
            assert_int_equal(line.size, strlen("Date: Sun, 06 Nov 1994 08:49:37 GMT\r"));
            continue;
        }
        buf_append_slice(&plain, line);
        if (whole)
            buf_append_char(&plain, '\n');
    }
    buf_append_char(&plain, '\0');
    assert_string_equal(plain.data, expected);
    buf_free(&plain);
    buf_clear(&f->out);
}

static inline bool finished(const struct fixture *f) {
    return f->session->ops->finished(f->session);
}

static inline void tick_at_deadline(struct fixture *f) {
    uint64_t deadline = f->session->ops->deadline(f->session);
    assert_true(deadline > 0);
    struct status status = f->session->ops->tick(f->session, deadline - 1);
    assert_int_equal(status.code, STATUS_OK);
    take_output(f);
    assert_int_equal(f->out.size, 0);
    status = f->session->ops->tick(f->session, deadline);
    assert_int_equal(status.code, STATUS_OK);
    take_output(f);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(path, length, body) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: " #length "\r\n\r\n" body
#define OK(length, body) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n" body

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

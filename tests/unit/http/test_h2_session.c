/* HTTP/2 connections frame by frame: hostile clients, time-outs, flow control, orderly ends. */
#include "frames.h"
#include "http/exchange_priv.h"
#include "peer.h"
#include "recorder.h"

struct fixture {
    struct recorder recorder;
    struct http_limits limits;
    struct peer peer;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->limits = http_limits_default();
    recorder_open(&f->recorder);
    peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    recorder_close(&f->recorder);
    free(f);
    return 0;
}

/* Gives the session the bytes (and frees them), and collects what it says. */
static struct status give_raw(struct fixture *f, struct buf *bytes, struct buf *ret_out) {
    struct session *session = f->peer.session;
    struct status status = session->ops->input(session, bytes->data, bytes->size);
    buf_free(bytes);
    while (status_is_ok(&status) && peer_tick(&f->peer)) /* for more turns */
        status = f->peer.error;
    struct status output = session->ops->output(session, ret_out, (size_t)1 << 30);
    assert_int_equal(output.code, STATUS_OK);
    return status;
}

/* The last frame of that type in the output; its payload's 32-bit number at `offset`, or -1 when there is none. */
static int64_t last_frame(const struct buf *out, unsigned type, size_t offset) {
    int64_t found = -1;
    const unsigned char *data = (const unsigned char *)out->data;
    for (size_t at = 0; at + 9 <= out->size;) {
        size_t size = (size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2];
        assert_true(at + 9 + size <= out->size);
        const unsigned char *n = data + at + 9 + offset;
        if (data[at + 3] == type && size >= offset + 4)
            found = (int64_t)((uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3]);
        at += 9 + size;
    }
    return found;
}

enum { GOAWAY_ERROR = 4 }; /* offset of the code in its payload */

static bool finished(struct fixture *f) {
    return f->peer.session->ops->finished(f->peer.session);
}

/* The client sends these bytes behind its preface; the connection must end with that error. */
static void expect_goaway(struct fixture *f, struct buf *bytes, uint32_t error_code) {
    struct buf all = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&all);
    buf_append_slice(&all, buf_slice(bytes));
    buf_free(bytes);
    give_raw(f, &all, &out);
    assert_int_equal(last_frame(&out, NGHTTP2_GOAWAY, GOAWAY_ERROR), error_code);
    assert_true(finished(f));
    buf_free(&out);
}

/* ---- hostile clients ---- */

static void test_rapid_resets(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    for (unsigned i = 0; i < 60; i++) {
        append_request(&bytes, 2 * i + 1, "/hold", 0);
        append_frame(&bytes, NGHTTP2_RST_STREAM, 0, 2 * i + 1, (struct slice){"\0\0\0\x08", 4});
    }
    expect_goaway(f, &bytes, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_true(f->recorder.heads <= 52);
}

static void test_some_resets_are_fine(void **state) {
    struct fixture *f = *state;
    f->limits.max_resets_per_second = 50;
    for (int i = 0; i < 40; i++) {
        struct peer_response *held = peer_request(&f->peer, "GET", "/hold", NO_BODY);
        peer_run(&f->peer);
        peer_cancel(&f->peer, held);
    }
    struct peer_response *last = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    peer_assert_answer(last, 200, "");
}

static void flood(struct fixture *f, unsigned type, unsigned stream, struct slice payload) {
    struct buf bytes = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    append_request(&bytes, 1, "/echo", 0);
    for (int i = 0; i < 60; i++)
        append_frame(&bytes, type, 0, stream, payload);
    expect_goaway(f, &bytes, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void test_empty_data_flood(void **state) {
    flood(*state, NGHTTP2_DATA, 1, NO_BODY);
}

static void test_settings_flood(void **state) {
    flood(*state, NGHTTP2_SETTINGS, 0, NO_BODY);
}

/* Streams that nghttp2 itself resets count too: the client makes us do the resetting. */
static void test_made_resets(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    f->limits.max_resets_per_second = 50;
    for (unsigned i = 0; i < 80; i++) {
        struct buf block = request_block("/echo");
        append_field(&block, "content-length", "5");
        append_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 2 * i + 1,
                     buf_slice(&block));
        buf_free(&block);
    }
    expect_goaway(f, &bytes, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_int_equal(f->recorder.heads, 0);
}

static void test_continuation_flood(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    struct buf block = request_block("/echo");
    append_frame(&bytes, NGHTTP2_HEADERS, 0, 1, buf_slice(&block));
    for (int i = 0; i < 100; i++)
        append_frame(&bytes, NGHTTP2_CONTINUATION, 0, 1, NO_BODY);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_free(&block);
    buf_free(&out);
    assert_int_equal(f->recorder.heads, 0);
}

static void test_head_far_over_the_limit(void **state) {
    struct fixture *f = *state;
    f->limits.max_head_bytes = 1000;
    char value[101];
    memset(value, 'v', 100);
    value[100] = '\0';
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
    for (int i = 0; i < 60; i++)
        append_field(&block, "x-flood", value);
    append_preface(&bytes);
    append_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, buf_slice(&block));
    append_request(&bytes, 3, "/echo", NGHTTP2_FLAG_END_STREAM);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, NGHTTP2_RST_STREAM, 0), NGHTTP2_INTERNAL_ERROR);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|close /echo|"); /* of stream 3 alone */
    buf_free(&block);
    buf_free(&out);
}

static void test_bad_preface(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    buf_append_text(&bytes, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_free(&out);
}

/* Requests that break the rules of RFC 9113 are reset; others on the connection go on. */
static void test_malformed_requests(void **state) {
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"Upper", "x"},      {"connection", "close"}, {"transfer-encoding", "chunked"},
        {":path", "/twice"}, {":unknown", "x"},       {"content-length", "x"},
        {"te", "gzip"},      {"x-value", "a\nb"},     {"", "x"},
    };
    struct fixture *f = *state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
        append_field(&block, rows[i].name, rows[i].value);
        if (i == 0)
            append_preface(&bytes);
        append_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 2 * i + 1,
                     buf_slice(&block));
        struct status status = give_raw(f, &bytes, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_int_equal(last_frame(&out, NGHTTP2_RST_STREAM, 0), NGHTTP2_PROTOCOL_ERROR);
        buf_free(&block);
        buf_free(&out);
    }
    assert_int_equal(f->recorder.heads, 0);
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_request(&bytes, 101, "/echo", NGHTTP2_FLAG_END_STREAM);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, 1);
    buf_free(&out);
}

static void test_connect_is_refused(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = BUF_EMPTY;
    append_preface(&bytes);
    append_field(&block, ":method", "CONNECT");
    append_field(&block, ":authority", "test:80");
    append_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, buf_slice(&block));
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, 0);
    assert_non_null(memmem(out.data, out.size, "CONNECT is not implemented", 26));
    buf_free(&block);
    buf_free(&out);
}

static void test_too_many_streams_are_refused(void **state) {
    struct fixture *f = *state;
    peer_close(&f->peer);
    f->limits.max_concurrent_streams = 3;
    peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    for (unsigned i = 0; i < 4; i++)
        append_request(&bytes, 2 * i + 1, "/idle", 0);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(f->recorder.heads, 3);
    assert_int_equal(last_frame(&out, NGHTTP2_RST_STREAM, 0), NGHTTP2_REFUSED_STREAM);
    buf_free(&out);
}

/* ---- streams ---- */

static void test_many_streams_at_once(void **state) {
    struct fixture *f = *state;
    static char data[PEER_RESPONSES][3000];
    for (size_t i = 0; i < PEER_RESPONSES; i++) {
        memset(data[i], (int)('a' + i % 26), sizeof data[i]);
        peer_request(&f->peer, "POST", i % 2 ? "/echo" : "/stream", (struct slice){data[i], sizeof data[i] - i});
    }
    peer_run(&f->peer);
    for (size_t i = 0; i < PEER_RESPONSES; i++) {
        const struct peer_response *response = &f->peer.responses[i];
        assert_true(response->complete);
        assert_int_equal(response->body.size, sizeof data[i] - i);
        assert_memory_equal(response->body.data, data[i], response->body.size);
    }
}

static void test_trailers_of_requests_are_taken(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, trailers = BUF_EMPTY;
    append_preface(&bytes);
    append_request(&bytes, 1, "/echo", 0);
    append_frame(&bytes, NGHTTP2_DATA, 0, 1, SLICE_LITERAL("body"));
    append_field(&trailers, "x-trailer", "dropped");
    append_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, buf_slice(&trailers));
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|close /echo|");
    buf_free(&trailers);
    buf_free(&out);
}

/* Answered before its request was complete: the client may stop by itself, and is made to if it goes on or is silent.
 */
static void test_early_answer_stops_the_upload(void **state) {
    struct fixture *f = *state;
    static char data[8 << 20];
    struct peer_response *refused = peer_request(&f->peer, "POST", "/refuse", (struct slice){data, sizeof data});
    peer_run(&f->peer);
    peer_assert_answer(refused, 403, "refused");
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, NGHTTP2_NO_ERROR);
    recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");

    struct peer_response *silent = peer_request_full(&f->peer, "POST", "/refuse", NULL, 0, SLICE_LITERAL("x"), true);
    peer_run(&f->peer);
    peer_assert_answer(silent, 403, "refused");
    assert_false(silent->reset);
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + 2 * NS_PER_S);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_true(silent->reset);
    assert_int_equal(silent->error_code, NGHTTP2_NO_ERROR);
    recorder_assert_log(&f->recorder, "head /refuse|close /refuse|");
}

/* A client that opens no window for its answer does not hold it forever. */
static void test_answer_that_nobody_takes(void **state) {
    struct fixture *f = *state;
    nghttp2_settings_entry no_window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    nghttp2_submit_settings(f->peer.client, NGHTTP2_FLAG_NONE, &no_window, 1);
    struct peer_response *stuck = peer_request(&f->peer, "POST", "/echo", SLICE_LITERAL("wants out"));
    peer_run(&f->peer);
    assert_int_equal(stuck->status, 200);
    assert_false(stuck->complete);
    uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
    assert_true(deadline > 0);
    for (int i = 0; i < 10 && deadline > 0 && !stuck->reset; i++) {
        struct status status = f->peer.session->ops->tick(f->peer.session, deadline);
        assert_int_equal(status.code, STATUS_OK);
        peer_run(&f->peer);
        deadline = f->peer.session->ops->deadline(f->peer.session);
    }
    assert_int_equal(stuck->error_code, NGHTTP2_CANCEL);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|abort /echo|");
}

static void test_answer_waits_for_the_window(void **state) {
    struct fixture *f = *state;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4};
    nghttp2_submit_settings(f->peer.client, NGHTTP2_FLAG_NONE, &window, 1);
    struct peer_response *slow = peer_request(&f->peer, "POST", "/echo", SLICE_LITERAL("0123456789"));
    peer_run(&f->peer);
    peer_assert_answer(slow, 200, "0123456789"); /* nghttp2's client opens it bit by bit */
}

/* ---- time and ends ---- */

static void test_head_timeout(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/echo");
    append_preface(&bytes);
    append_frame(&bytes, NGHTTP2_HEADERS, 0, 1, buf_slice(&block));
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + f->limits.head_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    status = f->peer.session->ops->output(f->peer.session, &out, 4096);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, NGHTTP2_GOAWAY, GOAWAY_ERROR), NGHTTP2_ENHANCE_YOUR_CALM);
    assert_true(finished(f));
    buf_free(&block);
    buf_free(&out);
}

static void test_silent_client(void **state) {
    struct fixture *f = *state;
    uint64_t deadline = f->peer.session->ops->deadline(f->peer.session);
    assert_true(deadline <= clock_monotonic_ns() + f->limits.head_timeout_ns);
    struct status status = f->peer.session->ops->tick(f->peer.session, deadline);
    assert_int_equal(status.code, STATUS_OK);
    struct buf out = BUF_EMPTY;
    status = f->peer.session->ops->output(f->peer.session, &out, 4096);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, NGHTTP2_GOAWAY, GOAWAY_ERROR), NGHTTP2_SETTINGS_TIMEOUT);
    assert_true(finished(f));
    buf_free(&out);
}

/* Requests that were sent before the client could know of the shutdown are still served. */
static void test_shutdown_loses_nothing(void **state) {
    struct fixture *f = *state;
    struct peer_response *first = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    struct peer_response *crossing = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    f->peer.no_reading = true;
    peer_run(&f->peer); /* on its way */
    f->peer.session->ops->shutdown(f->peer.session);
    f->peer.no_reading = false;
    peer_run(&f->peer);
    assert_int_equal(first->status, 200);
    assert_int_equal(crossing->status, 200);
    assert_true(f->peer.goaway);
    assert_true(finished(f));
}

static void test_shutdown_does_not_wait_for_ever(void **state) {
    struct fixture *f = *state;
    peer_run(&f->peer);
    f->peer.session->ops->shutdown(f->peer.session);
    f->peer.no_reading = true; /* the PING is not answered */
    peer_run(&f->peer);
    assert_false(finished(f));
    struct buf out = BUF_EMPTY;
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + NS_PER_S);
    assert_int_equal(status.code, STATUS_OK);
    status = f->peer.session->ops->output(f->peer.session, &out, 4096);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, NGHTTP2_GOAWAY, 0), 0); /* no stream was ever taken */
    assert_true(finished(f));
    buf_free(&out);
}

/* Silent clients hold up the end for a shorter time than they may be silent otherwise: one in the middle of a body, */
static void test_shutdown_with_an_unfinished_body(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = peer_request_full(&f->peer, "POST", "/echo", NULL, 0, SLICE_LITERAL("half"), true);
    peer_run(&f->peer);
    f->peer.session->ops->shutdown(f->peer.session);
    peer_run(&f->peer);
    assert_false(finished(f));
    struct status status =
        f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + f->limits.drain_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_int_equal(response->status, 408);
}

/* and one in the middle of a head, also when the final GOAWAY has been sent. */
static void test_shutdown_with_an_unfinished_head(void **state) {
    struct fixture *f = *state;
    struct session *session = f->peer.session;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/never");
    append_preface(&bytes);
    append_frame(&bytes, NGHTTP2_HEADERS, 0, 1, (struct slice){block.data, 4});
    buf_free(&block);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    session->ops->shutdown(session);
    uint64_t now = clock_monotonic_ns();
    status = session->ops->tick(session, now + NS_PER_S); /* the PING is not answered: the final GOAWAY */
    assert_int_equal(status.code, STATUS_OK);
    status = session->ops->output(session, &out, 4096);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(finished(f));
    status = session->ops->tick(session, now + f->limits.drain_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    status = session->ops->output(session, &out, 4096);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(last_frame(&out, NGHTTP2_GOAWAY, GOAWAY_ERROR), NGHTTP2_ENHANCE_YOUR_CALM);
    assert_true(finished(f));
    buf_free(&out);
}

static void test_budget(void **state) {
    struct fixture *f = *state;
    struct http_budget budget = {.max_bytes = 100000};
    f->limits.budget = &budget;
    struct peer_response *first = peer_request_full(&f->peer, "POST", "/echo", NULL, 0, SLICE_LITERAL(""), true);
    peer_run(&f->peer);
    size_t head = atomic_load(&budget.held_bytes);
    assert_true(head > EXCHANGE_COST);
    peer_send_more(&f->peer, first, SLICE_LITERAL("half"), false);
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&budget.held_bytes), head + 4);
    enum { FIELDS = 200 }; /* more than the second head may have */
    static const char much[FIELDS];
    budget.max_bytes = 2 * head + FIELDS;
    struct peer_response *second = peer_request(&f->peer, "POST", "/echo", (struct slice){much, sizeof much});
    peer_run(&f->peer);
    assert_int_equal(second->status, 503);
    peer_send_more(&f->peer, first, SLICE_LITERAL("!!"), true);
    peer_run(&f->peer);
    peer_assert_answer(first, 200, "half!!");
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

/* Streams for whose heads there is no room are refused, which tells clients that they may try again. */
static void test_heads_are_booked(void **state) {
    struct fixture *f = *state;
    struct http_budget budget = {.max_bytes = 100000};
    f->limits.budget = &budget;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    size_t head = atomic_load(&budget.held_bytes);
    budget.max_bytes = head + EXCHANGE_COST - 1;
    struct peer_response *refused = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, NGHTTP2_REFUSED_STREAM);
    budget.max_bytes = head + EXCHANGE_COST + 10; /* not for the fields */
    refused = peer_request(&f->peer, "GET", "/echo", NO_BODY);
    peer_run(&f->peer);
    assert_true(refused->reset);
    assert_int_equal(refused->error_code, NGHTTP2_REFUSED_STREAM);
    assert_int_equal(atomic_load(&budget.held_bytes), head);
    recorder_release(&f->recorder, "");
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

/* Answers that the client takes in no window are booked; those without room become a short 503. */
static void test_answers_are_booked(void **state) {
    struct fixture *f = *state;
    struct http_budget budget = {.max_bytes = 1 << 20};
    f->limits.budget = &budget;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    size_t head = atomic_load(&budget.held_bytes);
    f->peer.no_reading = true;
    budget.max_bytes = head + 5;
    assert_true(http_exchange_take_room(f->recorder.held, 5));
    assert_false(http_exchange_take_room(f->recorder.held, 6));
    recorder_release(&f->recorder, "123456");
    f->peer.no_reading = false;
    peer_run(&f->peer);
    assert_int_equal(f->peer.responses[0].status, 503);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

/* Room that was taken is there, whatever others take before the answer is given; what is left of it is given back. */
static void test_room_is_kept(void **state) {
    struct fixture *f = *state;
    struct http_budget budget = {.max_bytes = 1 << 20};
    f->limits.budget = &budget;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    assert_true(http_exchange_take_room(f->recorder.held, 100));
    budget.max_bytes = 0;
    assert_false(http_exchange_take_room(f->recorder.held, 100));
    budget.max_bytes = 1 << 20;
    assert_true(http_exchange_take_room(f->recorder.held, 9));
    budget.max_bytes = 0;
    recorder_answer_pieces(f->recorder.held);
    f->recorder.held = NULL;
    peer_run(&f->peer);
    assert_true(f->peer.responses[0].complete);
    assert_int_equal(f->peer.responses[0].body.size, 9);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

static void test_closed_clients_are_gone(void **state) {
    struct fixture *f = *state;
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    f->peer.session->ops->input_closed(f->peer.session, false);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
    assert_true(finished(f));
}

/* ---- random input ---- */

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Broken bytes end in errors, never in a crash or an exchange without its last callback (teardown checks). */
static void test_mutated_frames(void **state) {
    struct fixture *f = *state;
    struct buf seed = BUF_EMPTY;
    append_preface(&seed);
    size_t preface = seed.size;
    append_request(&seed, 1, "/echo", 0);
    append_frame(&seed, NGHTTP2_DATA, 0, 1, SLICE_LITERAL("0123456789"));
    append_request(&seed, 3, "/pieces", NGHTTP2_FLAG_END_STREAM);
    append_frame(&seed, NGHTTP2_WINDOW_UPDATE, 0, 0, (struct slice){"\0\0\1\0", 4});
    append_frame(&seed, NGHTTP2_PING, 0, 0, SLICE_LITERAL("pingpong"));
    append_request(&seed, 5, "/reset", NGHTTP2_FLAG_END_STREAM);
    append_frame(&seed, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, SLICE_LITERAL("end"));
    append_frame(&seed, NGHTTP2_RST_STREAM, 0, 3, (struct slice){"\0\0\0\x08", 4});
    uint64_t random = 0x9e3779b97f4a7c15;
    size_t errors = 0;
    for (int round = 0; round < 3000; round++) {
        peer_close(&f->peer);
        peer_open(&f->peer, true, &f->recorder.handler, &f->limits);
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        buf_append_slice(&bytes, buf_slice(&seed));
        for (uint64_t edits = 1 + random_next(&random) % 4; edits > 0; edits--)
            bytes.data[preface + random_next(&random) % (seed.size - preface)] = (char)random_next(&random);
        bytes.size -= random_next(&random) % 20;
        struct status status = give_raw(f, &bytes, &out);
        errors += !status_is_ok(&status) || last_frame(&out, NGHTTP2_GOAWAY, GOAWAY_ERROR) > 0 ||
                  last_frame(&out, NGHTTP2_RST_STREAM, 0) > 0;
        buf_free(&out);
    }
    assert_true(errors > 300);
    buf_free(&seed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_room_is_kept),
        TEST(test_rapid_resets),
        TEST(test_some_resets_are_fine),
        TEST(test_empty_data_flood),
        TEST(test_settings_flood),
        TEST(test_made_resets),
        TEST(test_continuation_flood),
        TEST(test_head_far_over_the_limit),
        TEST(test_bad_preface),
        TEST(test_malformed_requests),
        TEST(test_connect_is_refused),
        TEST(test_too_many_streams_are_refused),
        TEST(test_many_streams_at_once),
        TEST(test_trailers_of_requests_are_taken),
        TEST(test_early_answer_stops_the_upload),
        TEST(test_answer_that_nobody_takes),
        TEST(test_answer_waits_for_the_window),
        TEST(test_head_timeout),
        TEST(test_silent_client),
        TEST(test_shutdown_loses_nothing),
        TEST(test_shutdown_does_not_wait_for_ever),
        TEST(test_shutdown_with_an_unfinished_body),
        TEST(test_shutdown_with_an_unfinished_head),
        TEST(test_budget),
        TEST(test_heads_are_booked),
        TEST(test_answers_are_booked),
        TEST(test_closed_clients_are_gone),
        TEST(test_mutated_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Large answers, lent to the output: their memory lives until the last byte is written, whatever becomes of the
 * exchange meanwhile, is let go of once, and is booked as long. */
#include "both.h"
#include "http/http_limits.h"

enum {
    SMALL = 60000, /* an answer that is handed out at once, */
    TARGET = 20000,
    LARGE = 5 << 16,    /* and one that is not */
    REQUEST = 100000,   /* held for the request, which the answer may lie in */
    COST_MAX = 16 << 10 /* booked beside the answer */
};

/* The other end of a connection that has handed out a part of an answer. */
struct lent {
    struct fixture *f;
    struct http_budget budget;
    char *bytes;
    size_t size;
    int releases;
    struct output out;
    struct buf expected; /* what the output held at first */
};

static void release(void *user) {
    struct lent *lent = user;
    lent->releases++;
    free(lent->bytes);
    lent->bytes = NULL;
}

/* Answers a request, and takes as much of it as the session gives at once. */
static void lend(struct lent *lent, struct fixture *f, size_t size, bool gathers) {
    lent->f = f;
    lent->budget = (struct http_budget){.max_bytes = 1 << 20};
    lent->out = (struct output){.gathers = gathers};
    lent->size = size;
    lent->bytes = malloc(size);
    assert_non_null(lent->bytes);
    for (size_t i = 0; i < size; i++)
        lent->bytes[i] = (char)(i * 31 >> 3);
    f->limits.budget = &lent->budget;
    reopen(f);
    peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    f->peer.no_reading = true;
    struct buf body = text_buf("body");
    assert_true(http_exchange_hold(f->recorder.held, REQUEST));
    http_respond_with_tail(f->recorder.held, 200, NULL, 0, &body,
                           (struct http_tail){{lent->bytes, size}, release, lent});
    struct status status = f->peer.session->ops->output(f->peer.session, &lent->out, TARGET);
    assert_int_equal(status.code, STATUS_OK);
    append_output(&lent->expected, &lent->out);
    assert_int_equal(lent->out.lent > 0, gathers);
}

/* Writes the first n bytes, which must be what they were. */
static void write_out(struct lent *lent, size_t n) {
    struct buf now = BUF_EMPTY;
    append_output(&now, &lent->out);
    assert_int_equal(now.size, lent->expected.size);
    assert_memory_equal(now.data, lent->expected.data, now.size);
    output_pass(&lent->out, n);
    memmove(lent->expected.data, lent->expected.data + n, lent->expected.size - n);
    lent->expected.size -= n;
    buf_free(&now);
}

static size_t booked(const struct lent *lent) {
    return atomic_load(&lent->budget.held_bytes);
}

static void end(struct lent *lent) {
    output_free(&lent->out);
    peer_close(&lent->f->peer);
    assert_int_equal(lent->releases, 1);
    assert_int_equal(booked(lent), 0);
    buf_free(&lent->expected);
    lent->f->limits.budget = NULL;
    reopen(lent->f);
}

/* The exchange is closed when all has been handed out; the memory stays. */
static void whole_answer_body(struct fixture *f) {
    struct lent lent = {0};
    lend(&lent, f, SMALL, true);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|close /hold|");
    assert_true(booked(&lent) >= lent.size + REQUEST);
    write_out(&lent, lent.expected.size - 1);
    if (lent.out.lent > 0) {
        assert_int_equal(lent.releases, 0);
        assert_true(booked(&lent) >= lent.size + REQUEST);
    }
    write_out(&lent, 1);
    assert_int_equal(lent.releases, 1);
    assert_true(booked(&lent) < COST_MAX);
    end(&lent);
}

static void memory_outlives_the_exchange(void **state) {
    (void)state;
    run_over_both(whole_answer_body);
}

static void lost_client_body(struct fixture *f) {
    struct lent lent = {0};
    lend(&lent, f, LARGE, true);
    f->peer.session->ops->input_closed(f->peer.session, true);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
    assert_int_equal(lent.releases, 0);
    assert_true(booked(&lent) >= lent.size + REQUEST);
    end(&lent); /* nothing more is written */
}

static void memory_outlives_a_lost_client(void **state) {
    (void)state;
    run_over_both(lost_client_body);
}

static void reset_body(struct fixture *f) {
    struct lent lent = {0};
    lend(&lent, f, LARGE, true);
    struct http_exchange *held = f->recorder.held;
    assert_non_null(held);
    http_exchange_reset(held);
    assert_int_equal(lent.releases, 0);
    assert_true(booked(&lent) >= lent.size + REQUEST);
    write_out(&lent, lent.expected.size);
    assert_int_equal(lent.releases, 1);
    struct status status = f->peer.session->ops->output(f->peer.session, &lent.out, TARGET); /* it is broken off */
    assert_int_equal(status.code, STATUS_OK);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
    end(&lent);
}

static void memory_outlives_a_reset_by_the_handler(void **state) {
    (void)state;
    run_over_both(reset_body);
}

/* The stream's own part goes on behind what was handed out. */
static void reset_by_the_client_body(struct fixture *f) {
    if (!f->h2)
        return;
    struct lent lent = {0};
    lend(&lent, f, LARGE, true);
    nghttp2_submit_rst_stream(f->peer.client, NGHTTP2_FLAG_NONE, 1, NGHTTP2_CANCEL);
    peer_run(&f->peer);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|abort /hold|");
    assert_int_equal(lent.releases, 0);
    assert_true(booked(&lent) >= lent.size + REQUEST);
    write_out(&lent, 9000);
    write_out(&lent, lent.expected.size);
    assert_int_equal(lent.releases, 1);
    assert_true(booked(&lent) < COST_MAX);
    end(&lent);
}

static void memory_outlives_a_reset_by_the_client(void **state) {
    (void)state;
    run_over_both(reset_by_the_client_body);
}

/* An answer that cannot be booked is refused, also while what is booked is only handed out. */
static void full_budget_body(struct fixture *f) {
    struct lent lent = {0};
    lend(&lent, f, SMALL, true);
    lent.budget.max_bytes = SMALL + REQUEST + COST_MAX;
    lent.budget.share_bytes = 0;
    f->peer.no_reading = false;
    struct peer_response *refused = peer_request(&f->peer, "GET", "/hold", NO_BODY);
    peer_run(&f->peer);
    assert_non_null(f->recorder.held);
    struct buf body = BUF_EMPTY;
    memset(buf_reserve(&body, SMALL), 'x', SMALL);
    body.size = SMALL;
    http_respond(f->recorder.held, 200, NULL, 0, &body);
    struct buf all = BUF_EMPTY;
    append_output(&all, &lent.out);
    if (f->h2)
        assert_int_equal(nghttp2_session_mem_recv(f->peer.client, (const uint8_t *)all.data, all.size),
                         (ssize_t)all.size);
    else
        buf_append_slice(&f->peer.from_server, buf_slice(&all));
    buf_free(&all);
    peer_run(&f->peer);
    assert_int_equal(refused->status, 503);
    assert_int_equal(lent.releases, 0);
    end(&lent);
}

static void what_is_handed_out_is_booked(void **state) {
    (void)state;
    run_over_both(full_budget_body);
}

/* Where the transport does not gather (TLS) the memory is let go of when it is copied. */
static void copied_body(struct fixture *f) {
    struct lent lent = {0};
    lend(&lent, f, SMALL, false);
    while (lent.releases == 0) {
        assert_true(output_size(&lent.out) > 0);
        write_out(&lent, lent.expected.size);
        struct status status = f->peer.session->ops->output(f->peer.session, &lent.out, TARGET);
        assert_int_equal(status.code, STATUS_OK);
        append_output(&lent.expected, &lent.out);
        assert_int_equal(lent.out.lent, 0);
    }
    assert_true(output_size(&lent.out) > 0 && booked(&lent) < COST_MAX);
    recorder_assert_log(&f->recorder, "head /hold|end /hold|close /hold|");
    end(&lent);
}

static void copies_need_no_memory_of_the_answer(void **state) {
    (void)state;
    run_over_both(copied_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_outlives_the_exchange),
        cmocka_unit_test(memory_outlives_a_lost_client),
        cmocka_unit_test(memory_outlives_a_reset_by_the_handler),
        cmocka_unit_test(memory_outlives_a_reset_by_the_client),
        cmocka_unit_test(what_is_handed_out_is_booked),
        cmocka_unit_test(copies_need_no_memory_of_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

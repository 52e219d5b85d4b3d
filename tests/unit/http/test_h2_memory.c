/* HTTP/2 and memory: what heads take that are not complete, and, whichever allocation fails, alone or with all behind
 * it, that the session ends what it cannot go on with, keeps both tables in step, and gives all back. */
#include "h2_fixture.h"

/* ---- heads that are not complete ---- */

enum { LONG_BLOCK = 80000 };

/* Opens a connection with a budget and sends the first bytes of a head: a whole frame, or of a frame that goes on. */
static void begin_head(struct fixture *f, bool whole_frame, size_t size) {
    static char filler[LONG_BLOCK]; /* never read: the block is not complete */
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    f->limits.budget = &f->budget;
    reopen(f);
    append_preface(&bytes);
    append_frame(&bytes, H2_FRAME_HEADERS, 0, 1, (struct slice){filler, whole_frame ? size : sizeof filler});
    if (!whole_frame)
        bytes.size -= sizeof filler - size;
    struct status status = give_pieces(f, &bytes, 1000, &out);
    assert_int_equal(status.code, STATUS_OK);
    buf_free(&out);
}

static void test_incomplete_heads_are_booked(void **state) {
    struct fixture *f = *state;
    for (int whole = 0; whole <= 1; whole++) {
        begin_head(f, whole, 3000);
        assert_int_equal(atomic_load(&f->budget.held_bytes), 0); /* so little comes with any connection */
        begin_head(f, whole, 30000);
        assert_int_equal(h2_of(f)->booked, 30000);
        assert_int_equal(atomic_load(&f->budget.held_bytes), 30000);
        f->budget.max_bytes = 20000;
        begin_head(f, whole, 30000); /* no room, but it may be refused by itself when it is whole */
        assert_int_equal(h2_of(f)->phase, H2_OPEN);
        assert_int_equal(atomic_load(&f->budget.held_bytes), 30000);
        begin_head(f, whole, 70000); /* longer than any head that is taken */
        assert_int_equal(h2_of(f)->phase, H2_FAILED);
        assert_true(finished(f));
        assert_true(atomic_load(&f->budget.held_bytes) <= f->limits.max_head_bytes);
        peer_close(&f->peer);
        assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
        f->budget.max_bytes = 1 << 20;
    }
}

/* A long head in many frames, each in pieces: what was booked for its bytes is given back when it is complete. */
static void test_complete_heads_are_not_booked_twice(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, block = request_block("/hold");
    char value[126];
    memset(value, 'v', 125);
    value[125] = '\0';
    while (block.size < 12000)
        append_field(&block, "x-long", value);
    f->limits.budget = &f->budget;
    reopen(f);
    append_preface(&bytes);
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 1, (struct slice){block.data, 6000});
    append_frame(&bytes, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 1,
                 (struct slice){block.data + 6000, block.size - 6000});
    struct status status = give_pieces(f, &bytes, 100, &out);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(h2_of(f)->booked, 0);
    assert_int_equal(h2_of(f)->block.bytes.capacity, 0); /* nor is its memory kept */
    assert_int_equal(atomic_load(&f->budget.held_bytes), f->recorder.held->head_bytes);
    recorder_release(&f->recorder, "");
    take_output(f, &out);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
    buf_free(&block);
    buf_free(&out);
}

/* ---- allocations that fail (the linker puts these in place of the C library's) ---- */

static struct {
    bool armed;
    bool for_good; /* all behind it fail too */
    size_t left;   /* before the one that fails */
    size_t failed;
} memory;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

static bool fails(void) {
    if (!memory.armed)
        return false;
    if (memory.left > 0) {
        memory.left--;
        return false;
    }
    if (memory.failed > 0 && !memory.for_good)
        return false;
    memory.failed++;
    return true;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fails() ? NULL : __real_realloc(old, size);
}

/* ---- a conversation ---- */

enum { LONG = 20000 };

/* A body, coded fields that enter the table, a head in pieces, trailers, and streams that stay open. */
static void append_conversation(struct buf *bytes) {
    struct buf block = request_block("/hold");
    append_preface(bytes);
    append_request(bytes, 1, "/echo", 0);
    append_data(bytes, 1, 10000, 0);
    append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 3,
                 SLICE_LITERAL("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"
                               "\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"));
    append_request(bytes, 5, "/sip", 0);
    append_data(bytes, 5, 3000, 0);
    for (int i = 0; i < 30; i++)
        append_field(&block, "x-field", "of more than the table of fields has room for at first");
    append_request(bytes, 7, "/pieces", H2_FLAG_END_STREAM);
    append_frame(bytes, H2_FRAME_HEADERS, H2_FLAG_END_STREAM, 9, (struct slice){block.data, 700});
    append_frame(bytes, H2_FRAME_CONTINUATION, H2_FLAG_END_HEADERS, 9,
                 (struct slice){block.data + 700, block.size - 700});
    append_data(bytes, 1, 10000, H2_FLAG_END_STREAM);
    append_request(bytes, 11, "/reset-in-answer", H2_FLAG_END_STREAM);
    append_request(bytes, 13, "/describe", 0);
    buf_free(&block);
}

/* Every block of the output is read: a head that was given up on must not be missing from the client's table. */
static void assert_blocks(const struct buf *out) {
    struct slice rest = buf_slice(out), payload;
    struct hpack_decoder decoder;
    struct hpack_field field;
    struct buf block = BUF_EMPTY;
    hpack_decoder_init(&decoder);
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        if (frame.type != H2_FRAME_HEADERS && frame.type != H2_FRAME_CONTINUATION)
            continue;
        buf_append_slice(&block, payload);
        if (!(frame.flags & H2_FLAG_END_HEADERS))
            continue;
        struct slice left = buf_slice(&block);
        enum hpack_outcome outcome;
        size_t fields = 0;
        hpack_decode_begin(&decoder);
        while ((outcome = hpack_decode_next(&decoder, &left, &field)) == HPACK_FIELD)
            fields++;
        assert_int_equal(outcome, HPACK_END);
        assert_true(fields > 0);
        buf_clear(&block);
    }
    buf_free(&block);
    hpack_decoder_free(&decoder);
}

/* Each request that is complete has its answer's end, or is reset. */
static void assert_ends(const struct buf *out) {
    static const uint32_t complete[] = {1, 3, 7, 9, 11};
    for (size_t i = 0; i < sizeof complete / sizeof complete[0]; i++) {
        struct buf text = BUF_EMPTY;
        describe_stream(&text, out, complete[i]);
        assert_true(memchr(text.data, '.', text.size) || memchr(text.data, 'R', text.size));
        buf_free(&text);
    }
}

/* An answer whose head is longer than a frame. */
static void answer_held(struct recorder *recorder, struct slice value) {
    const struct http_header field = {SLICE_LITERAL("X-Long"), value};
    if (recorder->held && !recorder_path(recorder->held, "/sip"))
        http_respond(recorder->held, 200, &field, 1, NULL);
}

/* Gives the session some bytes, and turns until all is worked on. */
static struct status give(struct session *session, const char *data, size_t n) {
    struct status status = session->ops->input(session, data, n);
    for (;;) {
        uint64_t due = session->ops->deadline(session), now = clock_monotonic_ns();
        if (!status_is_ok(&status) || due == 0 || due > now)
            return status;
        status = session->ops->tick(session, now);
    }
}

static struct status converse(struct session *session, struct recorder *recorder, const struct buf *bytes,
                              struct output *out) {
    static char value[LONG];
    memset(value, 'v', sizeof value);
    struct status status = status_ok();
    for (size_t at = 0; at < bytes->size && status_is_ok(&status); at += 500) {
        size_t n = bytes->size - at < 500 ? bytes->size - at : 500;
        status = give(session, bytes->data + at, n);
        answer_held(recorder, (struct slice){value, sizeof value});
        if (status_is_ok(&status))
            status = session->ops->output(session, out, 1 << 20);
    }
    return status;
}

/* Lets allocation `number` fail; false when there are not so many. */
static bool fail_one(struct fixture *f, const struct buf *bytes, size_t number, bool for_good) {
    struct session *session = NULL;
    struct output output = {.gathers = true};
    struct buf out = BUF_EMPTY;
    memory.left = number;
    memory.failed = 0;
    memory.for_good = for_good;
    memory.armed = true;
    struct status status = h2_session_create(&f->recorder.handler, &f->limits, &session);
    bool created = status_is_ok(&status);
    if (created)
        status = converse(session, &f->recorder, bytes, &output);
    memory.armed = false;
    append_output(&out, &output);
    output_free(&output);
    if (!created || !status_is_ok(&status))
        assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    if (status_is_ok(&status))
        assert_blocks(&out);
    if (status_is_ok(&status) && last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR) < 0)
        assert_ends(&out);
    if (memory.failed == 0)
        assert_int_equal(last_frame(&out, H2_FRAME_GOAWAY, GOAWAY_ERROR), -1);
    if (created)
        session->ops->destroy(session);
    assert_int_equal(f->recorder.heads, f->recorder.lasts);
    assert_int_equal(atomic_load(&f->budget.held_bytes), 0);
    buf_free(&out);
    return memory.failed > 0;
}

static void test_every_allocation_fails_once(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    append_conversation(&bytes);
    f->limits.budget = &f->budget;
    for (int for_good = 0; for_good <= 1; for_good++) {
        size_t number = 0;
        while (fail_one(f, &bytes, number, for_good))
            number++;
        assert_true(number > 30);
    }
    buf_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_incomplete_heads_are_booked),
        TEST(test_complete_heads_are_not_booked_twice),
        TEST(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

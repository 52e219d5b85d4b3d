/* Answers as frames: windows, turns, and the order of what is compressed. */
#include "h2_fixture.h"

/* ---- windows ---- */

static void test_answer_waits_for_the_window(void **state) {
    struct fixture *f = *state;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4};
    nghttp2_submit_settings(f->peer.client, NGHTTP2_FLAG_NONE, &window, 1);
    struct peer_response *slow = peer_request(&f->peer, "POST", "/echo", SLICE_LITERAL("0123456789"));
    peer_run(&f->peer);
    peer_assert_answer(slow, 200, "0123456789"); /* nghttp2's client opens it bit by bit */
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
    assert_int_equal(stuck->error_code, H2_ERROR_CANCEL);
    recorder_assert_log(&f->recorder, "head /echo|end /echo|abort /echo|");
}

static void append_echo_of(struct buf *out, uint32_t stream, size_t size, const char *priority) {
    struct buf block = request_block("/echo");
    append_field(&block, "priority", priority);
    append_block(out, stream, &block, 0);
    append_data(out, stream, size, H2_FLAG_END_STREAM);
}

/* Incremental answers: one frame of each in turn; and where the connection's window ends, those who got least go on
 * first. */
static void test_streams_share_the_window(void **state) {
    static const char *const priorities[] = {"i", "u=1, i", "i=?1,u=7"};
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    for (uint32_t i = 0; i < 3; i++)
        append_echo_of(&bytes, 1 + 2 * i, 40000, priorities[i]);
    exchange_frames(f, &bytes, "H1 H3 H5 D1:16384 D3:16384 D5:16384 D1:16383");
    append_window(&bytes, 0, 20000);
    exchange_frames(f, &bytes, "D3:16384 D5:3616");
    append_window(&bytes, 0, 1);
    exchange_frames(f, &bytes, "D1:1");
    append_window(&bytes, 0, 1);
    exchange_frames(f, &bytes, "D3:1");
    append_window(&bytes, 0, 1);
    exchange_frames(f, &bytes, "D5:1");
    append_window(&bytes, 0, 1 << 20);
    exchange_frames(f, &bytes, "D1:7232. D3:7231. D5:16384 D5:3615.");
}

/* Others are sent one after the other, */
static void test_one_answer_after_the_other(void **state) {
    static const char *const priorities[] = {"u=3", "i=?0", "u=0,ii"};
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    for (uint32_t i = 0; i < 3; i++)
        append_echo_of(&bytes, 1 + 2 * i, 30000, priorities[i]);
    exchange_frames(f, &bytes, "H1 H3 H5 D1:16384 D1:13616. D3:16384 D3:13616. D5:5535");
    append_window(&bytes, 0, 1 << 20);
    exchange_frames(f, &bytes, "D5:16384 D5:8081.");
}

/* but none for longer than its turn. */
static void test_long_answers_take_turns(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, H2_WINDOW_MAX);
    append_window(&bytes, 0, H2_WINDOW_MAX - H2_WINDOW_DEFAULT);
    append_setting(&bytes, H2_SETTING_MAX_FRAME_SIZE, H2_FRAME_SIZE_LAST);
    for (uint32_t stream = 1; stream <= 3; stream += 2) {
        append_request(&bytes, stream, "/echo", 0);
        for (size_t sent = 0; sent < HTTP_H2_TURN_BYTES + 100000; sent += 50000)
            append_data(&bytes, stream, 50000, 0);
        append_data(&bytes, stream, 0, H2_FLAG_END_STREAM);
    }
    struct status status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    for (size_t before = 1; out.size != before;) {
        before = out.size;
        take_output(f, &out);
    }
    size_t sent[2] = {0, 0}, turns = 0;
    unsigned latest = 0;
    for (size_t at = 0; at < out.size;) {
        struct h2_frame frame = h2_frame_parse((const unsigned char *)out.data + at);
        at += H2_FRAME_HEAD_SIZE + frame.length;
        if (frame.type != H2_FRAME_DATA)
            continue;
        turns += frame.stream_id != latest;
        latest = frame.stream_id;
        sent[latest == 3] += frame.length;
        if (turns == 1)
            assert_in_range(sent[0], 0, HTTP_H2_TURN_BYTES + (64 << 10));
    }
    assert_int_equal(turns, 4); /* one, three, and what is left of them */
    assert_int_equal(sent[0], sent[1]);
    buf_free(&out);
}

/* A stream without a window makes no other one wait, and comes back with its own. */
static void test_stream_without_a_window(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 0);
    append_echo(&bytes, 1, 10);
    append_echo(&bytes, 3, 10);
    append_window(&bytes, 3, 4);
    exchange_frames(f, &bytes, "S+ H1 H3 D3:4");
    append_window(&bytes, 3, 6);
    exchange_frames(f, &bytes, "D3:6.");
    append_window(&bytes, 1, 10);
    exchange_frames(f, &bytes, "D1:10.");
}

/* SETTINGS may take away what was promised: then what was sent already is owed (RFC 9113 section 6.9.2). */
static void test_windows_below_zero(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 10);
    append_echo(&bytes, 1, 20);
    exchange_frames(f, &bytes, "S+ H1 D1:10");
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 3); /* now -7 */
    append_window(&bytes, 1, 7);
    exchange_frames(f, &bytes, "S+");
    append_window(&bytes, 1, 1);
    exchange_frames(f, &bytes, "D1:1");
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 4);
    exchange_frames(f, &bytes, "S+ D1:1");
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, H2_WINDOW_MAX);
    exchange_frames(f, &bytes, "S+ D1:8.");
}

/* The end of an answer is no data: it needs no window. */
static void test_end_needs_no_window(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 5);
    append_request(&bytes, 1, "/stream", 0);
    append_data(&bytes, 1, 5, 0);
    exchange_frames(f, &bytes, "S+ H1 D1:5");
    append_data(&bytes, 1, 0, H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "D1:0.");
}

static void test_windows_that_overflow(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/hold", 0);
    append_window(&bytes, 1, H2_WINDOW_MAX - H2_WINDOW_DEFAULT); /* just as much as there may be */
    exchange_frames(f, &bytes, "");
    append_window(&bytes, 1, 1);
    append_request(&bytes, 3, "/hold", 0);
    append_window(&bytes, 3, 0);
    exchange_frames(f, &bytes, "R1:3 R3:1");
    append_request(&bytes, 5, "/hold", 0);
    append_window(&bytes, 5, H2_WINDOW_MAX - H2_WINDOW_DEFAULT);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, H2_WINDOW_DEFAULT + 1);
    exchange_frames(f, &bytes, "G5:3");
    assert_true(finished(f));
}

/* DATA is as large as the client takes it, but no larger than is good for others. */
static void test_sizes_of_frames(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_window(&bytes, 0, 1 << 20);
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 1 << 20);
    append_setting(&bytes, H2_SETTING_MAX_FRAME_SIZE, 20000);
    append_echo(&bytes, 1, 50000);
    exchange_frames(f, &bytes, "S+ S+ H1 D1:20000 D1:20000 D1:10000.");
    append_setting(&bytes, H2_SETTING_MAX_FRAME_SIZE, H2_FRAME_SIZE_LAST);
    append_echo(&bytes, 3, 100000);
    exchange_frames(f, &bytes, "S+ H3 D3:65536 D3:34464.");
}

/* The connection asks for so many bytes at a time: what is left comes next. */
static void test_small_outputs(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    for (uint32_t stream = 1; stream <= 5; stream += 2)
        append_echo(&bytes, stream, 20000);
    struct status status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    static const char *const frames[] = {"H1 H3 H5", "D1:16384", "D1:3616.", "D3:16384",
                                         "D3:3616.", "D5:16384", "D5:3616."};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        status = take_from(f->peer.session, 1, &out);
        assert_int_equal(status.code, STATUS_OK);
        assert_frames(&out, frames[i]);
    }
}

/* ---- queues ---- */

/* Streams that wait go, in any combination, by the client's word; the others are served in their order. */
static void reset_some(struct fixture *f, bool starved, unsigned which) {
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, wanted = BUF_EMPTY;
    greet_client(f);
    if (starved) {
        append_echo(&bytes, 1, H2_WINDOW_DEFAULT);
        exchange_frames(f, &bytes, "H1 D1:16384 D1:16384 D1:16384 D1:16383.");
    }
    for (uint32_t i = 0; i < 4; i++)
        append_echo(&bytes, 3 + 2 * i, 100);
    struct status status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    if (starved)
        exchange_frames(f, &bytes, "H3 H5 H7 H9");
    for (uint32_t i = 0; i < 4; i++) {
        if (which >> i & 1)
            append_reset(&bytes, 3 + 2 * i);
        else
            buf_printf(&wanted, "%sD%u:100.", wanted.size > 0 ? " " : "", 3 + 2 * i);
    }
    append_window(&bytes, 0, 1000);
    buf_append_char(&wanted, '\0');
    status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    struct buf text = BUF_EMPTY;
    describe(&text, &out);
    assert_string_equal(text.data + (starved ? 0 : strlen("H3 H5 H7 H9") + (which < 15)), wanted.data);
    assert_null(h2_of(f)->streams);
    assert_null(h2_of(f)->ready.first);
    assert_null(h2_of(f)->starved.first);
    buf_free(&text);
    buf_free(&out);
    buf_free(&wanted);
    reopen(f);
}

static void test_streams_that_go_while_they_wait(void **state) {
    struct fixture *f = *state;
    for (unsigned which = 0; which < 16; which++) {
        reset_some(f, false, which);
        reset_some(f, true, which);
    }
}

/* However many wait: one that goes is not looked for among them. */
static void test_leaving_is_no_search(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_echo(&bytes, 1, H2_WINDOW_DEFAULT);
    for (uint32_t id = 3; id <= 11; id += 2)
        append_echo(&bytes, id, 5);
    assert_int_equal(give_raw(f, &bytes, &out).code, STATUS_OK);
    struct h2_session *h2 = h2_of(f);
    struct h2_stream *first = h2->starved.first, *before = h2_stream_find(h2, 7), *behind = h2_stream_find(h2, 11);
    struct h2_stream *second = first->queue_next;
    assert_int_equal(first->id, 3);
    first->queue_next = NULL; /* whoever began there would not find the others */
    append_reset(&bytes, 9);
    assert_int_equal(give_quietly(f, &bytes, 0).code, STATUS_OK);
    first->queue_next = second;
    assert_ptr_equal(before->queue_next, behind);
    assert_ptr_equal(behind->queue_previous, before);
    buf_free(&out);
    append_window(&bytes, 0, 100);
    exchange_frames(f, &bytes, "D3:5. D5:5. D7:5. D11:5.");
}

/* A stream that waits for the connection's window is reset at once when its handler gives up, or when nobody takes its
 * answer for too long: the client may never open that window. */
static void test_resets_need_no_window(void **state) {
    struct fixture *f = *state;
    for (int by_time = 0; by_time <= 1; by_time++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        greet_client(f);
        append_echo(&bytes, 1, H2_WINDOW_DEFAULT + 1);
        exchange_frames(f, &bytes, "H1 D1:16384 D1:16384 D1:16384 D1:16383");
        append_request(&bytes, 3, "/sip", 0);
        exchange_frames(f, &bytes, "H3");
        f->recorder.thirst = 4;
        append_data(&bytes, 3, 4, 0);
        exchange_frames(f, &bytes, "");
        if (by_time)
            tick_at(f, clock_monotonic_ns() + 2 * f->limits.body_timeout_ns, &out);
        else
            http_exchange_reset(f->recorder.held);
        take_output(f, &out);
        assert_frames(&out, by_time ? "R3:8 R1:8" : "R3:8"); /* the latest first */
        reopen(f);
    }
}

/* One that waits for it behind others has its time from the last byte on that any of them sent. */
static void test_time_behind_others(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_echo(&bytes, 1, H2_WINDOW_DEFAULT + 1);
    append_echo(&bytes, 3, 5);
    exchange_frames(f, &bytes, "H1 H3 D1:16384 D1:16384 D1:16384 D1:16383");
    struct h2_session *h2 = h2_of(f);
    uint64_t timeout_ns = f->limits.body_timeout_ns;
    h2_stream_find(h2, 3)->answer_ns -= 2 * timeout_ns; /* as if the others had taken so long */
    tick_at(f, h2->sent_ns + timeout_ns - 1, &out);
    assert_frames(&out, "");
    tick_at(f, h2->sent_ns + timeout_ns, &out);
    assert_frames(&out, "R3:8 R1:8");
}

/* ---- fields ---- */

/* Appends the fields of all blocks, "stream name: value\n" each, without dates; blocks of one stream are not mixed with
 * other frames. */
static void decode_blocks(struct hpack_decoder *decoder, const struct buf *out, struct buf *text) {
    struct slice rest = buf_slice(out), payload;
    struct buf block = BUF_EMPTY;
    bool open = false;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        assert_int_equal(frame.type == H2_FRAME_CONTINUATION, open);
        if (frame.type != H2_FRAME_HEADERS && frame.type != H2_FRAME_CONTINUATION)
            continue;
        buf_append_slice(&block, payload);
        open = !(frame.flags & H2_FLAG_END_HEADERS);
        if (open)
            continue;
        struct slice left = buf_slice(&block);
        struct hpack_field field;
        enum hpack_outcome outcome;
        hpack_decode_begin(decoder);
        while ((outcome = hpack_decode_next(decoder, &left, &field)) == HPACK_FIELD)
            if (!slice_equal_text(field.name, "date"))
                buf_printf(text, "%u %.*s: %.*s\n", frame.stream_id, SLICE_ARGS(field.name), SLICE_ARGS(field.value));
        assert_int_equal(outcome, HPACK_END);
        buf_clear(&block);
    }
    assert_false(open);
    buf_free(&block);
}

/* Gives the held exchange an answer whose head has a field of that many bytes, and trailers with another one. */
static void answer_long(struct fixture *f, struct slice value) {
    const struct http_header field = {SLICE_LITERAL("X-Long"), value}, trailer = {SLICE_LITERAL("x-tail"), value};
    struct http_exchange *exchange = f->recorder.held;
    struct buf piece = text_buf("body");
    http_respond_head(exchange, 200, &field, 1);
    http_respond_data(exchange, &piece);
    http_respond_end(exchange, &trailer, 1);
}

/* Blocks longer than the client takes in a frame go on in CONTINUATION frames, with nothing in between. */
static void test_long_heads(void **state) {
    static const struct {
        size_t size;
        const char *frames;
    } rows[] = {{1000, "H1 D1:4 H1."}, {17000, "H1 C1 D1:4 H1. C1"}, {40000, "H1 C1 C1 D1:4 H1. C1 C1"}};
    static char value[40000];
    struct fixture *f = *state;
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY, text = BUF_EMPTY, wanted = BUF_EMPTY;
        struct slice sized = {value, rows[i].size};
        struct hpack_decoder decoder;
        hpack_decoder_init(&decoder);
        greet_client(f);
        append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
        exchange_frames(f, &bytes, "");
        answer_long(f, sized);
        take_output(f, &out);
        decode_blocks(&decoder, &out, &text);
        buf_printf(&wanted, "1 :status: 200\n1 x-long: %.*s\n1 x-tail: %.*s\n", SLICE_ARGS(sized), SLICE_ARGS(sized));
        assert_int_equal(text.size, wanted.size);
        assert_memory_equal(text.data, wanted.data, wanted.size);
        assert_frames(&out, rows[i].frames);
        hpack_decoder_free(&decoder);
        buf_free(&text);
        buf_free(&wanted);
        reopen(f);
    }
}

/* A head that fills a frame to the last byte needs no other one. */
static void test_head_of_just_a_frame(void **state) {
    static char value[H2_FRAME_SIZE_DEFAULT];
    struct fixture *f = *state;
    memset(value, 'v', sizeof value);
    int whole = 0, split = 0;
    for (size_t size = sizeof value - 120; size < sizeof value; size++) {
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        greet_client(f);
        append_request(&bytes, 1, "/hold", H2_FLAG_END_STREAM);
        exchange_frames(f, &bytes, "");
        const struct http_header field = {SLICE_LITERAL("x"), {value, size}};
        http_respond(f->recorder.held, 204, &field, 1, NULL);
        take_output(f, &out);
        struct slice rest = buf_slice(&out), payload;
        struct h2_frame frame;
        assert_true(next_frame(&rest, &frame, &payload));
        assert_true(frame.length <= H2_FRAME_SIZE_DEFAULT);
        whole += rest.size == 0;
        if (rest.size > 0) {
            split++;
            assert_int_equal(frame.length, H2_FRAME_SIZE_DEFAULT);
            assert_int_equal(frame.flags, H2_FLAG_END_STREAM);
            assert_true(next_frame(&rest, &frame, &payload));
            assert_true(payload.size > 0);
            assert_int_equal(frame.flags, H2_FLAG_END_HEADERS);
        }
        buf_free(&out);
        reopen(f);
    }
    assert_true(whole > 0 && split > 0);
}

/* All that is not DATA goes first, in the order in which it came about. */
static void test_control_goes_first(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_echo(&bytes, 1, 10);
    append_frame(&bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("pingpong"));
    append_request(&bytes, 3, "/refuse", H2_FLAG_END_STREAM);
    append_setting(&bytes, H2_SETTING_ENABLE_PUSH, 0);
    append_request(&bytes, 5, "/reset", H2_FLAG_END_STREAM);
    append_frame(&bytes, H2_FRAME_HEADERS, H2_FLAG_END_HEADERS, 7, NO_BODY);
    struct buf out = BUF_EMPTY;
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    struct buf text = BUF_EMPTY;
    describe(&text, &out);
    const char *data = strstr(text.data, "D1:10."), *ping = strstr(text.data, "P+"), *made = strstr(text.data, "R7:1");
    assert_true(data && ping && made && strstr(text.data, "H3") && strstr(text.data, "D3:7.") &&
                strstr(text.data, "R5:8"));
    assert_true(ping < strstr(text.data, "S+") && strstr(text.data, "S+") < made && made < data);
    buf_free(&text);
    buf_free(&out);
}

/* Heads, trailers that wait for windows, and tables of changing size: the client (nghttp2) reads every block. */
static void test_tables_of_the_answers(void **state) {
    static const uint32_t sizes[] = {0, 31, 32, 60, 100, 200, 1000, 4095, 4096, 4097, 65536};
    struct fixture *f = *state;
    uint64_t random = 0x9e3779b97f4a7c15;
    for (int round = 0; round < 30; round++) {
        reopen(f);
        nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                         (uint32_t)(1 + random_next(&random) % 12)};
        nghttp2_submit_settings(f->peer.client, NGHTTP2_FLAG_NONE, &window, 1);
        while (f->peer.count < PEER_RESPONSES) {
            for (uint64_t n = random_next(&random) % 3; n > 0; n--) {
                nghttp2_settings_entry table = {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[random_next(&random) % 11]};
                nghttp2_submit_settings(f->peer.client, NGHTTP2_FLAG_NONE, &table, 1);
            }
            peer_request(&f->peer, "GET", random_next(&random) % 3 ? "/pieces" : "/nothing", NO_BODY);
            f->peer.no_reading = random_next(&random) % 4 != 0;
            peer_run(&f->peer);
        }
        f->peer.no_reading = false;
        peer_run(&f->peer);
        assert_int_equal(f->peer.error.code, STATUS_OK);
        for (size_t i = 0; i < f->peer.count; i++) {
            struct peer_response *response = &f->peer.responses[i];
            bool pieces = response->status == 200;
            peer_assert_answer(response, pieces ? 200 : 204, pieces ? "[1][2][3]" : "");
            peer_assert_fields(response, pieces ? "x-kind: pieces\n+x-sum: 6\n+x-end: \n" : "");
        }
    }
}

/* The size of the table is told in the next block, the lowest one in between too (RFC 7541 section 4.2). */
static void test_table_size_is_told(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    append_setting(&bytes, H2_SETTING_HEADER_TABLE_SIZE, 0);
    append_setting(&bytes, H2_SETTING_HEADER_TABLE_SIZE, 100);
    append_request(&bytes, 1, "/nothing", H2_FLAG_END_STREAM);
    append_request(&bytes, 3, "/nothing", H2_FLAG_END_STREAM);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    struct slice rest = buf_slice(&out), payload;
    struct h2_frame frame;
    int heads = 0;
    while (next_frame(&rest, &frame, &payload)) {
        if (frame.type != H2_FRAME_HEADERS)
            continue;
        if (heads++ == 0)
            assert_memory_equal(payload.data, "\x20\x3f\x45\x89", 4); /* 0, then 31 + 69; ":status: 204" */
        else
            assert_memory_equal(payload.data, "\x89", 1);
    }
    assert_int_equal(heads, 2);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_answer_waits_for_the_window),
        TEST(test_answer_that_nobody_takes),
        TEST(test_streams_share_the_window),
        TEST(test_one_answer_after_the_other),
        TEST(test_long_answers_take_turns),
        TEST(test_stream_without_a_window),
        TEST(test_windows_below_zero),
        TEST(test_end_needs_no_window),
        TEST(test_windows_that_overflow),
        TEST(test_sizes_of_frames),
        TEST(test_small_outputs),
        TEST(test_streams_that_go_while_they_wait),
        TEST(test_leaving_is_no_search),
        TEST(test_resets_need_no_window),
        TEST(test_time_behind_others),
        TEST(test_long_heads),
        TEST(test_head_of_just_a_frame),
        TEST(test_control_goes_first),
        TEST(test_tables_of_the_answers),
        TEST(test_table_size_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

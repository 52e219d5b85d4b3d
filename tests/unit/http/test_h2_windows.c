/* The windows of HTTP/2 as a client keeps them: by the frames that it sends and gets, whatever those are, each window
 * stays as RFC 9113 section 6.9 wants it, and never stops to open. */
#include "h2_fixture.h"

/* ---- for what the client sends ---- */

enum { UPLOADS = 4, LARGEST = 20000 };

struct upload {
    uint32_t id;
    int64_t window; /* that the session has opened */
    uint64_t sent;  /* bytes of data */
};

/* A client that sends all that it may. */
struct sender {
    struct fixture *f;
    int64_t window; /* of the connection */
    struct upload uploads[UPLOADS];
    uint64_t random;
};

static struct upload *upload_of(struct sender *sender, uint32_t id) {
    for (size_t i = 0; i < UPLOADS; i++)
        if (sender->uploads[i].id == id)
            return &sender->uploads[i];
    fail_msg("stream %u is not open", id);
    return NULL;
}

/* Takes in what the session says: windows, and the answers' DATA, whose windows the client opens by as much. */
static void read_windows(struct sender *sender, struct buf *out, struct buf *reply) {
    struct slice rest = buf_slice(out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        assert_true(frame.type != H2_FRAME_GOAWAY && frame.type != H2_FRAME_RST_STREAM);
        if (frame.type == H2_FRAME_DATA && frame.length > 0) {
            append_window(reply, 0, frame.length);
            append_window(reply, frame.stream_id, frame.length);
        }
        if (frame.type != H2_FRAME_WINDOW_UPDATE)
            continue;
        int64_t *window = frame.stream_id == 0 ? &sender->window : &upload_of(sender, frame.stream_id)->window;
        uint32_t more = h2_get_u32((const unsigned char *)payload.data);
        assert_true(more > 0);
        *window += more;
        assert_true(*window <= (frame.stream_id == 0 ? HTTP_H2_CONNECTION_WINDOW : HTTP_H2_STREAM_WINDOW));
    }
    buf_free(out);
}

/* The session's count of each window is the client's. */
static void assert_windows(struct sender *sender) {
    struct h2_session *h2 = h2_of(sender->f);
    assert_int_equal(h2->receive_window, sender->window);
    assert_int_equal(h2->receive_window + h2->unannounced, HTTP_H2_CONNECTION_WINDOW);
    for (size_t i = 0; i < UPLOADS; i++) {
        const struct h2_stream *stream = h2_stream_find(h2, sender->uploads[i].id);
        assert_non_null(stream);
        assert_int_equal(stream->receive_window, sender->uploads[i].window);
        assert_true(stream->receive_window + stream->unannounced <= HTTP_H2_STREAM_WINDOW);
    }
}

/* One frame of DATA, as large as chance and the windows want it, with or without padding: of `least` bytes of data at
 * least. False: the windows have no room. */
static bool append_upload(struct sender *sender, struct upload *upload, size_t least, struct buf *bytes) {
    static const char zeros[LARGEST + 256];
    uint64_t chance = random_next(&sender->random);
    bool padded = chance % 3 == 0;
    size_t padding = padded ? chance / 8 % 256 : 0, front = padded ? 1 + padding : 0;
    size_t size = least + (chance / 4096 % 4 == 0 ? chance >> 32 & 15 : (chance >> 32) % LARGEST);
    int64_t room = upload->window < sender->window ? upload->window : sender->window;
    if (room < (int64_t)(front + least))
        return false;
    if ((int64_t)(front + size) > room)
        size = (size_t)room - front;
    struct buf payload = BUF_EMPTY;
    if (padded)
        buf_append_char(&payload, (char)padding);
    buf_append(&payload, zeros, size + padding);
    append_frame(bytes, H2_FRAME_DATA, padded ? H2_FLAG_PADDED : 0, upload->id, buf_slice(&payload));
    upload->window -= (int64_t)payload.size;
    sender->window -= (int64_t)payload.size;
    upload->sent += size;
    buf_free(&payload);
    return true;
}

static void open_uploads(struct sender *sender, const char *path) {
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_preface(&bytes);
    for (uint32_t i = 0; i < UPLOADS; i++) {
        sender->uploads[i] = (struct upload){.id = 2 * i + 1, .window = HTTP_H2_STREAM_WINDOW};
        append_request(&bytes, 2 * i + 1, path, 0);
    }
    sender->window = H2_WINDOW_DEFAULT;
    struct status status = give_raw(sender->f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    read_windows(sender, &out, &bytes);
    buf_free(&bytes);
}

/* Gives the session what was written, and what answers its answers. */
static void settle(struct sender *sender, struct buf *bytes) {
    while (bytes->size > 0) {
        struct buf out = BUF_EMPTY;
        struct status status = give_pieces(sender->f, bytes, 1 + random_next(&sender->random) % 100000, &out);
        assert_int_equal(status.code, STATUS_OK);
        read_windows(sender, &out, bytes);
    }
    assert_windows(sender);
}

/* Uploads of four streams, far longer than their windows, never come to a stand. */
static void test_windows_never_stop_opening(void **state) {
    static const char *const paths[] = {"/echo", "/stream", "/refuse"};
    struct fixture *f = *state;
    f->limits.max_resets_per_second = UINT32_MAX; /* frames of padding only are glitches */
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        /* After an early answer no more is taken than so much. */
        uint64_t enough = i == 2 ? HTTP_H2_DROP_MAX - 2 * LARGEST : 3 * HTTP_H2_STREAM_WINDOW, least = 0;
        struct sender sender = {.f = f, .random = 0x9e3779b97f4a7c15 + i};
        reopen(f);
        open_uploads(&sender, paths[i]);
        while (least < enough) {
            struct buf bytes = BUF_EMPTY;
            for (uint64_t n = 1 + random_next(&sender.random) % 8; n > 0; n--) {
                struct upload *upload = &sender.uploads[random_next(&sender.random) % UPLOADS];
                if (upload->sent < enough)
                    assert_true(append_upload(&sender, upload, n % 2, &bytes));
            }
            settle(&sender, &bytes);
            least = UINT64_MAX;
            for (size_t k = 0; k < UPLOADS; k++)
                least = sender.uploads[k].sent < least ? sender.uploads[k].sent : least;
        }
    }
}

/* Padding takes of the windows like data, and they open for it like for data. */
static void test_windows_of_padding_alone(void **state) {
    struct fixture *f = *state;
    struct sender sender = {.f = f};
    f->limits.max_resets_per_second = UINT32_MAX;
    open_uploads(&sender, "/stream");
    struct buf padding = BUF_EMPTY, bytes = BUF_EMPTY;
    buf_append_char(&padding, (char)255);
    for (int i = 0; i < 255; i++)
        buf_append_char(&padding, 0);
    for (int i = 0; i < 3 * HTTP_H2_STREAM_WINDOW / 256; i++) {
        append_frame(&bytes, H2_FRAME_DATA, H2_FLAG_PADDED, 1, buf_slice(&padding));
        sender.uploads[0].window -= 256;
        sender.window -= 256;
        assert_true(sender.uploads[0].window >= 0 && sender.window >= 0);
        if (i % 100 == 0)
            settle(&sender, &bytes);
    }
    settle(&sender, &bytes);
    buf_free(&padding);
}

/* A handler that takes nothing stops its own stream, after as much as was promised, and no other one. */
static void test_only_the_slow_stream_waits(void **state) {
    struct fixture *f = *state;
    struct sender sender = {.f = f, .random = 7};
    struct buf bytes = BUF_EMPTY;
    open_uploads(&sender, "/sip");
    for (size_t i = 0; i < UPLOADS - 1; i++) {
        while (sender.uploads[i].window > 0)
            append_upload(&sender, &sender.uploads[i], 1, &bytes);
        settle(&sender, &bytes);
    }
    assert_true(sender.window > HTTP_H2_CONNECTION_WINDOW / 2 - LARGEST);
    f->recorder.thirst = SIZE_MAX;
    append_upload(&sender, &sender.uploads[UPLOADS - 1], 1, &bytes);
    settle(&sender, &bytes);
    assert_int_equal(sender.uploads[0].window, 0);
    f->recorder.thirst = SIZE_MAX;
    for (struct h2_stream *stream = h2_of(f)->streams; stream; stream = stream->next)
        http_exchange_resume_body(&stream->exchange);
    append_window(&bytes, 0, 1);
    settle(&sender, &bytes);
    for (size_t i = 0; i < UPLOADS - 1; i++)
        assert_true(sender.uploads[i].window > HTTP_H2_STREAM_WINDOW / 2);
}

/* A client that sends more than it may is stopped: the stream, or the connection. */
static void test_windows_are_kept(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY;
    greet_client(f);
    append_request(&bytes, 1, "/sip", 0);
    for (int i = 0; i < HTTP_H2_STREAM_WINDOW / HTTP_H2_FRAME_MAX; i++)
        append_data(&bytes, 1, HTTP_H2_FRAME_MAX, 0);
    exchange_frames(f, &bytes, "H1");
    append_data(&bytes, 1, 1, 0);
    exchange_frames(f, &bytes, "R1:3");
    reopen(f);
    greet_client(f);
    h2_of(f)->receive_window = HTTP_H2_FRAME_MAX; /* as if the client had not been told of more */
    append_request(&bytes, 1, "/echo", 0);
    append_data(&bytes, 1, HTTP_H2_FRAME_MAX, 0);
    append_data(&bytes, 1, 1, 0);
    exchange_frames(f, &bytes, "G1:3");
}

/* ---- for what the session sends ---- */

/* A client that opens windows as chance wants it. */
struct taker {
    struct fixture *f;
    int64_t window, initial;
    struct {
        int64_t window;
        uint64_t got, wanted;
        bool ended;
    } streams[UPLOADS];
    uint64_t random;
};

static void read_answers(struct taker *taker, struct buf *out) {
    struct slice rest = buf_slice(out), payload;
    for (struct h2_frame frame; next_frame(&rest, &frame, &payload);) {
        assert_true(frame.type != H2_FRAME_GOAWAY && frame.type != H2_FRAME_RST_STREAM);
        if (frame.type != H2_FRAME_DATA)
            continue;
        size_t i = frame.stream_id / 2;
        assert_false(taker->streams[i].ended);
        taker->window -= frame.length;
        taker->streams[i].window -= frame.length;
        taker->streams[i].got += frame.length;
        taker->streams[i].ended = frame.flags & H2_FLAG_END_STREAM;
        assert_true(frame.length == 0 || (taker->window >= 0 && taker->streams[i].window >= 0));
        assert_true(frame.length <= H2_FRAME_SIZE_DEFAULT);
        assert_int_equal(taker->streams[i].ended, taker->streams[i].got == taker->streams[i].wanted);
    }
    buf_free(out);
}

/* Nothing waits that may go: a stream that is not at its end has no window, or the connection has none. */
static void assert_nothing_waits(const struct taker *taker) {
    for (size_t i = 0; i < UPLOADS; i++)
        assert_true(taker->streams[i].ended || taker->window == 0 || taker->streams[i].window <= 0);
}

static void append_random_window(struct taker *taker, struct buf *bytes) {
    uint64_t chance = random_next(&taker->random);
    uint32_t more = 1 + (uint32_t)(chance >> 32) % (chance % 5 == 0 ? 30000 : 3000);
    size_t i = chance / 16 % (UPLOADS + 2);
    if (i < UPLOADS) {
        append_window(bytes, (uint32_t)(2 * i + 1), more);
        taker->streams[i].window += more;
    } else if (i == UPLOADS) {
        append_window(bytes, 0, more);
        taker->window += more;
    } else {
        append_setting(bytes, H2_SETTING_INITIAL_WINDOW_SIZE, more);
        for (size_t k = 0; k < UPLOADS; k++)
            taker->streams[k].window += more - taker->initial;
        taker->initial = more;
    }
}

static bool all_ended(const struct taker *taker) {
    for (size_t i = 0; i < UPLOADS; i++)
        if (!taker->streams[i].ended)
            return false;
    return true;
}

static void test_answers_keep_the_windows(void **state) {
    struct fixture *f = *state;
    f->limits.max_resets_per_second = UINT32_MAX; /* so many SETTINGS are glitches */
    for (uint64_t round = 1; round <= 20; round++) {
        struct taker taker = {.f = f, .window = H2_WINDOW_DEFAULT, .initial = H2_WINDOW_DEFAULT, .random = round};
        struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
        reopen(f);
        greet_client(f);
        for (uint32_t i = 0; i < UPLOADS; i++) {
            taker.streams[i].window = taker.initial;
            taker.streams[i].wanted = 1 + random_next(&taker.random) % 200000;
            append_echo(&bytes, 2 * i + 1, taker.streams[i].wanted);
        }
        do {
            struct status status = give_raw(f, &bytes, &out);
            assert_int_equal(status.code, STATUS_OK);
            read_answers(&taker, &out);
            assert_nothing_waits(&taker);
            for (uint64_t n = 1 + random_next(&taker.random) % 3; n > 0; n--)
                append_random_window(&taker, &bytes);
        } while (!all_ended(&taker));
        buf_free(&bytes);
        assert_null(h2_of(f)->streams);
    }
}

/* ---- what the connection need not give at once ---- */

static size_t awaited(struct fixture *f) {
    return f->peer.session->ops->awaited(f->peer.session);
}

/* A request whose body is under way. */
static struct http_exchange *begin(struct fixture *f, uint32_t id, const char *path) {
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    append_request(&bytes, id, path, 0);
    struct status status = give_raw(f, &bytes, &out);
    assert_int_equal(status.code, STATUS_OK);
    buf_free(&out);
    return &h2_stream_find(h2_of(f), id)->exchange;
}

static void test_awaited(void **state) {
    struct fixture *f = *state;
    greet_client(f);
    assert_int_equal(awaited(f), 0);
    struct http_exchange *exchange = begin(f, 1, "/idle");
    assert_int_equal(awaited(f), 0);
    http_exchange_await_body(exchange, 1000);
    assert_int_equal(awaited(f), 1000);
    struct http_exchange *other = begin(f, 3, "/idle"); /* any byte may be of use to it */
    assert_int_equal(awaited(f), 0);
    http_exchange_await_body(other, 2000);
    assert_int_equal(awaited(f), 1000);
    http_exchange_await_body(other, 500);
    assert_int_equal(awaited(f), 500);
    struct buf bytes = BUF_EMPTY;
    append_reset(&bytes, 3);
    exchange_frames(f, &bytes, "");
    assert_int_equal(awaited(f), 1000);
    append_request(&bytes, 5, "/hold", H2_FLAG_END_STREAM); /* it awaits nothing of the client */
    exchange_frames(f, &bytes, "");
    assert_int_equal(awaited(f), 1000);
    append_data(&bytes, 1, 10, H2_FLAG_END_STREAM);
    exchange_frames(f, &bytes, "H1.");
    assert_int_equal(awaited(f), 0);
    recorder_release(&f->recorder, "held");
}

static void test_awaited_of_many(void **state) {
    struct fixture *f = *state;
    greet_client(f);
    for (uint32_t i = 0; i < 16; i++)
        http_exchange_await_body(begin(f, 2 * i + 1, "/idle"), 1000 + i);
    assert_int_equal(awaited(f), 1000);
    http_exchange_await_body(begin(f, 33, "/idle"), 5000);
    assert_int_equal(awaited(f), 0);
}

/* A client that may not send so much would stand still. */
static void test_awaited_within_the_windows(void **state) {
    struct fixture *f = *state;
    greet_client(f);
    http_exchange_await_body(begin(f, 1, "/idle"), SIZE_MAX);
    assert_int_equal(awaited(f), HTTP_H2_STREAM_WINDOW);
    struct buf bytes = BUF_EMPTY;
    append_data(&bytes, 1, 16000, 0);
    exchange_frames(f, &bytes, "");
    assert_int_equal(awaited(f), HTTP_H2_STREAM_WINDOW - 16000);
    h2_of(f)->receive_window = 300;
    assert_int_equal(awaited(f), 300);
    h2_of(f)->receive_window = 0;
    assert_int_equal(awaited(f), 0);
}

/* What opens a window for an answer is not to wait for more of a body, its own or another's. */
static void test_awaited_beside_an_answer(void **state) {
    struct fixture *f = *state;
    greet_client(f);
    http_exchange_await_body(begin(f, 1, "/idle"), 2000);
    struct buf bytes = BUF_EMPTY;
    append_setting(&bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 7);
    exchange_frames(f, &bytes, "S+");
    http_exchange_await_body(begin(f, 3, "/stream"), 1000);
    assert_int_equal(awaited(f), 1000);
    append_data(&bytes, 3, 10, 0);
    exchange_frames(f, &bytes, "D3:7");
    assert_int_equal(awaited(f), 0);
    append_window(&bytes, 3, 3);
    exchange_frames(f, &bytes, "D3:3");
    assert_int_equal(awaited(f), 1000);
    h2_of(f)->send_window = 5;
    append_window(&bytes, 3, 100);
    exchange_frames(f, &bytes, "");
    append_data(&bytes, 3, 10, 0);
    exchange_frames(f, &bytes, "D3:5");
    assert_int_equal(awaited(f), 0);
    append_window(&bytes, 0, 3);
    exchange_frames(f, &bytes, "D3:3");
    assert_int_equal(awaited(f), 0);
    append_window(&bytes, 0, 3);
    exchange_frames(f, &bytes, "D3:2");
    assert_int_equal(awaited(f), 1000);
}

/* One that waits to be written is no reason to look at each byte. */
static void test_awaited_beside_an_answer_with_room(void **state) {
    struct fixture *f = *state;
    struct buf bytes = BUF_EMPTY, out = BUF_EMPTY;
    greet_client(f);
    http_exchange_await_body(begin(f, 1, "/idle"), 2000);
    append_echo(&bytes, 3, 50000);
    struct status status = give_quietly(f, &bytes, 0);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(awaited(f), 2000);
    take_output(f, &out);
    assert_int_equal(awaited(f), 2000);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_windows_never_stop_opening),
        TEST(test_windows_of_padding_alone),
        TEST(test_only_the_slow_stream_waits),
        TEST(test_windows_are_kept),
        TEST(test_answers_keep_the_windows),
        TEST(test_awaited),
        TEST(test_awaited_of_many),
        TEST(test_awaited_beside_an_answer_with_room),
        TEST(test_awaited_within_the_windows),
        TEST(test_awaited_beside_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

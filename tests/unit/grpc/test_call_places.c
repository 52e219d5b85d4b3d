/* Messages that are received to where they lie: whatever comes, in frames that were guessed right or wrong, calls do
 * the same as if it had been given as input, and no memory that is gone is read. */
#include "service.h"

#include "../base/packed.h"
#include "../http/frames.h"
#include "http/h2_priv.h"

enum { STREAMS = 5, FRAMES = 90, LONGEST = 300, MESSAGE_MAX = 8000, PAUSED_MAX = 64 };

static struct http_budget budget;
static struct grpc_call *paused[PAUSED_MAX];
static size_t paused_count;
static bool turn_ended; /* until the next tick */
/* There is little room, and turns end while bytes are given: what comes of a story depends on how bytes are cut, as it
 * does on how they are read. Only that no memory is misused, or lost, is seen then. */
static bool depends_on_cuts;

/* ---- the service ---- */

static unsigned id_of(struct grpc_call *call) {
    return ((struct h2_stream *)grpc_call_exchange(call))->id;
}

static void tell(struct grpc_call *call, const char *event) {
    buf_printf(&of(call)->log, "%u %s|", id_of(call), event);
}

/* All bytes, so that a sanitizer sees what is read. */
static void tell_message(struct grpc_call *call, struct slice message) {
    uint32_t sum = 1;
    for (size_t i = 0; i < message.size; i++)
        sum = sum * 31 + (unsigned char)message.data[i];
    buf_printf(&of(call)->log, "%u message %zu %08x|", id_of(call), message.size, sum);
}

static void forget(const struct grpc_call *call) {
    for (size_t i = 0; i < paused_count; i++)
        if (paused[i] == call)
            paused[i--] = paused[--paused_count];
}

static void resume_all(void) {
    struct grpc_call *calls[PAUSED_MAX];
    size_t count = paused_count;
    memcpy(calls, paused, sizeof calls);
    paused_count = 0;
    for (size_t i = 0; i < count; i++)
        grpc_call_resume(calls[i]);
}

static void end_turn(struct session *session) {
    ((struct h2_session *)session)->turn_wanted = turn_ended = true;
}

static void answer(struct grpc_call *call, struct slice message) {
    struct buf copy = copy_of(message);
    grpc_call_send(call, &copy);
}

static void unary_on_message(struct grpc_call *call, struct slice message) {
    struct slice taken;
    tell_message(call, message);
    struct buf echo = grpc_call_take_message(call, &taken);
    grpc_call_send(call, &echo);
    grpc_call_finish(call, GRPC_OK, NULL);
}

/* What it does to its call, and to others, is in the message. */
static void talk_on_message(struct grpc_call *call, struct slice message) {
    struct slice taken;
    struct buf own = BUF_EMPTY;
    tell_message(call, message);
    answer(call, message);
    switch (message.size == 0 ? 0 : (unsigned char)message.data[0] % 24) {
    case 1:
        grpc_call_pause(call);
        grpc_call_resume(call);
        break;
    case 2:
    case 3:
        grpc_call_pause(call);
        forget(call);
        if (paused_count < PAUSED_MAX)
            paused[paused_count++] = call;
        break;
    case 4:
    case 5:
        own = grpc_call_take_message(call, &taken);
        buf_free(&own);
        break;
    case 6:
    case 7:
        resume_all();
        break;
    case 8:
        if (paused_count > 0)
            grpc_call_finish(paused[0], GRPC_ABORTED, "by another");
        break;
    case 9:
        grpc_call_finish(call, GRPC_ABORTED, "by itself");
        break;
    case 10:
    case 11:
        if (depends_on_cuts)
            end_turn(grpc_call_exchange(call)->session);
        break;
    default:
        break;
    }
}

static void talk_on_half_close(struct grpc_call *call) {
    tell(call, "half-close");
    grpc_call_finish(call, GRPC_OK, "");
}

static void ends_on_cancel(struct grpc_call *call) {
    tell(call, "cancel");
    forget(call);
}

static void ends_on_close(struct grpc_call *call) {
    tell(call, "close");
    forget(call);
}

static const struct grpc_method told[] = {
    {.path = SLICE_INIT("/t.S/Echo"),
     .on_message = unary_on_message,
     .on_cancel = ends_on_cancel,
     .on_close = ends_on_close},
    {.path = SLICE_INIT("/t.S/Talk"),
     .client_streaming = true,
     .on_message = talk_on_message,
     .on_half_close = talk_on_half_close,
     .on_cancel = ends_on_cancel,
     .on_close = ends_on_close},
};

static void finish_work(struct fixture *f) {
    struct grpc_work *work = f->works[0];
    memmove(f->works, f->works + 1, --f->work_count * sizeof work);
    work->run(work);
    work->done(work);
}

/* ---- the client ---- */

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void append_message(struct buf *body, bool packs, uint64_t *random) {
    static char text[MESSAGE_MAX];
    uint64_t chance = next(random);
    size_t size = (size_t)(chance >> 8) % (chance % 4 == 0 ? LONGEST : MESSAGE_MAX);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(next(random) >> 9);
    struct slice message = {text, size};
    bool packed = packs && chance % 3 != 1;
    struct buf small = packed ? pack(message, 31) : BUF_EMPTY;
    if (packed && chance % 32 == 2)
        small.data[small.size / 2] ^= 0x55; /* most likely broken */
    struct buf all = framed(packed || chance % 128 == 3, packed ? buf_slice(&small) : message);
    if (chance % 128 == 4)
        all.data[1] = 1; /* over the limit */
    buf_append_slice(body, buf_slice(&all));
    buf_free(&all);
    buf_free(&small);
}

static void append_call(struct buf *out, uint32_t stream, const char *path, bool packs, int64_t size) {
    char text[24];
    struct buf block = request_block(path);
    append_field(&block, "content-type", "application/grpc");
    append_field(&block, "te", "trailers");
    if (packs)
        append_field(&block, "grpc-encoding", "gzip");
    snprintf(text, sizeof text, "%lld", (long long)size);
    if (size >= 0)
        append_field(&block, "content-length", text);
    append_block(out, stream, &block, 0);
}

struct story {
    struct buf bytes, bodies[STREAMS];
    size_t sent[STREAMS];
    size_t frame;
};

static void begin_calls(struct story *story, uint64_t *random) {
    story->frame = next(random) % LONGEST + 1;
    for (uint32_t i = 0; i < STREAMS; i++) {
        uint64_t chance = next(random);
        bool streams = chance % 2, packs = chance >> 1 & 1;
        size_t messages = streams ? (chance >> 8) % 8 : (chance >> 8) % 32 == 0 ? 2 : 1;
        while (messages-- > 0)
            append_message(&story->bodies[i], packs, random);
        if (chance >> 16 & 1)
            story->bodies[i].size -= story->bodies[i].size / 10 * (chance >> 17 & 1); /* ends in a message */
        int64_t told_size = chance >> 20 & 1 ? (int64_t)(story->bodies[i].size + (chance >> 21 & 15 ? 0 : 7)) : -1;
        append_call(&story->bytes, 2 * i + 1, streams ? "/t.S/Talk" : "/t.S/Echo", packs, told_size);
    }
}

static void append_piece(struct story *story, uint32_t i, uint64_t chance) {
    const struct buf *body = &story->bodies[i];
    size_t left = body->size - story->sent[i], piece = chance % 8 == 4 ? chance >> 8 & 255 : story->frame;
    piece = piece < left ? piece : left;
    unsigned flags = piece == left || chance % 1024 == 9 ? H2_FLAG_END_STREAM : 0;
    struct buf data = BUF_EMPTY;
    if (chance % 64 == 6) {
        flags |= H2_FLAG_PADDED;
        buf_append(&data, "\3", 1);
    }
    buf_append(&data, body->data + story->sent[i], piece);
    if (flags & H2_FLAG_PADDED)
        buf_append(&data, "abc", 3);
    append_frame(&story->bytes, H2_FRAME_DATA, flags, 2 * i + 1, buf_slice(&data));
    buf_free(&data);
    story->sent[i] += piece;
}

/* Frames that mostly follow each other as well-behaved clients' do. */
static struct story tell_story(uint64_t seed) {
    struct story story = {.frame = 0};
    uint64_t random = seed * 2654435761 + 1;
    append_preface(&story.bytes);
    append_setting(&story.bytes, H2_SETTING_INITIAL_WINDOW_SIZE, 1 << 30);
    append_window(&story.bytes, 0, 1 << 30);
    begin_calls(&story, &random);
    uint64_t order = next(&random);
    for (size_t n = 0; n < FRAMES; n++) {
        uint64_t chance = next(&random);
        uint32_t i = (uint32_t)(chance % 16 == 0 ? chance / 16 : order >> (n % 4 * 8) & 255) % STREAMS;
        if (chance % 32 == 1)
            append_frame(&story.bytes, H2_FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
        if (chance % 512 == 2)
            append_reset(&story.bytes, 2 * i + 1);
        if (chance % 64 == 3)
            append_call(&story.bytes, (uint32_t)(100 + 2 * n + 1), "/t.S/Talk", false, -1);
        if (story.bodies[i].size > story.sent[i] || chance % 128 == 7)
            append_piece(&story, i, chance >> 8);
    }
    return story;
}

static void free_story(struct story *story) {
    buf_free(&story->bytes);
    for (size_t i = 0; i < STREAMS; i++)
        buf_free(&story->bodies[i]);
}

/* ---- the same, or not ---- */

static void take_all(struct fixture *f, struct buf *out) {
    for (size_t before = out->size + 1; before != out->size;) {
        before = out->size;
        struct status status = take_from(f->peer.session, (size_t)1 << 30, out);
        assert_int_equal(status.code, STATUS_OK);
    }
}

/* All that the session says, with DATA as one text for each stream, since frames may be cut differently. */
static void describe(struct buf *text, const struct buf *out) {
    struct buf of_stream[2 * STREAMS] = {BUF_EMPTY};
    struct h2_frame frame;
    for (size_t at = 0; at < out->size; at += H2_FRAME_HEAD_SIZE + frame.length) {
        frame = h2_frame_parse((const unsigned char *)out->data + at);
        if (frame.type != H2_FRAME_DATA)
            buf_printf(text, "%u:%u:%u ", frame.type, frame.flags, frame.stream_id); /* there are dates in heads */
        else if (frame.stream_id < 2 * STREAMS)
            buf_append(&of_stream[frame.stream_id], out->data + at + H2_FRAME_HEAD_SIZE, frame.length);
    }
    for (size_t i = 0; i < 2 * STREAMS; i++) {
        buf_printf(text, "[%zu:", i);
        buf_append_slice(text, buf_slice(&of_stream[i]));
        buf_append_char(text, ']');
        buf_free(&of_stream[i]);
    }
}

static void begin_turn(struct fixture *f) {
    turn_ended = false;
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns());
    assert_int_equal(status.code, STATUS_OK);
}

/* What happens besides. */
static void meanwhile(struct fixture *f, uint64_t chance, struct buf *out) {
    if (chance % 4 == 0)
        take_all(f, out);
    if (chance / 4 % 4 == 0 && f->work_count > 0)
        finish_work(f);
    if (chance / 16 % 8 == 0)
        resume_all();
    if (chance / 128 % 512 == 0)
        f->peer.session->ops->shutdown(f->peer.session);
    if (chance >> 16 & 1 && turn_ended)
        begin_turn(f);
    else if ((chance >> 17) % 32 == 0)
        end_turn(f->peer.session);
}

/* A story in pieces, to a session by input alone or to where it wants it; what comes of it. */
static struct buf run_story(struct fixture *f, uint64_t seed, bool by_places, size_t *ret_placed) {
    uint64_t random = seed * 40503 + 7;
    struct buf out = BUF_EMPTY, text = BUF_EMPTY;
    struct story story = tell_story(seed);
    budget = (struct http_budget){.max_bytes = depends_on_cuts ? 12000 + seed % 64 * 1000 : (size_t)1 << 30};
    peer_open(&f->peer, true, &f->handler, &f->limits);
    buf_clear(&f->log);
    turn_ended = false;
    for (size_t at = 0, n; at < story.bytes.size; at += n) {
        struct session_places places;
        n = next(&random) % (random % 3 == 0 ? 40 : 3000) + 1;
        n = n < story.bytes.size - at ? n : story.bytes.size - at;
        if (by_places && ask_places(f->peer.session, &places))
            *ret_placed += places.bytes < n ? places.bytes : n;
        struct status status = by_places ? give_to(f->peer.session, story.bytes.data + at, n)
                                         : give_input(f->peer.session, story.bytes.data + at, n);
        assert_int_equal(status.code, STATUS_OK);
        meanwhile(f, next(&random), &out);
    }
    begin_turn(f);
    while (f->work_count > 0)
        finish_work(f);
    resume_all();
    take_all(f, &out);
    peer_close(&f->peer);
    while (f->work_count > 0)
        finish_work(f);
    assert_int_equal(paused_count, 0);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    describe(&text, &out);
    buf_append_slice(&text, buf_slice(&f->log));
    buf_free(&out);
    free_story(&story);
    return text;
}

static int set_up(void **state) {
    setup(state);
    struct fixture *f = *state;
    peer_close(&f->peer);
    f->limits.min_placed_bytes = 1;
    f->limits.turn_ns = UINT64_MAX; /* none ends because the machine is busy */
    f->limits.budget = &budget;
    f->service.methods = told;
    f->service.method_count = sizeof told / sizeof told[0];
    f->service.max_message_bytes = 4 * MESSAGE_MAX;
    f->service.submit = submit;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    buf_free(&f->log);
    free(f);
    return 0;
}

static void test_the_same_as_input(void **state) {
    struct fixture *f = *state;
    size_t placed = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        depends_on_cuts = seed % 4 == 0;
        struct buf by_input = run_story(f, seed, false, &placed), by_places = run_story(f, seed, true, &placed);
        bool differ = by_input.size != by_places.size || memcmp(by_input.data, by_places.data, by_input.size) != 0;
        if (differ && !depends_on_cuts)
            fail_msg("seed %zu: %.*s\n%.*s", (size_t)seed, (int)by_input.size, by_input.data, (int)by_places.size,
                     by_places.data);
        buf_free(&by_input);
        buf_free(&by_places);
    }
    assert_true(placed > 2000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_as_input, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

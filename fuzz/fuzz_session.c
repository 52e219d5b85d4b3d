#include "fuzz_session.h"

#include "fuzz_output.h"
#include "tests/unit/http/given.h"

enum { TICKS_MAX = 4096, PUMP_TARGET = 16 << 10 };

static struct buf text_buf(const char *text) {
    struct buf buf = BUF_EMPTY;
    buf_append_text(&buf, text);
    return buf;
}

static bool path_is(const struct http_exchange *exchange, const char *path) {
    return slice_equal_text(http_exchange_request(exchange)->path, path);
}

/* ---- the handler: answers as the path says ---- */

static struct fuzz_note *note_of(struct http_exchange *exchange) {
    struct fuzz_note *note = http_exchange_context(exchange);
    FUZZ_CHECK(note && note->exchange == exchange && note->phase != FUZZ_LAST);
    return note;
}

static void check_slice(struct slice text) {
    volatile char sum = 0;
    for (size_t i = 0; i < text.size; i++)
        sum = (char)(sum ^ text.data[i]);
}

static void check_request(const struct fuzz_driver *driver, const struct http_request *request) {
    FUZZ_CHECK(request->method.size > 0);
    FUZZ_CHECK(request->path.size > 0 && (request->path.data[0] == '/' || request->path.data[0] == '*'));
    FUZZ_CHECK(request->version == 10 || request->version == 11 || request->version == 20);
    FUZZ_CHECK(request->header_count <= driver->limits.max_header_count);
    FUZZ_CHECK(request->content_length >= -1);
    check_slice(request->query);
    check_slice(request->authority);
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice name = request->headers[i].name, value = request->headers[i].value;
        FUZZ_CHECK(name.size > 0);
        for (size_t j = 0; j < name.size; j++)
            FUZZ_CHECK(!(name.data[j] >= 'A' && name.data[j] <= 'Z') && (unsigned char)name.data[j] > ' ');
        for (size_t j = 0; j < value.size; j++)
            FUZZ_CHECK(value.data[j] != '\r' && value.data[j] != '\n' && value.data[j] != '\0');
    }
}

static void on_head(void *user, struct http_exchange *exchange) {
    struct fuzz_driver *driver = user;
    const struct http_request *request = http_exchange_request(exchange);
    check_request(driver, request);
    FUZZ_CHECK(http_exchange_context(exchange) == NULL);
    FUZZ_CHECK(driver->announced < FUZZ_EXCHANGES); /* inputs are too short for more */
    struct fuzz_note *note = &driver->notes[driver->announced++];
    *note = (struct fuzz_note){.phase = FUZZ_HEAD, .exchange = exchange};
    note->is_head = slice_equal_text(request->method, "HEAD");
    http_exchange_set_context(exchange, note);
    if (path_is(exchange, "/refuse")) {
        struct buf body = text_buf("refused");
        note->answered = true;
        http_respond(exchange, 403, NULL, 0, &body);
    } else if (path_is(exchange, "/stream")) {
        note->streams = true;
        http_exchange_stream_body(exchange, false);
        http_respond_head(exchange, 200, NULL, 0);
    } else if (path_is(exchange, "/sip")) {
        note->streams = note->sips = true;
        http_exchange_stream_body(exchange, false);
    } else if (path_is(exchange, "/idle")) {
        note->streams = true;
        http_exchange_stream_body(exchange, true);
    } else if (path_is(exchange, "/deadline")) {
        http_exchange_set_deadline(exchange, http_exchange_received_ns(exchange) + 5 * NS_PER_S);
    }
}

static size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    const struct fuzz_driver *driver = user;
    struct fuzz_note *note = note_of(exchange);
    FUZZ_CHECK(note->streams && !note->answered && note->phase <= FUZZ_DATA && size > 0);
    note->phase = FUZZ_DATA;
    check_slice((struct slice){data, size});
    struct buf piece = BUF_EMPTY;
    buf_append(&piece, data, size);
    if (path_is(exchange, "/stream"))
        http_respond_data(exchange, &piece);
    buf_free(&piece);
    return note->sips && !driver->generous ? size / 2 : size;
}

/* Memory that is gone with the exchange, for few bytes at a time. */
static char *on_place(void *user, struct http_exchange *exchange, size_t *ret_room) {
    (void)user;
    struct fuzz_note *note = note_of(exchange);
    if (!note->place)
        note->place = malloc(FUZZ_PLACE_BYTES);
    FUZZ_CHECK(note->place);
    *ret_room = FUZZ_PLACE_BYTES;
    return note->place;
}

static void answer_in_pieces(struct http_exchange *exchange) {
    static const struct http_header head = {{"X-Kind", 6}, {"pieces", 6}};
    static const struct http_header trailer = {{"x-sum", 5}, {"6", 1}};
    http_respond_head(exchange, 200, &head, 1);
    for (int i = 1; i <= 3; i++) {
        struct buf piece = BUF_EMPTY;
        buf_printf(&piece, "[%d]", i);
        http_respond_data(exchange, &piece);
    }
    http_respond_end(exchange, &trailer, 1);
}

static void release_large(void *user) {
    free(user);
}

/* By memory of its own, which is lent to the output. */
static void answer_largely(struct http_exchange *exchange) {
    enum { SIZE = 40000 };
    char *bytes = calloc(1, SIZE);
    FUZZ_CHECK(bytes);
    struct buf body = text_buf("large");
    http_respond_with_tail(exchange, 200, NULL, 0, &body,
                           (struct http_tail){.bytes = {bytes, SIZE}, .release = release_large, .user = bytes});
}

/* All that a handler could get wrong: fields of the session's, a line break in a value, a second answer. */
static void answer_dirtily(struct http_exchange *exchange) {
    const struct http_request *request = http_exchange_request(exchange);
    const struct http_header fields[] = {
        {{"Content-Length", 14}, {"999", 3}},
        {{"x-evil", 6}, {" a\r\nset-cookie: b\0c", 19}},
        {{"x-query", 7}, request->query},
    };
    struct buf body = text_buf("once"), again = text_buf("twice");
    http_respond(exchange, 200, fields, 3, &body);
    http_respond(exchange, 500, NULL, 0, &again);
    http_respond_end(exchange, NULL, 0);
}

/* The next piece of an answer that is given as fast as it is taken. */
static void drip(struct http_exchange *exchange) {
    struct fuzz_note *note = note_of(exchange);
    struct buf piece = text_buf("drip");
    if (note->drips-- > 0) {
        http_respond_data(exchange, &piece);
        http_exchange_await_drain(exchange, note->drips % 2 ? 0 : 2);
    } else {
        buf_free(&piece);
        http_respond_end(exchange, NULL, 0);
    }
}

static void answer(struct http_exchange *exchange) {
    if (path_is(exchange, "/drip")) {
        note_of(exchange)->drips = 4;
        http_respond_head(exchange, 200, NULL, 0);
        drip(exchange);
    } else if (path_is(exchange, "/large")) {
        answer_largely(exchange);
    } else if (path_is(exchange, "/pieces")) {
        answer_in_pieces(exchange);
    } else if (path_is(exchange, "/dirty")) {
        answer_dirtily(exchange);
    } else if (path_is(exchange, "/stream")) {
        http_respond_end(exchange, NULL, 0);
    } else if (path_is(exchange, "/reset")) {
        http_exchange_reset(exchange);
    } else if (path_is(exchange, "/nothing")) {
        struct buf body = text_buf("must not be sent");
        http_respond(exchange, 204, NULL, 0, &body);
    } else {
        struct buf body = http_exchange_take_body(exchange);
        http_respond(exchange, 200, NULL, 0, &body);
    }
}

static void on_end(void *user, struct http_exchange *exchange) {
    struct fuzz_driver *driver = user;
    struct fuzz_note *note = note_of(exchange);
    FUZZ_CHECK(!note->answered && note->phase <= FUZZ_DATA);
    note->phase = FUZZ_END;
    const struct http_request *request = http_exchange_request(exchange);
    struct slice body = http_exchange_body(exchange);
    check_slice(body);
    FUZZ_CHECK(body.size <= driver->limits.max_body_bytes);
    FUZZ_CHECK(note->streams || request->content_length < 0 || (uint64_t)request->content_length == body.size);
    if ((path_is(exchange, "/hold") || path_is(exchange, "/deadline")) && driver->held_count < FUZZ_HELD) {
        driver->held[driver->held_count++] = note;
        return;
    }
    note->answered = true;
    answer(exchange);
}

static void unhold(struct fuzz_driver *driver, const struct fuzz_note *note) {
    for (size_t i = 0; i < driver->held_count; i++)
        if (driver->held[i] == note) {
            driver->held[i] = driver->held[--driver->held_count];
            return;
        }
}

static void on_deadline(void *user, struct http_exchange *exchange) {
    struct fuzz_note *note = note_of(exchange);
    FUZZ_CHECK(path_is(exchange, "/deadline") && !note->answered);
    unhold(user, note);
    note->answered = true;
    struct buf body = text_buf("too late");
    http_respond(exchange, 504, NULL, 0, &body);
}

static void on_drain(void *user, struct http_exchange *exchange) {
    (void)user;
    FUZZ_CHECK(path_is(exchange, "/drip") && http_exchange_unsent_bytes(exchange) <= 2);
    drip(exchange);
}

static void on_last(struct fuzz_driver *driver, struct http_exchange *exchange) {
    struct fuzz_note *note = note_of(exchange);
    unhold(driver, note);
    note->phase = FUZZ_LAST;
    free(note->place);
    note->place = NULL;
    driver->ended++;
    struct buf late = text_buf("late"); /* without effect, and without a leak */
    http_respond(exchange, 200, NULL, 0, &late);
}

static void on_abort(void *user, struct http_exchange *exchange) {
    ((struct fuzz_driver *)user)->aborted++;
    on_last(user, exchange);
}

static void on_close(void *user, struct http_exchange *exchange) {
    on_last(user, exchange);
}

/* ---- the connection ---- */

static void wake(void *user) {
    (void)user;
}

void fuzz_driver_init(struct fuzz_driver *driver, unsigned flags) {
    *driver = (struct fuzz_driver){
        .flags = flags, .limits = http_limits_default(), .pending.gathers = (flags & FUZZ_SMALL_LIMITS) == 0};
    driver->handler = (struct http_handler){.on_head = on_head,
                                            .on_data = on_data,
                                            .on_place = on_place,
                                            .on_end = on_end,
                                            .on_deadline = on_deadline,
                                            .on_drain = on_drain,
                                            .on_abort = on_abort,
                                            .on_close = on_close,
                                            .user = driver};
    driver->budget.max_bytes = 1 << 20;
    driver->limits.budget = &driver->budget;
    driver->limits.max_body_bytes = 64 << 10;
    driver->limits.min_placed_bytes = 1;
    if (flags & FUZZ_SMALL_LIMITS) {
        driver->limits.max_head_bytes = 256;
        driver->limits.max_header_count = 4;
        driver->limits.max_body_bytes = 128;
        driver->limits.max_concurrent_streams = 3;
        driver->limits.max_resets_per_second = 8;
    }
    if (flags & FUZZ_POOR)
        driver->budget = (struct http_budget){.share_bytes = 4096 + 300, .max_bytes = 200};
}

static void keep_status(struct fuzz_driver *driver, struct status status) {
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        driver->failed = true;
    }
}

void fuzz_driver_input(struct fuzz_driver *driver, struct slice piece) {
    if (driver->failed || driver->session->ops->finished(driver->session))
        return;
    keep_status(driver, give_to(driver->session, piece.data, piece.size));
}

/* Writes what was handed out, and has more handed out. False: there is none. A session that fails to output is done
 * for. */
static bool turn_output(struct fuzz_driver *driver, size_t target) {
    fuzz_write_output(&driver->pending, &driver->out);
    struct status status = driver->session->ops->output(driver->session, &driver->pending, target);
    keep_status(driver, status);
    return status_is_ok(&status) && output_size(&driver->pending) > 0;
}

/* Takes all there is to send. */
void fuzz_driver_pump(struct fuzz_driver *driver) {
    size_t target = 1; /* also the smallest buffer that a connection might have */
    while (turn_output(driver, target))
        target = PUMP_TARGET;
    fuzz_write_output(&driver->pending, &driver->out);
}

/* What the handler kept to itself is answered now, and bodies that were left are taken. */
static void release_held(struct fuzz_driver *driver) {
    driver->generous = true;
    for (size_t i = 0; i < driver->announced; i++)
        if (driver->notes[i].sips && driver->notes[i].phase != FUZZ_LAST)
            http_exchange_resume_body(driver->notes[i].exchange);
    driver->generous = false;
    while (driver->held_count > 0) {
        struct fuzz_note *note = driver->held[--driver->held_count];
        FUZZ_CHECK(note->phase == FUZZ_END && !note->answered);
        note->answered = true;
        answer(note->exchange);
        fuzz_driver_pump(driver);
    }
}

static void tick_once(struct fuzz_driver *driver) {
    uint64_t deadline = driver->session->ops->deadline(driver->session);
    if (deadline != 0 && !driver->failed && !driver->session->ops->finished(driver->session))
        keep_status(driver, driver->session->ops->tick(driver->session, deadline));
}

/* A session that wants no input must want it again once its answers are taken, or be at its end. */
static void make_room(struct fuzz_driver *driver) {
    const struct session_ops *ops = driver->session->ops;
    if (driver->flags & FUZZ_HASTY || ops->wants_input(driver->session))
        return;
    fuzz_driver_pump(driver);
    release_held(driver);
    fuzz_driver_pump(driver);
    FUZZ_CHECK(driver->failed || ops->finished(driver->session) || ops->wants_input(driver->session));
}

/* Everything that can be answered is. */
static void settle(struct fuzz_driver *driver) {
    size_t before;
    do {
        before = driver->out.size;
        fuzz_driver_pump(driver);
        release_held(driver);
        fuzz_driver_pump(driver);
    } while (driver->out.size > before || driver->held_count > 0);
}

/* The client has closed its side: with all answers given and time passing, the session ends. */
static void run_out(struct fuzz_driver *driver) {
    const struct session_ops *ops = driver->session->ops;
    for (int ticks = 0;; ticks++) {
        settle(driver);
        if (driver->failed || ops->finished(driver->session))
            return;
        FUZZ_CHECK(ticks < TICKS_MAX);
        tick_once(driver);
    }
}

void fuzz_driver_run(struct fuzz_driver *driver, struct slice stream, uint8_t cut_seed) {
    const struct session_ops *ops = driver->session->ops;
    struct fuzz_cutter cutter = fuzz_cutter_of(cut_seed);
    driver->session->wake = wake;
    for (size_t at = 0, count = 1; at < stream.size && !driver->failed; count++) {
        make_room(driver);
        size_t n = fuzz_cut(&cutter, stream.size - at);
        fuzz_driver_input(driver, (struct slice){stream.data + at, n});
        at += n;
        if (driver->flags & FUZZ_SHUTDOWN && count == 3 && !driver->failed)
            ops->shutdown(driver->session);
        if (driver->flags & FUZZ_TIME_PASSES && count % 4 == 0)
            tick_once(driver);
        if (driver->flags & FUZZ_SLOW_SOCKET) {
            turn_output(driver, PUMP_TARGET);
        } else if (!(driver->flags & FUZZ_LAZY_READER) || count % 8 == 0) {
            fuzz_driver_pump(driver);
            release_held(driver);
            fuzz_driver_pump(driver);
        }
    }
    if (driver->flags & FUZZ_GONE || driver->failed) {
        ops->input_closed(driver->session, true);
        FUZZ_CHECK(driver->held_count == 0);
    } else {
        settle(driver); /* a client that closes its side is not answered any more */
        ops->input_closed(driver->session, false);
        run_out(driver);
    }
    fuzz_write_output(&driver->pending, &driver->out); /* whatever has become of its exchanges */
    output_free(&driver->pending);
    ops->destroy(driver->session);
    driver->session = NULL;
    FUZZ_CHECK(driver->announced == driver->ended);
    FUZZ_CHECK(atomic_load(&driver->budget.held_bytes) == 0);
}

void fuzz_driver_free(struct fuzz_driver *driver) {
    buf_free(&driver->out);
}

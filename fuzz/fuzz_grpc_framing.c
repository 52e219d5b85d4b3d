/* gRPC calls over an HTTP/2 connection whose client side is nghttp2's. Input: how to cut the streams, flags of
 * fuzz_session.h, then up to three calls; a call is a byte of choices (enum choice), the fields that these ask for (a
 * byte of length, then text), and a body of a told length: raw, or records (flag byte, two bytes of length, message)
 * that get a right prefix and, with the flag's second bit, are compressed.
 * Holds: the client sees well-formed HTTP/2 and at most one grpc-status a call, from 0 to 16; methods get callbacks in
 * order, the last one once; a message is never larger than allowed; nothing stays booked, whenever a message is
 * unpacked that the loop leaves to others. */
#include <nghttp2/nghttp2.h>
#include <zlib.h>

#include "fuzz_session.h"
#include "grpc/call.h"

enum { CALLS_MAX = 3, WORKS_MAX = 2, MESSAGE_MAX = 4096, ROUNDS_MAX = 4096 };

enum choice {
    CHOICE_METHOD = 7, /* index into `paths` */
    CHOICE_TIMEOUT = 8,
    CHOICE_ENCODING = 16, /* as told; else by the next bit */
    CHOICE_GZIP = 32,
    CHOICE_RECORDS = 64,
    CHOICE_OPEN = 128 /* the client never half-closes */
};

static const char *const paths[] = {"/t.S/Echo", "/t.S/Hold",    "/t.S/Fail", "/t.S/Stream",
                                    "/t.S/Echo", "/t.S/Unknown", "/t.S",      ""};

struct client_call {
    int32_t id;
    struct buf body;
    size_t sent;
    bool open;
    int statuses; /* grpc-status fields seen */
};

struct grpc_fuzz {
    struct fuzz_driver driver;
    struct grpc_service service;
    struct client_call calls[CALLS_MAX];
    size_t call_count;
    size_t announced, ended;
    struct grpc_call *held[CALLS_MAX];
    size_t held_count;
    struct grpc_call *paused[CALLS_MAX];
    size_t paused_count;
    struct grpc_work *works[WORKS_MAX]; /* of the other thread, that there is none of */
    size_t work_count;
    bool first_has_run;
    size_t taken; /* bytes of driver.out that the client has seen */
};

/* ---- the service ---- */

static struct grpc_fuzz *of(struct grpc_call *call) {
    return grpc_call_user(call);
}

/* Set at the first callback. */
struct note {
    size_t messages;
    bool half_closed, last;
};

static struct note *note_of(struct grpc_call *call) {
    struct note *note = grpc_call_context(call);
    if (!note) {
        note = arena_calloc(grpc_call_arena(call), 1, sizeof *note);
        FUZZ_CHECK(note);
        grpc_call_set_context(call, note);
        of(call)->announced++;
    }
    FUZZ_CHECK(!note->last);
    return note;
}

static void note_message(struct grpc_call *call, struct slice message) {
    struct note *note = note_of(call);
    note->messages++;
    FUZZ_CHECK(message.size <= MESSAGE_MAX && !note->half_closed);
    FUZZ_CHECK(grpc_call_method(call)->client_streaming || note->messages == 1);
    free(fuzz_copy(message)); /* reads all of it */
}

static void echo_on_message(struct grpc_call *call, struct slice message) {
    note_message(call, message);
    struct slice taken;
    struct buf answer = grpc_call_take_message(call, &taken);
    FUZZ_CHECK(slice_equal(taken, message));
    grpc_call_send(call, &answer);
    grpc_call_finish(call, GRPC_OK, NULL);
    grpc_call_finish(call, GRPC_INTERNAL, "twice");
}

static void hold_on_message(struct grpc_call *call, struct slice message) {
    note_message(call, message);
    of(call)->held[of(call)->held_count++] = call;
}

static void fail_on_message(struct grpc_call *call, struct slice message) {
    char text[64];
    note_message(call, message);
    snprintf(text, sizeof text, "%.*s", (int)(message.size < 60 ? message.size : 60), message.data);
    grpc_call_finish(call, GRPC_NOT_FOUND, text);
}

static void stream_on_message(struct grpc_call *call, struct slice message) {
    note_message(call, message);
    if (message.size > 0 && message.data[0] == '!') {
        grpc_call_finish(call, GRPC_ABORTED, "as asked");
        return;
    }
    if (message.size > 0 && message.data[0] == '?' && of(call)->paused_count < CALLS_MAX) {
        of(call)->paused[of(call)->paused_count++] = call;
        grpc_call_pause(call);
        (void)grpc_call_hold(call, message.size);
    }
    struct buf answer = BUF_EMPTY;
    buf_append_slice(&answer, message);
    grpc_call_send(call, &answer);
}

static void stream_on_half_close(struct grpc_call *call) {
    struct note *note = note_of(call);
    FUZZ_CHECK(!note->half_closed);
    note->half_closed = true;
    grpc_call_finish(call, GRPC_OK, "");
}

static void on_last(struct grpc_call *call) {
    struct grpc_fuzz *fuzz = of(call);
    FUZZ_CHECK(grpc_call_context(call)); /* only calls that got a callback get a last one */
    note_of(call)->last = true;
    fuzz->ended++;
    for (size_t i = 0; i < fuzz->held_count; i++)
        if (fuzz->held[i] == call)
            fuzz->held[i] = fuzz->held[--fuzz->held_count];
    for (size_t i = 0; i < fuzz->paused_count; i++)
        if (fuzz->paused[i] == call)
            fuzz->paused[i] = fuzz->paused[--fuzz->paused_count];
}

static const struct grpc_method methods[] = {
    {.path = SLICE_INIT("/t.S/Echo"), .on_message = echo_on_message, .on_cancel = on_last, .on_close = on_last},
    {.path = SLICE_INIT("/t.S/Hold"), .on_message = hold_on_message, .on_cancel = on_last, .on_close = on_last},
    {.path = SLICE_INIT("/t.S/Fail"), .on_message = fail_on_message, .on_cancel = on_last, .on_close = on_last},
    {.path = SLICE_INIT("/t.S/Stream"),
     .client_streaming = true,
     .on_half_close = stream_on_half_close,
     .on_message = stream_on_message,
     .on_cancel = on_last,
     .on_close = on_last},
};

static void release_held(struct grpc_fuzz *fuzz) {
    while (fuzz->paused_count > 0) {
        struct grpc_call *call = fuzz->paused[--fuzz->paused_count];
        (void)grpc_call_hold(call, 0);
        grpc_call_resume(call); /* may pause it again */
    }
    while (fuzz->held_count > 0) {
        struct buf answer = BUF_EMPTY;
        struct grpc_call *call = fuzz->held[--fuzz->held_count];
        buf_append_text(&answer, "held");
        grpc_call_send(call, &answer);
        grpc_call_finish(call, GRPC_OK, NULL);
    }
}

/* ---- the other thread ---- */

static bool submit(void *user, struct grpc_work *work) {
    struct grpc_fuzz *fuzz = user;
    if (fuzz->work_count == WORKS_MAX)
        return false;
    fuzz->works[fuzz->work_count++] = work;
    return true;
}

/* A step of the first work, so that anything may come between the two. */
static void advance_work(struct grpc_fuzz *fuzz) {
    if (fuzz->work_count == 0)
        return;
    struct grpc_work *work = fuzz->works[0];
    fuzz->first_has_run = !fuzz->first_has_run;
    if (fuzz->first_has_run) {
        work->run(work);
        return;
    }
    memmove(fuzz->works, fuzz->works + 1, --fuzz->work_count * sizeof work);
    work->done(work);
}

/* ---- the composition ---- */

static void on_head(void *user, struct http_exchange *exchange) {
    grpc_on_head(&((struct grpc_fuzz *)user)->service, 1, exchange);
}

static size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    (void)user;
    return grpc_on_data(exchange, data, size);
}

static char *on_place(void *user, struct http_exchange *exchange, size_t *ret_room) {
    (void)user;
    return grpc_on_place(exchange, ret_room);
}

static void on_misplaced(void *user, struct http_exchange *exchange, const char *end) {
    (void)user;
    grpc_on_misplaced(exchange, end);
}

static void on_end(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_end(exchange);
}

static void on_deadline(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_deadline(exchange);
}

static void on_abort(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_abort(exchange);
}

static void on_close(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_close(exchange);
}

/* ---- the client ---- */

static struct client_call *client_call(struct grpc_fuzz *fuzz, int32_t id) {
    for (size_t i = 0; i < fuzz->call_count; i++)
        if (fuzz->calls[i].id == id)
            return &fuzz->calls[i];
    return NULL;
}

static int client_on_header(nghttp2_session *client, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                            const uint8_t *value, size_t value_size, uint8_t flags, void *user) {
    (void)client, (void)flags;
    struct client_call *call = client_call(user, frame->hd.stream_id);
    uint64_t code;
    if (!call || !slice_equal_text((struct slice){(const char *)name, name_size}, "grpc-status"))
        return 0;
    FUZZ_CHECK(slice_to_u64((struct slice){(const char *)value, value_size}, &code) && code <= GRPC_UNAUTHENTICATED);
    FUZZ_CHECK(++call->statuses == 1);
    return 0;
}

static int client_on_invalid(nghttp2_session *client, const nghttp2_frame *frame, int error, void *user) {
    (void)client, (void)frame, (void)error, (void)user;
    FUZZ_CHECK(error == 0); /* the server sent what HTTP/2 forbids */
    return 0;
}

static ssize_t client_upload(nghttp2_session *client, int32_t id, uint8_t *data, size_t size, uint32_t *flags,
                             nghttp2_data_source *source, void *user) {
    (void)client, (void)id, (void)user;
    struct client_call *call = source->ptr;
    size_t left = call->body.size - call->sent, n = left < size ? left : size;
    if (n == 0 && call->open)
        return NGHTTP2_ERR_DEFERRED;
    if (n > 0)
        memcpy(data, call->body.data + call->sent, n);
    call->sent += n;
    if (call->sent == call->body.size && !call->open)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv field(const char *name, struct slice value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value.data, strlen(name), value.size, 0};
}

static void compress_record(bool gzip, struct slice message, struct buf *out) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)message.data, .avail_in = (uInt)message.size};
    FUZZ_CHECK(deflateInit2(&z, 1, Z_DEFLATED, gzip ? 31 : 15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t bound = deflateBound(&z, message.size);
    char *to = buf_reserve(out, bound);
    FUZZ_CHECK(to);
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)bound;
    FUZZ_CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    out->size += bound - z.avail_out;
    deflateEnd(&z);
}

static void put_records(struct fuzz_input input, bool gzip, struct buf *out) {
    while (fuzz_left(&input) > 0) {
        uint8_t flag = fuzz_byte(&input);
        size_t size = fuzz_u16(&input);
        struct slice message = fuzz_take(&input, size);
        struct buf packed = BUF_EMPTY;
        if (flag & 2)
            compress_record(gzip, message, &packed);
        else
            buf_append_slice(&packed, message);
        const unsigned char prefix[] = {flag & 1, 0, 0, (unsigned char)(packed.size >> 8), (unsigned char)packed.size};
        buf_append(out, prefix, sizeof prefix);
        buf_append_slice(out, buf_slice(&packed));
        buf_free(&packed);
    }
}

static void submit_call(struct grpc_fuzz *fuzz, nghttp2_session *client, struct fuzz_input *input) {
    struct client_call *call = &fuzz->calls[fuzz->call_count];
    uint8_t choice = fuzz_byte(input);
    nghttp2_nv nv[8];
    size_t count = 0;
    nv[count++] = field(":method", SLICE_LITERAL("POST"));
    nv[count++] = field(":scheme", SLICE_LITERAL("http"));
    nv[count++] = field(":authority", SLICE_LITERAL("h"));
    nv[count++] = field(":path", slice_of(paths[choice & CHOICE_METHOD]));
    nv[count++] = field("content-type", SLICE_LITERAL("application/grpc"));
    if (choice & CHOICE_TIMEOUT) {
        size_t size = fuzz_byte(input);
        nv[count++] = field("grpc-timeout", fuzz_take(input, size));
    }
    if (choice & CHOICE_ENCODING) {
        size_t size = fuzz_byte(input);
        nv[count++] = field("grpc-encoding", fuzz_take(input, size));
    } else {
        nv[count++] = field("grpc-encoding", choice & CHOICE_GZIP ? SLICE_LITERAL("gzip") : SLICE_LITERAL("deflate"));
    }
    size_t size = fuzz_u16(input);
    struct slice body = fuzz_take(input, size);
    if (choice & CHOICE_RECORDS)
        put_records(fuzz_input_on((const uint8_t *)body.data, body.size), choice & CHOICE_GZIP, &call->body);
    else
        buf_append_slice(&call->body, body);
    call->open = choice & CHOICE_OPEN;
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = client_upload};
    call->id = nghttp2_submit_request(client, NULL, nv, count, &provider, NULL);
    if (call->id > 0)
        fuzz->call_count++;
    else
        buf_free(&call->body); /* what nghttp2's client would not send */
}

static void to_client(struct grpc_fuzz *fuzz, nghttp2_session *client) {
    fuzz_driver_pump(&fuzz->driver);
    size_t n = fuzz->driver.out.size - fuzz->taken;
    if (n == 0)
        return;
    ssize_t taken = nghttp2_session_mem_recv(client, (const uint8_t *)fuzz->driver.out.data + fuzz->taken, n);
    FUZZ_CHECK(taken == (ssize_t)n);
    fuzz->taken = fuzz->driver.out.size;
}

static void talk(struct grpc_fuzz *fuzz, nghttp2_session *client, uint8_t seed) {
    struct fuzz_cutter cutter = fuzz_cutter_of(seed);
    const uint8_t *data;
    ssize_t n = 0;
    for (int round = 0; round < ROUNDS_MAX && (n = nghttp2_session_mem_send(client, &data)) > 0; round++) {
        for (size_t at = 0; at < (size_t)n;) {
            size_t piece = fuzz_cut(&cutter, (size_t)n - at);
            fuzz_driver_input(&fuzz->driver, (struct slice){(const char *)data + at, piece});
            at += piece;
            if (!(fuzz->driver.flags & FUZZ_LAZY_READER))
                to_client(fuzz, client);
        }
        to_client(fuzz, client);
        advance_work(fuzz);
        release_held(fuzz);
        to_client(fuzz, client);
    }
    /* What is left to run behind the end has nothing booked. */
    while (fuzz->first_has_run || (fuzz->work_count > 0 && !(fuzz->driver.flags & FUZZ_GONE))) {
        advance_work(fuzz);
        release_held(fuzz);
        to_client(fuzz, client);
    }
    FUZZ_CHECK(n <= 0);
}

static nghttp2_session *client_create(struct grpc_fuzz *fuzz) {
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *client;
    FUZZ_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, client_on_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, client_on_invalid);
    FUZZ_CHECK(nghttp2_session_client_new(&client, callbacks, fuzz) == 0);
    nghttp2_session_callbacks_del(callbacks);
    FUZZ_CHECK(nghttp2_submit_settings(client, 0, NULL, 0) == 0);
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct grpc_fuzz fuzz;
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t seed = fuzz_byte(&input);
    memset(&fuzz, 0, sizeof fuzz);
    fuzz_driver_init(&fuzz.driver, fuzz_byte(&input) & (FUZZ_LAZY_READER | FUZZ_GONE | FUZZ_TIME_PASSES | FUZZ_POOR));
    fuzz.driver.handler = (struct http_handler){.on_head = on_head,
                                                .on_data = on_data,
                                                .on_place = on_place,
                                                .on_misplaced = on_misplaced,
                                                .on_end = on_end,
                                                .on_deadline = on_deadline,
                                                .on_abort = on_abort,
                                                .on_close = on_close,
                                                .user = &fuzz};
    fuzz.service = (struct grpc_service){.methods = methods,
                                         .method_count = sizeof methods / sizeof methods[0],
                                         .user = &fuzz,
                                         .max_message_bytes = MESSAGE_MAX,
                                         .submit = submit};
    struct status status = h2_session_create(&fuzz.driver.handler, &fuzz.driver.limits, &fuzz.driver.session);
    FUZZ_CHECK(status_is_ok(&status));
    nghttp2_session *client = client_create(&fuzz);
    for (int i = 0; i < CALLS_MAX && fuzz_left(&input) > 0; i++)
        submit_call(&fuzz, client, &input);
    talk(&fuzz, client, seed);
    fuzz_driver_run(&fuzz.driver, (struct slice){NULL, 0}, seed); /* ends it, with the checks of all sessions */
    while (fuzz.work_count > 0)
        advance_work(&fuzz); /* whose calls have gone */
    FUZZ_CHECK(fuzz.announced == fuzz.ended && fuzz.held_count == 0);
    for (size_t i = 0; i < fuzz.call_count; i++)
        buf_free(&fuzz.calls[i].body);
    nghttp2_session_del(client);
    fuzz_driver_free(&fuzz.driver);
    return 0;
}

/* Packed messages that another thread unpacks: what their calls and those of others do meanwhile, what becomes of a
 * message whose call ends first, and the memory that all this takes. */
#include "service.h"

#include <pthread.h>

#include "../base/packed.h"
#include "grpc/unpacking.h"

enum { SIZE = 4 << 20, ROOM = 64 << 20 };

static const struct http_header GZIP = {{"grpc-encoding", 13}, {"gzip", 4}};
static struct http_budget budget;

static int set_up(void **state) {
    setup(state);
    struct fixture *f = *state;
    f->service.submit = submit;
    f->service.max_message_bytes = SIZE;
    budget = (struct http_budget){.max_bytes = ROOM};
    f->limits.budget = &budget;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    assert_int_equal(f->work_count, 0);
    teardown(state);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    return 0;
}

/* ---- messages ---- */

/* A frame with a message of zeros, too heavy for the loop. */
static struct buf heavy(size_t size) {
    struct buf packed = pack_zeros(size, 31), message = framed(1, buf_slice(&packed));
    assert_true(packed.size > UNPACKING_HERE_PACKED);
    buf_free(&packed);
    return message;
}

/* And one that is light. */
static struct buf light(const char *text) {
    struct buf packed = pack(slice_of(text), 31), message = framed(1, buf_slice(&packed));
    buf_free(&packed);
    return message;
}

static struct peer_response *send_message(struct fixture *f, const char *path, struct buf message) {
    struct peer_response *response = call_with(f, path, &GZIP, 1, buf_slice(&message));
    buf_free(&message); /* all of it has been sent, or stays in the window of the client */
    return response;
}

/* A unary call with a heavy message, which is not half-closed yet. */
static struct peer_response *send_heavy_begun(struct fixture *f) {
    struct buf message = heavy(SIZE);
    const struct http_header fields[] = {TYPE, GZIP};
    struct peer_response *response =
        peer_request_full(&f->peer, "POST", "/t.S/Echo", fields, 2, buf_slice(&message), true);
    peer_run(&f->peer);
    buf_free(&message);
    return response;
}

/* ---- the other thread ---- */

static void *run_work(void *argument) {
    struct grpc_work *work = argument;
    work->run(work);
    return NULL;
}

static void run_elsewhere(struct grpc_work *work) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_work, work), 0);
    pthread_join(thread, NULL);
}

static struct grpc_work *take_work(struct fixture *f) {
    assert_true(f->work_count > 0);
    struct grpc_work *work = f->works[0];
    memmove(f->works, f->works + 1, --f->work_count * sizeof work);
    return work;
}

static void finish_work(struct fixture *f) {
    struct grpc_work *work = take_work(f);
    run_elsewhere(work);
    work->done(work);
    peer_run(&f->peer);
}

static bool has_zeros(const struct peer_response *response, size_t size) {
    const char *body = response->body.data;
    if (response->body.size != size + 5)
        return false;
    for (size_t i = 5; i < size + 5; i++)
        if (body[i] != 0)
            return false;
    return true;
}

/* ---- calls that go well ---- */

/* The half-close, which has come meanwhile, counts afterwards; others are answered. */
static void test_unary(void **state) {
    struct fixture *f = *state;
    for (size_t step = 0; step < 3; step++) {
        f->peer.step = step * 1000;
        struct peer_response *response = send_message(f, "/t.S/Echo", heavy(SIZE));
        assert_int_equal(f->work_count, 1);
        expect_log(f, "");
        expect_message(call(f, "/t.S/Echo", SLICE_LITERAL("hello")), SLICE_LITERAL("hello"));
        expect_log(f, "message Echo|close Echo|");
        finish_work(f);
        assert_true(response->complete && has_zeros(response, SIZE));
        expect_log(f, "message Echo|close Echo|");
    }
}

static void test_half_close_afterwards(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = send_heavy_begun(f);
    finish_work(f);
    expect_log(f, "");
    peer_send_more(&f->peer, response, (struct slice){NULL, 0}, true);
    peer_run(&f->peer);
    assert_true(response->complete && has_zeros(response, SIZE));
    expect_log(f, "message Echo|close Echo|");
}

/* The client must not be held to be silent while nothing is taken from it. */
static void test_silence_meanwhile(void **state) {
    struct fixture *f = *state;
    struct session *session = f->peer.session;
    struct peer_response *response = send_heavy_begun(f);
    struct status status = session->ops->tick(session, clock_monotonic_ns() + 2 * f->limits.body_timeout_ns);
    assert_int_equal(status.code, STATUS_OK);
    peer_run(&f->peer);
    assert_false(response->complete || response->reset);
    finish_work(f);
    uint64_t deadline = session->ops->deadline(session); /* now it is the client who is waited for */
    assert_true(deadline != 0 && deadline <= clock_monotonic_ns() + f->limits.body_timeout_ns);
    peer_cancel(&f->peer, response);
    peer_run(&f->peer);
    expect_log(f, "");
}

/* Messages of a stream in one piece keep their order, whoever unpacks them. */
static void test_stream(void **state) {
    struct fixture *f = *state;
    struct buf body = BUF_EMPTY;
    const struct buf parts[] = {light("one"),    heavy(SIZE),    framed(0, SLICE_LITERAL("two")),
                                heavy(SIZE - 1), light("three"), framed(1, SLICE_LITERAL(""))};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buf_append_slice(&body, buf_slice(&parts[i]));
    for (size_t step = 0; step < 3; step++) {
        f->peer.step = step * 777;
        struct peer_response *response = call_with(f, "/t.S/Stream", &GZIP, 1, buf_slice(&body));
        expect_log(f, "message Stream|");
        assert_int_equal(response->body.size, 5 + 3);
        assert_int_equal(f->work_count, 1);
        finish_work(f);
        expect_log(f, "message Stream|message Stream|");
        assert_int_equal(response->body.size, 5 + 3 + 5 + SIZE + 5 + 3);
        assert_memory_equal(response->body.data + 5 + 3 + 5 + SIZE + 5, "two", 3);
        finish_work(f);
        assert_true(response->complete);
        assert_int_equal(response->body.size, 5 + 3 + 5 + SIZE + 5 + 3 + 5 + SIZE - 1 + 5 + 5 + 5);
        assert_memory_equal(response->body.data + response->body.size - 10, "three", 5);
        expect_log(f, "message Stream|message Stream|message Stream|half-close Stream|close Stream|");
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        free(parts[i].data);
    buf_free(&body);
}

/* Many small bombs that come together are not all unpacked by the loop. */
static void test_many_light_ones(void **state) {
    struct fixture *f = *state;
    enum { COUNT = 20, ZEROS = 900 << 10 };
    struct buf packed = pack_zeros(ZEROS, 31), message = framed(1, buf_slice(&packed)), body = BUF_EMPTY;
    assert_true(packed.size <= UNPACKING_HERE_PACKED);
    for (int i = 0; i < COUNT; i++)
        buf_append_slice(&body, buf_slice(&message));
    struct peer_response *response = call_with(f, "/t.S/Stream", &GZIP, 1, buf_slice(&body));
    int elsewhere = 0;
    for (; f->work_count > 0; elsewhere++)
        finish_work(f);
    assert_true(elsewhere >= COUNT / 4 && elsewhere < COUNT / 2);
    assert_true(response->complete);
    assert_int_equal(response->body.size, COUNT * (5 + ZEROS));
    buf_free(&packed);
    buf_free(&message);
    buf_free(&body);
}

static void test_paused_meanwhile(void **state) {
    struct fixture *f = *state;
    struct buf body = framed(0, SLICE_LITERAL("pause")), large = heavy(SIZE), last = light("last");
    buf_append_slice(&body, buf_slice(&large));
    buf_append_slice(&body, buf_slice(&last));
    struct peer_response *response = call_with(f, "/t.S/Stream", &GZIP, 1, buf_slice(&body));
    assert_int_equal(f->work_count, 0);
    grpc_call_resume(f->held);
    assert_int_equal(f->work_count, 1);
    grpc_call_pause(f->held);
    grpc_call_resume(f->held);
    expect_log(f, "message Stream|");
    f->held = NULL;
    finish_work(f);
    expect_log(f, "message Stream|message Stream|half-close Stream|close Stream|");
    assert_int_equal(response->body.size, 5 + SIZE + 5 + 4);
    buf_free(&body);
    buf_free(&large);
    buf_free(&last);
}

/* A method that stops and goes on within its callback gets what has come meanwhile after it, as without packing. */
static void test_resumed_by_the_message(void **state) {
    struct fixture *f = *state;
    enum { MIXED = 64 << 10 };
    char text[MIXED];
    for (size_t i = 0; i < MIXED; i++)
        text[i] = (char)(i * i >> 5);
    text[0] = '!';
    struct buf packed = pack((struct slice){text, MIXED}, 31), body = framed(1, buf_slice(&packed));
    assert_true(packed.size > UNPACKING_HERE_PACKED);
    struct buf second = light("second");
    buf_append_slice(&body, buf_slice(&second));
    buf_append(&body, "\0\0\0\0\5third", 10);
    struct peer_response *response = call_with(f, "/t.S/Stream", &GZIP, 1, buf_slice(&body));
    finish_work(f);
    assert_true(response->complete);
    expect_log(f, "message Stream|message Stream|message Stream|half-close Stream|close Stream|");
    assert_int_equal(response->body.size, 5 + MIXED + 5 + 6 + 5 + 5);
    assert_memory_equal(response->body.data + 5, text, MIXED);
    assert_memory_equal(response->body.data + 5 + MIXED, "\0\0\0\0\6second\0\0\0\0\5third", 21);
    buf_free(&packed);
    buf_free(&body);
    buf_free(&second);
}

/* ---- refusals ---- */

static void test_broken(void **state) {
    struct fixture *f = *state;
    struct buf message = heavy(SIZE);
    message.data[message.size / 2] ^= 0x55;
    struct peer_response *response = send_message(f, "/t.S/Echo", message);
    finish_work(f);
    expect_trailers_only(response, "grpc-status: 13\ngrpc-message: a compressed message is broken\n");
    expect_log(f, "");
}

static void test_too_large(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = send_message(f, "/t.S/Echo", heavy(SIZE + 1));
    finish_work(f);
    expect_trailers_only(
        response, "grpc-status: 8\ngrpc-message: received message larger than max (4194304 when decompressed)\n");
    expect_log(f, "");
}

static void test_two_messages(void **state) {
    struct fixture *f = *state;
    struct buf body = heavy(SIZE), second = light("second");
    buf_append_slice(&body, buf_slice(&second));
    struct peer_response *response = send_message(f, "/t.S/Echo", body);
    finish_work(f);
    expect_trailers_only(response,
                         "grpc-status: 12\ngrpc-message: the method takes exactly one message, the client sent more\n");
    expect_log(f, "");
    buf_free(&second);
}

static void test_no_thread(void **state) {
    struct fixture *f = *state;
    f->work_count = sizeof f->works / sizeof f->works[0];
    expect_trailers_only(send_message(f, "/t.S/Echo", heavy(SIZE)),
                         "grpc-status: 8\ngrpc-message: no thread can be had to unpack the message; try again "
                         "later\ngrpc-retry-pushback-ms: 1000\n");
    f->work_count = 0;
    expect_log(f, "");
}

/* What several take together is never more than the budget, and what was unpacked in vain is given back. */
static void test_budget(void **state) {
    struct fixture *f = *state;
    struct peer_response *responses[3];
    budget.max_bytes = 3 * SIZE / 2;
    for (int i = 0; i < 3; i++)
        responses[i] = send_message(f, "/t.S/Hold", heavy(SIZE));
    size_t packed = atomic_load(&budget.held_bytes);
    assert_true(packed > 3 * (SIZE / 1100) && packed < SIZE / 4);
    struct grpc_work *works[] = {take_work(f), take_work(f), take_work(f)};
    for (int i = 0; i < 3; i++)
        run_elsewhere(works[i]);
    assert_true(atomic_load(&budget.peak_bytes) <= budget.max_bytes);
    assert_true(atomic_load(&budget.held_bytes) > SIZE);
    works[2]->done(works[2]);
    works[1]->done(works[1]);
    peer_run(&f->peer);
    for (int i = 1; i < 3; i++)
        expect_trailers_only(responses[i], "grpc-status: 8\ngrpc-message: no room for the message, unpacked: all "
                                           "requests and answers together hold as many bytes as they may; try again "
                                           "later\ngrpc-retry-pushback-ms: 1000\n");
    peer_cancel(&f->peer, responses[0]);
    peer_run(&f->peer);
    assert_true(atomic_load(&budget.held_bytes) >= SIZE); /* until it is back on the loop */
    works[0]->done(works[0]);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    expect_log(f, "");
}

/* A session's share is for what its own thread holds: calls that are small, beside one whose message is unpacked. */
static void test_share_is_for_small_calls(void **state) {
    struct fixture *f = *state;
    budget.share_bytes = 2 * SIZE;
    atomic_store(&budget.held_bytes, ROOM);
    struct peer_response *response = send_message(f, "/t.S/Echo", heavy(SIZE));
    run_elsewhere(f->works[0]);
    expect_message(send_message(f, "/t.S/Echo", light("hello")), SLICE_LITERAL("hello"));
    struct grpc_work *work = take_work(f);
    work->done(work);
    peer_run(&f->peer);
    expect_trailers_only(response, "grpc-status: 8\ngrpc-message: no room for the message, unpacked: all requests and "
                                   "answers together hold as many bytes as they may; try again "
                                   "later\ngrpc-retry-pushback-ms: 1000\n");
    expect_log(f, "message Echo|close Echo|");
    atomic_store(&budget.held_bytes, 0);
}

/* What comes meanwhile is kept, and booked. */
static void test_no_room_for_what_comes_behind(void **state) {
    struct fixture *f = *state;
    enum { BEHIND = 48 << 10 };
    for (int begun = 0; begun <= 1; begun++) {
        struct buf body = begun ? framed(0, SLICE_LITERAL("first")) : BUF_EMPTY, message = heavy(SIZE);
        buf_append_slice(&body, buf_slice(&message));
        memset(buf_reserve(&body, BEHIND), 0, BEHIND);
        body.size += BEHIND;
        budget.max_bytes = BEHIND / 2;
        struct peer_response *response = call_with(f, "/t.S/Stream", &GZIP, 1, buf_slice(&body));
        assert_false(response->reset);
        assert_true(response->complete);
        buf_append_char(&response->fields, '\0');
        assert_non_null(strstr(response->fields.data, "grpc-status: 8\n"));
        finish_work(f);
        expect_log(f, begun ? "message Stream|cancel Stream|" : "");
        buf_free(&message);
        buf_free(&body);
    }
}

/* Once it is unpacked, it is its call's to book. */
static void test_unpacked_message_is_booked(void **state) {
    struct fixture *f = *state;
    struct peer_response *response = send_heavy_begun(f);
    finish_work(f);
    size_t held = atomic_load(&budget.held_bytes);
    assert_true(held >= SIZE && held < SIZE + 100000);
    peer_cancel(&f->peer, response);
    peer_run(&f->peer);
}

/* ---- calls that end meanwhile ---- */

/* All that a thread may still have stays booked when its call is gone, also the message as it came. */
static void test_what_a_thread_has_stays_booked(void **state) {
    struct fixture *f = *state;
    struct buf message = heavy(SIZE);
    size_t packed = message.size - 5;
    struct peer_response *response = send_message(f, "/t.S/Hold", message);
    size_t held = atomic_load(&budget.held_bytes);
    assert_true(held >= packed);
    struct grpc_work *work = take_work(f);
    run_elsewhere(work);
    size_t unpacked = atomic_load(&budget.held_bytes) - held;
    assert_true(unpacked >= SIZE);
    peer_cancel(&f->peer, response);
    peer_run(&f->peer);
    assert_int_equal(atomic_load(&budget.held_bytes), unpacked + packed);
    work->done(work);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    expect_log(f, "");
}

enum moment { BEFORE, DURING, AFTER, MOMENTS };

struct slow_work {
    struct grpc_work *work;
    atomic_bool begun;
};

static void *run_slowly(void *argument) {
    struct slow_work *slow = argument;
    atomic_store(&slow->begun, true);
    slow->work->run(slow->work);
    return NULL;
}

/* Ends the call before a thread takes its message, about when one has it, or when it is unpacked; it is done then. */
static void end_at(struct fixture *f, enum moment moment, void (*end)(struct fixture *f)) {
    struct slow_work slow = {.work = take_work(f)};
    pthread_t thread;
    if (moment == BEFORE)
        end(f);
    assert_int_equal(pthread_create(&thread, NULL, run_slowly, &slow), 0);
    while (moment == DURING && !atomic_load(&slow.begun))
        continue;
    if (moment == DURING)
        end(f);
    pthread_join(thread, NULL);
    if (moment == AFTER)
        end(f);
    peer_run(&f->peer);
    slow.work->done(slow.work);
    peer_run(&f->peer);
}

static void cancel_first(struct fixture *f) {
    peer_cancel(&f->peer, &f->peer.responses[f->peer.count - 1]);
    peer_run(&f->peer);
}

static void test_cancelled(void **state) {
    struct fixture *f = *state;
    for (enum moment moment = BEFORE; moment < MOMENTS; moment++) {
        send_message(f, "/t.S/Echo", heavy(SIZE));
        end_at(f, moment, cancel_first);
        assert_int_equal(atomic_load(&budget.held_bytes), 0);
        struct buf body = framed(0, SLICE_LITERAL("one")), large = heavy(SIZE);
        buf_append_slice(&body, buf_slice(&large));
        buf_free(&large);
        send_message(f, "/t.S/Stream", body);
        end_at(f, moment, cancel_first);
        expect_log(f, "message Stream|cancel Stream|");
        assert_int_equal(atomic_load(&budget.held_bytes), 0);
    }
}

static void pass_deadline(struct fixture *f) {
    struct status status = f->peer.session->ops->tick(f->peer.session, clock_monotonic_ns() + 6 * NS_PER_S);
    assert_int_equal(status.code, STATUS_OK);
}

static void test_deadline(void **state) {
    struct fixture *f = *state;
    const struct http_header fields[] = {GZIP, {SLICE_LITERAL("grpc-timeout"), SLICE_LITERAL("5S")}};
    for (enum moment moment = BEFORE; moment < MOMENTS; moment++) {
        struct buf message = heavy(SIZE);
        struct peer_response *response = call_with(f, "/t.S/Hold", fields, 2, buf_slice(&message));
        end_at(f, moment, pass_deadline);
        expect_trailers_only(response, "grpc-status: 4\ngrpc-message: Deadline Exceeded\n");
        buf_free(&message);
    }
    expect_log(f, "");
}

static void shut_down(struct fixture *f) {
    f->peer.session->ops->shutdown(f->peer.session);
}

/* What has come is answered; then a stream ends, by its client's word or by the server's. */
static void test_shutdown(void **state) {
    struct fixture *f = *state;
    struct buf message = heavy(SIZE);
    struct peer_response *calls[] = {send_message(f, "/t.S/Echo", heavy(SIZE)),
                                     send_message(f, "/t.S/Stream", heavy(SIZE)), NULL};
    const struct http_header fields[] = {TYPE, GZIP};
    calls[2] = peer_request_full(&f->peer, "POST", "/t.S/Stream", fields, 2, buf_slice(&message), true);
    peer_run(&f->peer);
    end_at(f, DURING, shut_down);
    finish_work(f);
    finish_work(f);
    for (int i = 0; i < 3; i++)
        assert_true(calls[i]->complete && has_zeros(calls[i], SIZE));
    buf_append_char(&calls[2]->fields, '\0');
    assert_non_null(strstr(calls[2]->fields.data, "+grpc-status: 14\n+grpc-message: Server exiting\n"));
    expect_log(f, "message Echo|close Echo|message Stream|half-close Stream|close Stream|message Stream|");
    buf_free(&message);
}

/* The session goes with all its calls, as when the connection is lost and at the end of the server. */
static void test_lost_session(void **state) {
    (void)state;
    for (enum moment moment = BEFORE; moment < MOMENTS; moment += AFTER - BEFORE) {
        void *own;
        set_up(&own);
        struct fixture *f = own;
        send_message(f, "/t.S/Echo", heavy(SIZE));
        send_message(f, "/t.S/Stream", heavy(SIZE));
        struct grpc_work *works[] = {take_work(f), take_work(f)};
        for (int i = 0; i < 2 && moment == AFTER; i++)
            run_elsewhere(works[i]);
        peer_close(&f->peer);
        for (int i = 0; i < 2; i++) {
            if (moment != AFTER)
                run_elsewhere(works[i]);
            works[i]->done(works[i]);
        }
        tear_down(&own);
    }
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_unary),
        TEST(test_half_close_afterwards),
        TEST(test_silence_meanwhile),
        TEST(test_stream),
        TEST(test_many_light_ones),
        TEST(test_paused_meanwhile),
        TEST(test_resumed_by_the_message),
        TEST(test_broken),
        TEST(test_too_large),
        TEST(test_two_messages),
        TEST(test_no_thread),
        TEST(test_budget),
        TEST(test_share_is_for_small_calls),
        TEST(test_no_room_for_what_comes_behind),
        TEST(test_unpacked_message_is_booked),
        TEST(test_what_a_thread_has_stays_booked),
        TEST(test_cancelled),
        TEST(test_deadline),
        TEST(test_shutdown),
        cmocka_unit_test(test_lost_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

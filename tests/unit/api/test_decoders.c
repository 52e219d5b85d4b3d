/* Large requests are decoded on a thread of the decoders: the loop has time meanwhile, clients may go at every moment,
 * and the memory that decoding takes is booked. */
#include "served_models.h"

#include "api/body_coding.h"
#include "api/infer_call.h"

#define CONFIG                                                                                                         \
    "backend: \"identity\" max_batch_size: 4 "                                                                         \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [-1] } output { name: \"y\" data_type: TYPE_INT32 dims: [-1] } "

static struct served served;
static struct http_budget budget;

static int set_up(void **state) {
    (void)state;
    served_init(&served);
    served_add_model(&served, "m", CONFIG);
    served_start(&served);
    budget = (struct http_budget){.max_bytes = (size_t)64 << 20};
    served.context.budget = &budget;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    served_end(&served);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    return 0;
}

/* The JSON, and behind it so many blanks that a loop does not decode it. */
static void send_large_to(struct session *session, const char *endpoint, const char *json) {
    size_t size = INFER_WEIGHT_LIGHT + 1;
    char *body = malloc(size + 1);
    assert_non_null(body);
    memset(body, ' ', size);
    body[size] = '\0';
    memcpy(body, json, strlen(json));
    char head[128];
    snprintf(head, sizeof head, "POST /v2/models/m/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", endpoint,
             size);
    served_send(session, head);
    served_send(session, body);
    free(body);
}

static void send_large(struct session *session, const char *json) {
    send_large_to(session, "infer", json);
}

#define GOOD "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"INT32\",\"data\":[7,8]}]}"

static void run_decoder(void) {
    pthread_join(served_begin_work(&served.decoders), NULL);
}

static void large_requests_are_decoded_elsewhere(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_large(session, GOOD);
    struct buf early = served_receive(session);
    assert_string_equal(early.data, "");
    buf_free(&early);
    struct session *other = served_connect(&served);
    served_send(other, "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n");
    served_expect(other, "200", "");
    run_decoder();
    served_expect_soon(&served, session, "200", "[7,8]");
    send_large(session, GOOD); /* the connection goes on */
    run_decoder();
    served_expect_soon(&served, session, "200", "[7,8]");
    session->ops->destroy(session);
    other->ops->destroy(other);
    assert_int_equal(served.closed, 3);
}

static void errors_are_told(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_large(session, "{\"inputs\":7}");
    run_decoder();
    served_expect_soon(&served, session, "400", "inputs: expected an array");
    served.decoders.room = 0;
    send_large(session, GOOD);
    served_expect(session, "503", "no thread can be had to decode the request");
    session->ops->destroy(session);
    assert_int_equal(served.closed, 2);
}

/* Before the decoder begins, behind its work, and behind what it has posted. */
static void clients_may_go_at_any_time(void **state) {
    (void)state;
    for (int moment = 0; moment < 3; moment++) {
        struct session *session = served_connect(&served);
        send_large(session, GOOD);
        if (moment == 0)
            session->ops->destroy(session);
        run_decoder();
        if (moment == 1)
            session->ops->destroy(session);
        served_run_task(&served);
        if (moment == 2)
            session->ops->destroy(session);
    }
    assert_int_equal(served.aborted + served.closed, 3);
    assert_true(served.aborted >= 2);
}

/* Nobody books it any more, and the decoders may have much to do before they find it. */
static void what_waits_goes_with_its_client(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_large(session, GOOD);
    struct api_task *task = served.decoders.tasks[0];
    const struct infer_call *call = (void *)((char *)task - offsetof(struct infer_call, task));
    assert_true(call->body.size > INFER_WEIGHT_LIGHT);
    session->ops->destroy(session);
    assert_null(call->body.data);
    assert_null(call->request);
    run_decoder();
    served_run_task(&served);
}

static void what_a_decoder_has_stays_booked(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    send_large(session, GOOD);
    run_decoder();
    session->ops->destroy(session);
    assert_true(atomic_load(&budget.held_bytes) > INFER_WEIGHT_LIGHT);
    served_run_task(&served);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
}

static void memory_of_decoding_is_booked(void **state) {
    (void)state;
    struct session *session = served_connect(&served);
    budget.max_bytes = INFER_WEIGHT_LIGHT; /* a little less than the text alone takes */
    send_large(session, GOOD);
    run_decoder();
    served_expect_soon(&served, session, "413", "no room for the JSON, taken apart");
    send_large_to(session, "generate", "{\"x\":7}");
    run_decoder();
    served_expect_soon(&served, session, "413", "no room for the JSON, taken apart");
    budget.max_bytes = (size_t)4 << 20; /* enough, but others have it */
    atomic_store(&budget.held_bytes, (size_t)3 << 20);
    send_large(session, GOOD);
    run_decoder();
    served_expect_soon(&served, session, "503", "try again later");
    assert_int_equal(atomic_load(&budget.held_bytes), (size_t)3 << 20);
    atomic_store(&budget.held_bytes, 0);
    send_large(session, GOOD);
    run_decoder();
    served_expect_soon(&served, session, "200", "[7,8]");
    assert_true(atomic_load(&budget.peak_bytes) > INFER_WEIGHT_LIGHT);
    send_large_to(session, "generate", "{\"x\":7}");
    run_decoder();
    served_expect_soon(&served, session, "200", "\"y\":7");
    session->ops->destroy(session);
}

static void send_body(struct session *session, const char *fields, struct slice body) {
    char head[256];
    snprintf(head, sizeof head, "POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n", fields,
             body.size);
    served_send(session, head);
    assert_good(session->ops->input(session, body.data, body.size));
}

/* Elements take memory as they are read: nobody is told that there is none where it is the budget that has no room. */
static void room_that_is_short_is_no_memory_that_is(void **state) {
    (void)state;
    enum { COUNT = 600000, TAKEN_APART = 12 << 20 }; /* bytes; a little more than the JSON takes */
    struct session *session = served_connect(&served);
    struct buf body = BUF_EMPTY;
    buf_printf(&body, "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,%d],\"datatype\":\"INT32\",\"data\":[1", COUNT);
    for (int i = 1; i < COUNT; i++)
        buf_append_text(&body, ",1");
    buf_append_text(&body, "]}]}");
    for (int others = 0; others <= 1; others++) {
        budget.max_bytes = TAKEN_APART + (others ? TAKEN_APART : 0);
        atomic_store(&budget.held_bytes, others ? TAKEN_APART : 0);
        send_body(session, "", buf_slice(&body));
        run_decoder();
        served_expect_soon(&served, session, others ? "503" : "413",
                           others ? "no room for the request, decoded: all requests and answers together hold as many"
                                  : "no room for the request, decoded: all requests and answers together may hold");
        assert_int_equal(atomic_load(&budget.held_bytes), others ? TAKEN_APART : 0);
    }
    atomic_store(&budget.held_bytes, 0);
    buf_free(&body);
    session->ops->destroy(session);
}

/* A body that is decompressed is booked step by step, so that several at once take no more than there is. */
static void steps_of_a_compressed_body_are_booked(void **state) {
    (void)state;
    enum { SIZE = 8 << 20, ROOM = 5 << 20 };
    struct session *session = served_connect(&served);
    struct buf body = BUF_EMPTY;
    memset(buf_reserve(&body, SIZE), ' ', SIZE);
    body.size = SIZE;
    assert_good(body_deflate(BODY_GZIP, &body));
    assert_true(body.size > INFER_WEIGHT_LIGHT / INFER_WEIGHT_OF_PACKED);
    served.context.max_body_bytes = SIZE;
    for (int others = 0; others <= 1; others++) {
        budget.max_bytes = others ? (size_t)3 * ROOM : ROOM;
        atomic_store(&budget.held_bytes, others ? 2 * ROOM : 0);
        atomic_store(&budget.peak_bytes, 0);
        send_body(session, "Content-Encoding: gzip\r\n", buf_slice(&body));
        run_decoder();
        served_expect_soon(&served, session, others ? "503" : "413",
                           others ? "no room for the body decompressed: all requests and answers together hold as many"
                                  : "no room for the body decompressed: all requests and answers together may hold");
        assert_true(atomic_load(&budget.peak_bytes) > budget.max_bytes - ROOM / 2);
        assert_int_equal(atomic_load(&budget.held_bytes), others ? 2 * ROOM : 0);
    }
    atomic_store(&budget.held_bytes, 0);
    buf_free(&body);
    session->ops->destroy(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_requests_are_decoded_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clients_may_go_at_any_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_goes_with_its_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_decoder_has_stays_booked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_of_decoding_is_booked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(room_that_is_short_is_no_memory_that_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(steps_of_a_compressed_body_are_booked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

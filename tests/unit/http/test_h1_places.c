/* Large bodies over HTTP/1.1 that are received to where they lie. */
#include "h1_fixture.h"

/* A body with a length is received to where it is to lie; one in chunks, whose length is not told,
 * has no such place. */
static void test_places(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    enum { SIZE = 600000 };
    char *body = malloc(SIZE);
    assert_non_null(body);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)('a' + i % 26);
    give_text(f, GET("/echo"));
    assert_false(ask_places(f->session, &places));
    buf_clear(&f->out);
    give_text(f, POST("/echo", 600000, "abc"));
    assert_true(ask_places(f->session, &places));
    assert_int_equal(places.count, 1);
    assert_int_equal(places.bytes, SESSION_PLACES_BYTES);
    assert_false(places.ends);
    const char *first = places.parts[0].iov_base;
    put_bytes(&places, body + 3, 300000);
    struct status status = f->session->ops->placed(f->session, &places, 300000);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(ask_places(f->session, &places));
    assert_ptr_equal(places.parts[0].iov_base, first + 300000);
    assert_int_equal(places.bytes, SIZE - 300003);
    assert_true(places.ends);
    put_bytes(&places, body + 300003, 290000);
    status = f->session->ops->placed(f->session, &places, 290000);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(ask_places(f->session, &places)); /* hardly anything is left */
    give(f, (struct slice){body + 590003, SIZE - 590003});
    assert_true(f->out.size > SIZE);
    assert_memory_equal(f->out.data + f->out.size - SIZE, body, SIZE);
    buf_clear(&f->out);
    give_text(f, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\nabc");
    assert_false(ask_places(f->session, &places));
    free(body);
}

static void test_no_places(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    give_text(f, GET("/hold") POST("/echo", 600000, "abc")); /* not begun */
    assert_false(ask_places(f->session, &places));
    recorder_release(&f->recorder, "held");
    take_output(f);
    assert_true(ask_places(f->session, &places));
    give_text(f, "d");
    assert_true(ask_places(f->session, &places));
    f->session->ops->input_closed(f->session, true);
    assert_false(ask_places(f->session, &places));
}

/* The rest of a request that is refused is dropped. */
static void test_no_places_after_the_answer(void **state) {
    struct fixture *f = *state;
    struct session_places places;
    give_text(f, POST("/refuse", 200000, "abc"));
    assert_false(ask_places(f->session, &places));
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_places), TEST(test_no_places), TEST(test_no_places_after_the_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

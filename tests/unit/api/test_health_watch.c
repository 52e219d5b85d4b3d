/* Watch of grpc.health.v1 over HTTP/2 in memory: what a client hears now, and at the end of the server. */
#include "stream_fixture.h"

#include "api/readiness.h"
#include "codec/health_messages.h"

/* The next message, which has come. */
static int32_t next_status(struct fixture *f) {
    const struct buf *body = &f->stream->body;
    assert_true(body->size >= f->taken + 5);
    const unsigned char *at = (const unsigned char *)body->data + f->taken;
    size_t size = (size_t)at[3] << 8 | at[4];
    assert_true(body->size >= f->taken + 5 + size);
    struct pb_health_check_response answer;
    struct slice bytes = {body->data + f->taken + 5, size};
    assert_good(pb_decode(&pb_health_check_response_type, bytes, f->arena, &answer));
    f->taken += 5 + size;
    return answer.status;
}

static void the_end_of_the_server_is_told(void **state) {
    struct fixture *f = *state;
    struct readiness *readiness = readiness_create(4);
    const struct http_header fields[] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
                                         {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")}};
    assert_non_null(readiness);
    f->served.context.readiness = readiness;
    f->stream = peer_request_full(&f->peer, "POST", "/grpc.health.v1.Health/Watch", fields, 2,
                                  (struct slice){"\0\0\0\0\0", 5}, false);
    peer_run(&f->peer);
    assert_int_equal(next_status(f), PB_SERVING);
    assert_int_equal(f->stream->body.size, f->taken);
    f->peer.session->ops->shutdown(f->peer.session);
    peer_run(&f->peer);
    assert_int_equal(next_status(f), PB_NOT_SERVING);
    expect_end(f, "+grpc-status: 14\n");
    peer_close(&f->peer);
    readiness_destroy(readiness);
    open_peer(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_end_of_the_server_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The order in which the responses of several requests go out (preserve_ordering). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/infer_response.h"
#include "core/response_order.h"

enum { REQUESTS = 3 };

struct fixture {
    struct response_order *order;
    struct infer_request *requests[REQUESTS];
    char delivered[32]; /* the digit of each response's request; '.' behind a final one */
};

static void deliver(struct infer_request *request, struct infer_response *response) {
    struct fixture *f = request->user;
    size_t index = 0;
    while (f->requests[index] != request)
        index++;
    char text[3] = {(char)('0' + index), response->final ? '.' : '\0', '\0'};
    assert_true(strlen(f->delivered) + sizeof text <= sizeof f->delivered);
    strcat(f->delivered, text);
    infer_response_destroy(response);
}

/* The requests have been added in their order. */
static void begin(struct fixture *f) {
    *f = (struct fixture){.order = response_order_create(deliver)};
    assert_non_null(f->order);
    for (size_t i = 0; i < REQUESTS; i++) {
        f->requests[i] = infer_request_create(0);
        assert_non_null(f->requests[i]);
        f->requests[i]->user = f;
        response_order_add(f->order, f->requests[i]);
    }
}

static void end(struct fixture *f) {
    for (size_t i = 0; i < REQUESTS; i++)
        infer_request_destroy(f->requests[i]);
    response_order_destroy(f->order);
}

static void respond(struct fixture *f, size_t index, bool final) {
    struct infer_response *response = infer_response_create(f->requests[index], 0);
    assert_non_null(response);
    response->final = final;
    response_order_deliver(f->order, f->requests[index], response);
}

static void responses_wait_for_all_of_the_requests_before(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    respond(&f, 2, true);
    respond(&f, 1, false);
    respond(&f, 1, false);
    assert_string_equal(f.delivered, "");
    respond(&f, 0, false);
    assert_string_equal(f.delivered, "0");
    respond(&f, 0, true);
    assert_string_equal(f.delivered, "00.11");
    respond(&f, 1, true);
    assert_string_equal(f.delivered, "00.111.2.");
    end(&f);
}

static void a_request_that_is_dropped_lets_those_behind_it_go_out(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    respond(&f, 2, true);
    respond(&f, 1, true);
    response_order_remove(f.order, f.requests[0]);
    assert_string_equal(f.delivered, "1.2.");
    end(&f);
}

static void a_request_that_is_dropped_lets_none_overtake_others(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    respond(&f, 2, true);
    response_order_remove(f.order, f.requests[1]);
    assert_string_equal(f.delivered, "");
    respond(&f, 0, true);
    assert_string_equal(f.delivered, "0.2.");
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_wait_for_all_of_the_requests_before),
        cmocka_unit_test(a_request_that_is_dropped_lets_those_behind_it_go_out),
        cmocka_unit_test(a_request_that_is_dropped_lets_none_overtake_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

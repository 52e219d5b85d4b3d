/* body_fixture.h: a call, and an arena for what is read from its answer. Include it first. */
#ifndef INFERD_TESTS_BODY_FIXTURE_H
#define INFERD_TESTS_BODY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/client_body.h"

struct fixture {
    struct arena *arena;
    struct client_call call;
};

static int set_up(void **state) {
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    fixture->arena = arena_create(0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    client_call_free(&fixture->call);
    arena_destroy(fixture->arena);
    test_free(fixture);
    return 0;
}

#endif

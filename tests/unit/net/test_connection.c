/* Connections with much to write, copied and lent, whose clients are slow or go, and with much to read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listener_fixture.h"

enum { LARGE = 20000000 };

/* Reads a large answer. */
static void expect_large(int client) {
    char *got = malloc(LARGE);
    assert_non_null(got);
    for (size_t at = 0; at < LARGE;) {
        ssize_t n = recv(client, got + at, LARGE - at, 0);
        assert_true(n > 0);
        at += (size_t)n;
    }
    for (size_t i = 0; i < LARGE; i++)
        if (got[i] != (char)('a' + (LARGE - i) % 26))
            fail_msg("wrong byte at %zu", i);
    free(got);
}

/* Bytes that are copied, and bytes that are lent. */
static void large_output_to_a_slow_client(struct server *server, const char *question) {
    int client = dial(server), other = dial(server), third = dial(server);
    say(client, question);
    /* Others on both loops are served while this one is not read. */
    say(other, "echo other\n");
    expect(other, "other\n");
    say(third, "echo third\n");
    expect(third, "third\n");
    expect_large(client);
    say(client, "echo still here\n");
    expect(client, "still here\n");
    close(client);
    close(other);
    close(third);
}

static void test_large_output_to_a_slow_client(void **state) {
    struct server *server = *state;
    start(server);
    large_output_to_a_slow_client(server, "big 20000000\n");
    large_output_to_a_slow_client(server, "lend 20000000\n");
}

/* With pieces lent that are not written: its session is told, and they are released, in that order. */
static void test_client_that_is_lost_in_the_middle(void **state) {
    struct server *server = *state;
    start(server);
    for (int i = 0; i < 8; i++) {
        int client = dial(server);
        char some[1000];
        say(client, "lend 20000000\n");
        assert_int_equal(recv(client, some, sizeof some, MSG_WAITALL), sizeof some);
        const struct linger abrupt = {.l_onoff = i % 2, .l_linger = 0};
        assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt), 0);
        close(client);
    }
    int client = dial(server);
    say(client, "echo still here\n");
    expect(client, "still here\n");
    close(client);
}

static void send_all(int client, const char *data, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t n = send(client, data + at, size - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* Sends so many bytes for places in writes of `step`, and what is behind them with the last. */
static void send_placed(int client, size_t size, size_t step) {
    static char bytes[TOY_PLACED_MAX + 20];
    char question[40];
    snprintf(question, sizeof question, "place %zu\n", size);
    say(client, question);
    for (size_t i = 0; i < size; i++)
        bytes[i] = toy_byte(i);
    memcpy(bytes + size, "echo behind\n", 12);
    for (size_t at = 0, n; at < size + 12; at += n) {
        n = size + 12 - at < step ? size + 12 - at : step;
        send_all(client, bytes + at, n);
    }
}

/* More than a turn has room for, fewer than one read, and with what comes behind in the same read. */
static void test_input_to_its_places(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server), other = dial(server);
    static const size_t sizes[] = {TOY_PLACED_MAX, 1000000, 300000, 2 * 31 * TOY_ROW, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        send_placed(client, sizes[i], i % 2 ? 70001 : TOY_PLACED_MAX + 20);
        expect(client, "right\nbehind\n");
    }
    say(client, "placed\n");
    expect(client, "yes\n");
    say(other, "placed\n");
    expect(other, "no\n");
    say(client, "place 300000\n"); /* and some of it is not there */
    say(other, "echo other\n");
    expect(other, "other\n");
    close(client);
    close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_large_output_to_a_slow_client),
        TEST(test_client_that_is_lost_in_the_middle),
        TEST(test_input_to_its_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Listener and connections over the loopback device, with loops in threads of their own and a toy protocol. Clients are
 * plain blocking sockets; nothing here depends on time but that something comes in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "listener_fixture.h"

/* ---- talk ---- */

static void test_talk_on_all_loops(void **state) {
    struct server *server = *state;
    start(server);
    int clients[10];
    for (int i = 0; i < 10; i++) {
        clients[i] = dial(server);
        say(clients[i], "echo hello\n");
    }
    for (int i = 0; i < 10; i++)
        expect(clients[i], "hello\n");
    assert_int_equal(listener_connection_count(server->listener), 10);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(atomic_load(&server->per_loop[i]), 10 / LOOPS);
    assert_int_equal(atomic_load(&server->with_protocol), 0);
    for (int i = 0; i < 10; i++) {
        say(clients[i], "echo a\necho b\n");
        expect(clients[i], "a\nb\n");
        close(clients[i]);
    }
}

static void test_first_bytes_one_by_one(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    static const char text[] = "echo x\n";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char byte[2] = {text[i], '\0'};
        say(client, byte);
    }
    expect(client, "x\n");
    close(client);
}

static void test_unknown_protocols_are_closed(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "junk and more");
    expect_gone(client);
    client = dial(server); /* never told apart */
    char filler[300];
    memset(filler, 'x', sizeof filler - 1);
    memcpy(filler, "more", 4);
    filler[sizeof filler - 1] = '\0';
    say(client, filler);
    expect_gone(client);
    assert_int_equal(atomic_load(&server->per_loop[0]) + atomic_load(&server->per_loop[1]), 0);
}

static void test_answers_of_other_threads(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    for (int i = 0; i < 20; i++) {
        say(client, "later\n");
        expect(client, "later\n");
    }
    say(client, "later\n"); /* the client is gone before it comes, or not */
    close(client);
}

static void test_time(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "tick\necho now\n");
    expect(client, "now\ntick\n");
    close(client);
}

static void test_peer_text(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &size), 0);
    char text[64];
    snprintf(text, sizeof text, "127.0.0.1:%d\n", ntohs(own.sin_port));
    say(client, "peer\n");
    expect(client, text);
    close(client);
}

/* ---- input that waits ---- */

static void send_body(int fd, size_t size) {
    char *body = calloc(1, size);
    assert_non_null(body);
    for (size_t at = 0; at < size;) {
        ssize_t n = send(fd, body + at, size - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
    free(body);
}

/* The loop lets much of a large body come before it is woken; a client that stops in the middle is heard all the same.
 */
static void test_a_client_that_stops_in_the_middle(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "take 2000000\n");
    send_body(client, 900000);
    send_body(client, 100000);
    expect(client, "half\n");
    send_body(client, 999999);
    send_body(client, 1);
    expect(client, "all\n");
    say(client, "take 500000\n");
    send_body(client, 400000);
    expect(client, "half\n");
    shutdown(client, SHUT_WR);
    expect_end(client);
}

/* The other end of a client's connection, which is of this process, too. */
static int end_of_server(int client) {
    struct sockaddr_in own, peer;
    socklen_t own_size = sizeof own;
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &own_size), 0);
    for (int fd = 0; fd < 1024; fd++) {
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && size == sizeof peer &&
            peer.sin_family == AF_INET && peer.sin_port == own.sin_port)
            return fd;
    }
    fail_msg("the server has no connection from this client");
    return -1;
}

/* What comes behind the last answer is dropped byte by byte, so that the client's silence is told from its slowness. */
static void test_nothing_is_awaited_behind_the_end(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "half 2000000\n");
    send_body(client, 1100000);
    expect(client, "half\n");
    char more;
    assert_int_equal(recv(client, &more, 1, 0), 0);
    int water = 0;
    socklen_t size = sizeof water;
    assert_int_equal(getsockopt(end_of_server(client), SOL_SOCKET, SO_RCVLOWAT, &water, &size), 0);
    assert_int_equal(water, 1);
    close(client);
}

/* ---- output that waits ---- */

static void test_client_that_takes_nothing_is_closed(void **state) {
    struct server *server = *state;
    server->policy.write_timeout_ns = 20 * NS_PER_MS;
    start(server);
    int client = dial(server);
    say(client, "big 100000000\n");
    while (atomic_load(&server->per_loop[0]) == 0)
        sched_yield();
    while (listener_connection_count(server->listener) > 0)
        sched_yield();
    close(client);
}

static void test_silent_client_is_closed(void **state) {
    struct server *server = *state;
    server->policy.first_bytes_timeout_ns = 20 * NS_PER_MS;
    start(server);
    int client = dial(server);
    say(client, "ec");
    expect_gone(client);
}

/* Keeps a loop busy until it is told to go on. */
struct busy {
    struct loop_message message;
    atomic_bool begun, enough;
};

static void be_busy(struct loop_message *message) {
    struct busy *busy = LOOP_CONTAINER(message, struct busy, message);
    atomic_store(&busy->begun, true);
    while (!atomic_load(&busy->enough))
        sched_yield();
}

/* A loop that was too busy to look must not hold it against the client. */
static void test_bytes_that_came_in_time_count(void **state) {
    struct server *server = *state;
    struct busy busy[LOOPS] = {0};
    server->policy.first_bytes_timeout_ns = NS_PER_S;
    start(server);
    int client = dial(server);
    say(client, "ec");
    while (listener_connection_count(server->listener) == 0)
        sched_yield();
    uint64_t late = clock_monotonic_ns() + server->policy.first_bytes_timeout_ns + NS_PER_S / 10;
    for (int i = 0; i < LOOPS; i++) {
        busy[i].message.run = be_busy;
        loop_post(server->loops[i], &busy[i].message);
        while (!atomic_load(&busy[i].begun))
            sched_yield();
    }
    say(client, "ho in time\n");
    while (clock_monotonic_ns() < late)
        sched_yield();
    for (int i = 0; i < LOOPS; i++)
        atomic_store(&busy[i].enough, true);
    expect(client, "in time\n");
    close(client);
}

/* ---- ends ---- */

static void test_end_keeps_the_last_answer(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    /* Much is still under way to the server when it ends: no reset may overtake its answer. */
    static char junk[1 << 20];
    memset(junk, 'j', sizeof junk);
    say(client, "echo one\nbye\n");
    for (size_t at = 0; at < sizeof junk;) {
        ssize_t n = send(client, junk + at, sizeof junk - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
    expect(client, "one\nbye\n");
    expect_end(client);
}

static void test_error_ends_after_its_answer(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "echo one\nnonsense\necho never\n");
    expect(client, "one\nerror\n");
    expect_end(client);
}

static void test_half_closed_clients_get_their_answer(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "later\n");
    shutdown(client, SHUT_WR);
    expect(client, "later\n");
    expect_end(client);
}

/* Behind input that the session does not want to be read now. */
static void test_end_is_noticed_while_input_is_paused(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server);
    say(client, "echo first\nhold\n");
    expect(client, "first\n");
    say(client, "echo unread\n");
    shutdown(client, SHUT_WR);
    expect_gone(client); /* with a reset, for what was not read */
}

static void test_too_many_connections(void **state) {
    struct server *server = *state;
    server->policy.max_connections = 2;
    start(server);
    int first = dial(server), second = dial(server);
    say(first, "echo 1\n");
    expect(first, "1\n");
    say(second, "echo 2\n");
    expect(second, "2\n");
    int third = dial(server);
    expect_gone(third);
    close(second);
    while (listener_connection_count(server->listener) > 1)
        sched_yield();
    int fourth = dial(server);
    say(fourth, "echo 4\n");
    expect(fourth, "4\n");
    close(first);
    close(fourth);
}

/* Beyond the largest number some are served for a moment, and told so; behind those nobody is. */
static void test_a_crowd(void **state) {
    struct server *server = *state;
    server->policy.max_connections = 1;
    server->policy.crowd_connections = 2;
    server->policy.crowd_timeout_ns = 300 * NS_PER_MS;
    start(server);
    int first = dial(server);
    say(first, "echo 1\n");
    expect(first, "1\n");
    assert_int_equal(atomic_load(&server->crowded), 0);
    int second = dial(server), silent = dial(server), fourth = dial(server);
    expect_gone(fourth);
    say(second, "echo 2\n");
    expect(second, "2\n");
    assert_int_equal(atomic_load(&server->crowded), 1);
    say(second, "hold\n");        /* work under way when the moment is over */
    expect(second, "released\n"); /* is finished */
    expect_end(second);
    expect_gone(silent);
    say(first, "echo 3\n");
    expect(first, "3\n");
    close(first);
}

static void test_without_descriptors_accepting_goes_on_later(void **state) {
    struct server *server = *state;
    start(server);
    int client = dial(server), waiting = socket(AF_INET, SOCK_STREAM, 0);
    say(client, "echo 1\n");
    expect(client, "1\n");
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)listener_port(server->listener))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    say(waiting, "echo 2\n");
    say(client, "echo 3\n"); /* who is connected is served meanwhile */
    expect(client, "3\n");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(waiting, "2\n");
    close(client);
    close(waiting);
}

/* ---- drain ---- */

static void on_drained(void *user) {
    atomic_fetch_add(&((struct server *)user)->drained, 1);
}

static void test_drain(void **state) {
    struct server *server = *state;
    start(server);
    int idle = dial(server), busy = dial(server), silent = dial(server);
    say(idle, "echo idle\n");
    expect(idle, "idle\n");
    say(busy, "hold\necho before\n");
    expect(busy, "before\n");
    listener_drain(server->listener, on_drained, server);
    expect(busy, "released\n"); /* what was under way is answered */
    expect_end(busy);
    expect_end(idle);
    expect_gone(silent);
    while (atomic_load(&server->drained) == 0)
        sched_yield();
    assert_int_equal(listener_connection_count(server->listener), 0);
    assert_int_equal(dial(server), -1);
    stop(server);
    assert_int_equal(atomic_load(&server->drained), 1);
}

/* Clients that have connected, but were not accepted yet, are served as well. */
static void test_drain_serves_who_waits_to_be_accepted(void **state) {
    struct server *server = *state;
    int clients[LOOPS];
    begin_to_listen(server);
    for (int i = 0; i < LOOPS; i++) {
        clients[i] = dial(server);
        say(clients[i], "echo in time\n");
    }
    listener_drain(server->listener, on_drained, server);
    run_loops(server);
    for (int i = 0; i < LOOPS; i++) {
        expect(clients[i], "in time\n");
        expect_end(clients[i]);
    }
    while (atomic_load(&server->drained) == 0)
        sched_yield();
}

/* A client that takes nothing of its answer holds up the end no longer than the policy says. */
static void test_drain_with_a_client_that_does_not_read(void **state) {
    struct server *server = *state;
    server->policy.drain_timeout_ns = 50 * NS_PER_MS;
    start(server);
    int client = dial(server);
    say(client, "echo x\nbig 100000000\n");
    expect(client, "x\n");
    listener_drain(server->listener, on_drained, server);
    while (atomic_load(&server->drained) == 0)
        sched_yield();
    close(client);
}

static void test_drain_without_connections(void **state) {
    struct server *server = *state;
    start(server);
    listener_drain(server->listener, on_drained, server);
    while (atomic_load(&server->drained) == 0)
        sched_yield();
}

static void test_destroy_closes_everything(void **state) {
    struct server *server = *state;
    start(server);
    int talking = dial(server), waiting = dial(server), fresh;
    say(talking, "echo x\n");
    expect(talking, "x\n");
    say(waiting, "hold\nlater\n");
    stop(server);
    fresh = dial(server); /* accepted by nobody */
    listener_destroy(server->listener);
    server->listener = NULL;
    expect_gone(talking);
    expect_gone(fresh);
    char answer[10];
    while (recv(waiting, answer, sizeof answer, 0) > 0)
        ; /* "later", if it was quicker */
    close(waiting);
}

/* ---- addresses ---- */

static void test_addresses(void **state) {
    struct server *server = *state;
    struct listener *second;
    start(server);
    int port = listener_port(server->listener);
    assert_true(port > 0);
    struct status status = listener_create(server->loops, LOOPS, "127.0.0.1", port, &server->policy, &second);
    char expected[100];
    snprintf(expected, sizeof expected, "cannot listen on 127.0.0.1:%d: Address already in use", port);
    assert_string_equal(status.message, expected);
    status = listener_create(server->loops, LOOPS, "no.such.host.invalid", 0, &server->policy, &second);
    assert_int_equal(status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(status.message, "cannot listen on no.such.host.invalid:0: "));
    status = listener_create(server->loops, LOOPS, "127.0.0.1", 65536, &server->policy, &second);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    stop(server);
    listener_destroy(server->listener);
    server->listener = NULL;
    /* A host name, and the port is free again at once. */
    status = listener_create(server->loops, LOOPS, "localhost", port, &server->policy, &server->listener);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(listener_port(server->listener), port);
}

static void test_ipv6(void **state) {
    struct server *server = *state;
    struct status status = listener_create(server->loops, LOOPS, "::1", 0, &server->policy, &server->listener);
    if (!status_is_ok(&status)) {
        print_message("no IPv6 here: %s\n", status.message);
        skip();
    }
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&server->threads[i], NULL, run_loop, server->loops[i]), 0);
    server->running = true;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)listener_port(server->listener)),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int client = connect_to((struct sockaddr *)&address, sizeof address);
    assert_true(client >= 0);
    say(client, "peer\n");
    expect(client, "[::1]:");
    close(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_talk_on_all_loops),
        TEST(test_first_bytes_one_by_one),
        TEST(test_unknown_protocols_are_closed),
        TEST(test_answers_of_other_threads),
        TEST(test_time),
        TEST(test_peer_text),
        TEST(test_a_client_that_stops_in_the_middle),
        TEST(test_nothing_is_awaited_behind_the_end),
        TEST(test_client_that_takes_nothing_is_closed),
        TEST(test_silent_client_is_closed),
        TEST(test_bytes_that_came_in_time_count),
        TEST(test_end_keeps_the_last_answer),
        TEST(test_error_ends_after_its_answer),
        TEST(test_half_closed_clients_get_their_answer),
        TEST(test_end_is_noticed_while_input_is_paused),
        TEST(test_too_many_connections),
        TEST(test_a_crowd),
        TEST(test_without_descriptors_accepting_goes_on_later),
        TEST(test_drain),
        TEST(test_drain_serves_who_waits_to_be_accepted),
        TEST(test_drain_with_a_client_that_does_not_read),
        TEST(test_drain_without_connections),
        TEST(test_destroy_closes_everything),
        TEST(test_addresses),
        TEST(test_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

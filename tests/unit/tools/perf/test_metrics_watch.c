/* Tests of metrics_watch: when it asks, and of what, against a server in another thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/perf/metrics_watch.h"

enum { PATIENCE_S = 60 };

/* Answers every question with the same page; ends a connection after `per_connection` answers. */
struct server {
    int listen_fd;
    char url[64];
    size_t per_connection;
    atomic_size_t answered, ended;
    pthread_t thread;
};

static bool read_question(int fd) {
    char text[4096];
    size_t size = 0;
    while (size < sizeof text) {
        ssize_t n = recv(fd, text + size, sizeof text - size, 0);
        if (n <= 0)
            return false;
        size += (size_t)n;
        if (memmem(text, size, "\r\n\r\n", 4) != NULL)
            return true;
    }
    return false;
}

static void *serve(void *user) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\nnv_cpu_utilization 0.25\n";
    struct server *server = user;
    int fd;
    while ((fd = accept(server->listen_fd, NULL, NULL)) >= 0) {
        for (size_t i = 0; i < server->per_connection && read_question(fd); i++) {
            assert_int_equal(send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL), sizeof answer - 1);
            atomic_fetch_add(&server->answered, 1);
        }
        close(fd);
        atomic_fetch_add(&server->ended, 1);
    }
    return NULL;
}

static void server_open(struct server *server, size_t per_connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct server){.listen_fd = socket(AF_INET, SOCK_STREAM, 0), .per_connection = per_connection};
    assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listen_fd, 8), 0);
    assert_int_equal(getsockname(server->listen_fd, (struct sockaddr *)&address, &size), 0);
    snprintf(server->url, sizeof server->url, "127.0.0.1:%d/metrics", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_close(struct server *server) {
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
}

static void wait_for(const atomic_size_t *count, size_t wanted) {
    const struct timespec pause = {0, NS_PER_MS};
    uint64_t end_ns = clock_monotonic_ns() + PATIENCE_S * NS_PER_S;
    while (atomic_load(count) < wanted && clock_monotonic_ns() < end_ns)
        nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(count), wanted);
}

static struct metrics_watch *open_watch(const struct server *server) {
    struct metrics_watch *watch = NULL;
    struct status status = metrics_watch_open(server->url, NULL, SLICE_LITERAL("m"), 100 * NS_PER_MS, &watch);
    assert_string_equal(status.message, "");
    return watch;
}

/* Ticks as far apart as the questions: each takes an answer and asks anew. */
static void test_every_tick_asks(void **state) {
    (void)state;
    static struct server server;
    struct metrics_summary summary;
    struct status first;
    server_open(&server, SIZE_MAX);
    struct metrics_watch *watch = open_watch(&server);
    uint64_t begin_ns = clock_monotonic_ns() + NS_PER_S;
    for (size_t i = 0; i < 5; i++) {
        metrics_watch_tick(watch, begin_ns + i * 100 * NS_PER_MS);
        wait_for(&server.answered, i + 2); /* the first was to see whether anybody answers */
    }
    metrics_watch_tick(watch, begin_ns + 450 * NS_PER_MS); /* not due, but takes the last answer */
    metrics_watch_sum_up(watch, begin_ns, begin_ns + NS_PER_S, &summary);
    assert_int_equal(summary.scrapes, 5);
    assert_int_equal(summary.cpu.count, 5);
    assert_int_equal(metrics_watch_failures(watch, &first), 0);
    metrics_watch_close(watch);
    server_close(&server);
}

/* A server that ends the connection between two questions costs none of them. */
static void test_connections_that_the_server_ends(void **state) {
    (void)state;
    static struct server server;
    struct status first;
    server_open(&server, 1);
    struct metrics_watch *watch = open_watch(&server);
    uint64_t begin_ns = clock_monotonic_ns() + NS_PER_S;
    for (size_t i = 0; i < 3; i++) {
        wait_for(&server.ended, i + 1);
        metrics_watch_tick(watch, begin_ns + i * 100 * NS_PER_MS);
        for (int turn = 0; turn < 100 && atomic_load(&server.ended) < i + 2; turn++) {
            metrics_watch_tick(watch, begin_ns + i * 100 * NS_PER_MS); /* drives the connecting */
            nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
        }
    }
    wait_for(&server.ended, 4);
    metrics_watch_tick(watch, begin_ns + 250 * NS_PER_MS);
    assert_int_equal(metrics_watch_failures(watch, &first), 0);
    metrics_watch_close(watch);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_tick_asks),
        cmocka_unit_test(test_connections_that_the_server_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

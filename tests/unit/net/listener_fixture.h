/* listener_fixture.h: a listener with loops in threads of their own and the toy protocol, and clients that are plain
 * blocking sockets. */
#ifndef INFERD_TEST_NET_LISTENER_FIXTURE_H
#define INFERD_TEST_NET_LISTENER_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"
#include "toy_session.h"

enum { LOOPS = 2 };

struct server {
    struct loop *loops[LOOPS];
    pthread_t threads[LOOPS];
    bool running;
    struct connection_policy policy;
    struct listener *listener;
    atomic_int sessions;        /* open */
    atomic_int per_loop[LOOPS]; /* ever */
    atomic_int with_protocol;   /* connections whose protocol was agreed on in a TLS handshake */
    atomic_int crowded;         /* connections that were one too many */
    atomic_int drained;
};

/* The protocol is told by the first four bytes. */
static struct status choose_session(void *user, const struct connection_opening *opening, struct session **ret) {
    struct server *server = user;
    struct slice first = opening->bytes;
    atomic_fetch_add(&server->with_protocol, opening->protocol.size > 0);
    if (first.size < 4)
        return status_ok();
    if (memcmp(first.data, "junk", 4) == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "unknown protocol");
    if (memcmp(first.data, "more", 4) == 0)
        return status_ok();
    atomic_fetch_add(&server->per_loop[opening->loop_index], 1);
    atomic_fetch_add(&server->crowded, opening->crowded);
    *ret = toy_create(server->loops[opening->loop_index], &server->sessions);
    return status_ok();
}

static inline void *run_loop(void *user) {
    struct status status = loop_run(user);
    if (!status_is_ok(&status))
        abort();
    return NULL;
}

static inline int setup(void **state) {
    struct server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->policy = (struct connection_policy){.choose_session = choose_session, .user = server};
    for (int i = 0; i < LOOPS; i++) {
        struct status status = loop_create(&server->loops[i]);
        assert_int_equal(status.code, STATUS_OK);
    }
    *state = server;
    return 0;
}

/* Clients can connect from here on, but nobody looks. */
static inline void begin_to_listen(struct server *server) {
    struct status status = listener_create(server->loops, LOOPS, "127.0.0.1", 0, &server->policy, &server->listener);
    assert_int_equal(status.code, STATUS_OK);
}

static inline void run_loops(struct server *server) {
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(pthread_create(&server->threads[i], NULL, run_loop, server->loops[i]), 0);
    server->running = true;
}

static inline void start(struct server *server) {
    begin_to_listen(server);
    run_loops(server);
}

static inline void stop(struct server *server) {
    for (int i = 0; i < LOOPS && server->running; i++)
        loop_stop(server->loops[i]);
    for (int i = 0; i < LOOPS && server->running; i++)
        pthread_join(server->threads[i], NULL);
    server->running = false;
}

static inline int teardown(void **state) {
    struct server *server = *state;
    stop(server);
    listener_destroy(server->listener);
    for (int i = 0; i < LOOPS; i++)
        loop_destroy(server->loops[i]);
    assert_int_equal(atomic_load(&server->sessions), 0);
    free(server);
    return 0;
}

/* ---- clients ---- */

static inline int connect_to(struct sockaddr *address, socklen_t size) {
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    /* A test that waits for what never comes fails rather than hangs. */
    struct timeval patience = {.tv_sec = 60};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    if (connect(fd, address, size)) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline int dial(const struct server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)listener_port(server->listener))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to((struct sockaddr *)&address, sizeof address);
}

static inline void say(int fd, const char *text) {
    size_t size = strlen(text);
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void expect(int fd, const char *text) {
    char got[200] = "";
    size_t size = strlen(text);
    assert_true(size < sizeof got);
    for (size_t at = 0; at < size;) {
        ssize_t n = recv(fd, got + at, size - at, 0);
        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_string_equal(got, text);
}

/* The server closes without a reset, and without anything more. */
static inline void expect_end(int fd) {
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

/* The server closes, if need be with a reset. */
static inline void expect_gone(int fd) {
    char byte;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

#endif

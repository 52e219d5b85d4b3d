/* Connections over TLS, with clients who mean well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>

#include "net/transport.h"
#include "tls_client.h"

/* ---- talk ---- */

static void test_talk_in_both_versions(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL *client = dial_tls(fixture);
        SSL_set_min_proto_version(client, versions[i]);
        SSL_set_max_proto_version(client, versions[i]);
        SSL_set_alpn_protos(client, (const unsigned char *)"\x05other\x03toy", 10);
        tls_say(client, "echo hello\n");
        tls_expect(client, "hello\n");
        const unsigned char *name;
        unsigned size;
        SSL_get0_alpn_selected(client, &name, &size);
        assert_int_equal(size, 3); /* the server's preference */
        assert_memory_equal(name, "toy", 3);
        tls_say(client, "peer\n");
        tls_expect(client, "127.0.0.1:");
        hang_up(client);
    }
    assert_int_equal(atomic_load(&fixture->server->with_protocol), 2);
    SSL *client = dial_tls(fixture);
    tls_say(client, "echo x\n"); /* without ALPN */
    tls_expect(client, "x\n");
    hang_up(client);
    assert_int_equal(atomic_load(&fixture->server->with_protocol), 2);
}

/* Every byte of the client's side comes in a packet of its own, and so do those behind the handshake. */
static void test_bytes_one_by_one(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = SSL_new(fixture->client_ctx);
    BIO *to_server = BIO_new(BIO_s_mem()), *from_server = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(from_server, -1);
    SSL_set_bio(client, from_server, to_server);
    SSL_set_connect_state(client);
    int fd = dial(fixture->server);
    char text[8] = "", bytes[4096];
    int got = 0;
    SSL_do_handshake(client);
    for (bool said = false; got < 2;) {
        char byte;
        while (BIO_read(to_server, &byte, 1) == 1)
            assert_int_equal(send(fd, &byte, 1, 0), 1);
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        assert_true(n > 0);
        BIO_write(from_server, bytes, (int)n);
        if (SSL_do_handshake(client) == 1 && !said)
            said = SSL_write(client, "echo x\n", 7) == 7;
        int more = SSL_read(client, text + got, 2 - got);
        got += more > 0 ? more : 0;
    }
    assert_string_equal(text, "x\n");
    ERR_clear_error();
    SSL_free(client);
    close(fd);
}

static void test_sessions_resume(void **state) {
    struct fixture *fixture = *state;
    fixture->options.client_ca_file = fixture->files.authority;
    start_tls(fixture);
    SSL_CTX_use_certificate(fixture->client_ctx, fixture->files.client.certificate);
    SSL_CTX_use_PrivateKey(fixture->client_ctx, fixture->files.client.key);
    SSL_SESSION *session = NULL;
    for (int i = 0; i < 2; i++) {
        SSL *client = dial_tls(fixture);
        if (session)
            SSL_set_session(client, session);
        tls_say(client, "echo x\n");
        tls_expect(client, "x\n");
        assert_int_equal(SSL_session_reused(client), i);
        SSL_SESSION_free(session);
        session = SSL_get1_session(client);
        SSL_shutdown(client); /* without it OpenSSL's client lets go of the session */
        hang_up(client);
    }
    SSL_SESSION_free(session);
}

/* ---- much data ---- */

static void test_large_output_to_a_slow_client(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    enum { HALF = 10000000, SIZE = 2 * HALF };
    SSL *client = dial_tls(fixture), *other = dial_tls(fixture), *third = dial_tls(fixture);
    tls_say(client, "big 10000000\nlend 10000000\n");
    tls_say(other, "echo other\n"); /* on both loops others are served while this one is not read */
    tls_expect(other, "other\n");
    tls_say(third, "echo third\n");
    tls_expect(third, "third\n");
    char *got = malloc(SIZE);
    assert_non_null(got);
    for (int at = 0, n; at < SIZE; at += n) {
        n = SSL_read(client, got + at, SIZE - at);
        assert_true(n > 0);
    }
    for (size_t i = 0; i < SIZE; i++)
        if (got[i] != (char)('a' + (HALF - i % HALF) % 26))
            fail_msg("wrong byte at %zu", i);
    free(got);
    tls_say(client, "bye\n");
    tls_expect(client, "bye\n");
    tls_expect_end(client);
    hang_up(other);
    hang_up(third);
}

/* Writes as long as that goes, and only then reads: the server's output is blocked, it stops reading, and what waits
 * for it lies in the socket and in OpenSSL; none of it may be forgotten there. */
static void test_input_that_waits_for_output(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    enum { LINES = 300000 };
    static const char line[] = "echo 0123456789abcdef\n", answer[] = "0123456789abcdef\n";
    const size_t line_size = sizeof line - 1, answer_size = sizeof answer - 1;
    SSL *client = dial_tls(fixture);
    assert_int_equal(SSL_do_handshake(client), 1);
    int fd = SSL_get_fd(client), small = 128 << 10;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client, SSL_MODE_ENABLE_PARTIAL_WRITE);
    char *lines = malloc(LINES * line_size), got[16384];
    assert_non_null(lines);
    for (size_t i = 0; i < LINES; i++)
        memcpy(lines + i * line_size, line, line_size);
    size_t wrote = 0, read = 0;
    while (read < LINES * answer_size) {
        size_t left = LINES * line_size - wrote;
        int n = left > 0 ? SSL_write(client, lines + wrote, left < 100000 ? (int)left : 100000) : 0;
        if (n > 0) {
            wrote += (size_t)n;
            continue;
        }
        n = SSL_read(client, got, sizeof got);
        for (int i = 0; i < n; i++)
            if (got[i] != answer[(read + (size_t)i) % answer_size])
                fail_msg("wrong byte at %zu", read + (size_t)i);
        if (n > 0)
            read += (size_t)n;
        struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (left > 0 ? POLLOUT : 0))};
        assert_true(n > 0 || poll(&ready, 1, 60000) == 1);
    }
    free(lines);
    ERR_clear_error();
    hang_up(client);
}

static void test_key_updates(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture), *other = dial_tls(fixture), *third = dial_tls(fixture);
    assert_int_equal(SSL_do_handshake(client), 1);
    for (int i = 0; i < 20; i++) {
        assert_true(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED));
        tls_say(client, "echo x\n");
        tls_expect(client, "x\n");
    }
    /* One that sends nothing else gets no more than its turn. */
    for (int i = 0; i < 5000; i++) {
        assert_true(SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED));
        assert_int_equal(SSL_do_handshake(client), 1);
        if (i % 1000 == 0) {
            tls_say(other, "echo o\n");
            tls_expect(other, "o\n");
            tls_say(third, "echo t\n");
            tls_expect(third, "t\n");
        }
    }
    tls_say(client, "echo y\n");
    tls_expect(client, "y\n");
    hang_up(client);
    hang_up(other);
    hang_up(third);
}

/* Each key update wants an answer, none is taken: the server's read waits until it can write. */
static void test_reads_that_want_to_write(void **state) {
    struct fixture *fixture = *state;
    struct status status = tls_context_create(&fixture->options, &fixture->context);
    assert_true(status_is_ok(&status));
    int fds[2], small = 1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    struct transport server;
    assert_true(transport_tls(fixture->context, fds[0], SLICE_LITERAL("text"), &server));
    SSL *client = SSL_new(fixture->client_ctx);
    SSL_set_fd(client, fds[1]);
    char data[1000];
    size_t n = 0;
    while (SSL_connect(client) != 1)
        assert_int_equal(server.ops->read(&server, data, sizeof data, &n), TRANSPORT_BLOCKED);
    assert_int_equal(server.ops->read(&server, data, sizeof data, &n), TRANSPORT_BLOCKED); /* the client's last part */
    for (int i = 0; !server.read_wants_write; i++) {
        assert_true(i < 1000);
        assert_true(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED));
        assert_int_equal(SSL_do_handshake(client), 1);
        assert_int_equal(server.ops->read(&server, data, sizeof data, &n), TRANSPORT_BLOCKED);
    }
    struct pollfd ready = {.fd = fds[0], .events = POLLOUT};
    assert_int_equal(poll(&ready, 1, 0), 0);
    assert_int_equal(SSL_write(client, "hello", 5), 5); /* behind the updates */
    assert_int_equal(server.ops->read(&server, data, sizeof data, &n), TRANSPORT_BLOCKED);
    assert_true(server.read_wants_write);
    assert_true(SSL_read(client, data, 1) <= 0); /* takes the answers */
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_int_equal(server.ops->read(&server, data, sizeof data, &n), TRANSPORT_DONE);
    assert_false(server.read_wants_write);
    assert_int_equal(n, 5);
    assert_memory_equal(data, "hello", 5);
    server.ops->close(&server);
    hang_up(client);
    ERR_clear_error();
}

static void test_no_renegotiation(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    SSL_set_max_proto_version(client, TLS1_2_VERSION);
    tls_say(client, "echo x\n");
    tls_expect(client, "x\n");
    assert_true(SSL_renegotiate(client));
    assert_true(SSL_do_handshake(client) <= 0);
    ERR_clear_error();
    hang_up(client);
}

/* ---- ends ---- */

static void test_ends_in_order(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    tls_say(client, "echo last\nbye\n");
    tls_expect(client, "last\nbye\n");
    tls_expect_end(client);
    client = dial_tls(fixture);
    tls_say(client, "later\n");
    assert_int_equal(SSL_shutdown(client), 0); /* half-closed in order: it still gets its answer */
    tls_expect(client, "later\n");
    tls_expect_end(client);
}

/* An answer fills the socket: the end waits until it can be told. */
static void test_end_behind_a_full_socket(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    enum { SIZE = 8000000 };
    tls_say(client, "big 8000000\nbye\n");
    char *got = malloc(SIZE + 4);
    assert_non_null(got);
    for (int at = 0, n; at < SIZE + 4; at += n) {
        n = SSL_read(client, got + at, at < SIZE ? 1000 : SIZE + 4 - at);
        assert_true(n > 0);
    }
    free(got);
    tls_expect_end(client);
}

static void test_truncated_input_is_a_lost_connection(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    tls_say(client, "echo x\n");
    tls_expect(client, "x\n");
    shutdown(SSL_get_fd(client), SHUT_WR); /* without close_notify */
    tls_expect_broken(client);
}

static void test_a_broken_record_is_a_lost_connection(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    tls_say(client, "echo x\n");
    tls_expect(client, "x\n");
    static const unsigned char record[] = {23, 3,  3,  0,  20, 1,  2,  3,  4,  5,  6,  7, 8,
                                           9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    assert_int_equal(send(SSL_get_fd(client), record, sizeof record, 0), (ssize_t)sizeof record);
    tls_expect_broken(client);
    wait_for_connections(fixture->server, 0);
}

static void on_tls_drained(void *user) {
    atomic_fetch_add(&((struct server *)user)->drained, 1);
}

static void test_drain_ends_in_order(void **state) {
    struct fixture *fixture = *state;
    struct server *server = start_tls(fixture);
    SSL *idle = dial_tls(fixture), *busy = dial_tls(fixture);
    tls_say(idle, "echo idle\n");
    tls_expect(idle, "idle\n");
    tls_say(busy, "hold\necho before\n");
    tls_expect(busy, "before\n");
    int silent = dial(server); /* in the middle of its handshake */
    wait_for_connections(server, 3);
    listener_drain(server->listener, on_tls_drained, server);
    tls_expect(busy, "released\n");
    tls_expect_end(busy);
    tls_expect_end(idle);
    expect_gone(silent);
    while (atomic_load(&server->drained) == 0)
        sched_yield();
}

static void test_reload_under_open_connections(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *before = dial_tls(fixture);
    tls_say(before, "echo 1\n");
    tls_expect(before, "1\n");
    write_certificate(fixture->files.certificate, "w", fixture->files.client.certificate);
    write_key(fixture->files.key, fixture->files.client.key, NULL);
    bool changed = false;
    struct status status = tls_context_reload(fixture->context, &changed);
    assert_true(status_is_ok(&status) && changed);
    SSL *after = dial_tls(fixture);
    tls_say(after, "echo 2\n");
    tls_expect(after, "2\n");
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(after), fixture->files.client.certificate), 0);
    tls_say(before, "echo 3\n");
    tls_expect(before, "3\n");
    hang_up(before);
    hang_up(after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_talk_in_both_versions),
        TEST(test_bytes_one_by_one),
        TEST(test_sessions_resume),
        TEST(test_large_output_to_a_slow_client),
        TEST(test_input_that_waits_for_output),
        TEST(test_key_updates),
        TEST(test_reads_that_want_to_write),
        TEST(test_no_renegotiation),
        TEST(test_ends_in_order),
        TEST(test_end_behind_a_full_socket),
        TEST(test_truncated_input_is_a_lost_connection),
        TEST(test_a_broken_record_is_a_lost_connection),
        TEST(test_drain_ends_in_order),
        TEST(test_reload_under_open_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

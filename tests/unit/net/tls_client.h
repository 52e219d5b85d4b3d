/* tls_client.h: a listener that speaks TLS with the toy protocol, and OpenSSL's client on blocking sockets. */
#ifndef INFERD_TEST_NET_TLS_CLIENT_H
#define INFERD_TEST_NET_TLS_CLIENT_H

#include <signal.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "listener_fixture.h"
#include "net/tls_context.h"
#include "tls_files.h"

struct fixture {
    struct server *server;
    struct tls_files files;
    struct tls_options options;
    struct tls_context *context;
    SSL_CTX *client_ctx;
};

static inline int tls_setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    tls_files_make(&fixture->files);
    fixture->options = (struct tls_options){.certificate_file = fixture->files.certificate,
                                            .key_file = fixture->files.key,
                                            .protocols = SLICE_LITERAL("\x03toy\x05other")};
    fixture->client_ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(fixture->client_ctx);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(fixture->client_ctx), fixture->files.issuer.certificate);
    SSL_CTX_set_verify(fixture->client_ctx, SSL_VERIFY_PEER, NULL);
    signal(SIGPIPE, SIG_IGN); /* of the client */
    *state = fixture;
    return setup((void **)&fixture->server);
}

static inline int tls_teardown(void **state) {
    struct fixture *fixture = *state;
    teardown((void **)&fixture->server);
    tls_context_destroy(fixture->context);
    SSL_CTX_free(fixture->client_ctx);
    tls_files_remove(&fixture->files);
    free(fixture);
    return 0;
}

static inline struct server *start_tls(struct fixture *fixture) {
    struct status status = tls_context_create(&fixture->options, &fixture->context);
    if (!status_is_ok(&status))
        fail_msg("%s", status.message);
    fixture->server->policy.tls = fixture->context;
    fixture->server->policy.text_refusal = SLICE_LITERAL("speak TLS\n");
    start(fixture->server);
    return fixture->server;
}

/* ---- clients ---- */

/* Before the handshake. */
static inline SSL *dial_tls(struct fixture *fixture) {
    SSL *client = SSL_new(fixture->client_ctx);
    assert_non_null(client);
    SSL_set_fd(client, dial(fixture->server));
    SSL_set_connect_state(client);
    return client;
}

static inline void hang_up(SSL *client) {
    int fd = SSL_get_fd(client);
    SSL_free(client);
    close(fd);
}

static inline void tls_say(SSL *client, const char *text) {
    if (SSL_write(client, text, (int)strlen(text)) != (int)strlen(text))
        fail_msg("cannot write: %s", ERR_reason_error_string(ERR_peek_last_error()));
}

static inline void tls_expect(SSL *client, const char *text) {
    char got[200] = "";
    int size = (int)strlen(text);
    for (int at = 0, n; at < size; at += n) {
        n = SSL_read(client, got + at, size - at);
        if (n <= 0)
            fail_msg("cannot read: %s", ERR_reason_error_string(ERR_peek_last_error()));
    }
    assert_string_equal(got, text);
}

/* The server ends the connection in order, and nothing more comes. */
static inline void tls_expect_end(SSL *client) {
    char byte;
    int n = SSL_read(client, &byte, 1);
    assert_true(n <= 0);
    assert_int_equal(SSL_get_error(client, n), SSL_ERROR_ZERO_RETURN);
    hang_up(client);
}

/* The connection ends without an order: a client must take what it got for truncated. */
static inline void tls_expect_broken(SSL *client) {
    char byte;
    int n = SSL_read(client, &byte, 1);
    assert_true(n <= 0);
    assert_int_not_equal(SSL_get_error(client, n), SSL_ERROR_ZERO_RETURN);
    ERR_clear_error();
    hang_up(client);
}

/* The handshake, or what follows it, ends in the server's alert. */
static inline void tls_expect_alert(SSL *client, int alert) {
    char byte;
    ERR_clear_error();
    assert_true(SSL_read(client, &byte, 1) <= 0);
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (reason != SSL_AD_REASON_OFFSET + alert)
        fail_msg("expected alert %d, got \"%s\"", alert, ERR_reason_error_string(ERR_peek_last_error()));
    ERR_clear_error();
    hang_up(client);
}

static inline void wait_for_connections(const struct server *server, size_t count) {
    while (listener_connection_count(server->listener) != count)
        sched_yield();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tls_setup, tls_teardown)

#endif

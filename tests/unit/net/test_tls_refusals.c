/* Connections to a TLS port that must not get in: old ways, other protocols, half a handshake, strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_client.h"

static void test_only_new_and_safe_ways_are_taken(void **state) {
    struct fixture *fixture = *state;
    fixture->options.min_version = TLS_VERSION_1_3;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    SSL_set_max_proto_version(client, TLS1_2_VERSION);
    tls_expect_alert(client, SSL_AD_PROTOCOL_VERSION);
}

static void test_old_ciphers_are_refused(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    static const char *const ciphers[] = {"ECDHE+AES:!AESGCM:!AESCCM", "aRSA:kRSA"};
    for (size_t i = 0; i < 2; i++) {
        SSL *client = dial_tls(fixture);
        SSL_set_max_proto_version(client, TLS1_2_VERSION);
        assert_true(SSL_set_cipher_list(client, ciphers[i]));
        tls_expect_alert(client, SSL_AD_HANDSHAKE_FAILURE);
    }
}

static void test_no_protocol_in_common(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    SSL *client = dial_tls(fixture);
    SSL_set_alpn_protos(client, (const unsigned char *)"\x04spdy", 5);
    tls_expect_alert(client, SSL_AD_NO_APPLICATION_PROTOCOL);
}

/* ---- those who should not get in ---- */

static void test_text_is_answered_in_text(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    int client = dial(fixture->server);
    say(client, "echo hello\n");
    expect(client, "speak TLS\n");
    expect_end(client);
}

static void test_garbage_is_refused(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\0\1\2\3", 4},
        {"\x80\x2e\1\3\1", 5},
        {"\x16\3\1\0\5\1\0\0\1x", 10},    /* a ClientHello of one byte */
        {"\x16\3\1\0\4\1\1\0\0", 9},      /* one that claims 64 KiB */
        {"\x16\3\1\0\5\2\0\0\1x", 10},    /* a ServerHello */
        {"\x16\3\1\0\0\x16\3\1\0\0", 10}, /* empty records */
        {"\x15\3\1\0\2\2\x28", 7},        /* an alert */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int client = dial(fixture->server);
        char alert[64];
        assert_int_equal(send(client, cases[i].bytes, cases[i].size, 0), (ssize_t)cases[i].size);
        while (recv(client, alert, sizeof alert, 0) > 0)
            continue;
        close(client);
    }
    SSL *good = dial_tls(fixture);
    tls_say(good, "echo x\n");
    tls_expect(good, "x\n");
    hang_up(good);
    assert_int_equal(atomic_load(&fixture->server->per_loop[0]) + atomic_load(&fixture->server->per_loop[1]), 1);
}

/* A ClientHello that is allowed by its length, in more records than it may take. */
static void test_long_handshakes_are_refused(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    int client = dial(fixture->server);
    static const unsigned char begin[] = {22, 3, 1, 0, 5, 1, 0, 0x3f, 0xff, 'x'}, piece[] = {22, 3, 3, 0, 1, 'x'};
    assert_int_equal(send(client, begin, sizeof begin, 0), (ssize_t)sizeof begin);
    /* 12000 of its 16383 bytes, each with a head of five. */
    for (int i = 0; i < 12000 && send(client, piece, sizeof piece, MSG_NOSIGNAL) > 0; i++)
        continue;
    expect_gone(client);
}

static void test_silent_handshake_is_closed(void **state) {
    struct fixture *fixture = *state;
    fixture->server->policy.first_bytes_timeout_ns = 50 * NS_PER_MS;
    start_tls(fixture);
    int silent = dial(fixture->server), begun = dial(fixture->server);
    static const unsigned char begin[] = {22, 3, 1, 0, 200, 1, 0, 0};
    assert_int_equal(send(begun, begin, sizeof begin, 0), (ssize_t)sizeof begin);
    expect_gone(silent);
    expect_gone(begun);
}

/* Many handshakes that stand still are in nobody's way. */
static void test_half_open_handshakes(void **state) {
    struct fixture *fixture = *state;
    struct server *server = start_tls(fixture);
    enum { MANY = 200 };
    int half_open[MANY];
    static const unsigned char begin[] = {22, 3, 1, 0, 200, 1, 0, 0};
    for (int i = 0; i < MANY; i++) {
        half_open[i] = dial(server);
        assert_int_equal(send(half_open[i], begin, (size_t)i % sizeof begin + 1, 0), i % (int)sizeof begin + 1);
    }
    for (int i = 0; i < 20; i++) {
        SSL *client = dial_tls(fixture);
        tls_say(client, "echo good\n");
        tls_expect(client, "good\n");
        hang_up(client);
    }
    for (int i = 0; i < MANY; i++)
        close(half_open[i]);
    wait_for_connections(server, 0);
}

static void test_clients_need_a_certificate(void **state) {
    struct fixture *fixture = *state;
    fixture->options.client_ca_file = fixture->files.authority;
    start_tls(fixture);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL *client = dial_tls(fixture);
        SSL_set_max_proto_version(client, version);
        tls_expect_alert(client, version == TLS1_2_VERSION ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_CERTIFICATE_REQUIRED);
        struct identity stranger = make_identity("a stranger", NULL);
        client = dial_tls(fixture);
        SSL_set_max_proto_version(client, version);
        SSL_use_certificate(client, stranger.certificate);
        SSL_use_PrivateKey(client, stranger.key);
        tls_expect_alert(client, SSL_AD_UNKNOWN_CA);
        free_identity(&stranger);
        client = dial_tls(fixture);
        SSL_set_max_proto_version(client, version);
        SSL_use_certificate(client, fixture->files.client.certificate);
        SSL_use_PrivateKey(client, fixture->files.client.key);
        tls_say(client, "echo friend\n");
        tls_expect(client, "friend\n");
        hang_up(client);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_only_new_and_safe_ways_are_taken),
        TEST(test_old_ciphers_are_refused),
        TEST(test_no_protocol_in_common),
        TEST(test_text_is_answered_in_text),
        TEST(test_garbage_is_refused),
        TEST(test_long_handshakes_are_refused),
        TEST(test_silent_handshake_is_closed),
        TEST(test_half_open_handshakes),
        TEST(test_clients_need_a_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

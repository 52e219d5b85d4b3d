/* The client's side of TLS against our own server's: who is trusted, which name, which protocol, and both forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>

#include "net/tls_client_context.h"
#include "net/transport.h"
#include "tls_client.h"

static struct tls_client_options client_options(const struct fixture *fixture) {
    return (struct tls_client_options){.ca_file = fixture->files.authority, .protocols = SLICE_LITERAL("\x03toy")};
}

static struct tls_client_context *create(const struct tls_client_options *options) {
    struct tls_client_context *context = NULL;
    struct status status = tls_client_context_create(options, &context);
    assert_string_equal(status.message, "");
    return context;
}

static void wait_for(const struct transport *transport) {
    struct pollfd ready = {transport->fd, (short)(POLLIN | (transport->read_wants_write ? POLLOUT : 0)), 0};
    assert_int_equal(poll(&ready, 1, 10000), 1);
}

/* Connects and shakes hands; NULL in place of `host` is the right one. The transport is the caller's. */
static enum transport_outcome greet(struct fixture *fixture, struct tls_client_context *context, const char *host,
                                    struct transport *ret) {
    int fd = dial(fixture->server);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_true(transport_tls_client(context, fd, host ? host : "localhost", ret));
    enum transport_outcome outcome;
    while ((outcome = ret->ops->greet(ret)) == TRANSPORT_BLOCKED)
        wait_for(ret);
    return outcome;
}

static enum transport_outcome read_all(struct transport *transport, char *to, size_t size) {
    enum transport_outcome outcome = TRANSPORT_DONE;
    for (size_t at = 0, n; at < size; at += outcome == TRANSPORT_DONE ? n : 0) {
        outcome = transport->ops->read(transport, to + at, size - at, &n);
        if (outcome == TRANSPORT_BLOCKED)
            wait_for(transport);
        else if (outcome != TRANSPORT_DONE)
            return outcome;
    }
    return TRANSPORT_DONE;
}

static void expect_talk(struct transport *transport) {
    const struct iovec hello = {(char *)"echo hello\n", 11};
    size_t n;
    char got[6] = "";
    assert_int_equal(transport->ops->write(transport, &hello, 1, &n), TRANSPORT_DONE);
    assert_int_equal(n, 11);
    assert_int_equal(read_all(transport, got, 5), TRANSPORT_DONE);
    assert_string_equal(got, "hello");
}

static void test_a_good_server(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    const struct tls_client_options options = client_options(fixture);
    struct tls_client_context *context = create(&options);
    struct transport transport;
    assert_int_equal(greet(fixture, context, NULL, &transport), TRANSPORT_DONE);
    struct slice protocol = transport.ops->protocol(&transport);
    assert_true(slice_equal_text(protocol, "toy"));
    expect_talk(&transport);
    assert_int_equal(transport.ops->end(&transport), TRANSPORT_DONE);
    transport.ops->close(&transport);
    tls_client_context_destroy(context);
}

static void expect_objection(struct fixture *fixture, const struct tls_client_options *options, const char *host,
                             const char *problem) {
    struct tls_client_context *context = create(options);
    struct transport transport;
    assert_int_equal(greet(fixture, context, host, &transport), TRANSPORT_LOST);
    if (transport.problem == NULL || strstr(transport.problem, problem) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", problem, transport.problem ? transport.problem : "nothing");
    transport.ops->close(&transport);
    tls_client_context_destroy(context);
}

static void expect_good(struct fixture *fixture, const struct tls_client_options *options, const char *host) {
    struct tls_client_context *context = create(options);
    struct transport transport;
    assert_int_equal(greet(fixture, context, host, &transport), TRANSPORT_DONE);
    expect_talk(&transport);
    transport.ops->close(&transport);
    tls_client_context_destroy(context);
}

/* Each of both checks by itself, and neither. */
static void test_whom_it_trusts(void **state) {
    struct fixture *fixture = *state;
    start_tls(fixture);
    struct tls_client_options options = client_options(fixture);
    expect_objection(fixture, &options, "other.example", "not for this host");
    expect_objection(fixture, &options, "192.0.2.1", "not for this host");
    options.any_host = true;
    expect_good(fixture, &options, "other.example");
    options = client_options(fixture);
    options.ca_file = NULL; /* the system's */
    expect_objection(fixture, &options, NULL, "certificate");
    options.any_issuer = true;
    expect_good(fixture, &options, NULL);
    expect_objection(fixture, &options, "other.example", "not for this host");
}

static void write_der(const char *path, X509 *certificate, EVP_PKEY *key) {
    BIO *file = BIO_new_file(path, "wb");
    assert_non_null(file);
    assert_int_equal(certificate ? i2d_X509_bio(file, certificate) : i2d_PrivateKey_bio(file, key), 1);
    BIO_free(file);
    assert_int_equal(chmod(path, 0600), 0);
}

/* A server that asks for a certificate: with it in both forms; without it the server's alert comes with the answer. */
static void test_a_certificate_of_its_own(void **state) {
    struct fixture *fixture = *state;
    char certificate[200], key[200];
    snprintf(certificate, sizeof certificate, "%s/client.crt", fixture->files.folder);
    snprintf(key, sizeof key, "%s/client.key", fixture->files.folder);
    fixture->options.client_ca_file = fixture->files.authority;
    start_tls(fixture);
    struct tls_client_options options = client_options(fixture);
    options.certificate_file = certificate;
    options.key_file = key;
    write_certificate(certificate, "w", fixture->files.client.certificate);
    write_key(key, fixture->files.client.key, NULL);
    expect_good(fixture, &options, NULL);
    write_der(certificate, fixture->files.client.certificate, NULL);
    write_der(key, NULL, fixture->files.client.key);
    options.certificate_form = options.key_form = TLS_FORM_DER;
    expect_good(fixture, &options, NULL);
    options = client_options(fixture);
    struct tls_client_context *context = create(&options);
    struct transport transport;
    char byte;
    assert_int_equal(greet(fixture, context, NULL, &transport), TRANSPORT_DONE);
    assert_int_equal(read_all(&transport, &byte, 1), TRANSPORT_LOST);
    assert_non_null(strstr(transport.problem, "certificate required"));
    transport.ops->close(&transport);
    tls_client_context_destroy(context);
    unlink(certificate);
    unlink(key);
}

static void expect_refusal(const struct tls_client_options *options, const char *text) {
    struct tls_client_context *context = NULL;
    struct status status = tls_client_context_create(options, &context);
    if (strstr(status.message, text) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", text, status.message);
    assert_null(context);
}

static void test_files_that_are_no_good(void **state) {
    struct fixture *fixture = *state;
    struct tls_client_options options = client_options(fixture);
    options.ca_file = "/nowhere/ca.pem";
    expect_refusal(&options, "/nowhere/ca.pem");
    options.ca_file = fixture->files.key;
    expect_refusal(&options, "expected certificates in PEM form");
    options = client_options(fixture);
    options.certificate_file = fixture->files.certificate;
    expect_refusal(&options, "only one of them");
    options.key_file = fixture->files.key;
    options.certificate_form = TLS_FORM_DER;
    expect_refusal(&options, "expected a certificate in DER form");
    options.certificate_form = TLS_FORM_PEM;
    options.key_form = TLS_FORM_DER;
    expect_refusal(&options, "expected a private key in DER form");
    assert_int_equal(chmod(fixture->files.key, 0644), 0);
    expect_refusal(&options, "holds a secret");
}

/* A server that speaks something else. */
static void test_a_plain_server(void **state) {
    struct fixture *fixture = *state;
    start(fixture->server);
    const struct tls_client_options options = client_options(fixture);
    struct tls_client_context *context = create(&options);
    struct transport transport;
    assert_int_equal(greet(fixture, context, NULL, &transport), TRANSPORT_LOST);
    transport.ops->close(&transport);
    tls_client_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_good_server, tls_setup, tls_teardown),
        cmocka_unit_test_setup_teardown(test_whom_it_trusts, tls_setup, tls_teardown),
        cmocka_unit_test_setup_teardown(test_a_certificate_of_its_own, tls_setup, tls_teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_no_good, tls_setup, tls_teardown),
        cmocka_unit_test_setup_teardown(test_a_plain_server, tls_setup, tls_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

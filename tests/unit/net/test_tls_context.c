/* Certificates, keys and authorities from files: what is taken, what is refused with which words, and reloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "net/tls_context_priv.h"
#include "tls_files.h"

static void write_text(const char *path, const char *text) {
    FILE *file = open_file(path, "w");
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

struct fixture {
    struct tls_files files;
    struct tls_options options;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    tls_files_make(&fixture->files);
    fixture->options = (struct tls_options){.certificate_file = fixture->files.certificate,
                                            .key_file = fixture->files.key,
                                            .protocols = SLICE_LITERAL("\x02h2")};
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    tls_files_remove(&fixture->files);
    free(fixture);
    return 0;
}

static struct tls_context *create(const struct fixture *fixture) {
    struct tls_context *context = NULL;
    struct status status = tls_context_create(&fixture->options, &context);
    if (!status_is_ok(&status))
        fail_msg("%s", status.message);
    return context;
}

static void expect_refusal(const struct fixture *fixture, const char *file, const char *words) {
    struct tls_context *context = NULL;
    struct status status = tls_context_create(&fixture->options, &context);
    assert_false(status_is_ok(&status));
    assert_null(context);
    if (!strstr(status.message, file) || !strstr(status.message, words))
        fail_msg("\"%s\" does not name \"%s\" and \"%s\"", status.message, file, words);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for whoever asks OpenSSL next */
}

static void good_files_are_taken(void **state) {
    struct fixture *fixture = *state;
    write_certificate(fixture->files.certificate, "a", fixture->files.issuer.certificate); /* a chain of two */
    fixture->options.client_ca_file = fixture->files.authority;
    struct tls_context *context = create(fixture);
    char text[100];
    tls_context_describe(context, text, sizeof text);
    assert_ptr_equal(strstr(text, "CN = localhost, valid until "), text);
    tls_context_describe(context, text, 6);
    assert_string_equal(text, "CN = ");
    SSL *ssl = tls_context_new_ssl(context);
    assert_non_null(ssl);
    tls_context_destroy(context); /* the connection has what it needs */
    STACK_OF(X509) *chain = NULL;
    SSL_get0_chain_certs(ssl, &chain);
    assert_int_equal(sk_X509_num(chain), 1);
    assert_int_equal(sk_X509_NAME_num(SSL_get_client_CA_list(ssl)), 1);
    assert_true(SSL_get_verify_mode(ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    SSL_free(ssl);
}

static void broken_certificates_are_named(void **state) {
    struct fixture *fixture = *state;
    const char *path = fixture->files.certificate;
    write_text(path, "");
    expect_refusal(fixture, path, "expected a certificate in PEM form");
    write_text(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect_refusal(fixture, path, "expected a certificate in PEM form");
    write_certificate(path, "w", fixture->files.server.certificate);
    FILE *file = open_file(path, "a");
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    expect_refusal(fixture, path, "of the chain cannot be read");
    write_certificate(path, "w", fixture->files.server.certificate);
    for (int i = 0; i < 17; i++)
        write_certificate(path, "a", fixture->files.issuer.certificate);
    expect_refusal(fixture, path, "at most 16");
    unlink(path);
    expect_refusal(fixture, path, "No such file");
    write_text(path, ""); /* for teardown */
}

static void a_file_that_is_too_large_is_not_read(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(truncate(fixture->files.certificate, (1 << 20) + 1), 0);
    expect_refusal(fixture, fixture->files.certificate, "more than the 1048576 allowed");
}

static void broken_keys_are_named(void **state) {
    struct fixture *fixture = *state;
    const char *path = fixture->files.key;
    write_text(path, "no key");
    expect_refusal(fixture, path, "expected a private key in PEM form");
    write_key(path, fixture->files.server.key, "secret");
    expect_refusal(fixture, path, "the key is encrypted: expected one without a passphrase");
    write_key(path, fixture->files.client.key, NULL);
    expect_refusal(fixture, path, "the key does not belong to the certificate");
    write_key(path, fixture->files.server.key, NULL);
    assert_int_equal(chmod(path, 0644), 0);
    expect_refusal(fixture, path, "mode 0644 lets everybody use it");
    assert_int_equal(chmod(path, 0640), 0);
    tls_context_destroy(create(fixture));
}

static void broken_authorities_are_named(void **state) {
    struct fixture *fixture = *state;
    fixture->options.client_ca_file = fixture->files.authority;
    write_text(fixture->files.authority, "\n");
    expect_refusal(fixture, fixture->files.authority, "expected certificates in PEM form");
    unlink(fixture->files.authority);
    expect_refusal(fixture, fixture->files.authority, "No such file");
    write_text(fixture->files.authority, "");
}

/* ---- reloads ---- */

static bool has_certificate(struct tls_context *context, X509 *expected) {
    SSL *ssl = tls_context_new_ssl(context);
    assert_non_null(ssl);
    bool same = X509_cmp(SSL_get_certificate(ssl), expected) == 0;
    SSL_free(ssl);
    return same;
}

static void new_files_are_used_from_then_on(void **state) {
    struct fixture *fixture = *state;
    struct tls_context *context = create(fixture);
    SSL *before = tls_context_new_ssl(context);
    bool changed = true;
    struct status status = tls_context_reload(context, &changed);
    assert_true(status_is_ok(&status));
    assert_false(changed);
    write_certificate(fixture->files.certificate, "w", fixture->files.client.certificate);
    write_key(fixture->files.key, fixture->files.client.key, NULL);
    status = tls_context_reload(context, &changed);
    assert_true(status_is_ok(&status));
    assert_true(changed);
    assert_true(has_certificate(context, fixture->files.client.certificate));
    assert_int_equal(X509_cmp(SSL_get_certificate(before), fixture->files.server.certificate), 0);
    SSL_free(before);
    tls_context_destroy(context);
}

static void broken_new_files_change_nothing(void **state) {
    struct fixture *fixture = *state;
    struct tls_context *context = create(fixture);
    bool changed;
    write_certificate(fixture->files.certificate, "w", fixture->files.client.certificate); /* the key is to follow */
    struct status status = tls_context_reload(context, &changed);
    assert_non_null(strstr(status.message, "does not belong to the certificate"));
    unlink(fixture->files.key);
    status = tls_context_reload(context, &changed);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_true(has_certificate(context, fixture->files.server.certificate));
    write_key(fixture->files.key, fixture->files.client.key, NULL);
    status = tls_context_reload(context, &changed);
    assert_true(status_is_ok(&status));
    assert_true(has_certificate(context, fixture->files.client.certificate));
    tls_context_destroy(context);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(good_files_are_taken),
        TEST(broken_certificates_are_named),
        TEST(a_file_that_is_too_large_is_not_read),
        TEST(broken_keys_are_named),
        TEST(broken_authorities_are_named),
        TEST(new_files_are_used_from_then_on),
        TEST(broken_new_files_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

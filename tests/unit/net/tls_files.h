/* tls_files.h: keys and certificates for tests of TLS, made when they run, in a folder of their own. */
#ifndef INFERD_TEST_NET_TLS_FILES_H
#define INFERD_TEST_NET_TLS_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

struct tls_files {
    char folder[32];
    char certificate[64], key[64], authority[64]; /* paths */
    struct identity issuer, server, client;       /* the issuer made the other two */
};

static EVP_PKEY *make_key(void) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    return key;
}

/* A certificate for `key`; self-signed where there is no issuer. */
static X509 *make_certificate(const char *name, EVP_PKEY *key, const struct identity *issuer) {
    static long serial = 1;
    X509 *made = X509_new();
    assert_non_null(made);
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_issuer_name(made, X509_get_subject_name(issuer ? issuer->certificate : made));
    X509_set_pubkey(made, key);
    X509_EXTENSION *basic =
        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    assert_non_null(basic);
    X509_add_ext(made, basic, -1);
    X509_EXTENSION_free(basic);
    assert_true(X509_sign(made, issuer ? issuer->key : key, EVP_sha256()) > 0);
    return made;
}

static struct identity make_identity(const char *name, const struct identity *issuer) {
    EVP_PKEY *key = make_key();
    return (struct identity){key, make_certificate(name, key, issuer)};
}

static void free_identity(struct identity *identity) {
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static FILE *open_file(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static void write_certificate(const char *path, const char *mode, X509 *certificate) {
    FILE *file = open_file(path, mode);
    assert_true(PEM_write_X509(file, certificate));
    fclose(file);
}

/* With a passphrase when there is one. */
static void write_key(const char *path, EVP_PKEY *key, const char *passphrase) {
    FILE *file = open_file(path, "w");
    assert_true(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                     (void *)(uintptr_t)passphrase));
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void tls_files_make(struct tls_files *files) {
    strcpy(files->folder, "/tmp/inferd-tls-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->certificate, sizeof files->certificate, "%s/server.pem", files->folder);
    snprintf(files->key, sizeof files->key, "%s/server.key", files->folder);
    snprintf(files->authority, sizeof files->authority, "%s/authority.pem", files->folder);
    files->issuer = make_identity("an authority", NULL);
    files->server = make_identity("localhost", &files->issuer);
    files->client = make_identity("a client", &files->issuer);
    write_certificate(files->certificate, "w", files->server.certificate);
    write_key(files->key, files->server.key, NULL);
    write_certificate(files->authority, "w", files->issuer.certificate);
}

static void tls_files_remove(struct tls_files *files) {
    unlink(files->certificate);
    unlink(files->key);
    unlink(files->authority);
    assert_int_equal(rmdir(files->folder), 0);
    free_identity(&files->issuer);
    free_identity(&files->server);
    free_identity(&files->client);
}

#endif

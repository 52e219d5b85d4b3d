/* tls_material.c: bytes in PEM or DER form -> SSL_CTX. */
#include "net/tls_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "net/net_limits.h"

/* ---- errors ---- */

struct status tls_material_error(const char *path, const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    struct status status =
        status_error(STATUS_INVALID_ARGUMENT, "%s: %s%s%s", path, what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return status;
}

struct status tls_material_out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for TLS");
}

/* ---- both forms ---- */

static BIO *open_text(const struct buf *text) {
    return BIO_new_mem_buf(text->data ? text->data : "", (int)text->size); /* TLS_MATERIAL_MAX fits */
}

/* Instead of asking somebody at a terminal. Tells that it was asked. */
static int no_passphrase(char *text, int size, int writing, void *asked) {
    (void)text, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

/* True when the text was read to its end. */
static bool at_end_of_text(void) {
    unsigned long error = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (ended)
        ERR_clear_error();
    return ended;
}

static struct status use_chain(SSL_CTX *ctx, const char *path, BIO *text, enum tls_form form) {
    bool asked = false, der = form == TLS_FORM_DER;
    X509 *own = der ? d2i_X509_bio(text, NULL) : PEM_read_bio_X509_AUX(text, NULL, no_passphrase, &asked);
    if (!own)
        return tls_material_error(path,
                                  der ? "expected a certificate in DER form" : "expected a certificate in PEM form");
    int good = SSL_CTX_use_certificate(ctx, own);
    X509_free(own);
    if (!good)
        return tls_material_error(path, "the certificate cannot be used");
    if (der)
        return status_ok();
    for (int count = 0;; count++) {
        X509 *issuer = PEM_read_bio_X509(text, NULL, no_passphrase, &asked);
        if (!issuer)
            return at_end_of_text() ? status_ok()
                                    : tls_material_error(path, "a certificate of the chain cannot be read");
        if (count == NET_ISSUERS_MAX || !SSL_CTX_add0_chain_cert(ctx, issuer)) {
            X509_free(issuer);
            return count == NET_ISSUERS_MAX
                       ? status_error(STATUS_TOO_LARGE, "%s: expected at most %d certificates of issuers", path,
                                      (int)NET_ISSUERS_MAX)
                       : tls_material_error(path, "a certificate of the chain cannot be used");
        }
    }
}

static struct status use_key(SSL_CTX *ctx, const char *path, BIO *text, enum tls_form form) {
    bool asked = false, der = form == TLS_FORM_DER;
    EVP_PKEY *key = der ? d2i_PrivateKey_bio(text, NULL) : PEM_read_bio_PrivateKey(text, NULL, no_passphrase, &asked);
    if (!key && asked) {
        ERR_clear_error();
        return status_error(STATUS_INVALID_ARGUMENT, "%s: the key is encrypted: expected one without a passphrase",
                            path);
    }
    if (!key)
        return tls_material_error(path,
                                  der ? "expected a private key in DER form" : "expected a private key in PEM form");
    int good = SSL_CTX_use_PrivateKey(ctx, key);
    EVP_PKEY_free(key);
    if (!good || !SSL_CTX_check_private_key(ctx))
        return tls_material_error(path, "the key does not belong to the certificate");
    return status_ok();
}

static struct status trust(SSL_CTX *ctx, const char *path, BIO *text, bool tell) {
    int count = 0;
    bool asked = false;
    for (X509 *authority; (authority = PEM_read_bio_X509_AUX(text, NULL, no_passphrase, &asked)); count++) {
        bool good = count < NET_AUTHORITIES_MAX && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority) &&
                    (!tell || SSL_CTX_add_client_CA(ctx, authority));
        X509_free(authority);
        if (count == NET_AUTHORITIES_MAX)
            return status_error(STATUS_TOO_LARGE, "%s: expected at most %d certificates", path,
                                (int)NET_AUTHORITIES_MAX);
        if (!good)
            return tls_material_error(path, "a certificate cannot be used");
    }
    if (!at_end_of_text() || count == 0)
        return tls_material_error(path, "expected certificates in PEM form");
    return status_ok();
}

struct status tls_material_use_chain(SSL_CTX *ctx, const char *path, const struct buf *bytes, enum tls_form form) {
    BIO *bio = open_text(bytes);
    struct status status = bio ? use_chain(ctx, path, bio, form) : tls_material_out_of_memory();
    BIO_free(bio);
    return status;
}

struct status tls_material_use_key(SSL_CTX *ctx, const char *path, const struct buf *bytes, enum tls_form form) {
    BIO *bio = open_text(bytes);
    struct status status = bio ? use_key(ctx, path, bio, form) : tls_material_out_of_memory();
    BIO_free(bio);
    return status;
}

struct status tls_material_trust(SSL_CTX *ctx, const char *path, const struct buf *bytes, bool tell) {
    BIO *bio = open_text(bytes);
    struct status status = bio ? trust(ctx, path, bio, tell) : tls_material_out_of_memory();
    BIO_free(bio);
    return status;
}

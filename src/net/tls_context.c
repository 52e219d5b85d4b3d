/* tls_context.c: files -> SSL_CTX. Certificates are read through our own bounded reader, so that what is compared is
 * what is used. */
#include "net/tls_context.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/file.h"
#include "net/net_limits.h"
#include "net/tls_context_priv.h"
#include "net/tls_material.h"

enum { DIGEST_SIZE = 32 };

struct files {
    struct buf certificate, key, client_ca;
};

struct tls_context {
    struct tls_options options;
    BIO_METHOD *bio_method;
    unsigned char digest[DIGEST_SIZE]; /* of the files in use */
    pthread_mutex_t lock;              /* of ssl_ctx */
    SSL_CTX *ssl_ctx;
};

/* ---- files ---- */

static void free_files(struct files *files) {
    if (files->key.data)
        OPENSSL_cleanse(files->key.data, files->key.capacity);
    buf_free(&files->certificate);
    buf_free(&files->key);
    buf_free(&files->client_ca);
}

static struct status read_files(const struct tls_options *options, struct files *ret) {
    STATUS_TRY(file_read(options->certificate_file, TLS_MATERIAL_MAX, &ret->certificate));
    STATUS_TRY(file_read_secret(options->key_file, TLS_MATERIAL_MAX, &ret->key));
    return options->client_ca_file ? file_read(options->client_ca_file, TLS_MATERIAL_MAX, &ret->client_ca)
                                   : status_ok();
}

static bool digest_files(const struct files *files, unsigned char ret[static DIGEST_SIZE]) {
    const struct buf *parts[] = {&files->certificate, &files->key, &files->client_ca};
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    for (size_t i = 0; good && i < sizeof parts / sizeof parts[0]; i++)
        good = EVP_DigestUpdate(digest, &parts[i]->size, sizeof parts[i]->size) &&
               EVP_DigestUpdate(digest, parts[i]->data, parts[i]->size);
    good = good && EVP_DigestFinal_ex(digest, ret, NULL);
    EVP_MD_CTX_free(digest);
    return good;
}

/* ---- rules ---- */

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *offered,
                           unsigned int offered_size, void *user) {
    (void)ssl;
    const struct tls_context *context = user;
    const struct slice ours = context->options.protocols;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_size, (const unsigned char *)ours.data, (unsigned)ours.size, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_rules(SSL_CTX *ctx, struct tls_context *context) {
    static const unsigned char session_context[] = "inferd";
    const int min_version = context->options.min_version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS); /* an idle connection holds no buffers */
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, NET_TICKET_TIMEOUT_S);
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, context);
    return SSL_CTX_set_min_proto_version(ctx, min_version) &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
           SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1);
}

static struct status ask_clients(SSL_CTX *ctx, const char *path, const struct buf *text) {
    STATUS_TRY(tls_material_trust(ctx, path, text, true));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(ctx, NET_VERIFY_DEPTH);
    SSL_CTX_set_max_cert_list(ctx, NET_CLIENT_CHAIN_MAX);
    return status_ok();
}

static struct status make_ssl_ctx(struct tls_context *context, const struct files *files, SSL_CTX **ret) {
    const struct tls_options *options = &context->options;
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || !set_rules(ctx, context)) {
        SSL_CTX_free(ctx);
        return tls_material_error("TLS", "cannot be set up");
    }
    struct status status = tls_material_use_chain(ctx, options->certificate_file, &files->certificate, TLS_FORM_PEM);
    if (status_is_ok(&status))
        status = tls_material_use_key(ctx, options->key_file, &files->key, TLS_FORM_PEM);
    if (status_is_ok(&status) && options->client_ca_file)
        status = ask_clients(ctx, options->client_ca_file, &files->client_ca);
    if (status_is_ok(&status))
        *ret = ctx;
    else
        SSL_CTX_free(ctx);
    return status;
}

/* ---- life ---- */

static struct status replace(struct tls_context *context, const struct files *files, bool *ret_changed) {
    unsigned char digest[DIGEST_SIZE];
    SSL_CTX *ctx;
    if (!digest_files(files, digest))
        return tls_material_out_of_memory();
    *ret_changed = !context->ssl_ctx || memcmp(digest, context->digest, sizeof digest) != 0;
    if (!*ret_changed)
        return status_ok();
    STATUS_TRY(make_ssl_ctx(context, files, &ctx));
    memcpy(context->digest, digest, sizeof digest);
    pthread_mutex_lock(&context->lock);
    SSL_CTX *old = context->ssl_ctx;
    context->ssl_ctx = ctx;
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(old); /* open connections have references of their own */
    return status_ok();
}

struct status tls_context_reload(struct tls_context *context, bool *ret_changed) {
    struct files files = {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    *ret_changed = false;
    struct status status = read_files(&context->options, &files);
    if (status_is_ok(&status))
        status = replace(context, &files, ret_changed);
    free_files(&files);
    return status;
}

struct status tls_context_create(const struct tls_options *options, struct tls_context **ret) {
    bool changed;
    struct tls_context *context = calloc(1, sizeof *context);
    if (!context)
        return tls_material_out_of_memory();
    context->options = *options;
    pthread_mutex_init(&context->lock, NULL);
    context->bio_method = transport_tls_bio_method();
    struct status status = context->bio_method ? tls_context_reload(context, &changed) : tls_material_out_of_memory();
    if (status_is_ok(&status))
        *ret = context;
    else
        tls_context_destroy(context);
    return status;
}

void tls_context_destroy(struct tls_context *context) {
    if (!context)
        return;
    SSL_CTX_free(context->ssl_ctx);
    BIO_meth_free(context->bio_method);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

void tls_context_describe(const struct tls_context *context, char *text, size_t size) {
    X509 *own = SSL_CTX_get0_certificate(context->ssl_ctx);
    BIO *bio = BIO_new(BIO_s_mem());
    int length = 0;
    if (bio && own) {
        X509_NAME_print_ex(bio, X509_get_subject_name(own), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
        BIO_puts(bio, X509_cmp_current_time(X509_get0_notAfter(own)) < 0 ? ", expired " : ", valid until ");
        ASN1_TIME_print(bio, X509_get0_notAfter(own));
        length = BIO_read(bio, text, size < INT32_MAX ? (int)size - 1 : INT32_MAX);
    }
    text[length > 0 ? length : 0] = '\0';
    BIO_free(bio);
    ERR_clear_error();
}

/* ---- for transports ---- */

SSL *tls_context_new_ssl(struct tls_context *context) {
    pthread_mutex_lock(&context->lock);
    SSL_CTX *ctx = context->ssl_ctx;
    int referenced = SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&context->lock);
    SSL *ssl = referenced ? SSL_new(ctx) : NULL;
    if (referenced)
        SSL_CTX_free(ctx);
    if (!ssl)
        ERR_clear_error();
    return ssl;
}

const BIO_METHOD *tls_context_bio_method(const struct tls_context *context) {
    return context->bio_method;
}

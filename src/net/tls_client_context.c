/* tls_client_context.c: files -> SSL_CTX, and whether a server's certificate is good enough. */
#include "net/tls_client_context.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "net/tls_context_priv.h"
#include "net/tls_material.h"

struct tls_client_context {
    SSL_CTX *ssl_ctx;
    BIO_METHOD *bio_method;
    bool any_host;
};

/* ---- rules and files ---- */

static bool set_rules(SSL_CTX *ctx, const struct tls_client_options *options) {
    const struct slice protocols = options->protocols;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_verify(ctx, options->any_issuer ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)protocols.data, (unsigned)protocols.size) == 0;
}

typedef struct status use_f(SSL_CTX *ctx, const char *path, const struct buf *bytes, enum tls_form form);

static struct status use_file(SSL_CTX *ctx, const char *path, enum tls_form form, bool secret, use_f *use) {
    struct buf bytes = BUF_EMPTY;
    struct status status =
        secret ? file_read_secret(path, TLS_MATERIAL_MAX, &bytes) : file_read(path, TLS_MATERIAL_MAX, &bytes);
    if (status_is_ok(&status))
        status = use(ctx, path, &bytes, form);
    if (secret && bytes.data)
        OPENSSL_cleanse(bytes.data, bytes.capacity);
    buf_free(&bytes);
    return status;
}

static struct status trust(SSL_CTX *ctx, const char *path, const struct buf *bytes, enum tls_form form) {
    (void)form;
    return tls_material_trust(ctx, path, bytes, false);
}

static struct status use_files(SSL_CTX *ctx, const struct tls_client_options *options) {
    if (options->ca_file)
        STATUS_TRY(use_file(ctx, options->ca_file, TLS_FORM_PEM, false, trust));
    else if (!options->any_issuer && !SSL_CTX_set_default_verify_paths(ctx))
        return tls_material_error("TLS", "the system's authorities cannot be read");
    if (options->certificate_file)
        STATUS_TRY(use_file(ctx, options->certificate_file, options->certificate_form, false, tls_material_use_chain));
    return options->key_file ? use_file(ctx, options->key_file, options->key_form, true, tls_material_use_key)
                             : status_ok();
}

/* ---- life ---- */

struct status tls_client_context_create(const struct tls_client_options *options, struct tls_client_context **ret) {
    if (!options->certificate_file != !options->key_file)
        return status_error(STATUS_INVALID_ARGUMENT, "a client's certificate and its key: only one of them was given");
    struct tls_client_context *context = calloc(1, sizeof *context);
    if (!context)
        return tls_material_out_of_memory();
    ERR_clear_error();
    context->any_host = options->any_host;
    context->bio_method = transport_tls_bio_method();
    context->ssl_ctx = SSL_CTX_new(TLS_client_method());
    struct status status = context->bio_method && context->ssl_ctx && set_rules(context->ssl_ctx, options)
                               ? use_files(context->ssl_ctx, options)
                               : tls_material_error("TLS", "cannot be set up");
    if (status_is_ok(&status))
        *ret = context;
    else
        tls_client_context_destroy(context);
    return status;
}

void tls_client_context_destroy(struct tls_client_context *context) {
    if (!context)
        return;
    SSL_CTX_free(context->ssl_ctx);
    BIO_meth_free(context->bio_method);
    free(context);
}

/* ---- for transports ---- */

static bool is_address(const char *host) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* RFC 6066: of names only. SSL_set_tlsext_host_name without its cast. */
static bool set_server_name(SSL *ssl, const char *host) {
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) == 1;
}

SSL *tls_client_context_new_ssl(const struct tls_client_context *context, const char *host) {
    SSL *ssl = SSL_new(context->ssl_ctx);
    if (ssl && !is_address(host) && !set_server_name(ssl, host)) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (!ssl)
        ERR_clear_error();
    return ssl;
}

const BIO_METHOD *tls_client_context_bio_method(const struct tls_client_context *context) {
    return context->bio_method;
}

const char *tls_client_context_refusal(const SSL *ssl) {
    long result = SSL_get_verify_result(ssl);
    return result != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE ? X509_verify_cert_error_string(result)
                                                                              : NULL;
}

const char *tls_client_context_judge(const struct tls_client_context *context, const SSL *ssl, const char *host) {
    if (context->any_host)
        return NULL;
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    bool good = certificate && (is_address(host) ? X509_check_ip_asc(certificate, host, 0) == 1
                                                 : X509_check_host(certificate, host, 0, 0, NULL) == 1);
    X509_free(certificate);
    ERR_clear_error();
    return good ? NULL : "the server's certificate is not for this host";
}

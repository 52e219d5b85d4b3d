/* tls_context_priv.h: what transport_tls.c takes from a context of either side. */
#ifndef INFERD_NET_TLS_CONTEXT_PRIV_H
#define INFERD_NET_TLS_CONTEXT_PRIV_H

#include <openssl/ssl.h>

#include "net/tls_client_context.h"
#include "net/tls_context.h"

/* The server's end of a new connection, without a BIO; NULL when memory is short. Thread: any. */
SSL *tls_context_new_ssl(struct tls_context *context);
/* The BIO of transport_tls.c, which lives as long as the context. */
const BIO_METHOD *tls_context_bio_method(const struct tls_context *context);

/* The client's end of a new connection to `host`, the same way. */
SSL *tls_client_context_new_ssl(const struct tls_client_context *context, const char *host);
const BIO_METHOD *tls_client_context_bio_method(const struct tls_client_context *context);
/* Behind the handshake: NULL when the server may have this certificate; else what is wrong with it (static). */
const char *tls_client_context_judge(const struct tls_client_context *context, const SSL *ssl, const char *host);
/* The same of a handshake that has failed: NULL when that was not for its certificate. */
const char *tls_client_context_refusal(const SSL *ssl);

/* transport_tls.c: makes it; NULL when memory is short. */
BIO_METHOD *transport_tls_bio_method(void);

#endif

/* tls_context_priv.h: what transport_tls.c takes from a context. */
#ifndef INFERD_NET_TLS_CONTEXT_PRIV_H
#define INFERD_NET_TLS_CONTEXT_PRIV_H

#include <openssl/ssl.h>

#include "net/tls_context.h"

/* The server's end of a new connection, without a BIO; NULL when memory is short. Thread: any. */
SSL *tls_context_new_ssl(struct tls_context *context);
/* The BIO of transport_tls.c, which lives as long as the context. */
const BIO_METHOD *tls_context_bio_method(const struct tls_context *context);

/* transport_tls.c: makes it; NULL when memory is short. */
BIO_METHOD *transport_tls_bio_method(void);

#endif

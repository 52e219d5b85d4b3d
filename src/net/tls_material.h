/* tls_material.h: certificates, keys and authorities from bytes into an SSL_CTX; the same for both sides of TLS.
 *
 * Errors: INVALID_ARGUMENT names the file and what is wrong with it; TOO_LARGE; RESOURCE_EXHAUSTED. Thread: any, one at
 * a time for each ctx. */
#ifndef INFERD_NET_TLS_MATERIAL_H
#define INFERD_NET_TLS_MATERIAL_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/status.h"
#include "net/tls_client_context.h"

enum { TLS_MATERIAL_MAX = 1 << 20 }; /* bytes of a file */

/* One's own certificate; in PEM with the chain of its issuers behind it. */
struct status tls_material_use_chain(SSL_CTX *ctx, const char *path, const struct buf *bytes,
                                     enum tls_form form) STATUS_MUST_CHECK;
/* The key of that certificate, which is there already. */
struct status tls_material_use_key(SSL_CTX *ctx, const char *path, const struct buf *bytes,
                                   enum tls_form form) STATUS_MUST_CHECK;
/* Authorities, in PEM, whose certificates the other side may have; `tell` it their names. */
struct status tls_material_trust(SSL_CTX *ctx, const char *path, const struct buf *bytes, bool tell) STATUS_MUST_CHECK;

/* What OpenSSL last complained about. */
struct status tls_material_error(const char *path, const char *what);
struct status tls_material_out_of_memory(void);

#endif

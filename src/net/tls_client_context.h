/* tls_client_context.h: the client's side of TLS: whom it trusts, and what it shows of itself; made from files once.
 *
 * TLS 1.2 or 1.3 with OpenSSL's default ciphers. No renegotiation, no compression, no resumption. Source: RFC 8446, RFC
 * 5246, RFC 7301 (ALPN), RFC 6125 (names). */
#ifndef INFERD_NET_TLS_CLIENT_CONTEXT_H
#define INFERD_NET_TLS_CLIENT_CONTEXT_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/status.h"

struct tls_client_context;

enum tls_form { TLS_FORM_PEM, TLS_FORM_DER };

/* Borrowed for the call. */
struct tls_client_options {
    const char *ca_file;          /* PEM: the server's certificate must be of one of these; NULL: of the system's */
    const char *certificate_file; /* the client's own, in PEM with its chain; NULL: none */
    const char *key_file;         /* of that, without a passphrase; a secret in the sense of file_read_secret */
    enum tls_form certificate_form, key_form;
    bool any_issuer;        /* the server's certificate may be anybody's */
    bool any_host;          /* and for any host */
    struct slice protocols; /* of ALPN: each name behind a byte that holds its length */
};

/* Reads the files. Errors name the file and what is wrong with it. */
struct status tls_client_context_create(const struct tls_client_options *options,
                                        struct tls_client_context **ret) STATUS_MUST_CHECK;
/* After the last connection that uses it. Accepts NULL. */
void tls_client_context_destroy(struct tls_client_context *context);

#endif

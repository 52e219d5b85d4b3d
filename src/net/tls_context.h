/* tls_context.h: the server's side of TLS: its certificate, key and rules, made from files and made anew when these
 * change. Connections that are open keep what they began with.
 *
 * TLS 1.2 with forward secrecy and authenticated encryption, or 1.3. No renegotiation, no early data, no compression;
 * sessions resume by tickets, which end with the context's next load. Source: RFC 8446, RFC 5246, RFC 7301 (ALPN). */
#ifndef INFERD_NET_TLS_CONTEXT_H
#define INFERD_NET_TLS_CONTEXT_H

#include <stddef.h>

#include "base/slice.h"
#include "base/status.h"

struct tls_context;

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* Borrowed, with all that it points to, while the context lives. */
struct tls_options {
    const char *certificate_file; /* PEM: the server's own first, then the chain of its issuers */
    const char *key_file;         /* PEM, without a passphrase; a secret in the sense of file_read_secret */
    const char *client_ca_file;   /* PEM: clients must have a certificate of one of these; NULL: they need none */
    enum tls_version min_version;
    struct slice protocols; /* of ALPN, in our order of preference: each name behind a byte that holds its length */
};

/* Reads the files. Errors name the file and what is wrong with it. */
struct status tls_context_create(const struct tls_options *options, struct tls_context **ret) STATUS_MUST_CHECK;
/* Reads the files again. Connections that are made from now on use them if anything has changed, which *ret_changed
 * tells. An error: the old ones stay. Thread: any, one at a time. */
struct status tls_context_reload(struct tls_context *context, bool *ret_changed) STATUS_MUST_CHECK;
/* "CN = localhost, valid until Nov 22 20:03:25 2026 GMT", for the log. Thread: that of reloads. */
void tls_context_describe(const struct tls_context *context, char *text, size_t size);
/* After the last connection that uses it. Accepts NULL. */
void tls_context_destroy(struct tls_context *context);

#endif

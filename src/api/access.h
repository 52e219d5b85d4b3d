/* access.h: who may make which calls: rules that open kinds of calls to everybody, or to those with a bearer token out
 * of a file. As soon as there is a rule, what no rule covers is nobody's.
 *
 * Source: RFC 6750 (bearer tokens). Tokens are kept and compared as SHA-256 digests, in a time that tells nothing. */
#ifndef INFERD_API_ACCESS_H
#define INFERD_API_ACCESS_H

#include "api/context.h"
#include "base/buf.h"
#include "http/exchange.h"

enum { ACCESS_TOKENS_MAX = 1024 }; /* over all files */

struct access_rule {
    unsigned classes; /* enum api_class bits */
    const char *file; /* of tokens; NULL: everybody may */
};

/* Reads "health,metadata:public" or "inference:FILE"; "all" stands for every kind. The path is borrowed from the text.
 * INVALID_ARGUMENT tells what was expected. */
struct status access_rule_parse(const char *text, struct access_rule *ret) STATUS_MUST_CHECK;
/* INVALID_ARGUMENT when a kind of calls is both public and in need of a token. */
struct status access_rules_check(const struct access_rule *rules, size_t count) STATUS_MUST_CHECK;

struct access;

/* Reads the files. `rules` are borrowed until access_destroy. Errors name the file, and its line, but no token. */
struct status access_create(const struct access_rule *rules, size_t count, struct access **ret) STATUS_MUST_CHECK;
/* Reads the files again, for all checks from now on. An error: the old tokens stay. *ret_changed: they are others.
 * Thread: any, one at a time, also while others check. */
struct status access_reload(struct access *access, bool *ret_changed) STATUS_MUST_CHECK;
void access_destroy(struct access *access); /* accepts NULL */
/* Appends who may do what, for the log: "health: everybody; inference, metadata: 3 tokens; the rest: nobody". */
void access_describe(struct access *access, struct buf *out);

/* Whether the request may make a call of that kind (bits of enum api_class, of which all must be open to it; 0: a path
 * that does not exist, about which those without any token learn nothing). UNAUTHENTICATED: it has no token, or one
 * that is not known. PERMISSION_DENIED: nobody may, or its token is for other calls. A NULL access grants everything.
 * Thread: any. */
struct status access_check(struct access *access, unsigned classes,
                           const struct http_request *request) STATUS_MUST_CHECK;

#endif

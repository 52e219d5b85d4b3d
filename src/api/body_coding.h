/* body_coding.h: gzip and deflate (the zlib form) of HTTP bodies: Content-Encoding of requests, Accept-Encoding of
 * answers.
 *
 * Source: RFC 9110 sections 8.4 and 12.5.3, RFC 1950 and 1952. Thread: none of its own. */
#ifndef INFERD_API_BODY_CODING_H
#define INFERD_API_BODY_CODING_H

#include "base/inflate.h"
#include "base/status.h"

enum body_coding { BODY_IDENTITY, BODY_GZIP, BODY_DEFLATE };

/* The name on the wire: "gzip". */
const char *body_coding_name(enum body_coding coding);
/* From a Content-Encoding value; empty is identity. UNSUPPORTED for other codings and for several at once. */
struct status body_coding_parse(struct slice content_encoding, enum body_coding *ret) STATUS_MUST_CHECK;
/* What to answer with, by an Accept-Encoding value. Plain is cheapest, and client libraries send lists by default, so
 * it is taken unless the client refuses it, prefers another by weight ("*" gives one to all that are not named), or
 * names gzip or deflate alone, which means that it asks. */
enum body_coding body_coding_choose(struct slice accept_encoding);

/* Replaces a compressed body. TOO_LARGE as soon as it would pass max_bytes; INVALID_ARGUMENT when it is broken, cut
 * short or followed by more; RESOURCE_EXHAUSTED when the gate was closed. */
struct status body_inflate(enum body_coding coding, size_t max_bytes, struct inflate_gate gate,
                           struct buf *body) STATUS_MUST_CHECK;
/* Replaces a body by its compressed form. */
struct status body_deflate(enum body_coding coding, struct buf *body) STATUS_MUST_CHECK;

#endif

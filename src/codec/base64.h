/* base64.h: the standard alphabet of RFC 4648 section 4. */
#ifndef INFERD_CODEC_BASE64_H
#define INFERD_CODEC_BASE64_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/* Appends the text, with padding. */
void base64_append(struct buf *out, struct slice bytes);
/* Decodes into the arena. Padding may be missing and the URL alphabet ('-', '_') is taken too. INVALID_ARGUMENT tells
 * the offset of the first bad character; RESOURCE_EXHAUSTED when memory is short. */
struct status base64_decode(struct slice text, struct arena *arena, struct slice *ret) STATUS_MUST_CHECK;

#endif

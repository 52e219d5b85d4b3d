/* traceparent.h: the header by which a client tells the trace that its request belongs to.
 *
 * Source: W3C Trace Context (2021), section 3.2. */
#ifndef INFERD_TRACE_TRACEPARENT_H
#define INFERD_TRACE_TRACEPARENT_H

#include "base/slice.h"

enum { TRACE_ID_SIZE = 16, SPAN_ID_SIZE = 8 };

struct trace_context {
    bool known; /* what follows was told */
    bool sampled;
    unsigned char trace_id[TRACE_ID_SIZE];
    unsigned char parent_id[SPAN_ID_SIZE];
};

/* "00-<32 hexadecimal digits>-<16>-<2>". A text that is not well formed, of an unknown form of version 00 or with ids
 * of zeros tells nothing: the context is not known then, as the standard wants. */
struct trace_context traceparent_parse(struct slice text);

#endif

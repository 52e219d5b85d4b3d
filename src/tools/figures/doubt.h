/* doubt.h: why a measured point says less about the server than others. Its mark is hollow, its tooltip and the
 * caption say why, and a recommendation leaves it out or warns. Thread: values only. */
#ifndef INFERD_TOOLS_FIGURES_DOUBT_H
#define INFERD_TOOLS_FIGURES_DOUBT_H

#include "base/arena.h"
#include "base/buf.h"

/* Bits of a set. */
enum {
    DOUBT_LIMITED = 1,  /* the load generator was the bottleneck: the server could have done more */
    DOUBT_FAILED = 2,   /* requests failed: what was answered quickly may have been refused */
    DOUBT_UNSTABLE = 4, /* the generator's windows did not agree */
};

/* Of an open element: data-limited="1" and so on. */
void doubt_write_data(struct buf *out, unsigned doubts);
/* The gravest of a set in a few words, "the load generator was the bottleneck"; "" when there is none. */
const char *doubt_text(unsigned doubts);
/* The end of a tooltip, " (requests failed)"; "" when there is none. */
const char *doubt_tooltip(unsigned doubts);
/* The caption with what hollow marks mean before it, where there are some. NULL when memory is short. */
const char *doubt_caption(struct arena *arena, const char *caption, unsigned doubts);

#endif

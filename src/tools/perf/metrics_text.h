/* metrics_text.h: reads a server's metrics, sample by sample. Source: Prometheus text exposition format 0.0.4. No
 * memory, no I/O. Thread: any. */
#ifndef INFERD_TOOLS_PERF_METRICS_TEXT_H
#define INFERD_TOOLS_PERF_METRICS_TEXT_H

#include "base/slice.h"

/* Slices of the text that was read. */
struct metrics_sample {
    struct slice name;
    struct slice labels; /* between the braces, as they stand there; empty: none */
    double value;
};

/* The next sample of `rest`, which moves behind it; false when there is none. Lines that are none, comments among
 * them, are passed over, and so are values that are no finite numbers. */
bool metrics_text_next(struct slice *rest, struct metrics_sample *ret);
/* The value of a label; empty when it is not there. Escapes stay as they are. */
struct slice metrics_text_label(const struct metrics_sample *sample, const char *name);

#endif

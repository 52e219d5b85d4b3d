/* interrupt.h: Ctrl-C as something to look at: the first ends the measurement, the second the waiting for what is in
 * flight, a third the program. Thread: the only one of the process, or one that all others block SIGINT for. */
#ifndef INFERD_TOOLS_PERF_INTERRUPT_H
#define INFERD_TOOLS_PERF_INTERRUPT_H

#include "base/status.h"

struct interrupt {
    int fd;    /* -1: SIGINT does what it does by default */
    int count; /* that have come */
};

/* From here on SIGINT is counted. INTERNAL when it cannot be received. */
struct status interrupt_open(struct interrupt *interrupt) STATUS_MUST_CHECK;
/* SIGINT does what it does by default; one that has come but was not counted is forgotten. */
void interrupt_close(struct interrupt *interrupt);
/* How many have come so far. With the second the default is back. */
int interrupt_count(struct interrupt *interrupt);

#endif

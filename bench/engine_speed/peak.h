/* peak.h: how many products and sums a core can do at most: independent ones, in registers. */
#ifndef INFERD_BENCH_PEAK_H
#define INFERD_BENCH_PEAK_H

#include "engine/kernels/kernels.h"

/* Operations (2 per product and sum) that peak_run does. 0: the instruction set has no such products. */
double peak_operations(const char *kernels, enum kernel_format format);
void peak_run(const char *kernels, enum kernel_format format);

#endif

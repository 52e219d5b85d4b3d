/* machine_usage.h: CPU and memory of the machine, as the kernel tells them.
 *
 * Thread: any; what is remembered between two readings is locked inside. */
#ifndef INFERD_API_MACHINE_USAGE_H
#define INFERD_API_MACHINE_USAGE_H

#include "base/slice.h"

/* What is remembered between two readings: CPU use is a rate. */
struct machine_usage;
/* interval_ns: shortest time that CPU use is measured over; who asks more often gets the last figure again. NULL when
 * memory is short. */
struct machine_usage *machine_usage_create(uint64_t interval_ns);
void machine_usage_destroy(struct machine_usage *usage); /* accepts NULL */

/* Share of the CPUs' time in use, 0 to 1, in the last interval that is over. False when the kernel does not tell. */
bool machine_usage_cpu(struct machine_usage *usage, double *ret);
/* Bytes of memory, and how many of them are in use. False when the kernel does not tell. */
bool machine_usage_memory(uint64_t *ret_total, uint64_t *ret_used);

/* The texts behind them: the first line of /proc/stat ("cpu  user nice system idle iowait irq softirq steal ..."), and
 * /proc/meminfo. False when the text has another form. */
struct cpu_ticks {
    uint64_t busy, total;
};
bool machine_parse_cpu(struct slice proc_stat, struct cpu_ticks *ret);
bool machine_parse_memory(struct slice proc_meminfo, uint64_t *ret_total, uint64_t *ret_used);

#endif

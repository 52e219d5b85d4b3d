/* clock.h: time in nanoseconds. */
#ifndef INFERD_BASE_CLOCK_H
#define INFERD_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US ((uint64_t)1000)
#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S ((uint64_t)1000000000)

/* Never goes back; for durations and deadlines. */
uint64_t clock_monotonic_ns(void);
/* The same clock, up to a few ms behind and much cheaper: to stamp what time-outs count from. */
uint64_t clock_coarse_ns(void);
/* Since 1970-01-01 UTC. */
uint64_t clock_realtime_ns(void);

/* The earlier of two deadlines, of which 0 is none. */
static inline uint64_t clock_earlier(uint64_t a, uint64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

#endif

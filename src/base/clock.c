#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_ns(void) {
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_realtime_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

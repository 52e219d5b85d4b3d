#include "tools/perf/window.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { SLICES_MAX = WINDOWS_STABLE * SAMPLE_SLICES };

/* /proc/thread-self/schedstat: "run wait slices", ns. */
static uint64_t read_starved_ns(void) {
    char text[96];
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) /* other kernels; or every descriptor is a connection's */
        return GENERATOR_UNKNOWN_NS;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    struct slice rest = {text, n > 0 ? (size_t)n : 0}, run, wait;
    uint64_t ns = 0;
    slice_split(rest, ' ', &run, &rest);
    slice_split(rest, ' ', &wait, &rest);
    return slice_to_u64(wait, &ns) ? ns : GENERATOR_UNKNOWN_NS;
}

struct generator_usage generator_usage_now(void) {
    struct timespec cpu = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (struct generator_usage){(uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec, read_starved_ns()};
}

struct generator_usage generator_usage_between(const struct generator_usage *before,
                                               const struct generator_usage *after) {
    bool known = before->starved_ns != GENERATOR_UNKNOWN_NS && after->starved_ns != GENERATOR_UNKNOWN_NS;
    return (struct generator_usage){after->cpu_ns - before->cpu_ns, known ? after->starved_ns - before->starved_ns : 0};
}

double window_seconds(const struct window *window) {
    return (double)(window->end_ns - window->start_ns) / (double)NS_PER_S;
}

double window_throughput(const struct window *window) {
    double seconds = window_seconds(window);
    return seconds > 0 ? (double)window->sample.inferences / seconds : 0;
}

double window_latency_ns(const struct window *window, double percentile) {
    if (percentile >= 0)
        return (double)histogram_percentile(&window->sample.latency, percentile);
    return window->sample.mean_ns;
}

bool window_values_agree(const double *values, size_t count, double percent) {
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    return low > 0 && high / low <= 1 + percent / 100;
}

/* Student's t for 95 % in both tails; beyond the table the normal distribution's. */
static double student_t(size_t freedom) {
    static const double table[] = {0,     12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                   2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080,
                                   2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
    return freedom < sizeof table / sizeof table[0] ? table[freedom] : 1.960;
}

double window_confidence(const double *batch_means, size_t count) {
    if (count < 2)
        return NAN;
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        mean += batch_means[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (batch_means[i] - mean) * (batch_means[i] - mean);
    return student_t(count - 1) * sqrt(squares / (double)(count - 1) / (double)count);
}

/* The slices of all windows, or else the windows, as batches of throughput and latency. */
static void find_confidence(const struct window *const *windows, size_t count, struct window_sum *ret) {
    double rates[SLICES_MAX], latencies[SLICES_MAX];
    size_t rate_count = 0, latency_count = 0;
    for (size_t w = 0; w < count && w < WINDOWS_STABLE; w++) {
        double seconds = window_seconds(windows[w]) / SAMPLE_SLICES;
        if (!windows[w]->sliced) {
            rates[rate_count++] = window_throughput(windows[w]);
            latencies[latency_count++] = windows[w]->sample.mean_ns;
            continue;
        }
        for (size_t s = 0; s < SAMPLE_SLICES && seconds > 0; s++) {
            const struct sample_slice *slice = &windows[w]->sample.slices[s];
            rates[rate_count++] = (double)slice->inferences / seconds;
            if (slice->count > 0)
                latencies[latency_count++] = slice->latency_ns / (double)slice->count;
        }
    }
    ret->throughput_confidence = window_confidence(rates, rate_count);
    ret->latency_confidence_ns = window_confidence(latencies, latency_count);
}

void window_sum_up(const struct window *const *windows, size_t count, struct window_sum *ret) {
    sample_clear(&ret->sample);
    ret->start_ns = count > 0 ? windows[0]->start_ns : 0;
    ret->end_ns = count > 0 ? windows[count - 1]->end_ns : 0;
    ret->seconds = 0;
    ret->usage = (struct generator_usage){0};
    ret->window_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct window *window = windows[i];
        struct server_snapshot difference = server_snapshot_difference(&window->before, &window->after);
        struct generator_usage used = generator_usage_between(&window->usage_before, &window->usage_after);
        sample_add(&ret->sample, &window->sample);
        if (i == 0)
            ret->server = difference;
        else
            server_snapshot_add(&ret->server, &difference);
        ret->seconds += window_seconds(window);
        ret->usage.cpu_ns += used.cpu_ns;
        ret->usage.starved_ns += used.starved_ns;
    }
    find_confidence(windows, count, ret);
}

#include "api/machine_usage.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"

enum { PROC_FILE_MAX = 1 << 20 };

struct machine_usage {
    uint64_t interval_ns;
    pthread_mutex_t lock; /* of what follows */
    bool known;
    struct cpu_ticks last;
    uint64_t last_ns;   /* when it was read */
    double utilization; /* between the last two readings */
};

static uint64_t next_number(struct slice *line) {
    struct slice word;
    *line = slice_trim(*line);
    slice_split(*line, ' ', &word, line);
    uint64_t number = 0;
    (void)slice_to_u64(word, &number);
    return number;
}

bool machine_parse_cpu(struct slice proc_stat, struct cpu_ticks *ret) {
    struct slice line, rest;
    slice_split(proc_stat, '\n', &line, &rest);
    if (!slice_starts_with(line, SLICE_LITERAL("cpu ")))
        return false;
    line = (struct slice){line.data + 4, line.size - 4};
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7 };
    *ret = (struct cpu_ticks){0, 0};
    for (int i = 0; i <= STEAL; i++) { /* what follows is counted in user and nice already */
        uint64_t ticks = next_number(&line);
        ret->total += ticks;
        if (i != IDLE && i != IOWAIT)
            ret->busy += ticks;
    }
    return ret->total > 0;
}

static bool find_kilobytes(struct slice text, struct slice name, uint64_t *ret) {
    struct slice line;
    while (text.size > 0) {
        slice_split(text, '\n', &line, &text);
        if (!slice_starts_with(line, name))
            continue;
        struct slice rest = {line.data + name.size, line.size - name.size};
        *ret = next_number(&rest) * 1024;
        return true;
    }
    return false;
}

bool machine_parse_memory(struct slice proc_meminfo, uint64_t *ret_total, uint64_t *ret_used) {
    uint64_t total, available;
    if (!find_kilobytes(proc_meminfo, SLICE_LITERAL("MemTotal:"), &total) ||
        !find_kilobytes(proc_meminfo, SLICE_LITERAL("MemAvailable:"), &available) || available > total)
        return false;
    *ret_total = total;
    *ret_used = total - available;
    return true;
}

static bool read_cpu(struct cpu_ticks *ret) {
    struct buf text = BUF_EMPTY;
    struct status status = file_read("/proc/stat", PROC_FILE_MAX, &text);
    bool known = status_is_ok(&status) && machine_parse_cpu(buf_slice(&text), ret);
    buf_free(&text);
    return known;
}

struct machine_usage *machine_usage_create(uint64_t interval_ns) {
    struct machine_usage *usage = calloc(1, sizeof *usage);
    if (!usage)
        return NULL;
    if (pthread_mutex_init(&usage->lock, NULL) != 0) {
        free(usage);
        return NULL;
    }
    usage->interval_ns = interval_ns;
    usage->known = read_cpu(&usage->last);
    usage->last_ns = clock_monotonic_ns();
    return usage;
}

void machine_usage_destroy(struct machine_usage *usage) {
    if (!usage)
        return;
    pthread_mutex_destroy(&usage->lock);
    free(usage);
}

bool machine_usage_cpu(struct machine_usage *usage, double *ret) {
    struct cpu_ticks now;
    pthread_mutex_lock(&usage->lock);
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns - usage->last_ns >= usage->interval_ns && read_cpu(&now)) {
        if (now.total > usage->last.total && now.busy >= usage->last.busy)
            usage->utilization = (double)(now.busy - usage->last.busy) / (double)(now.total - usage->last.total);
        usage->last = now;
        usage->last_ns = now_ns;
        usage->known = true;
    }
    bool known = usage->known;
    *ret = usage->utilization;
    pthread_mutex_unlock(&usage->lock);
    return known;
}

bool machine_usage_memory(uint64_t *ret_total, uint64_t *ret_used) {
    struct buf text = BUF_EMPTY;
    struct status status = file_read("/proc/meminfo", PROC_FILE_MAX, &text);
    bool known = status_is_ok(&status) && machine_parse_memory(buf_slice(&text), ret_total, ret_used);
    buf_free(&text);
    return known;
}

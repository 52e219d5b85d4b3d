/* metrics_watch.h: asks a server for its metrics now and then while it is under load, and sums them up for a stretch of
 * time: what the GPUs and the machine did meanwhile.
 *
 * It has a connection of its own, which the generator's loop drives by metrics_watch_tick. Thread: one owner. */
#ifndef INFERD_TOOLS_PERF_METRICS_WATCH_H
#define INFERD_TOOLS_PERF_METRICS_WATCH_H

#include "client/infer_client.h"

enum { METRICS_GPUS_MAX = 16, METRICS_UUID_MAX = 64, METRICS_SCRAPES_MAX = 1024 };

/* A mean or a maximum of what was seen; `count` 0: nothing was. */
struct metrics_gauge {
    size_t count;
    double value;
};

struct metrics_gpu {
    char uuid[METRICS_UUID_MAX];
    struct metrics_gauge utilization; /* mean, 0 to 1 */
    struct metrics_gauge power;       /* mean, W */
    struct metrics_gauge memory_used; /* maximum, bytes */
    struct metrics_gauge memory_total;
};

struct metrics_summary {
    bool collected; /* --collect-metrics */
    size_t scrapes; /* answers in the time asked for */
    size_t gpu_count;
    struct metrics_gpu gpus[METRICS_GPUS_MAX];
    struct metrics_gauge cpu;     /* mean, 0 to 1 */
    struct metrics_gauge memory;  /* of the machine: maximum, bytes */
    struct metrics_gauge pending; /* mean of the model's requests that wait */
};

struct metrics_watch;

/* "HOST:PORT/PATH", with https:// where it is so; tls: as of infer_client_options. Asks once, to see whether anybody
 * answers. url and tls are borrowed for the call, `model` until close. Errors: INVALID_ARGUMENT for another form; what
 * the server says; UNAVAILABLE. */
struct status metrics_watch_open(const char *url, const struct infer_tls *tls, struct slice model, uint64_t interval_ns,
                                 struct metrics_watch **ret) STATUS_MUST_CHECK;
void metrics_watch_close(struct metrics_watch *watch); /* accepts NULL */
/* Sends a question when one is due, and takes the answer when it is there. Never waits. */
void metrics_watch_tick(struct metrics_watch *watch, uint64_t now_ns);
/* What was answered to questions from from_ns to to_ns, of the last METRICS_SCRAPES_MAX. */
void metrics_watch_sum_up(const struct metrics_watch *watch, uint64_t from_ns, uint64_t to_ns,
                          struct metrics_summary *ret);
/* Questions without a good answer so far; *ret_first: what was wrong with the first. */
size_t metrics_watch_failures(const struct metrics_watch *watch, struct status *ret_first);

#endif

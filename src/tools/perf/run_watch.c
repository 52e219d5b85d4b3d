#include "tools/perf/run_watch.h"

#include <string.h>

#include "base/clock.h"
#include "tools/perf/report_text.h"

/* ---- the generator's observer ---- */

static void on_window(void *user, size_t number, const struct window *window) {
    struct run_watch *watch = user;
    const struct perf_options *options = watch->options;
    const struct perf_progress_view view = {number, window, window->end_ns, window->usage_after};
    if (options->verbose) {
        perf_progress_clear(&watch->progress);
        report_window(stdout, number, window_throughput(window), window);
        fflush(stdout);
    }
    perf_progress_window(&watch->progress, &view);
    report_files_window(watch->files, number, window);
}

static void on_record(void *user, const struct generator_record *record) {
    struct run_watch *watch = user;
    report_files_record(watch->files, record);
}

static enum generator_order order_of(struct run_watch *watch) {
    int count = interrupt_count(&watch->interrupt);
    if (count > 0 && !watch->told_interrupt) {
        perf_progress_clear(&watch->progress);
        fprintf(stderr, "inferd perf: interrupted: what is in flight is waited for; once more to give it up\n");
        watch->told_interrupt = true;
    }
    return count == 0 ? GENERATOR_GO_ON : count == 1 ? GENERATOR_STOP : GENERATOR_QUIT;
}

static enum generator_order on_tick(void *user, const struct generator_tick *tick) {
    struct run_watch *watch = user;
    if (watch->metrics != NULL)
        metrics_watch_tick(watch->metrics, tick->now_ns);
    if (tick->window != NULL && watch->progress.kind != TERMINAL_NONE && !watch->told_interrupt) {
        const struct perf_progress_view view = {tick->number, tick->window, tick->now_ns, generator_usage_now()};
        perf_progress_tick(&watch->progress, &view);
    }
    return order_of(watch);
}

struct generator_observer run_watch_observer(struct run_watch *watch) {
    return (struct generator_observer){
        .user = watch,
        .on_window = on_window,
        .on_record = watch->options->profile_export != NULL ? on_record : NULL,
        .on_tick = on_tick,
    };
}

/* ---- loads ---- */

void run_watch_load(struct run_watch *watch, double load) {
    const struct perf_options *options = watch->options;
    char label[PERF_PROGRESS_LABEL_MAX];
    snprintf(label, sizeof label, options->load == PERF_LOAD_CONCURRENCY ? "concurrency %.*g" : "request rate %.*g",
             POINT_LOAD_DIGITS, load);
    perf_progress_load(&watch->progress, label);
}

void run_watch_point(struct run_watch *watch, const struct generator_result *result, struct point *point) {
    perf_progress_clear(&watch->progress);
    if (watch->metrics != NULL)
        metrics_watch_sum_up(watch->metrics, result->sum.start_ns, result->sum.end_ns, &point->metrics);
}

bool run_watch_is_interrupted(const struct run_watch *watch) {
    return watch->interrupt.count > 0;
}

bool run_watch_is_patient(void *user, uint64_t asked_ns) {
    struct run_watch *watch = user;
    (void)asked_ns; /* the client's own time limit counts from it */
    if (interrupt_count(&watch->interrupt) == 0)
        return true;
    if (!watch->cleaning)
        return false;
    uint64_t now_ns = clock_monotonic_ns();
    if (watch->give_up_ns == 0)
        watch->give_up_ns = now_ns + RUN_WATCH_CLEANING_S * NS_PER_S;
    return now_ns < watch->give_up_ns;
}

void run_watch_clean(struct run_watch *watch) {
    watch->cleaning = true;
}

/* ---- life ---- */

static struct status open_metrics(struct run_watch *watch, struct slice model) {
    const struct perf_options *options = watch->options;
    if (!options->collect_metrics)
        return status_ok();
    return metrics_watch_open(options->metrics_url, &options->tls.metrics, model,
                              (uint64_t)options->metrics_interval_ms * NS_PER_MS, &watch->metrics);
}

struct status run_watch_open(struct run_watch *watch, const struct perf_options *options, struct report_files *files,
                             struct slice model) {
    *watch = (struct run_watch){.options = options, .files = files, .interrupt.fd = -1};
    bool shown = strcmp(options->progress, "never") != 0;
    perf_progress_begin(&watch->progress, shown ? stderr : NULL, terminal_kind_of(stderr));
    STATUS_TRY(open_metrics(watch, model));
    return interrupt_open(&watch->interrupt);
}

void run_watch_close(struct run_watch *watch) {
    struct status first;
    perf_progress_clear(&watch->progress);
    if (watch->interrupt.fd >= 0)
        interrupt_close(&watch->interrupt);
    if (watch->metrics == NULL)
        return;
    size_t failed = metrics_watch_failures(watch->metrics, &first);
    if (failed > 0)
        fprintf(stderr, "inferd perf: %zu questions for metrics failed, the first: %s\n", failed, first.message);
    metrics_watch_close(watch->metrics);
    watch->metrics = NULL;
}

#include "tools/perf/perf_progress.h"

#include <string.h>

#include "base/clock.h"

#define LIVE_INTERVAL_NS (NS_PER_S / 4)
#define PLAIN_INTERVAL_NS NS_PER_S
#define BUSY_SHARE 0.95 /* as of an INVALID point */

enum { WIDTH_USUAL = 80 };

void perf_progress_begin(struct perf_progress *progress, FILE *out, enum terminal_kind kind) {
    *progress = (struct perf_progress){.out = out, .kind = kind};
}

void perf_progress_load(struct perf_progress *progress, const char *label) {
    snprintf(progress->label, sizeof progress->label, "%s", label);
    progress->shown_ns = 0;
}

/* ---- the line ---- */

/* The parts of a line that may have a colour. */
struct line {
    char text[PERF_PROGRESS_LINE_MAX]; /* all of it */
    int failed_at, failed_size;
    int share_at, share_size;
    bool any_failed, busy;
};

/* Its share of one CPU so far, waiting for one included. */
static double share_of(const struct perf_progress_view *view, uint64_t elapsed_ns) {
    struct generator_usage used = generator_usage_between(&view->window->usage_before, &view->usage);
    return elapsed_ns > 0 ? (double)(used.cpu_ns + used.starved_ns) / (double)elapsed_ns : 0;
}

static void write_line(const struct perf_progress *progress, const struct perf_progress_view *view, struct line *ret) {
    const struct sample *sample = &view->window->sample;
    uint64_t elapsed_ns = view->now_ns > view->window->start_ns ? view->now_ns - view->window->start_ns : 0;
    double seconds = (double)elapsed_ns / (double)NS_PER_S, share = share_of(view, elapsed_ns);
    double rate = seconds > 0 ? (double)sample->inferences / seconds : 0;
    int n = snprintf(ret->text, sizeof ret->text, "%s, window %zu, %.1f s: %.6g infer/sec, p50 %.2f ms, p99 %.2f ms, ",
                     progress->label, view->number, seconds, rate,
                     (double)histogram_percentile(&sample->latency, 50) / (double)NS_PER_MS,
                     (double)histogram_percentile(&sample->latency, 99) / (double)NS_PER_MS);
    ret->failed_at = n;
    ret->failed_size =
        snprintf(ret->text + n, sizeof ret->text - (size_t)n, "%llu failed", (unsigned long long)sample->failed);
    n += ret->failed_size;
    n += snprintf(ret->text + n, sizeof ret->text - (size_t)n, ", ");
    ret->share_at = n;
    ret->share_size = snprintf(ret->text + n, sizeof ret->text - (size_t)n, "generator %.0f%%", 100 * share);
    ret->any_failed = sample->failed > 0;
    ret->busy = share > BUSY_SHARE;
}

static void put_part(FILE *out, const struct line *line, int from, int to, const char *colour) {
    fprintf(out, "%s%.*s%s", colour, to - from, line->text + from, colour[0] != '\0' ? "\x1b[0m" : "");
}

static void draw_live(struct perf_progress *progress, const struct line *line) {
    int width = terminal_width(progress->out, WIDTH_USUAL), size = (int)strlen(line->text);
    bool colour = progress->kind == TERMINAL_COLOUR && size <= width;
    fputs("\r\x1b[K", progress->out);
    if (colour) {
        int failed_end = line->failed_at + line->failed_size;
        put_part(progress->out, line, 0, line->failed_at, "");
        put_part(progress->out, line, line->failed_at, failed_end, line->any_failed ? "\x1b[31m" : "");
        put_part(progress->out, line, failed_end, line->share_at, "");
        put_part(progress->out, line, line->share_at, size, line->busy ? "\x1b[33m" : "");
    } else {
        put_part(progress->out, line, 0, size < width ? size : width, "");
    }
    fflush(progress->out);
    progress->open = true;
}

/* ---- when ---- */

static bool is_due(struct perf_progress *progress, uint64_t now_ns, uint64_t interval_ns) {
    if (progress->out == NULL || (progress->shown_ns > 0 && now_ns < progress->shown_ns + interval_ns))
        return false;
    progress->shown_ns = now_ns;
    return true;
}

void perf_progress_tick(struct perf_progress *progress, const struct perf_progress_view *view) {
    struct line line;
    if (progress->kind == TERMINAL_NONE || !is_due(progress, view->now_ns, LIVE_INTERVAL_NS))
        return;
    write_line(progress, view, &line);
    draw_live(progress, &line);
}

void perf_progress_window(struct perf_progress *progress, const struct perf_progress_view *view) {
    struct line line;
    if (progress->kind != TERMINAL_NONE || !is_due(progress, view->now_ns, PLAIN_INTERVAL_NS))
        return;
    write_line(progress, view, &line);
    fprintf(progress->out, "%s\n", line.text);
    fflush(progress->out);
}

void perf_progress_clear(struct perf_progress *progress) {
    if (!progress->open)
        return;
    fputs("\r\x1b[K", progress->out);
    fflush(progress->out);
    progress->open = false;
}

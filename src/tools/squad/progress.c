/* progress.c: bars and lines of progress. See progress.h. */
#include "tools/squad/progress.h"

#include "base/clock.h"
#include "base/terminal.h"

#define BARS_INTERVAL_NS (NS_PER_S / 10)
#define LINES_INTERVAL_MIN_NS (2 * NS_PER_S)
#define LINES_INTERVAL_MAX_NS (30 * NS_PER_S)

enum {
    WIDTH_DEFAULT = 80,
    WIDTH_MIN = 40,
    WIDTH_MAX = 120,
    WIDTH_OF_FIGURES = 44 /* columns beside the bar itself */
};

enum progress_style progress_style_of(FILE *out) {
    enum terminal_kind kind = terminal_kind_of(out);
    return kind == TERMINAL_NONE ? PROGRESS_LINES : kind == TERMINAL_PLAIN ? PROGRESS_BARS : PROGRESS_COLOR_BARS;
}

static int bar_width(FILE *out) {
    int width = terminal_width(out, WIDTH_DEFAULT);
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

static unsigned percent_of(const struct progress *progress, uint64_t done) {
    return progress->total == 0 ? 100U : (unsigned)(done * 100 / progress->total);
}

/* Units received per second since the beginning. */
static double rate_of(const struct progress *progress, uint64_t received, uint64_t now_ns) {
    uint64_t elapsed_ns = now_ns - progress->start_ns;
    return elapsed_ns == 0 ? 0.0 : (double)received * (double)NS_PER_S / (double)elapsed_ns;
}

static void draw_bar(const struct progress *progress, const char *name, const char *color, uint64_t done) {
    int room = progress->width - WIDTH_OF_FIGURES;
    int full = progress->total == 0 ? room : (int)((uint64_t)room * done / progress->total);
    bool colored = progress->style == PROGRESS_COLOR_BARS;
    fprintf(progress->out, "\r\x1b[K%-8s [%s", name, colored ? color : "");
    for (int i = 0; i < room; i++)
        fputs(i < full ? "#" : ".", progress->out);
    fprintf(progress->out, "%s] %3u%% %llu/%llu", colored ? "\x1b[0m" : "", percent_of(progress, done),
            (unsigned long long)done, (unsigned long long)progress->total);
}

static void draw_bars(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns) {
    if (progress->any)
        fputs("\x1b[1A", progress->out); /* up to the first of the two lines */
    draw_bar(progress, "sent", "\x1b[36m", sent);
    fputc('\n', progress->out);
    draw_bar(progress, "received", "\x1b[32m", received);
    if (received > 0)
        fprintf(progress->out, " %.1f/s", rate_of(progress, received, now_ns));
}

static void draw_line(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns) {
    fprintf(progress->out, "%6.1f s: sent %llu, received %llu of %llu %s (%u%%), %.1f/s\n",
            (double)(now_ns - progress->start_ns) / (double)NS_PER_S, (unsigned long long)sent,
            (unsigned long long)received, (unsigned long long)progress->total, progress->unit,
            percent_of(progress, received), rate_of(progress, received, now_ns));
}

static void draw(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns) {
    if (progress->style == PROGRESS_LINES)
        draw_line(progress, sent, received, now_ns);
    else
        draw_bars(progress, sent, received, now_ns);
    fflush(progress->out);
    progress->any = true;
    progress->shown_ns = now_ns;
    progress->shown_sent = sent;
    progress->shown_received = received;
}

void progress_begin(struct progress *progress, FILE *out, enum progress_style style, const char *unit, uint64_t total,
                    uint64_t now_ns) {
    *progress = (struct progress){.out = out,
                                  .style = style,
                                  .unit = unit,
                                  .width = style == PROGRESS_LINES ? 0 : bar_width(out),
                                  .total = total,
                                  .start_ns = now_ns};
    if (progress->width < WIDTH_OF_FIGURES + 10)
        progress->width = WIDTH_OF_FIGURES + 10;
    draw(progress, 0, 0, now_ns);
}

/* Longer runs get fewer lines per minute, so that a log stays short. */
static uint64_t lines_interval(const struct progress *progress, uint64_t now_ns) {
    uint64_t interval_ns = (now_ns - progress->start_ns) / 8;
    if (interval_ns < LINES_INTERVAL_MIN_NS)
        return LINES_INTERVAL_MIN_NS;
    return interval_ns < LINES_INTERVAL_MAX_NS ? interval_ns : LINES_INTERVAL_MAX_NS;
}

void progress_update(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns) {
    uint64_t interval_ns = progress->style == PROGRESS_LINES ? lines_interval(progress, now_ns) : BARS_INTERVAL_NS;
    if (now_ns - progress->shown_ns >= interval_ns)
        draw(progress, sent, received, now_ns);
}

void progress_end(struct progress *progress, uint64_t sent, uint64_t received, uint64_t now_ns) {
    if (progress->shown_sent != sent || progress->shown_received != received)
        draw(progress, sent, received, now_ns);
    if (progress->style != PROGRESS_LINES) {
        fputc('\n', progress->out);
        fflush(progress->out);
    }
}

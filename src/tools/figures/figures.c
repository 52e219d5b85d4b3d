/* figures.c: the story of `inferd figures`: read what was measured, draw it, write the report. */
#include "tools/figures/figures.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tools/figures/figure.h"
#include "tools/figures/figures_options.h"
#include "tools/figures/png_writer.h"
#include "tools/figures/report_page.h"
#include "tools/figures/run_list.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, SLUG_MAX = 80 };

/* What is made on the way; all of it lives in the arena. */
struct figures_job {
    const struct figures_options *options;
    struct arena *arena;
    struct run_list runs;
    struct profile profiles[OPTION_LIST_MAX];
    const char *profile_labels[OPTION_LIST_MAX]; /* NULL: the file's own name */
    size_t profile_count;
    struct csv_table environment; /* no rows when none was given */
    const char *caption;
    struct slice css;
    bool write_png;
    size_t written;
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- reading ---- */

/* A profile is JSON, whatever its name; no table begins so. */
static struct status is_profile(const char *path, bool *ret) {
    struct file_map map;
    STATUS_TRY(file_map_open(path, &map));
    struct slice text = map.bytes;
    size_t at = 0;
    while (at < text.size && strchr(" \t\r\n", text.data[at]) != NULL && text.data[at] != '\0')
        at++;
    *ret = at < text.size && (text.data[at] == '{' || text.data[at] == '[');
    file_unmap(&map);
    return status_ok();
}

static struct status read_profile(struct figures_job *job, const char *path, const char *label) {
    job->profile_labels[job->profile_count] = label;
    return profile_load(job->arena, path, &job->profiles[job->profile_count++]);
}

static struct status read_files(struct figures_job *job) {
    const struct figures_options *options = job->options;
    for (size_t i = 0; i < options->files.count; i++) {
        const char *path = options->files.items[i];
        const char *label = i < options->labels.count ? options->labels.items[i] : NULL;
        bool profile;
        STATUS_TRY(is_profile(path, &profile));
        STATUS_TRY(profile ? read_profile(job, path, label) : run_list_add(job->arena, &job->runs, path, label));
    }
    for (size_t i = 0; i < options->runs.count; i++)
        STATUS_TRY(run_list_load(job->arena, &job->runs, options->runs.items[i]));
    if (options->report && job->runs.count == 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--report compares what tables (CSV) say, and no FILE is one: a profile does not do");
    return status_ok();
}

static struct status read_environment(struct figures_job *job) {
    const char *path = job->options->environment;
    job->caption = job->options->caption != NULL ? job->options->caption : "";
    if (path == NULL)
        return status_ok();
    STATUS_TRY(csv_table_load(job->arena, path, &job->environment));
    size_t name = csv_table_column(&job->environment, "name"), value = csv_table_column(&job->environment, "value");
    if (name != 0 || value != 1)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: line 1: expected the columns name,value", path);
    for (size_t row = 0; row < job->environment.row_count && job->options->caption == NULL; row++)
        if (slice_equal_text(csv_table_cell(&job->environment, row, name), "machine"))
            job->caption = arena_strdup(job->arena, csv_table_cell(&job->environment, row, value));
    return job->caption != NULL ? status_ok() : out_of_memory();
}

/* ---- writing ---- */

/* "dynamic, 10 ms" -> "dynamic-10-ms": lower-case letters and digits of ASCII, and dashes. */
static void make_slug(const char *text, char slug[static SLUG_MAX]) {
    size_t size = 0;
    for (; *text != '\0' && size < SLUG_MAX - 1; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && isalnum(c))
            slug[size++] = (char)tolower(c);
        else if (size > 0 && slug[size - 1] != '-')
            slug[size++] = '-';
    }
    while (size > 0 && slug[size - 1] == '-')
        size--;
    slug[size] = '\0';
}

static struct status write_png(struct figures_job *job, const char *svg_path) {
    if (!job->write_png)
        return status_ok();
    struct status status = png_writer_convert(job->arena, svg_path);
    if (status.code != STATUS_NOT_FOUND || strcmp(job->options->png, "always") == 0)
        return status;
    fprintf(stderr, "inferd figures: %s: no PNG is written\n", status.message);
    job->write_png = false;
    return status_ok();
}

static struct status write_picture(struct figures_job *job, const char *name, const struct buf *picture) {
    if (buf_failed(picture))
        return out_of_memory();
    const char *path = arena_printf(job->arena, "%s/%s.svg", job->options->output_dir, name);
    if (path == NULL)
        return out_of_memory();
    STATUS_TRY(file_write_atomic(path, buf_slice(picture)));
    printf("%s\n", path);
    job->written++;
    return write_png(job, path);
}

/* ---- drawing ---- */

static bool kind_is_wanted(const struct figures_options *options, const char *name) {
    for (size_t i = 0; i < options->kinds.count; i++)
        if (strcmp(options->kinds.items[i], name) == 0)
            return true;
    return options->kinds.count == 0;
}

static unsigned profile_doubts(const struct profile *profile) {
    unsigned doubts = 0;
    for (size_t i = 0; i < profile->experiment_count; i++)
        doubts |= profile->experiments[i].doubts;
    return doubts;
}

static struct status make_text(struct figures_job *job, const char *title, const struct measured_run *const *runs,
                               size_t count, struct figure_text *ret) {
    const char *own = job->options->title;
    ret->title = own != NULL ? arena_printf(job->arena, "%s: %s", own, title) : title;
    ret->subtitle = count > 0 ? run_settings_text(job->arena, runs, count) : "";
    ret->caption = doubt_caption(job->arena, job->caption, measured_runs_doubts(runs, count));
    if (ret->title == NULL || ret->subtitle == NULL || ret->caption == NULL)
        return out_of_memory();
    if (count == 1 && ret->subtitle[0] == '\0')
        ret->subtitle = runs[0]->label;
    return status_ok();
}

static struct status draw(struct figures_job *job, const struct figure_kind *kind,
                          const struct measured_run *const *runs, size_t count, const char *name) {
    struct figure_input input = {.arena = job->arena, .runs = runs, .run_count = count, .css = job->css};
    STATUS_TRY(make_text(job, kind->title, runs, count, &input.text));
    struct buf picture = BUF_EMPTY;
    struct status status = kind->draw(&picture, &input);
    if (status_is_ok(&status))
        status = write_picture(job, name, &picture);
    buf_free(&picture);
    return status;
}

static bool is_among(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The file names of runs, by their labels. Those that would be the same, or empty, get the number of their run, as
 * often as it takes: a name that a label makes by itself is left to that. */
static struct status name_runs(struct arena *arena, const struct measured_run *const *runs, size_t count,
                               const char *names[static RUN_LIST_MAX]) {
    const char *slugs[RUN_LIST_MAX];
    for (size_t i = 0; i < count; i++) {
        char slug[SLUG_MAX];
        make_slug(runs[i]->label, slug);
        slugs[i] = arena_strdup(arena, slice_of(slug));
        if (slugs[i] == NULL)
            return out_of_memory();
    }
    for (size_t i = 0; i < count; i++) {
        bool alone = !is_among(slugs, i, slugs[i]) && !is_among(slugs + i + 1, count - i - 1, slugs[i]);
        names[i] = slugs[i];
        while (names[i] != NULL && (names[i][0] == '\0' || is_among(names, i, names[i]) ||
                                    (!(alone && names[i] == slugs[i]) && is_among(slugs, count, names[i]))))
            names[i] = arena_printf(arena, "%s%s%zu", names[i], names[i][0] != '\0' ? "-" : "", i + 1);
        if (names[i] == NULL)
            return out_of_memory();
    }
    return status_ok();
}

/* One picture a run. */
static struct status draw_each(struct figures_job *job, const struct figure_kind *kind,
                               const struct measured_run *const *runs, size_t count) {
    const char *names[RUN_LIST_MAX];
    STATUS_TRY(name_runs(job->arena, runs, count, names));
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_printf(job->arena, "%s-%s", kind->name, names[i]);
        if (name == NULL)
            return out_of_memory();
        STATUS_TRY(draw(job, kind, &runs[i], 1, name));
    }
    return status_ok();
}

static struct status draw_kind(struct figures_job *job, const struct figure_kind *kind) {
    const struct measured_run *runs[RUN_LIST_MAX];
    size_t count = 0;
    for (size_t i = 0; i < job->runs.count; i++)
        if (kind->applies(&job->runs.runs[i]))
            runs[count++] = &job->runs.runs[i];
    if (count == 0)
        return status_ok();
    STATUS_TRY(draw(job, kind, runs, count, kind->name));
    return kind->per_run && count > 1 ? draw_each(job, kind, runs, count) : status_ok();
}

static struct status draw_profile(struct figures_job *job, size_t i) {
    struct figure_input input = {.arena = job->arena, .css = job->css};
    STATUS_TRY(make_text(job, "Share of requests answered within a time", NULL, 0, &input.text));
    input.text.subtitle = job->profile_labels[i] != NULL ? job->profile_labels[i]
                                                         : measured_file_label(job->arena, job->profiles[i].file);
    input.text.caption = doubt_caption(job->arena, job->caption, profile_doubts(&job->profiles[i]));
    const char *name =
        job->profile_count == 1 ? FIGURE_OF_PROFILES : arena_printf(job->arena, FIGURE_OF_PROFILES "-%zu", i + 1);
    if (name == NULL || input.text.caption == NULL || input.text.subtitle == NULL)
        return out_of_memory();
    struct buf picture = BUF_EMPTY;
    struct status status = figure_distribution(&picture, &input, &job->profiles[i]);
    if (status_is_ok(&status))
        status = write_picture(job, name, &picture);
    buf_free(&picture);
    return status;
}

static struct status write_report(struct figures_job *job) {
    const struct figures_options *options = job->options;
    struct report report = {
        .title = options->title != NULL ? options->title : "What was measured",
        .caption = job->caption,
        .theme = options->theme,
        .runs = job->runs.runs,
        .run_count = job->runs.count,
        .environment = &job->environment,
        .latency_limit_us = options->latency_limit_ms * 1000,
        .limit_rank = report_rank_of(options->limit_of),
    };
    const char *path = path_join(job->arena, options->output_dir, "report.html");
    if (path == NULL)
        return out_of_memory();
    struct buf page = BUF_EMPTY;
    struct status status = report_page_write(&page, job->arena, &report);
    if (status_is_ok(&status))
        status = buf_failed(&page) ? out_of_memory() : file_write_atomic(path, buf_slice(&page));
    buf_free(&page);
    if (status_is_ok(&status))
        printf("%s\n", path);
    return status;
}

static struct status make_css(struct figures_job *job) {
    struct buf css = BUF_EMPTY;
    theme_write_css(&css, job->options->theme);
    job->css = arena_copy(job->arena, buf_slice(&css));
    bool good = !buf_failed(&css) && job->css.size == css.size;
    buf_free(&css);
    return good ? status_ok() : out_of_memory();
}

static struct status run(struct figures_job *job) {
    job->write_png = strcmp(job->options->png, "never") != 0;
    STATUS_TRY(run_list_create(job->arena, &job->runs));
    STATUS_TRY(read_files(job));
    STATUS_TRY(read_environment(job));
    STATUS_TRY(make_css(job));
    STATUS_TRY(file_make_directories(job->options->output_dir));
    for (int k = 0; k < FIGURE_KINDS; k++)
        if (kind_is_wanted(job->options, figure_kinds[k].name))
            STATUS_TRY(draw_kind(job, &figure_kinds[k]));
    for (size_t i = 0; i < job->profile_count && kind_is_wanted(job->options, FIGURE_OF_PROFILES); i++)
        STATUS_TRY(draw_profile(job, i));
    if (job->options->report)
        STATUS_TRY(write_report(job));
    if (job->written == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "the files have nothing that the wanted figures show");
    return status_ok();
}

int figures_main(int argc, char **argv) {
    struct arena *arena = arena_create(0);
    struct figures_options options;
    enum options_outcome outcome = OPTIONS_RUN;
    if (arena == NULL) {
        fprintf(stderr, "inferd figures: out of memory\n");
        return EXIT_FAILED;
    }
    struct status status = figures_options_parse(argc, argv, arena, &options, &outcome);
    int code = status_is_ok(&status) ? EXIT_GOOD : EXIT_USAGE;
    if (status_is_ok(&status) && outcome == OPTIONS_RUN) {
        struct figures_job job = {.options = &options, .arena = arena};
        status = run(&job);
        code = status_is_ok(&status) ? EXIT_GOOD : EXIT_FAILED;
    }
    if (!status_is_ok(&status))
        fprintf(stderr, "inferd figures: %s\n", status.message);
    if (fflush(stdout) != 0 && code == EXIT_GOOD)
        code = EXIT_FAILED;
    arena_destroy(arena);
    return code;
}

/* figures_options.c: the option table of `inferd figures`. */
#include "tools/figures/figures_options.h"

#include <string.h>

#include "tools/figures/figure.h"

#define FIELD(name) offsetof(struct figures_options, name)

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "What was measured"},
    {.type = OPTION_LIST,
     .name = "label",
     .offset = FIELD(labels),
     .value_name = "TEXT",
     .choices = "|",
     .help = "Name of a FILE in the pictures, for each in order; default: the file's own name. In the environment "
             "separated by '|'."},
    {.type = OPTION_LIST,
     .name = "runs",
     .offset = FIELD(runs),
     .value_name = "LIST",
     .choices = ":",
     .help = "A CSV that lists files and the settings of each (columns file, label, sweep, model, max_seq_length, "
             "precision, max_batch_size, batch_size, delay_ms, instances, protocol), as scripts/generate_figures.sh "
             "writes it."},
    {.type = OPTION_STRING,
     .name = "environment",
     .offset = FIELD(environment),
     .value_name = "FILE",
     .help = "A CSV with the columns name and value that tells about the machine; its row \"machine\" is the caption."},

    {.type = OPTION_HEADING, .help = "Output"},
    {.type = OPTION_STRING,
     .name = "output-dir",
     .alias = "o",
     .offset = FIELD(output_dir),
     .value_name = "DIR",
     .help = "Where the pictures go; made when it is not there."},
    {.type = OPTION_LIST,
     .name = "figure",
     .offset = FIELD(kinds),
     .value_name = "KIND",
     .choices = ":",
     .help =
         "Draw this kind only: breakdown, summary, rate or percentiles, or distribution, which profiles have; default: "
         "all for which there is data. May be given more than once."},
    {.type = OPTION_STRING,
     .name = "title",
     .offset = FIELD(title),
     .value_name = "TEXT",
     .help = "Put before each title, and the report's own."},
    {.type = OPTION_STRING,
     .name = "caption",
     .offset = FIELD(caption),
     .value_name = "TEXT",
     .help = "Below each picture: the machine, and what else a reader must know."},
    {.type = OPTION_CHOICE,
     .name = "theme",
     .offset = FIELD(theme_name),
     .default_value = "auto",
     .choices = "auto|light|dark",
     .help = "Colours; auto follows the reader's system (a PNG is light then)."},
    {.type = OPTION_CHOICE,
     .name = "png",
     .offset = FIELD(png),
     .default_value = "auto",
     .choices = "auto|always|never",
     .help = "Write a PNG beside each SVG, by rsvg-convert; auto: when that is installed."},

    {.type = OPTION_HEADING, .help = "Report"},
    {.type = OPTION_BOOL,
     .name = "report",
     .offset = FIELD(report),
     .default_value = "false",
     .help = "Write DIR/report.html too: pictures, comparisons and all tables on one page that needs no other file."},
    {.type = OPTION_DOUBLE,
     .name = "latency-limit",
     .offset = FIELD(latency_limit_ms),
     .default_value = "0",
     .value_name = "MS",
     .max = 86400000,
     .help =
         "The report recommends the setting with the highest throughput within this latency; 0: it recommends none."},
    {.type = OPTION_CHOICE,
     .name = "latency-limit-of",
     .offset = FIELD(limit_of),
     .default_value = "p99",
     .choices = "average|p50|p90|p95|p99",
     .help = "What the limit bounds; runs without percentiles are judged by their average."},
};

static const struct option_table table = {
    .program = "inferd figures",
    .synopsis = "FILE... --output-dir DIR [options]",
    .summary = "Draws what a load generator measured. FILE is a CSV of perf_analyzer (-f, plain or verbose), of the "
               "perf_client of 2019, or a profile (JSON, --profile-export-file); more than 64 are named in a --runs "
               "LIST. Exit codes: 0 good, 1 failed, 2 wrong usage.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .positional = true,
};

static struct status check_kinds(const struct option_list *kinds) {
    for (size_t i = 0; i < kinds->count; i++) {
        bool known = strcmp(kinds->items[i], FIGURE_OF_PROFILES) == 0;
        for (int k = 0; k < FIGURE_KINDS; k++)
            known |= strcmp(kinds->items[i], figure_kinds[k].name) == 0;
        if (!known)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "--figure: expected breakdown, summary, rate, percentiles or distribution, got \"%.100s\"",
                kinds->items[i]);
    }
    return status_ok();
}

static struct status check(const struct figures_options *options) {
    if (options->files.count == 0 && options->runs.count == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "a FILE or --runs LIST is needed; see inferd figures --help");
    if (options->output_dir == NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "--output-dir DIR is needed; see inferd figures --help");
    if (options->labels.count > options->files.count)
        return status_error(STATUS_INVALID_ARGUMENT, "--label: given %zu times for %zu files", options->labels.count,
                            options->files.count);
    for (size_t i = 0; i < options->labels.count; i++)
        if (!slice_is_utf8(slice_of(options->labels.items[i])))
            return status_error(STATUS_INVALID_ARGUMENT, "--label: expected UTF-8 text");
    if (options->latency_limit_ms > 0 && !options->report)
        return status_error(STATUS_INVALID_ARGUMENT, "--latency-limit goes with --report, which tells the answer");
    if (options->limit_of_given && options->latency_limit_ms <= 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--latency-limit-of says what --latency-limit bounds, and that was not given");
    return check_kinds(&options->kinds);
}

struct status figures_options_parse(int argc, char **argv, struct arena *arena, struct figures_options *ret,
                                    enum options_outcome *ret_outcome) {
    *ret = (struct figures_options){0};
    STATUS_TRY(options_parse(&table, argc, argv, arena, ret, &ret->files, ret_outcome));
    if (*ret_outcome == OPTIONS_HELP) {
        options_print_help(&table, stdout);
        return status_ok();
    }
    ret->theme = strcmp(ret->theme_name, "dark") == 0    ? THEME_DARK
                 : strcmp(ret->theme_name, "light") == 0 ? THEME_LIGHT
                                                         : THEME_AUTO;
    ret->limit_of_given = options_was_typed(&table, argc, argv, "latency-limit-of");
    return check(ret);
}

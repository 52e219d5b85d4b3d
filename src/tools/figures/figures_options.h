/* figures_options.h: the command line of `inferd figures`, parsed and checked for contradictions. */
#ifndef INFERD_TOOLS_FIGURES_FIGURES_OPTIONS_H
#define INFERD_TOOLS_FIGURES_FIGURES_OPTIONS_H

#include "base/arena.h"
#include "base/options.h"
#include "tools/figures/theme.h"

struct figures_options {
    const char *output_dir;
    struct option_list files; /* tables, and profiles */
    struct option_list labels;
    struct option_list runs;
    struct option_list kinds; /* empty: all */
    const char *title;        /* NULL: none of its own */
    const char *caption;      /* NULL: from the environment, or none */
    const char *environment;  /* a file, or NULL */
    const char *theme_name;
    const char *png;
    bool report;
    double latency_limit_ms; /* 0: none */
    const char *limit_of;    /* "p99", "average", ... */
    bool limit_of_given;

    enum theme theme;
};

/* Errors: INVALID_ARGUMENT, to be answered with exit code 2. On OPTIONS_HELP the help has been printed. */
struct status figures_options_parse(int argc, char **argv, struct arena *arena, struct figures_options *ret,
                                    enum options_outcome *ret_outcome) STATUS_MUST_CHECK;

#endif

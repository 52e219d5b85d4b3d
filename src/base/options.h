/* options.h: the command line of a subcommand, driven by one table that also makes --help and the environment names.
 *
 * A row describes a flag; its value lands in a field of the subcommand's own options struct. `--x V` and `--x=V` both
 * work; a bool flag may stand alone (true) or take true|false|1|0. An environment variable (INFERD_<FLAG> in capitals,
 * '-' as '_') gives the value where the command line has none. Values are range-checked here, once.
 */
#ifndef INFERD_BASE_OPTIONS_H
#define INFERD_BASE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"
#include "base/status.h"

enum option_type {
    OPTION_HEADING, /* no flag: `help` is a title in --help */
    OPTION_BOOL,    /* bool */
    OPTION_INT,     /* int64_t, min..max */
    OPTION_DOUBLE,  /* double, min..max (whole numbers) */
    OPTION_STRING,  /* const char *, borrowed from argv or the environment */
    OPTION_CHOICE,  /* const char *, one of `choices` ("a|b|c") */
    OPTION_LIST,    /* struct option_list: every occurrence in order (environment: separated by `choices`, or ':') */
    OPTION_REFUSED  /* a flag of others that is known and not taken: `help` says what to do instead. Not in --help */
};

enum { OPTION_LIST_MAX = 64 };
struct option_list {
    size_t count;
    const char *items[OPTION_LIST_MAX];
};

struct option_row {
    enum option_type type;
    const char *name;          /* "http-port", without dashes */
    const char *alias;         /* second spelling, or NULL; a single letter is written with one dash */
    size_t offset;             /* of the field, by offsetof */
    const char *default_value; /* text, parsed like a given one; NULL: field stays zero (NULL, 0, empty) */
    const char *value_name;    /* shown in --help: "PORT"; NULL for bool */
    const char *help;          /* one sentence or two */
    int64_t min, max;          /* for INT and DOUBLE; both 0: any value */
    const char *choices;       /* of CHOICE, "a|b|c"; of LIST, the character between items in the environment */
};

struct option_table {
    const char *program;  /* "inferd serve" */
    const char *synopsis; /* "--model-repository DIR [options]" */
    const char *summary;  /* a paragraph under the usage line */
    const struct option_row *rows;
    size_t row_count;
    bool positional; /* whether words without dashes are allowed */
};

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP };

/* Fills `ret` (zeroed by the caller) from defaults, environment and argv[1..]. Strings are borrowed from argv and
 * environ; `scratch` must outlive `ret` (it keeps copies of list items from the environment). Words without dashes go
 * to ret_positional. Errors: INVALID_ARGUMENT naming the flag, what was expected and got, with "did you mean --x?". */
struct arena;
struct status options_parse(const struct option_table *table, int argc, char **argv, struct arena *scratch, void *ret,
                            struct option_list *ret_positional, enum options_outcome *ret_outcome) STATUS_MUST_CHECK;
/* --help: usage, every flag with default, range and environment name. */
void options_print_help(const struct option_table *table, FILE *out);
/* A paragraph in lines as long as those of --help: the first one indented by so many blanks, the others by so many. */
void options_print_text(FILE *out, const char *text, int first_indent, int indent);
/* True when the flag was given on the command line or by the environment: for defaults that depend on other facts. */
bool options_was_given(const struct option_table *table, int argc, char **argv, const char *name);
/* The same of the command line alone: for flags that have no use there, while an environment is for all commands. */
bool options_was_typed(const struct option_table *table, int argc, char **argv, const char *name);

/* The entry of `names` nearest to `word` by edit distance, for "did you mean", or NULL when none is near. */
const char *nearest_name(struct slice word, const char *const *names, size_t count);

#endif

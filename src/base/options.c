#include "base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/slice.h"

enum { NAME_MAX_BYTES = 64, NEAREST_MAX_WORD = 64 };

/* ---- names ---- */

static size_t edit_distance(struct slice a, struct slice b) {
    size_t row[NEAREST_MAX_WORD + 1];
    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b.size];
}

const char *nearest_name(struct slice word, const char *const *names, size_t count) {
    const char *nearest = NULL;
    size_t best = word.size / 3 + 2; /* farther than this is no help */
    if (word.size == 0 || word.size > NEAREST_MAX_WORD)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_of(names[i]);
        if (name.size == 0 || name.size > NEAREST_MAX_WORD)
            continue;
        size_t distance = edit_distance(word, name);
        if (distance < best && distance < name.size) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

static void environment_name(const struct option_row *row, char *text, size_t size) {
    int length = snprintf(text, size, "INFERD_%s", row->name);
    for (int i = 0; i < length && (size_t)i < size - 1; i++)
        text[i] = text[i] == '-' ? '_' : (char)toupper((unsigned char)text[i]);
}

static const struct option_row *find_row(const struct option_table *table, struct slice name) {
    for (size_t i = 0; i < table->row_count; i++) {
        const struct option_row *row = &table->rows[i];
        if (row->type != OPTION_HEADING &&
            (slice_equal_text(name, row->name) || (row->alias && slice_equal_text(name, row->alias))))
            return row;
    }
    return NULL;
}

static struct status unknown_flag(const struct option_table *table, struct slice name) {
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < table->row_count && count + 2 <= sizeof names / sizeof names[0]; i++) {
        if (table->rows[i].type == OPTION_HEADING || table->rows[i].type == OPTION_REFUSED)
            continue;
        names[count++] = table->rows[i].name;
        if (table->rows[i].alias)
            names[count++] = table->rows[i].alias;
    }
    const char *nearest = nearest_name(name, names, count);
    if (nearest)
        return status_error(STATUS_INVALID_ARGUMENT, "unknown option --%.*s; did you mean --%s?", SLICE_ARGS(name),
                            nearest);
    return status_error(STATUS_INVALID_ARGUMENT, "unknown option --%.*s; see %s --help", SLICE_ARGS(name),
                        table->program);
}

/* ---- values ---- */

static bool parse_bool(const char *text, bool *ret) {
    bool is_true = strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "True") == 0;
    bool is_false = strcmp(text, "false") == 0 || strcmp(text, "0") == 0 || strcmp(text, "False") == 0;
    if (is_true || is_false)
        *ret = is_true;
    return is_true || is_false;
}

static bool choice_is_listed(const char *choices, const char *text) {
    struct slice rest = slice_of(choices), one;
    while (rest.size > 0) {
        slice_split(rest, '|', &one, &rest);
        if (slice_equal_text(one, text))
            return true;
    }
    return false;
}

static bool in_range(const struct option_row *row, double value) {
    return (row->min == 0 && row->max == 0) || (value >= (double)row->min && value <= (double)row->max);
}

static struct status bad_number(const struct option_row *row, const char *origin, const char *kind, const char *text) {
    if (row->min == 0 && row->max == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, got \"%.100s\"", origin, kind, text);
    return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s from %lld to %lld, got \"%.100s\"", origin, kind,
                        (long long)row->min, (long long)row->max, text);
}

/* Parses `text` into the row's field; `origin` ("--http-port", "INFERD_HTTP_PORT") is for messages. */
static struct status set_value(const struct option_row *row, const char *origin, const char *text, void *ret) {
    void *field = (char *)ret + row->offset;
    switch (row->type) {
    case OPTION_HEADING:
        break;
    case OPTION_REFUSED:
        return status_error(STATUS_INVALID_ARGUMENT, "%s is not taken: %s", origin, row->help);
    case OPTION_BOOL:
        if (!parse_bool(text, field))
            return status_error(STATUS_INVALID_ARGUMENT, "%s: expected true or false, got \"%.100s\"", origin, text);
        break;
    case OPTION_INT: {
        int64_t value;
        if (!slice_to_i64(slice_of(text), &value) || !in_range(row, (double)value))
            return bad_number(row, origin, "a whole number", text);
        memcpy(field, &value, sizeof value);
        break;
    }
    case OPTION_DOUBLE: {
        double value;
        if (!slice_to_double(slice_of(text), &value) || !in_range(row, value))
            return bad_number(row, origin, "a number", text);
        memcpy(field, &value, sizeof value);
        break;
    }
    case OPTION_CHOICE:
        if (!choice_is_listed(row->choices, text))
            return status_error(STATUS_INVALID_ARGUMENT, "%s: expected one of %s, got \"%.100s\"", origin, row->choices,
                                text);
        memcpy(field, &text, sizeof text);
        break;
    case OPTION_STRING:
        memcpy(field, &text, sizeof text);
        break;
    case OPTION_LIST: {
        struct option_list *list = field;
        if (list->count == OPTION_LIST_MAX)
            return status_error(STATUS_INVALID_ARGUMENT, "%s: given more than %d times", origin, OPTION_LIST_MAX);
        list->items[list->count++] = text;
        break;
    }
    }
    return status_ok();
}

static struct status set_list_from_environment(const struct option_row *row, const char *origin, const char *text,
                                               struct arena *scratch, void *ret) {
    struct slice rest = slice_of(text), one;
    while (rest.size > 0) {
        slice_split(rest, row->choices ? row->choices[0] : ':', &one, &rest);
        const char *copy = arena_strdup(scratch, one);
        if (!copy)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %s", origin);
        STATUS_TRY(set_value(row, origin, copy, ret));
    }
    return status_ok();
}

static struct status apply_default(const struct option_row *row, struct arena *scratch, void *ret) {
    char name[NAME_MAX_BYTES];
    environment_name(row, name, sizeof name);
    const char *text = getenv(name);
    if (text && row->type == OPTION_LIST)
        return set_list_from_environment(row, name, text, scratch, ret);
    if (text)
        return set_value(row, name, text, ret);
    return row->default_value ? set_value(row, row->name, row->default_value, ret) : status_ok();
}

/* ---- the command line ---- */

/* Applies the flag at argv[*at]; moves *at on when the value stood in the next word. */
static struct status apply_flag(const struct option_table *table, int argc, char **argv, int *at, void *ret,
                                bool *seen) {
    struct slice name, value;
    const char *word = argv[*at];
    bool has_value = slice_split(slice_of(word + (word[1] == '-' ? 2 : 1)), '=', &name, &value);
    const struct option_row *row = find_row(table, name);
    if (!row)
        return unknown_flag(table, name);
    if (row->type == OPTION_REFUSED)
        return status_error(STATUS_INVALID_ARGUMENT, "--%s is not taken: %s", row->name, row->help);
    const char *text = has_value ? value.data : NULL;
    if (!text && row->type == OPTION_BOOL) {
        bool next_is_value = *at + 1 < argc && parse_bool(argv[*at + 1], &(bool){false});
        text = next_is_value ? argv[++*at] : "true";
    } else if (!text) {
        if (*at + 1 >= argc)
            return status_error(STATUS_INVALID_ARGUMENT, "--%s needs a value (%s)", row->name,
                                row->value_name ? row->value_name : "VALUE");
        text = argv[++*at];
    }
    char origin[NAME_MAX_BYTES];
    snprintf(origin, sizeof origin, "--%s", row->name);
    seen[row - table->rows] = true;
    return set_value(row, origin, text, ret);
}

/* "-m" where a row has that letter as its alias. */
static bool is_short_flag(const struct option_table *table, const char *word) {
    return word[0] == '-' && word[1] != '\0' && word[2] == '\0' && find_row(table, slice_of(word + 1)) != NULL;
}

static struct status apply_words(const struct option_table *table, int argc, char **argv, bool *seen, void *ret,
                                 struct option_list *positional, enum options_outcome *ret_outcome) {
    bool flags_ended = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!flags_ended && strcmp(word, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            *ret_outcome = OPTIONS_HELP;
            return status_ok();
        } else if (!flags_ended && (strncmp(word, "--", 2) == 0 || is_short_flag(table, word))) {
            STATUS_TRY(apply_flag(table, argc, argv, &i, ret, seen));
        } else if (!flags_ended && word[0] == '-' && word[1] != '\0') {
            return status_error(STATUS_INVALID_ARGUMENT, "unknown option %.100s; options begin with --", word);
        } else if (!table->positional) {
            return status_error(STATUS_INVALID_ARGUMENT, "unexpected argument \"%.100s\"", word);
        } else if (positional->count == OPTION_LIST_MAX) {
            return status_error(STATUS_INVALID_ARGUMENT, "argument \"%.100s\": given more than %d arguments", word,
                                OPTION_LIST_MAX);
        } else {
            positional->items[positional->count++] = word;
        }
    }
    *ret_outcome = OPTIONS_RUN;
    return status_ok();
}

struct status options_parse(const struct option_table *table, int argc, char **argv, struct arena *scratch, void *ret,
                            struct option_list *ret_positional, enum options_outcome *ret_outcome) {
    struct option_list positional = {0};
    bool *seen = arena_calloc(scratch, table->row_count, sizeof *seen);
    if (!seen)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the command line");
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *ret_outcome = OPTIONS_HELP; /* even when the rest of the line is wrong */
            return status_ok();
        }
    STATUS_TRY(apply_words(table, argc, argv, seen, ret, &positional, ret_outcome));
    for (size_t i = 0; i < table->row_count; i++) /* what the environment says beside a flag is not looked at */
        if (!seen[i] && table->rows[i].type != OPTION_HEADING)
            STATUS_TRY(apply_default(&table->rows[i], scratch, ret));
    if (ret_positional)
        *ret_positional = positional;
    return status_ok();
}

bool options_was_given(const struct option_table *table, int argc, char **argv, const char *name) {
    const struct option_row *row = find_row(table, slice_of(name));
    if (!row)
        return false;
    char variable[NAME_MAX_BYTES];
    environment_name(row, variable, sizeof variable);
    return getenv(variable) || options_was_typed(table, argc, argv, name);
}

bool options_was_typed(const struct option_table *table, int argc, char **argv, const char *name) {
    const struct option_row *row = find_row(table, slice_of(name));
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        struct slice flag, value;
        if (strncmp(argv[i], "--", 2) != 0 && !is_short_flag(table, argv[i]))
            continue;
        slice_split(slice_of(argv[i] + (argv[i][1] == '-' ? 2 : 1)), '=', &flag, &value);
        if (row && find_row(table, flag) == row)
            return true;
    }
    return false;
}

/* ---- --help ---- */

enum { HELP_WIDTH = 100, HELP_INDENT = 6 };

void options_print_text(FILE *out, const char *text, int first_indent, int indent) {
    int column = first_indent, start = first_indent;
    fprintf(out, "%*s", first_indent, "");
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column > start && column + 1 + word > HELP_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = start = indent;
        } else if (column > start) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", word, text);
        column += word;
        text += word;
        while (*text == ' ')
            text++;
    }
    fputc('\n', out);
}

static void print_row(const struct option_row *row, FILE *out) {
    char name[NAME_MAX_BYTES];
    environment_name(row, name, sizeof name);
    fprintf(out, "  --%s", row->name);
    if (row->alias)
        fprintf(out, ", %s%s", row->alias[1] != '\0' ? "--" : "-", row->alias);
    if (row->type == OPTION_CHOICE)
        fprintf(out, " %s", row->choices);
    else if (row->type == OPTION_BOOL)
        fputs("[=true|false]", out);
    else
        fprintf(out, " %s", row->value_name ? row->value_name : "VALUE");
    if (row->type == OPTION_LIST)
        fputs("  (repeatable)", out);
    fputc('\n', out);
    options_print_text(out, row->help, HELP_INDENT, HELP_INDENT);
    fprintf(out, "%*s[", HELP_INDENT, "");
    if (row->default_value)
        fprintf(out, "default %s; ", row->default_value[0] ? row->default_value : "\"\"");
    if (row->min != 0 || row->max != 0)
        fprintf(out, "%lld to %lld; ", (long long)row->min, (long long)row->max);
    fprintf(out, "environment %s]\n", name);
}

void options_print_help(const struct option_table *table, FILE *out) {
    fprintf(out, "usage: %s %s\n\n", table->program, table->synopsis);
    options_print_text(out, table->summary, 0, 0);
    fputs("\n`--x V` and `--x=V` both work; the command line wins over the environment.\n", out);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct option_row *row = &table->rows[i];
        if (row->type == OPTION_HEADING)
            fprintf(out, "\n%s:\n", row->help);
        else if (row->type != OPTION_REFUSED)
            print_row(row, out);
    }
    fputs("  --help\n      Show this and exit.\n", out);
}

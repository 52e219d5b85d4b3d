/* What load generators wrote. Input: a byte of choices (bit 0: a profile in JSON, else a CSV; bit 1: labels as hostile
 * as the file; bit 2: on a dark ground), then the file. Holds: a table's cells are as many as its header promises; what
 * can be read can be drawn, in every figure and in the report, and the result is UTF-8, has no number that is none, and
 * as many tags closed as opened. */
#include "fuzz.h"
#include "tools/figures/figure.h"
#include "tools/figures/report_page.h"

static bool contains(struct slice text, const char *word) {
    return memmem(text.data, text.size, word, strlen(word)) != NULL;
}

static size_t count_of(struct slice text, const char *word) {
    size_t count = 0, size = strlen(word);
    for (const char *at = text.data, *end = text.data + text.size;
         (at = memmem(at, (size_t)(end - at), word, size)) != NULL; at += size)
        count++;
    return count;
}

static void check_markup(const struct buf *out) {
    struct slice text = buf_slice(out);
    FUZZ_CHECK(!buf_failed(out) && slice_is_utf8(text));
    /* Of numbers only: a hostile label may well say that it is one. */
    static const char *const numbers[] = {
        " x=\"",  " y=\"",       " d=\"",         " width=\"",           " height=\"",         " cx=\"",
        " cy=\"", " data-us=\"", " data-load=\"", " data-throughput=\"", " data-latency-us=\""};
    static const char *const bad[] = {"nan", "-nan", "NaN", "inf", "-inf", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) {
            char attribute[64];
            snprintf(attribute, sizeof attribute, "%s%s", numbers[i], bad[j]);
            FUZZ_CHECK(!contains(text, attribute));
        }
    FUZZ_CHECK(count_of(text, "<text ") == count_of(text, "</text>"));
    FUZZ_CHECK(count_of(text, "<g") == count_of(text, "</g>"));
    FUZZ_CHECK(count_of(text, "<title>") == count_of(text, "</title>"));
}

static struct figure_input input_for(struct arena *arena, const struct measured_run *const *runs, size_t count,
                                     const char *title) {
    return (struct figure_input){
        .arena = arena, .runs = runs, .run_count = count, .text = {title, "settings", "machine"}};
}

static void draw_all(struct arena *arena, const struct measured_run *run) {
    const struct measured_run *twice[] = {run, run};
    for (int k = 0; k < FIGURE_KINDS; k++)
        for (size_t count = 1; count <= 2 && figure_kinds[k].applies(run); count++) {
            struct figure_input input = input_for(arena, twice, count, run->label);
            struct buf out = BUF_EMPTY;
            struct status status = figure_kinds[k].draw(&out, &input);
            FUZZ_CHECK(status_is_ok(&status));
            check_markup(&out);
            buf_free(&out);
        }
}

static void write_report(struct arena *arena, struct measured_run *run, enum theme theme,
                         const struct csv_table *table) {
    static const char *const sweeps[] = {"static", "dynamic", "instances", NULL};
    struct measured_run runs[4];
    struct csv_table environment = {0};
    for (int i = 0; i < 4; i++) {
        runs[i] = *run;
        runs[i].settings =
            (struct run_settings){.sweep = sweeps[i], .model = i % 2 == 0 ? run->label : "another", .batch_size = i};
    }
    if (table->column_count == 2)
        environment = *table;
    struct report report = {run->label, "machine", theme, runs, 4, &environment, 1e4, 99};
    struct buf out = BUF_EMPTY;
    struct status status = report_page_write(&out, arena, &report);
    FUZZ_CHECK(status_is_ok(&status));
    check_markup(&out);
    buf_free(&out);
}

static void try_table(struct arena *arena, struct slice text, uint8_t choice) {
    struct csv_table table;
    struct measured_run run;
    struct status status = csv_table_parse(arena, text, &table);
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return;
    }
    FUZZ_CHECK(table.column_count >= 1 && table.column_count <= CSV_MAX_COLUMNS && table.row_count <= CSV_MAX_ROWS);
    for (size_t i = 0; i < table.row_count * table.column_count; i++)
        FUZZ_CHECK(table.cells[i].size <= text.size);
    char *label = arena_strdup(arena, text);
    FUZZ_CHECK(label != NULL);
    status = measured_run_from_table(arena, &table, choice & 2 ? label : "file.csv", NULL, &run);
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return;
    }
    for (size_t i = 1; i < run.point_count; i++)
        FUZZ_CHECK(run.points[i - 1].load <= run.points[i].load);
    for (size_t i = 1; i < run.rank_count; i++)
        FUZZ_CHECK(run.ranks[i - 1] < run.ranks[i]);
    draw_all(arena, &run);
    write_report(arena, &run, choice & 4 ? THEME_DARK : THEME_AUTO, &table);
}

static void try_profile(struct arena *arena, struct slice text) {
    struct profile profile;
    struct status status = profile_parse(arena, text, "profile.json", &profile);
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return;
    }
    size_t answered = 0;
    for (size_t i = 0; i < profile.experiment_count; i++)
        answered += profile.experiments[i].count;
    struct figure_input input = input_for(arena, NULL, 0, "profile");
    struct buf out = BUF_EMPTY;
    status = figure_distribution(&out, &input, &profile);
    FUZZ_CHECK(status_is_ok(&status) == (answered > 0));
    if (answered > 0)
        check_markup(&out);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t choice = fuzz_byte(&input);
    struct slice rest = fuzz_rest(&input);
    struct slice text = {fuzz_copy(rest), rest.size};
    struct arena *arena = fuzz_arena(0);
    if (choice & 1)
        try_profile(arena, text);
    else
        try_table(arena, text, choice);
    arena_destroy(arena);
    free((void *)(uintptr_t)text.data);
    return 0;
}

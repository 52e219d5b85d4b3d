/* limits_table.h: every bound of the server in one table, as `inferd serve --help` shows it and docs/limits.md explains
 * it. Its numbers are the constants that the code uses, and the defaults of the flags. */
#ifndef INFERD_TOOLS_SERVE_LIMITS_TABLE_H
#define INFERD_TOOLS_SERVE_LIMITS_TABLE_H

#include <stdint.h>
#include <stdio.h>

struct limit_number {
    enum { LIMIT_NONE, LIMIT_COUNT, LIMIT_BYTES } unit; /* NONE: behind the last one of a row */
    int64_t number;
    const char *flag; /* NULL, or the flag whose default it is */
};

enum { LIMIT_NUMBERS_MAX = 6 };
struct limit_row {
    const char *what;
    const char *value; /* each '#' stands for the next number; NULL: `what` is the title of the rows that follow */
    struct limit_number numbers[LIMIT_NUMBERS_MAX];
};

extern const struct limit_row limit_rows[];
extern const size_t limit_row_count;

/* "16384, --max-connections": the value with its numbers in it, cut where there is no room. */
void limit_row_write(const struct limit_row *row, char *text, size_t size);
/* All of them, a line or more each, "what: value". */
void limits_table_print(FILE *out);

#endif

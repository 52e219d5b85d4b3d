/* The table of limits: every row can be written, with all of its numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/serve/limits_table.h"
#include "tools/serve/options.h"

static const struct limit_row *find_row(const char *what) {
    for (size_t i = 0; i < limit_row_count; i++)
        if (strcmp(limit_rows[i].what, what) == 0)
            return &limit_rows[i];
    fail_msg("no row \"%s\"", what);
    return NULL;
}

static void assert_value(const char *what, const char *expected) {
    char value[256];
    limit_row_write(find_row(what), value, sizeof value);
    assert_string_equal(value, expected);
}

static bool is_option(const char *flag) {
    for (size_t i = 0; i < serve_option_table.row_count; i++)
        if (serve_option_table.rows[i].name && strcmp(serve_option_table.rows[i].name, flag) == 0)
            return serve_option_table.rows[i].type == OPTION_INT;
    return false;
}

static void rows_have_the_numbers_that_their_values_show(void **state) {
    (void)state;
    for (size_t i = 0; i < limit_row_count; i++) {
        const struct limit_row *row = &limit_rows[i];
        size_t shown = 0, numbers = 0;
        for (const char *at = row->value; at && *at; at++)
            shown += *at == '#';
        while (numbers < LIMIT_NUMBERS_MAX && row->numbers[numbers].unit != LIMIT_NONE)
            numbers++;
        if (shown != numbers)
            fail_msg("%s: \"%s\" shows %zu numbers of %zu", row->what, row->value, shown, numbers);
        for (size_t k = 0; k < numbers; k++)
            if (row->numbers[k].flag ? !is_option(row->numbers[k].flag) : row->numbers[k].number <= 0)
                fail_msg("%s: number %zu", row->what, k);
    }
}

static void numbers_have_units(void **state) {
    (void)state;
    assert_value("header fields", "128");
    assert_value("request line and headers together", "64 KiB");
    assert_value("request body, also after decompression", "64 MiB, --max-request-size");
    assert_value("memory of all regions together", "64 GiB, --max-shm-size");
    assert_value("name of a header that becomes a parameter", "256 bytes");
    assert_value("rest of a body after an early answer", "HTTP/1.1 256 KiB; HTTP/2 4 MiB or 1 s");
}

static void a_value_is_cut_where_there_is_no_room(void **state) {
    (void)state;
    char value[8];
    limit_row_write(find_row("request body, also after decompression"), value, sizeof value);
    assert_string_equal(value, "64 MiB,");
    limit_row_write(find_row("memory of all regions together"), value, 4);
    assert_string_equal(value, "64 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_the_numbers_that_their_values_show),
        cmocka_unit_test(numbers_have_units),
        cmocka_unit_test(a_value_is_cut_where_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

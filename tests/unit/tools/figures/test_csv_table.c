/* Tests of csv_table: cells as RFC 4180 has them, what real files add, and errors that name the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tools/figures/csv_table.h"

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_create(0);
    return arena == NULL;
}

static int tear_down(void **state) {
    (void)state;
    arena_destroy(arena);
    return 0;
}

static struct csv_table parse(const char *text) {
    struct csv_table table;
    struct status status = csv_table_parse(arena, slice_of(text), &table);
    assert_string_equal(status.message, "");
    return table;
}

static void refuse(const char *text, const char *message) {
    struct csv_table table;
    struct status status = csv_table_parse(arena, slice_of(text), &table);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, message);
}

static void check_cell(const struct csv_table *table, size_t row, size_t column, const char *expected) {
    struct slice cell = csv_table_cell(table, row, column);
    assert_int_equal(cell.size, strlen(expected));
    assert_memory_equal(cell.data, expected, cell.size);
}

static void test_plain(void **state) {
    (void)state;
    struct csv_table table = parse("Concurrency,Inferences/Second\n1,63.28\n2,127.05\n");
    assert_int_equal(table.column_count, 2);
    assert_int_equal(table.row_count, 2);
    assert_int_equal(csv_table_column(&table, "inferences/second"), 1);
    assert_true(csv_table_column(&table, "Client Send") == CSV_NO_COLUMN);
    check_cell(&table, 0, 0, "1");
    check_cell(&table, 1, 1, "127.05");
    assert_int_equal(table.lines[1], 3);
}

static void test_what_real_files_add(void **state) {
    (void)state;
    struct csv_table table = parse("\xEF\xBB\xBF\r\n a , b\r\n\r\n  1\t,\r\n \n2,3");
    assert_int_equal(table.column_count, 2);
    assert_int_equal(table.row_count, 2);
    assert_int_equal(csv_table_column(&table, "a"), 0);
    check_cell(&table, 0, 0, "1");
    check_cell(&table, 0, 1, "");
    check_cell(&table, 1, 1, "3");
    assert_int_equal(table.lines[0], 4);
    assert_int_equal(table.lines[1], 6);
}

static void test_quotes(void **state) {
    (void)state;
    struct csv_table table = parse("name,value\n\"a, \"\"b\"\"\n c\" , 2\n\"\",\"\"\"\"\nlast,3\n");
    check_cell(&table, 0, 0, "a, \"b\"\n c");
    check_cell(&table, 0, 1, "2");
    check_cell(&table, 1, 0, "");
    check_cell(&table, 1, 1, "\"");
    assert_int_equal(table.lines[2], 5);
}

static void test_refusals(void **state) {
    (void)state;
    refuse("", "line 1: expected a header line, got an empty file");
    refuse(" \n\t\n", "line 1: expected a header line, got an empty file");
    refuse("a,b\n1\n", "line 2: expected 2 cells as in the header, got 1");
    refuse("a,b\n1,2,3\n", "line 2: more than 2 cells");
    refuse("a,b\n\"1,2\n", "line 2: a quoted cell does not end");
    refuse("a,b\n\"1\"x,2\n", "line 2: expected a comma after a quoted cell");
}

static void test_bounds(void **state) {
    (void)state;
    size_t size = 2 * (CSV_MAX_COLUMNS + 1);
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 2 ? ',' : 'a';
    text[size] = '\0';
    refuse(text, "line 1: more than 256 cells");
    free(text);

    size = 2 * (size_t)(CSV_MAX_ROWS + 2);
    text = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 2 ? '\n' : '1';
    text[size] = '\0';
    refuse(text, "line 100002: more than 100000 rows");
    text[size - 2] = '\0'; /* a header and exactly as many rows as are read */
    struct csv_table table = parse(text);
    assert_int_equal(table.row_count, CSV_MAX_ROWS);
    free(text);
}

static void test_numbers(void **state) {
    (void)state;
    struct csv_table table = parse("load,us\n1.5e1,-2\nx,inf\n,nan\n,1.1e15\n");
    double value = 0;
    struct status status = csv_table_number(&table, 0, 0, &value);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(value == 15);
    status = csv_table_number(&table, 0, 1, &value);
    assert_string_equal(status.message, "line 2, column \"us\": expected a number from 0 to 1e+15, got \"-2\"");
    status = csv_table_number(&table, 1, 0, &value);
    assert_string_equal(status.message, "line 3, column \"load\": expected a number from 0 to 1e+15, got \"x\"");
    for (size_t row = 1; row < 4; row++) {
        status = csv_table_number(&table, row, 1, &value);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    }
    assert_true(value == 15);
}

static void test_files(void **state) {
    (void)state;
    struct csv_table table;
    struct status status = csv_table_load(arena, "/nonexistent.csv", &table);
    assert_non_null(strstr(status.message, "/nonexistent.csv"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_real_files_add, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quotes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

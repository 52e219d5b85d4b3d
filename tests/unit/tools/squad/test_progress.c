/* Tests of progress on a virtual clock: when it draws, and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tools/squad/progress.h"

struct screen {
    FILE *file;
    char *text;
    size_t size;
};

static void screen_open(struct screen *screen) {
    screen->file = open_memstream(&screen->text, &screen->size);
    assert_non_null(screen->file);
}

static void screen_close(struct screen *screen) {
    fclose(screen->file);
    free(screen->text);
}

static size_t count(const struct screen *screen, const char *what) {
    size_t n = 0;
    fflush(screen->file);
    for (const char *at = strstr(screen->text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static void test_lines(void **state) {
    (void)state;
    struct screen screen;
    struct progress progress;
    screen_open(&screen);
    progress_begin(&progress, screen.file, PROGRESS_LINES, "windows", 200, 1000);
    assert_int_equal(count(&screen, "\n"), 1); /* at once */
    for (uint64_t ms = 0; ms <= 8000; ms += 50)
        progress_update(&progress, 100, 50, 1000 + ms * NS_PER_MS);
    assert_int_equal(count(&screen, "\n"), 5); /* every 2 s */
    assert_int_equal(count(&screen, "sent 100, received 50 of 200 windows (25%), 6.2/s"), 1);
    progress_end(&progress, 200, 200, 1000 + 10 * NS_PER_S);
    assert_int_equal(count(&screen, "\n"), 6);
    assert_int_equal(count(&screen, "sent 200, received 200 of 200 windows (100%), 20.0/s"), 1);
    assert_int_equal(count(&screen, "\x1b"), 0);
    screen_close(&screen);
}

static void test_long_runs_get_fewer_lines(void **state) {
    (void)state;
    struct screen screen;
    struct progress progress;
    screen_open(&screen);
    progress_begin(&progress, screen.file, PROGRESS_LINES, "windows", 200, 0);
    for (uint64_t s = 0; s <= 3600; s++)
        progress_update(&progress, 100, 50, s * NS_PER_S);
    assert_in_range(count(&screen, "\n"), 110, 150); /* an hour, about two a minute */
    screen_close(&screen);
}

static void test_bars(void **state) {
    (void)state;
    struct screen screen;
    struct progress progress;
    screen_open(&screen);
    progress_begin(&progress, screen.file, PROGRESS_BARS, "windows", 200, 0);
    assert_int_equal(count(&screen, "sent "), 1);
    assert_int_equal(count(&screen, "\x1b[1A"), 0); /* nothing above is overwritten */
    for (uint64_t ms = 0; ms <= 1000; ms++)
        progress_update(&progress, 100, 50, ms * NS_PER_MS);
    assert_int_equal(count(&screen, "\x1b[1A"), 10); /* ten a second */
    assert_int_equal(count(&screen, "] 100/200"), 0);
    assert_int_equal(count(&screen, "]  50% 100/200"), 10);
    assert_int_equal(count(&screen, "]  25% 50/200 50.0/s"), 1);
    assert_int_equal(count(&screen, "\x1b[3"), 0); /* no color */
    progress_end(&progress, 200, 200, NS_PER_S);
    assert_int_equal(count(&screen, "] 100% 200/200 200.0/s\n"), 1);
    screen_close(&screen);
}

static void test_color_and_nothing_to_do(void **state) {
    (void)state;
    struct screen screen;
    struct progress progress;
    screen_open(&screen);
    progress_begin(&progress, screen.file, PROGRESS_COLOR_BARS, "windows", 0, 5);
    assert_int_equal(count(&screen, "\x1b[32m"), 1);
    assert_int_equal(count(&screen, "100% 0/0"), 2);
    progress_end(&progress, 0, 0, 5);
    screen_close(&screen);
}

static void test_style_of_a_file(void **state) {
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(progress_style_of(file), PROGRESS_LINES);
    fclose(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_runs_get_fewer_lines),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_color_and_nothing_to_do),
        cmocka_unit_test(test_style_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reading the kernel's CPU and memory tables. The text of the metrics itself is checked with Prometheus' own parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/machine_usage.h"

static void cpu_line_is_read(void **state) {
    (void)state;
    struct cpu_ticks ticks;
    assert_true(machine_parse_cpu(slice_of("cpu  10 20 30 400 50 6 7 8 9 10\ncpu0 1 2 3\n"), &ticks));
    assert_int_equal(ticks.total, 10 + 20 + 30 + 400 + 50 + 6 + 7 + 8); /* guests are part of user and nice */
    assert_int_equal(ticks.busy, 10 + 20 + 30 + 6 + 7 + 8);
    assert_true(machine_parse_cpu(slice_of("cpu  1 2 3 4"), &ticks)); /* an old kernel's */
    assert_int_equal(ticks.busy, 6);
    assert_false(machine_parse_cpu(slice_of("cpu0 1 2 3 4\n"), &ticks));
    assert_false(machine_parse_cpu(slice_of(""), &ticks));
}

static void memory_table_is_read(void **state) {
    (void)state;
    uint64_t total, used;
    assert_true(machine_parse_memory(
        slice_of("MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    600 kB\nBuffers: 1 kB\n"), &total,
        &used));
    assert_int_equal(total, 1000 * 1024);
    assert_int_equal(used, 400 * 1024);
    assert_false(machine_parse_memory(slice_of("MemTotal: 1000 kB\n"), &total, &used));
    assert_false(machine_parse_memory(slice_of("MemTotal: 1 kB\nMemAvailable: 2 kB\n"), &total, &used));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_line_is_read),
        cmocka_unit_test(memory_table_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

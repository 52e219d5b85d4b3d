/* Tests of cgroup, and of cpu and memory_limit with it: what control groups grant, in folders made for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cgroup.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/memory_limit.h"

#define MIB ((uint64_t)1 << 20)

struct fixture {
    struct arena *arena;
    char *folder;
};

static void assert_good(struct status status) {
    assert_string_equal(status.message, "");
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->arena = arena_create(0);
    assert_good(file_make_temporary_directory("/tmp", "inferd-cgroup-", f->arena, &f->folder));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    assert_good(file_remove_tree(f->folder));
    arena_destroy(f->arena);
    free(f);
    return 0;
}

static void write_file(struct fixture *f, const char *folder, const char *name, const char *text) {
    char *directory = path_join(f->arena, f->folder, folder);
    assert_good(file_make_directories(directory));
    assert_good(file_write_atomic(path_join(f->arena, directory, name), slice_of(text)));
}

static struct cgroup_paths paths_of(struct fixture *f) {
    return (struct cgroup_paths){path_join(f->arena, f->folder, "groups"), path_join(f->arena, f->folder, "mount")};
}

static void every_level_of_version_2_counts(void **state) {
    struct fixture *f = *state;
    write_file(f, "", "groups", "0::/a/b\n");
    write_file(f, "mount/a/b", "memory.max", "max\n");
    const uint64_t machine = memory_limit(paths_of(f));
    assert_true(machine > MIB);
    write_file(f, "mount/a", "memory.max", "4194304\n");
    assert_int_equal(memory_limit(paths_of(f)), 4 * MIB);
    write_file(f, "mount/a/b", "memory.max", "2097152\n");
    assert_int_equal(memory_limit(paths_of(f)), 2 * MIB);
    write_file(f, "mount", "memory.max", "1048576\n");
    assert_int_equal(memory_limit(paths_of(f)), MIB);
    write_file(f, "", "memory.max", "1\n"); /* not within the mount */
    assert_int_equal(memory_limit(paths_of(f)), MIB);
}

static void a_controller_of_version_1_is_found(void **state) {
    struct fixture *f = *state;
    write_file(f, "", "groups", "7:cpu,cpuacct:/x\n6:memory_not:/x\n5:blkio,memory:/docker/1\nnonsense\n0::/\n");
    write_file(f, "mount/memory/x", "memory.limit_in_bytes", "1\n");
    write_file(f, "mount/memory", "memory.limit_in_bytes", "9223372036854771712\n"); /* no limit */
    const uint64_t machine = memory_limit(paths_of(f));
    assert_true(machine > MIB && machine < INT64_MAX);
    write_file(f, "mount/memory", "memory.limit_in_bytes", "3145728\n"); /* a container sees its own group alone */
    assert_int_equal(memory_limit(paths_of(f)), 3 * MIB);
    write_file(f, "mount/memory/docker/1", "memory.limit_in_bytes", "2097152\n");
    assert_int_equal(memory_limit(paths_of(f)), 2 * MIB);
}

/* A quota of CPUs is rounded up; there are never more than the process may run on. */
static void quotas_of_cpus(void **state) {
    struct fixture *f = *state;
    write_file(f, "", "groups", "0::/a\n");
    write_file(f, "mount/a", "cpu.max", "max 100000\n");
    const int all = cpu_available_count_of(paths_of(f));
    write_file(f, "mount/a", "cpu.max", "9999999999 1\n");
    assert_int_equal(cpu_available_count_of(paths_of(f)), all);
    write_file(f, "mount/a", "cpu.max", "1000 100000\n");
    assert_int_equal(cpu_available_count_of(paths_of(f)), 1);
    write_file(f, "mount/a", "cpu.max", "100001 100000\n");
    assert_int_equal(cpu_available_count_of(paths_of(f)), all < 2 ? all : 2);
    write_file(f, "", "groups", "3:cpuacct,cpu:/b\n2:cpuset:/c\n");
    write_file(f, "mount/cpu/b", "cpu.cfs_quota_us", "-1\n");
    write_file(f, "mount/cpu/b", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpu_available_count_of(paths_of(f)), all);
    write_file(f, "mount/cpu/b", "cpu.cfs_quota_us", "50000\n");
    assert_int_equal(cpu_available_count_of(paths_of(f)), 1);
}

static void without_groups_there_is_the_machine(void **state) {
    struct fixture *f = *state;
    assert_true(memory_limit(paths_of(f)) > MIB);
    assert_true(memory_limit(CGROUP_PATHS_DEFAULT) <= memory_limit(paths_of(f)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_level_of_version_2_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_controller_of_version_1_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotas_of_cpus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_groups_there_is_the_machine, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Maps whose object is taken away by its owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/guarded_map.h"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
        assert_int_equal(good_.code, STATUS_OK);                                                                       \
    } while (0)

/* The handler that guarded_map.c has installed: cmocka puts one of its own in its place for each test. */
static struct sigaction guard;

static void use_guard(void) {
    assert_int_equal(sigaction(SIGBUS, &guard, NULL), 0);
}

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* An object in memory whose byte at `i` is `i`. */
static int make_object(size_t size) {
    int fd = memfd_create("object", MFD_CLOEXEC);
    assert_true(fd >= 0);
    char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)i;
    assert_int_equal(write(fd, bytes, size), size);
    free(bytes);
    return fd;
}

static void cut(int fd, size_t size) {
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

static void bytes_are_shared_both_ways(void **state) {
    (void)state;
    use_guard();
    int fd = make_object(3 * page_size());
    struct guarded_map *map = NULL;
    size_t offset = page_size() + 7; /* neither a page nor aligned */
    assert_good(guarded_map_open(fd, offset, 100, &map));
    char *data = guarded_map_data(map);
    assert_int_equal(data[0], (char)offset);
    data[99] = 'x';
    char byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset + 99), 1);
    assert_int_equal(byte, 'x');
    byte = 'y';
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset + 1), 1);
    assert_int_equal(data[1], 'y');
    assert_false(guarded_map_is_lost(map));
    guarded_map_close(map);
    close(fd);
}

static void what_was_cut_off_reads_as_zeros(void **state) {
    (void)state;
    use_guard();
    size_t page = page_size();
    int fd = make_object(8 * page);
    struct guarded_map *map = NULL;
    assert_good(guarded_map_open(fd, 0, 8 * page, &map));
    char *data = guarded_map_data(map);
    cut(fd, 3 * page);
    assert_int_equal(data[3 * page - 1], (char)(3 * page - 1));
    assert_false(guarded_map_is_lost(map));
    assert_int_equal(data[5 * page + 1], 0);
    assert_true(guarded_map_is_lost(map));
    assert_int_equal(data[8 * page - 1], 0);
    assert_int_equal(data[1], 1); /* what is before the page stays shared */
    data[6 * page] = 'z';
    assert_int_equal(data[6 * page], 'z');
    guarded_map_close(map);
    close(fd);
}

static void reads_what_it_may_not_write(void **state) {
    (void)state;
    use_guard();
    size_t page = page_size();
    int fd = make_object(4 * page), reading;
    char path[64];
    struct guarded_map *map = NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    reading = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(reading >= 0);
    assert_good(guarded_map_open_read(reading, 4 * page - 3, &map));
    close(reading);
    const char *data = guarded_map_data(map);
    assert_int_equal(data[2 * page + 5], 5);
    assert_false(guarded_map_is_lost(map));
    cut(fd, page);
    assert_int_equal(data[2 * page + 5], 0);
    assert_int_equal(data[7], 7);
    assert_true(guarded_map_is_lost(map));
    guarded_map_close(map);
    close(fd);
}

static void a_write_behind_the_end_is_survived(void **state) {
    (void)state;
    use_guard();
    size_t page = page_size();
    int fd = make_object(4 * page);
    struct guarded_map *map = NULL;
    assert_good(guarded_map_open(fd, 100, 4 * page - 100, &map));
    cut(fd, 0);
    memset(guarded_map_data(map), 'w', 4 * page - 100);
    assert_true(guarded_map_is_lost(map));
    assert_int_equal(lseek(fd, 0, SEEK_END), 0); /* the object did not grow by it */
    guarded_map_close(map);
    close(fd);
}

static void only_the_map_at_fault_is_lost(void **state) {
    (void)state;
    use_guard();
    enum { COUNT = 200 }; /* more than a block of the table */
    struct guarded_map *maps[COUNT];
    int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        fds[i] = make_object(page_size());
        assert_good(guarded_map_open(fds[i], 0, page_size(), &maps[i]));
    }
    for (int i = 0; i < COUNT; i += 3)
        cut(fds[i], 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(guarded_map_data(maps[i])[5], i % 3 == 0 ? 0 : 5);
        assert_int_equal(guarded_map_is_lost(maps[i]), i % 3 == 0);
        guarded_map_close(maps[i]);
        close(fds[i]);
    }
}

static void a_row_is_good_as_new_when_used_again(void **state) {
    (void)state;
    use_guard();
    for (int round = 0; round < 3; round++) {
        int fd = make_object(page_size());
        struct guarded_map *map = NULL;
        assert_good(guarded_map_open(fd, 0, page_size(), &map));
        assert_false(guarded_map_is_lost(map));
        cut(fd, 0);
        assert_int_equal(guarded_map_data(map)[0], 0);
        assert_true(guarded_map_is_lost(map));
        guarded_map_close(map);
        close(fd);
    }
}

static void impossible_maps_are_refused(void **state) {
    (void)state;
    int fd = make_object(10);
    struct guarded_map *map = NULL;
    struct status status = guarded_map_open(fd, 0, 0, &map);
    assert_int_equal(status.code, STATUS_INTERNAL);
    status = guarded_map_open(fd, 1, SIZE_MAX, &map);
    assert_int_equal(status.code, STATUS_INTERNAL);
    status = guarded_map_open(fd, UINT64_MAX, 1, &map);
    assert_int_equal(status.code, STATUS_INTERNAL);
    status = guarded_map_open(-1, 0, 1, &map);
    assert_int_equal(status.code, STATUS_INTERNAL);
    assert_null(map);
    guarded_map_close(NULL);
    close(fd);
}

/* Threads that read and write one map while it is cut, and open and close others meanwhile. */
struct crowd {
    char *data;
    size_t size;
    unsigned sum; /* so that the reads are not left out */
};

static void *use_map(void *argument) {
    struct crowd *crowd = argument;
    for (size_t i = 0; i < crowd->size; i += 64)
        crowd->sum += (unsigned char)((volatile char *)crowd->data)[i];
    return NULL;
}

static void *churn(void *argument) {
    (void)argument;
    int fd = make_object(page_size());
    for (int i = 0; i < 2000; i++) {
        struct guarded_map *map = NULL;
        assert_good(guarded_map_open(fd, 0, page_size(), &map));
        guarded_map_close(map);
    }
    close(fd);
    return NULL;
}

static void threads_meet_the_cut_together(void **state) {
    (void)state;
    use_guard();
    size_t size = 256 * page_size();
    for (int round = 0; round < 20; round++) {
        int fd = make_object(size);
        struct guarded_map *map = NULL;
        assert_good(guarded_map_open(fd, 0, size, &map));
        struct crowd crowds[3];
        pthread_t threads[3], other;
        assert_int_equal(pthread_create(&other, NULL, churn, NULL), 0);
        cut(fd, size / 2);
        for (int i = 0; i < 3; i++) {
            crowds[i] = (struct crowd){guarded_map_data(map), size, 0};
            assert_int_equal(pthread_create(&threads[i], NULL, use_map, &crowds[i]), 0);
        }
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        pthread_join(other, NULL);
        assert_true(guarded_map_is_lost(map));
        assert_int_equal(crowds[0].sum, crowds[1].sum);
        guarded_map_close(map);
        close(fd);
    }
}

/* ---- faults that are not ours ---- */

static sigjmp_buf back;

static void jump_back(int number, siginfo_t *info, void *context) {
    (void)number, (void)info, (void)context;
    siglongjmp(back, 1);
}

/* jump_back was there before the first map was opened. */
static void other_faults_go_to_the_handler_before(void **state) {
    (void)state;
    use_guard();
    int fd = make_object(page_size());
    struct guarded_map *map = NULL;
    assert_good(guarded_map_open(fd, 0, page_size(), &map));
    volatile char *plain = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0);
    assert_true(plain != MAP_FAILED);
    cut(fd, 0);
    volatile bool returned = false;
    if (sigsetjmp(back, 1) == 0) {
        (void)plain[0];
        returned = true;
    }
    assert_false(returned);
    assert_false(guarded_map_is_lost(map));
    if (sigsetjmp(back, 1) == 0) {
        raise(SIGBUS); /* sent, not a fault */
        returned = true;
    }
    assert_false(returned);
    munmap((void *)(uintptr_t)plain, page_size());
    guarded_map_close(map);
    close(fd);
}

static void install_guard(void) {
    struct sigaction action = {.sa_sigaction = jump_back, .sa_flags = SA_SIGINFO};
    struct guarded_map *map = NULL;
    int fd = make_object(1);
    sigaction(SIGBUS, &action, NULL);
    assert_good(guarded_map_open(fd, 0, 1, &map));
    guarded_map_close(map);
    close(fd);
    sigaction(SIGBUS, NULL, &guard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_shared_both_ways),
        cmocka_unit_test(what_was_cut_off_reads_as_zeros),
        cmocka_unit_test(reads_what_it_may_not_write),
        cmocka_unit_test(a_write_behind_the_end_is_survived),
        cmocka_unit_test(only_the_map_at_fault_is_lost),
        cmocka_unit_test(a_row_is_good_as_new_when_used_again),
        cmocka_unit_test(impossible_maps_are_refused),
        cmocka_unit_test(threads_meet_the_cut_together),
        cmocka_unit_test(other_faults_go_to_the_handler_before),
    };
    install_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

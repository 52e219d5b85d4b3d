/* Whole files, gzip, folders; CPU count. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/cpu.h"
#include "base/file.h"

struct fixture {
    struct arena *arena;
    char folder[64];
};

static char *in_folder(struct fixture *fixture, const char *name) {
    return path_join(fixture->arena, fixture->folder, name);
}

static void what_is_written_is_read(void **state) {
    struct fixture *fixture = *state;
    char *path = in_folder(fixture, "file");
    struct status status = file_write_atomic(path, slice_of("hello"));
    assert_int_equal(status.code, STATUS_OK);
    struct buf content = BUF_EMPTY;
    status = file_read(path, 5, &content);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(slice_equal_text(buf_slice(&content), "hello"));
    status = file_read(path, 4, &content);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
    struct file_map map;
    status = file_map_open(path, &map);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(slice_equal_text(map.bytes, "hello"));
    file_unmap(&map);
    file_unmap(&map);
    status = file_read(in_folder(fixture, "absent"), 10, &content);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_non_null(strstr(status.message, "absent"));
    status = file_read(fixture->folder, 10, &content);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_free(&content);
}

static void what_is_new_is_private_and_replaces_nothing(void **state) {
    struct fixture *fixture = *state;
    char *folder, *path;
    struct stat info;
    struct status status = file_make_temporary_directory(fixture->folder, "given-", fixture->arena, &folder);
    assert_int_equal(status.code, STATUS_OK);
    assert_memory_equal(strrchr(folder, '/'), "/given-", 7);
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    path = path_join(fixture->arena, folder, "file");
    status = file_write_new(path, slice_of("hello"));
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    status = file_write_new(path, slice_of("other"));
    assert_int_equal(status.code, STATUS_ALREADY_EXISTS);
    struct buf content = BUF_EMPTY;
    status = file_read(path, 5, &content);
    assert_true(slice_equal_text(buf_slice(&content), "hello"));
    char *link = path_join(fixture->arena, folder, "link");
    assert_int_equal(symlink("nowhere", link), 0);
    status = file_write_new(link, slice_of("x"));
    assert_int_equal(status.code, STATUS_ALREADY_EXISTS);
    status = file_make_temporary_directory(path, "given-", fixture->arena, &folder);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_free(&content);
}

static void gzip_is_unpacked_within_bounds(void **state) {
    struct fixture *fixture = *state;
    char *path = in_folder(fixture, "data.gz");
    gzFile out = gzopen(path, "wb");
    for (int i = 0; i < 10000; i++)
        gzwrite(out, "0123456789", 10);
    gzclose(out);
    struct buf content = BUF_EMPTY;
    struct status status = file_read_maybe_gzip(path, 100000, &content);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(content.size, 100000);
    status = file_read_maybe_gzip(path, 99999, &content);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
    out = gzopen(path, "ab"); /* another one behind it, whose data would be left out */
    gzwrite(out, "more", 4);
    gzclose(out);
    status = file_read_maybe_gzip(path, 200000, &content);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "is not a whole gzip file (more follows its end)"));
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    for (off_t size = 2; size < info.st_size; size += 7) {
        assert_int_equal(truncate(path, info.st_size - size), 0);
        status = file_read_maybe_gzip(path, 100000, &content);
        assert_true(status.code == STATUS_INVALID_ARGUMENT || content.size < 2 || info.st_size - size < 2);
    }
    buf_free(&content);
}

static void outputs_go_where_they_can(void **state) {
    struct fixture *fixture = *state;
    char *path = in_folder(fixture, "out");
    struct status status = file_check_output(path);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(file_exists(path));
    status = file_write_output(path, slice_of("x"));
    assert_int_equal(status.code, STATUS_OK);
    status = file_check_output(path);
    assert_int_equal(status.code, STATUS_OK);
    status = file_check_output("/dev/null");
    assert_int_equal(status.code, STATUS_OK);
    status = file_write_output("/dev/null", slice_of("x"));
    assert_int_equal(status.code, STATUS_OK);
    status = file_write_output("/dev/full", slice_of("x"));
    assert_int_equal(status.code, STATUS_INTERNAL);
    status = file_check_output("here");
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(symlink(path, in_folder(fixture, "link")), 0);
    const char *const refused[] = {"",
                                   "/",
                                   fixture->folder,
                                   in_folder(fixture, "none/out"),
                                   in_folder(fixture, "out/x"),
                                   in_folder(fixture, "none/"),
                                   in_folder(fixture, "link")};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        status = file_check_output(refused[i]);
        assert_int_not_equal(status.code, STATUS_OK);
    }
    assert_int_equal(unlink(in_folder(fixture, "link")), 0);
    assert_int_equal(unlink(path), 0);
}

static void folders_are_made_listed_and_removed(void **state) {
    struct fixture *fixture = *state;
    char *deep = in_folder(fixture, "a/b/c");
    struct status status = file_make_directories(deep);
    assert_int_equal(status.code, STATUS_OK);
    status = file_make_directories(deep);
    assert_int_equal(status.code, STATUS_OK);
    status = file_write_atomic(in_folder(fixture, "a/z"), slice_of(""));
    assert_int_equal(status.code, STATUS_OK);
    status = file_make_directories(in_folder(fixture, "a/z/y"));
    assert_int_not_equal(status.code, STATUS_OK);
    assert_int_equal(symlink(fixture->folder, in_folder(fixture, "a/link")), 0);
    const char *const *names;
    size_t count;
    status = file_list(in_folder(fixture, "a"), fixture->arena, &names, &count);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(count, 3);
    status = file_write_atomic(in_folder(fixture, "a/link"), slice_of("x"));
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(names[0], "b");
    assert_string_equal(names[2], "z");
    status = file_remove_tree(in_folder(fixture, "a"));
    assert_int_equal(status.code, STATUS_OK);
    assert_false(file_exists(in_folder(fixture, "a")));
    assert_true(file_is_directory(fixture->folder));
    status = file_remove_tree(in_folder(fixture, "a"));
    assert_int_equal(status.code, STATUS_OK);
}

static struct file_stamp stamp_of(const char *path, enum file_time time) {
    struct file_stamp stamp;
    struct status status = file_stamp(path, time, &stamp);
    assert_int_equal(status.code, STATUS_OK);
    return stamp;
}

/* Another name is a change, though not of the bytes; another file is one whatever it holds. */
static void stamps_tell_files_apart(void **state) {
    struct fixture *fixture = *state;
    struct file_stamp none;
    assert_int_equal(file_stamp(in_folder(fixture, "absent"), FILE_WRITTEN, &none).code, STATUS_NOT_FOUND);
    struct status status = file_write_atomic(in_folder(fixture, "stamped"), slice_of("one"));
    assert_int_equal(status.code, STATUS_OK);
    const struct file_stamp written = stamp_of(in_folder(fixture, "stamped"), FILE_WRITTEN);
    const struct file_stamp changed = stamp_of(in_folder(fixture, "stamped"), FILE_CHANGED);
    struct file_stamp later = changed;
    while (file_stamp_equal(&changed, &later)) { /* the clock of the file system goes in steps */
        assert_int_equal(link(in_folder(fixture, "stamped"), in_folder(fixture, "other")), 0);
        assert_int_equal(unlink(in_folder(fixture, "other")), 0);
        later = stamp_of(in_folder(fixture, "stamped"), FILE_CHANGED);
    }
    later = stamp_of(in_folder(fixture, "stamped"), FILE_WRITTEN);
    assert_true(file_stamp_equal(&written, &later));
    status = file_write_atomic(in_folder(fixture, "stamped"), slice_of("two"));
    assert_int_equal(status.code, STATUS_OK);
    later = stamp_of(in_folder(fixture, "stamped"), FILE_WRITTEN);
    assert_false(file_stamp_equal(&written, &later));
    later = stamp_of(fixture->folder, FILE_WRITTEN);
    assert_false(file_stamp_equal(&written, &later));
}

static void plain_names_hold_no_paths(void **state) {
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "a\nb", "\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(path_is_plain_name(slice_of(bad[i])));
    assert_false(path_is_plain_name((struct slice){"a\0b", 3}));
    assert_true(path_is_plain_name(slice_of("model-1.x")));
    assert_true(path_is_plain_name(slice_of("..a")));
}

static void there_is_a_cpu(void **state) {
    (void)state;
    assert_in_range(cpu_available_count(), 1, 100000);
    char text[200];
    cpu_feature_text(text, sizeof text);
    assert_true(strlen(text) < sizeof text);
}

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.arena = arena_create(0);
    strcpy(fixture.folder, "/tmp/inferd-test-XXXXXX");
    *state = &fixture;
    return fixture.arena && mkdtemp(fixture.folder) ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    struct status status = file_remove_tree(fixture->folder);
    arena_destroy(fixture->arena);
    return status.code == STATUS_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_new_is_private_and_replaces_nothing),
        cmocka_unit_test(gzip_is_unpacked_within_bounds),
        cmocka_unit_test(outputs_go_where_they_can),
        cmocka_unit_test(folders_are_made_listed_and_removed),
        cmocka_unit_test(stamps_tell_files_apart),
        cmocka_unit_test(plain_names_hold_no_paths),
        cmocka_unit_test(there_is_a_cpu),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

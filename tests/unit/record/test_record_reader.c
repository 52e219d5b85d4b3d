/* Files of records: in order, cut off anywhere, without an end, and such as are none. */
#include "record_fixture.h"

#include <unistd.h>

#include "base/file.h"
#include "record/record_reader.h"

#define HEAD "{\"inferd_record\":1}\n"
#define LINE(at, model) "{\"at_ns\":" #at ",\"protocol\":\"p\",\"model\":\"" model "\"}\n"
#define END "{\"end\":\"stopped\",\"records\":2,\"dropped\":0,\"failed\":0}\n"

/* The models of a file's records, as they stand in it. */
static struct status read_models(const char *text, size_t size, struct record_reader *reader, struct buf *ret) {
    struct arena *arena = arena_create(0);
    struct status status = record_reader_open((struct slice){text, size}, arena, reader);
    for (bool found = true; found && status_is_ok(&status);) {
        struct record record;
        status = record_reader_next(reader, arena, &record, &found);
        if (status_is_ok(&status) && found)
            buf_append_slice(ret, record.model);
    }
    reader->end.reason = (struct slice){NULL, 0};
    arena_destroy(arena);
    return status;
}

static void expect_models(const char *text, size_t size, const char *models, bool ended, size_t cut_bytes) {
    struct record_reader reader;
    struct buf got = BUF_EMPTY;
    assert_good(read_models(text, size, &reader, &got));
    assert_slice(buf_slice(&got), models);
    assert_int_equal(reader.ended, ended);
    assert_int_equal(reader.cut_bytes, cut_bytes);
    buf_free(&got);
}

static void one_after_the_other(void **state) {
    (void)state;
    static const char text[] = HEAD LINE(2, "b") LINE(1, "a") END;
    expect_models(text, sizeof text - 1, "ba", true, 0);
    expect_models(HEAD, sizeof HEAD - 1, "", false, 0);
    expect_models(HEAD END, sizeof HEAD END - 1, "", true, 0);
}

/* Wherever the file is cut, what stands whole before the cut is there. */
static void cut_off_anywhere(void **state) {
    (void)state;
    static const char text[] = HEAD LINE(2, "b") LINE(1, "a") END;
    size_t first = sizeof HEAD - 1, line = sizeof LINE(1, "a") - 1, all = sizeof text - 1;
    for (size_t size = first; size < all; size++) {
        size_t lines = (size - first) / line > 2 ? 2 : (size - first) / line;
        const char *models = lines == 0 ? "" : lines == 1 ? "b" : "ba";
        expect_models(text, size, models, false, size - first - lines * line);
    }
}

static void expect_error(const char *text, const char *message) {
    struct record_reader reader;
    struct buf got = BUF_EMPTY;
    struct status status = read_models(text, strlen(text), &reader, &got);
    assert_string_equal(status.message, message);
    buf_free(&got);
}

static void what_is_no_record(void **state) {
    (void)state;
    expect_error("", "expected a record of inferd, got an empty file");
    expect_error("{\"inferd_record\":1}", "expected a record of inferd, got a file without a first line");
    expect_error("{\"data\":[]}\n", "line 1: inferd_record: expected the number of the form, got none");
    expect_error("{\"inferd_record\":3}\n", "line 1: records of the form 3: expected 1");
    expect_error(HEAD LINE(1, "a") "{\"at_ns\":1}\n" LINE(2, "b"), "line 3: protocol: expected a text, got none");
    expect_error(HEAD "\n", "line 2: byte 0: input length is 0");
    expect_error(HEAD END LINE(1, "a"), "line 3: expected nothing behind the end of the record");
}

static struct status read_file(const char *text, struct arena *arena, struct record_file *ret) {
    char path[] = "/tmp/inferd-record-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    struct status status = record_file_read(path, arena, ret);
    unlink(path);
    return status;
}

static void whole_files_are_in_order_of_arrival(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct record_file file;
    assert_good(read_file(HEAD LINE(3, "c") LINE(1, "a") LINE(3, "d") LINE(2, "b") END, arena, &file));
    char models[8] = "";
    for (size_t i = 0; i < file.count; i++)
        strncat(models, file.records[i].model.data, 1);
    assert_string_equal(models, "abcd");
    assert_slice(file.notice, "");
    arena_destroy(arena);
}

static void what_the_reader_must_know(void **state) {
    (void)state;
    static const struct {
        const char *text, *notice;
    } rows[] = {
        {HEAD END, ""},
        {HEAD LINE(1, "a") "{\"at_ns\"", "the last record is cut off (8 bytes) and left out"},
        {HEAD LINE(1, "a"), "the record has no end: its server still runs, or was killed"},
        {HEAD "{\"end\":\"stopped\",\"records\":0,\"dropped\":2,\"failed\":3}\n",
         "5 inferences are missing: the server could not write them as they came"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena *arena = arena_create(0);
        struct record_file file;
        assert_good(read_file(rows[i].text, arena, &file));
        assert_slice(file.notice, rows[i].notice);
        arena_destroy(arena);
    }
}

static void errors_name_the_file(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct record_file file;
    struct status status = read_file(HEAD "x\n", arena, &file);
    assert_non_null(strstr(status.message, "/tmp/inferd-record-test-"));
    assert_non_null(strstr(status.message, ": line 2: byte 0: "));
    status = record_file_read("/none", arena, &file);
    assert_non_null(strstr(status.message, "/none"));
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),       cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(what_is_no_record),         cmocka_unit_test(whole_files_are_in_order_of_arrival),
        cmocka_unit_test(what_the_reader_must_know), cmocka_unit_test(errors_name_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

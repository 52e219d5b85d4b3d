/* Log lines in their three forms: what clients send cannot break one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "base/log.h"

/* A logger whose lines can be read back. */
struct fixture {
    struct log log;
    FILE *file;
    char text[1 << 18];
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->file = tmpfile();
    fixture->log = log_default();
    fixture->log.fd = fileno(fixture->file);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    fclose(fixture->file);
    free(fixture);
    return 0;
}

/* All lines so far. */
static const char *written(struct fixture *fixture) {
    ssize_t size = pread(fixture->log.fd, fixture->text, sizeof fixture->text - 1, 0);
    assert_true(size >= 0);
    fixture->text[size] = '\0';
    return fixture->text;
}

/* The text behind the prefix of the only line. */
static const char *only_line(struct fixture *fixture) {
    const char *text = written(fixture);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    const char *message = strstr(text, "] ");
    assert_non_null(message);
    return message + 2;
}

static void default_form(void **state) {
    struct fixture *fixture = *state;
    LOG_WARNING(&fixture->log, "%d of %s", 3, "five");
    int month, day, hour, minute, second, micro, thread, line;
    char file[64], rest[64];
    assert_int_equal(sscanf(written(fixture), "W%2d%2d %2d:%2d:%2d.%6d %d %63[^:]:%d] %63[^\n]", &month, &day, &hour,
                            &minute, &second, &micro, &thread, file, &line, rest),
                     10);
    assert_string_equal(file, "test_log.c");
    assert_string_equal(rest, "\"3 of five\"");
}

static void iso_form(void **state) {
    struct fixture *fixture = *state;
    fixture->log.format = LOG_FORMAT_ISO8601;
    LOG_ERROR(&fixture->log, "x");
    char level, file[64];
    assert_int_equal(sscanf(written(fixture), "%*4d-%*2d-%*2dT%*2d:%*2d:%*2dZ %c %*d %63[^:]:", &level, file), 2);
    assert_int_equal(level, 'E');
    assert_string_equal(file, "test_log.c");
}

static void json_form(void **state) {
    struct fixture *fixture = *state;
    fixture->log.format = LOG_FORMAT_JSON;
    const struct log_field fields[] = {
        {"request_id", SLICE_LITERAL("a\"b\\c\nd\x7f\xC3\xA9\xff"), 0},
        {"left_out", SLICE_LITERAL(""), 0},
        {"status", {NULL, 0}, -5},
    };
    LOG_FIELDS(&fixture->log, LOG_LEVEL_INFO, fields, 3, "say \"%s\"", "hi\r");
    const char *text = written(fixture);
    assert_int_equal(strncmp(text, "{\"time\":\"2", 10), 0);
    assert_non_null(strstr(text, "Z\",\"level\":\"info\",\"thread\":"));
    assert_non_null(strstr(text, ",\"file\":\"test_log.c\",\"line\":"));
    const char *message = strstr(text, ",\"message\":");
    assert_non_null(message);
    assert_string_equal(message, ",\"message\":\"say \\\"hi\\u000d\\\"\","
                                 "\"request_id\":\"a\\\"b\\\\c\\u000ad\\u007f\xC3\xA9\\ufffd\",\"status\":-5}\n");
}

static void a_line_cannot_be_forged(void **state) {
    struct fixture *fixture = *state;
    LOG_INFO(&fixture->log, "name \"%s\"", "x\nE1122 forged\x1b[31m\xC2\x9B\xff\x7f");
    assert_string_equal(only_line(fixture), "\"name \\\"x\\x0aE1122 forged\\x1b[31m\\xc2\\x9b\\xff\\x7f\\\"\"\n");
}

static void fields_are_words_or_quoted(void **state) {
    struct fixture *fixture = *state;
    const struct log_field fields[] = {
        {"id", SLICE_LITERAL("plain-1"), 0},    {"two", SLICE_LITERAL("a b"), 0},
        {"forged", SLICE_LITERAL("x=1\ny"), 0}, {"q", SLICE_LITERAL("\"\\"), 0},
        {"number", {NULL, 0}, INT64_MIN},       {"nul", SLICE_LITERAL("\0"), 0},
        {"none", SLICE_LITERAL(""), 0},         {"e", SLICE_LITERAL("\xC3\xA9"), 0},
    };
    LOG_FIELDS(&fixture->log, LOG_LEVEL_INFO, fields, 8, "m");
    assert_string_equal(only_line(fixture),
                        "\"m\" id=plain-1 two=\"a b\" forged=\"x=1\\x0ay\" q=\"\\\"\\\\\" number=-9223372036854775808 "
                        "nul=\"\\x00\" e=\"\xC3\xA9\"\n");
}

/* The longest of everything fits a line that a pipe takes whole, and JSON stays JSON. */
static void long_texts_are_cut(void **state) {
    struct fixture *fixture = *state;
    static char text[10000];
    memset(text, '\n', sizeof text - 1);
    struct log_field fields[LOG_FIELDS_MAX + 1];
    for (int i = 0; i <= LOG_FIELDS_MAX; i++)
        fields[i] = (struct log_field){"a_name_of_twenty_byt", {text, sizeof text}, 0};
    for (int format = LOG_FORMAT_DEFAULT; format <= LOG_FORMAT_JSON; format++) {
        assert_int_equal(ftruncate(fixture->log.fd, 0), 0);
        assert_int_equal(lseek(fixture->log.fd, 0, SEEK_SET), 0);
        fixture->log.format = format;
        LOG_FIELDS(&fixture->log, LOG_LEVEL_INFO, fields, LOG_FIELDS_MAX + 1, "%s", text);
        const char *line = written(fixture);
        size_t size = strlen(line);
        assert_true(size > 3000 && size <= LOG_LINE_MAX);
        assert_int_equal(line[size - 1], '\n');
        assert_ptr_equal(strchr(line, '\n'), line + size - 1);
        assert_string_equal(line + size - 6, format == LOG_FORMAT_JSON ? "...\"}\n" : "a...\"\n");
    }
}

static void levels_are_chosen(void **state) {
    struct fixture *fixture = *state;
    LOG_VERBOSE(&fixture->log, "unseen");
    fixture->log.info = false;
    fixture->log.warning = false;
    fixture->log.error = false;
    LOG_INFO(&fixture->log, "unseen");
    LOG_WARNING(&fixture->log, "unseen");
    LOG_ERROR(&fixture->log, "unseen");
    assert_string_equal(written(fixture), "");
    assert_false(log_wants(&fixture->log, LOG_LEVEL_VERBOSE));
    fixture->log.verbose = 3;
    assert_true(log_wants(&fixture->log, LOG_LEVEL_VERBOSE));
    LOG_VERBOSE(&fixture->log, "seen");
    assert_string_equal(only_line(fixture), "\"seen\"\n");
    struct log silent = {0};
    LOG_ERROR(&silent, "a zeroed logger writes nothing");
}

static void formats_have_names(void **state) {
    (void)state;
    enum log_format format;
    for (int i = LOG_FORMAT_DEFAULT; i <= LOG_FORMAT_JSON; i++) {
        assert_true(log_format_from_name(slice_of(log_format_name((enum log_format)i)), &format));
        assert_int_equal(format, i);
    }
    assert_false(log_format_from_name(slice_of("JSON"), &format));
    assert_false(log_format_from_name(slice_of(""), &format));
}

/* In one second no more than LOG_FLOOD_MAX; what was left out is told once. The clock may pass into a next second. */
static void floods_are_cut(void **state) {
    struct fixture *fixture = *state;
    unsigned admitted = 0, told = 0, left_out;
    for (int i = 0; i < 1000; i++)
        if (log_admit(&fixture->log, &left_out)) {
            admitted++;
            told += left_out;
        }
    assert_in_range(admitted, LOG_FLOOD_MAX, 3 * LOG_FLOOD_MAX);
    assert_int_equal(admitted + told + fixture->log.left_out, 1000);
    assert_true(fixture->log.left_out + told > 0);
}

static void *write_lines(void *user) {
    struct log *log = user;
    for (int i = 0; i < 200; i++) {
        log->format = i % 3;
        LOG_INFO(log, "a line");
    }
    return NULL;
}

/* Formats change while others write: every line is of one form, and whole. */
static void settings_change_while_others_write(void **state) {
    struct fixture *fixture = *state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &fixture->log), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    size_t lines = 0;
    for (const char *at = written(fixture), *end; *at; at = end + 1, lines++) {
        end = strchr(at, '\n');
        assert_non_null(end);
        bool json = at[0] == '{';
        assert_true(json ? end[-1] == '}' : end[-1] == '"');
    }
    assert_int_equal(lines, 800);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(default_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(iso_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_cannot_be_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_words_or_quoted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_texts_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(levels_are_chosen, set_up, tear_down),
        cmocka_unit_test(formats_have_names),
        cmocka_unit_test_setup_teardown(floods_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_change_while_others_write, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

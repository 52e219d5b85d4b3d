/* The option table machine: defaults, both spellings, environment, ranges and suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/options.h"

struct sample {
    bool strict;
    int64_t port;
    double delay;
    const char *name;
    const char *mode;
    struct option_list repositories, rules;
};

static const struct option_row rows[] = {
    {OPTION_HEADING, .help = "General"},
    {OPTION_BOOL, "strict", NULL, offsetof(struct sample, strict), "true", NULL, "Strictness.", 0, 0, NULL},
    {OPTION_INT, "http-port", NULL, offsetof(struct sample, port), "8000", "PORT", "Port.", 0, 65535, NULL},
    {OPTION_DOUBLE, "delay", NULL, offsetof(struct sample, delay), NULL, "MS", "Delay.", -1, 1000, NULL},
    {OPTION_STRING, "name", "n", offsetof(struct sample, name), NULL, "NAME", "Name.", 0, 0, NULL},
    {OPTION_CHOICE, "mode", NULL, offsetof(struct sample, mode), "fast", NULL, "Mode.", 0, 0, "fast|slow"},
    {OPTION_LIST, "model-repository", "model-store", offsetof(struct sample, repositories), NULL, "DIR",
     "Repositories.", 0, 0, NULL},
    {OPTION_LIST, "rule", NULL, offsetof(struct sample, rules), NULL, "RULE", "Rules.", 0, 0, ";"},
    {OPTION_REFUSED, "secret", NULL, 0, NULL, NULL, "use --name", 0, 0, NULL},
};
static const struct option_table table = {"inferd test", "[options]", "A test.", rows, sizeof rows / sizeof rows[0],
                                          false};

/* Parses words (NULL-terminated, without the program name). */
static struct status parse(struct arena *arena, struct sample *ret, enum options_outcome *outcome, ...) {
    char *argv[16] = {(char *)"test"};
    int argc = 1;
    va_list args;
    va_start(args, outcome);
    for (char *word; (word = va_arg(args, char *)) != NULL;)
        argv[argc++] = word;
    va_end(args);
    memset(ret, 0, sizeof *ret);
    return options_parse(&table, argc, argv, arena, ret, NULL, outcome);
}

static void defaults_apply(void **state) {
    struct sample got;
    enum options_outcome outcome;
    struct status status = parse(*state, &got, &outcome, NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(outcome, OPTIONS_RUN);
    assert_true(got.strict);
    assert_int_equal(got.port, 8000);
    assert_null(got.name);
    assert_string_equal(got.mode, "fast");
    assert_int_equal(got.repositories.count, 0);
}

static void both_spellings_work(void **state) {
    struct sample got;
    enum options_outcome outcome;
    struct status status = parse(*state, &got, &outcome, "--http-port", "1", "--name=a=b", "--strict=0", "--delay",
                                 "2.5", "--model-store", "x", "--model-repository=y", NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(got.port, 1);
    assert_string_equal(got.name, "a=b");
    assert_false(got.strict);
    assert_true(got.delay > 2.49 && got.delay < 2.51);
    assert_int_equal(got.repositories.count, 2);
    assert_string_equal(got.repositories.items[0], "x");
    assert_string_equal(got.repositories.items[1], "y");
}

static void a_bool_may_stand_alone(void **state) {
    struct sample got;
    enum options_outcome outcome;
    struct status status = parse(*state, &got, &outcome, "--strict", "--http-port=2", NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_true(got.strict);
    assert_int_equal(got.port, 2);
    status = parse(*state, &got, &outcome, "--strict", "false", NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_false(got.strict);
}

static void environment_counts_below_the_command_line(void **state) {
    struct sample got;
    enum options_outcome outcome;
    setenv("INFERD_HTTP_PORT", "7", 1);
    setenv("INFERD_MODEL_REPOSITORY", "p:q", 1);
    struct status status = parse(*state, &got, &outcome, NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(got.port, 7);
    assert_int_equal(got.repositories.count, 2);
    assert_string_equal(got.repositories.items[1], "q");
    setenv("INFERD_RULE", "a:b;c:d", 1);
    status = parse(*state, &got, &outcome, NULL);
    assert_int_equal(got.rules.count, 2);
    assert_string_equal(got.rules.items[0], "a:b");
    unsetenv("INFERD_RULE");
    status = parse(*state, &got, &outcome, "--http-port=9", "--model-repository=z", NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(got.port, 9);
    assert_int_equal(got.repositories.count, 1);
    setenv("INFERD_HTTP_PORT", "x", 1);
    status = parse(*state, &got, &outcome, NULL);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "INFERD_HTTP_PORT"));
    status = parse(*state, &got, &outcome, "--http-port=9", NULL); /* which is in its place */
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(got.port, 9);
    unsetenv("INFERD_HTTP_PORT");
    unsetenv("INFERD_MODEL_REPOSITORY");
}

static void mistakes_are_named(void **state) {
    struct sample got;
    enum options_outcome outcome;
    static const struct {
        const char *word, *expected;
    } cases[] = {
        {"--htp-port=1", "did you mean --http-port"},
        {"--http-port=65536", "from 0 to 65535"},
        {"--http-port=", "whole number"},
        {"--http-port=1x", "got \"1x\""},
        {"--mode=quick", "fast|slow"},
        {"--strict=maybe", "true or false"},
        {"--delay=nan", "a number"},
        {"stray", "unexpected argument"},
        {"-p", "unknown option -p"},
        {"--name", "needs a value"},
        {"--secret=x", "--secret is not taken: use --name"},
        {"--http-port=9223372036854775808", "whole number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct status status = parse(*state, &got, &outcome, cases[i].word, NULL);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (!strstr(status.message, cases[i].expected))
            fail_msg("%s: \"%s\" does not hold \"%s\"", cases[i].word, status.message, cases[i].expected);
    }
}

static void help_lists_every_flag(void **state) {
    struct sample got;
    enum options_outcome outcome;
    struct status status = parse(*state, &got, &outcome, "--bogus", "--help", NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(outcome, OPTIONS_HELP);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_print_help(&table, out);
    fclose(out);
    assert_non_null(strstr(text, "--model-repository, --model-store DIR"));
    assert_non_null(strstr(text, "--name, -n NAME"));
    assert_non_null(strstr(text, "environment INFERD_MODEL_REPOSITORY"));
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "default 8000; 0 to 65535; environment INFERD_HTTP_PORT"));
    free(text);
}

static void a_far_word_has_no_suggestion(void **state) {
    (void)state;
    const char *const names[] = {"serve", "export", "squad"};
    assert_string_equal(nearest_name(slice_of("sqad"), names, 3), "squad");
    assert_null(nearest_name(slice_of("zzzzzz"), names, 3));
    assert_null(nearest_name(slice_of(""), names, 3));
}

static void one_letter_is_a_short_flag(void **state) {
    struct sample got;
    enum options_outcome outcome;
    struct status status = parse(*state, &got, &outcome, "-n", "one", NULL);
    assert_int_equal(status.code, STATUS_OK);
    assert_string_equal(got.name, "one");
    status = parse(*state, &got, &outcome, "-n=two", NULL);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    status = parse(*state, &got, &outcome, "-x", NULL);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    char *argv[] = {(char *)"test", (char *)"-n", (char *)"one"};
    assert_true(options_was_given(&table, 3, argv, "name"));
    assert_false(options_was_given(&table, 3, argv, "delay"));
}

static int set_up(void **state) {
    *state = arena_create(0);
    return *state ? 0 : -1;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_apply),         cmocka_unit_test(both_spellings_work),
        cmocka_unit_test(a_bool_may_stand_alone), cmocka_unit_test(environment_counts_below_the_command_line),
        cmocka_unit_test(mistakes_are_named),     cmocka_unit_test(one_letter_is_a_short_flag),
        cmocka_unit_test(help_lists_every_flag),  cmocka_unit_test(a_far_word_has_no_suggestion),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

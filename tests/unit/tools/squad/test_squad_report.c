/* Tests of squad_report: the lines and the JSON that scripts read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/squad/squad_report.h"

static const struct squad_scores scores_1 = {.all = {61.7142857, 72.6449, 1925}};
static const struct squad_scores scores_2 = {.all = {50, 60.5, 4},
                                             .version_2 = true,
                                             .missing = 1,
                                             .has_answer = {25, 46, 2},
                                             .no_answer = {75, 75, 2},
                                             .best_known = true,
                                             .best_exact = 75,
                                             .best_exact_threshold = -1.25,
                                             .best_f1 = 80,
                                             .best_f1_threshold = 0.5};
static const struct squad_speed speed = {.questions = 4,
                                         .windows = 30,
                                         .requests = 5,
                                         .tokens = 1000,
                                         .padded_tokens = 1200,
                                         .seconds = 1.5,
                                         .latency = {10.5, 10, 20, 30, 40.25}};

static void expect_json(const struct squad_scores *scores, const struct squad_speed *with_speed, const char *expected) {
    struct buf json = BUF_EMPTY;
    squad_report_json(&json, scores, with_speed, scores != NULL ? scores->all.total : 7);
    buf_append_char(&json, '\0');
    assert_false(buf_failed(&json));
    assert_string_equal(json.data, expected);
    buf_free(&json);
}

static void test_json(void **state) {
    (void)state;
    expect_json(
        &scores_1, &speed,
        "{\"exact\":61.714286,\"f1\":72.644900,\"total\":1925,\"throughput\":20.000,\"latency_ms\":{\"avg\":10.500,"
        "\"p50\":10.000,\"p95\":20.000,\"p99\":30.000,\"max\":40.250}}\n");
    expect_json(&scores_2, NULL,
                "{\"exact\":50.000000,\"f1\":60.500000,\"total\":4,\"HasAns_exact\":25.000000,\"HasAns_f1\":46.000000,"
                "\"HasAns_total\":2,\"NoAns_exact\":75.000000,\"NoAns_f1\":75.000000,\"NoAns_total\":2,\"best_exact\":"
                "75.000000,\"best_exact_thresh\":-1.250000,\"best_f1\":80.000000,\"best_f1_thresh\":0.500000}\n");
    expect_json(NULL, NULL, "{\"exact\":null,\"f1\":null,\"total\":7}\n");
}

static void expect_text(const struct squad_scores *scores, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    squad_report_scores(file, scores);
    fclose(file);
    assert_string_equal(text, expected);
    free(text);
}

static void test_text(void **state) {
    (void)state;
    expect_text(&scores_1, "exact match: 61.71  F1: 72.64\n");
    expect_text(&scores_2, "exact match: 50.00  F1: 60.50\n"
                           "questions without a prediction, counted as wrong: 1 of 4\n"
                           "HasAns: 2 questions, exact match: 25.00  F1: 46.00\n"
                           "NoAns: 2 questions, exact match: 75.00  F1: 75.00\n"
                           "best exact match: 75.00 at threshold -1.2500  best F1: 80.00 at threshold 0.5000\n");
}

static void test_no_time(void **state) {
    (void)state;
    struct squad_speed none = {0};
    assert_true(squad_speed_throughput(&none) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

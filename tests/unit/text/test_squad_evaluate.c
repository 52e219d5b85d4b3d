/* Exact match and F1 on cases small enough to count by hand (tests/text compares random ones with Python). */
#include <math.h>

#include "squad_fixture.h"
#include "text/squad/squad_evaluate.h"

#define QA(id, answers) "{\"id\": \"" id "\", \"question\": \"\", \"answers\": [" answers "]}"
#define ANSWER(text) "{\"text\": \"" text "\"}"

static struct squad_scores evaluate(struct squad_fixture *f, const char *qas, const char *predictions, const char *odds,
                                    bool version_2, double threshold) {
    struct squad_predictions p;
    struct squad_scores scores;
    squad_given(f, "context", qas);
    struct status status = squad_predictions_parse(f->arena, &f->dataset, slice_of(predictions), &p);
    assert_string_equal(status.message, "");
    if (odds)
        status = squad_predictions_parse_null_odds(f->arena, &f->dataset, slice_of(odds), &p);
    assert_string_equal(status.message, "");
    status = squad_evaluate(&f->dataset, &p, version_2, threshold, &scores);
    assert_string_equal(status.message, "");
    return scores;
}

static void assert_near(double got, double want) {
    if (fabs(got - want) > 1e-9)
        fail_msg("got %.12g, expected %.12g", got, want);
}

static void test_rules_of_1_1(void **state) {
    struct squad_fixture *f = *state;
    struct squad_scores s =
        evaluate(f,
                 QA("a", ANSWER("The Norman Conquest")) "," QA("b", ANSWER("x y") "," ANSWER("y z")) "," QA(
                     "c", ANSWER("lost")) "," QA("d", ANSWER("missing")),
                 "{\"a\": \"norman conquest!\", \"b\": \"y, z w\", \"c\": \"\"}", NULL, false, INFINITY);
    /* a: exact. b: 2 of 3 words, both of the reference: 2 * 2/3 * 1 / (5/3) = 0.8. c: nothing. d: no prediction. */
    assert_int_equal(s.all.total, 4);
    assert_int_equal(s.missing, 1);
    assert_near(s.all.exact, 25);
    assert_near(s.all.f1, 45);
    assert_false(s.version_2);
    assert_false(s.best_known);
}

static void test_words_count_as_often_as_they_stand(void **state) {
    struct squad_fixture *f = *state;
    struct squad_scores s =
        evaluate(f, QA("a", ANSWER("b b c")), "{\"a\": \"c b d b b\"}", NULL, false, INFINITY); /* 3 common, 5 and 3 */
    assert_near(s.all.f1, 100 * 2 * 0.6 * 1 / 1.6);
}

static void test_answers_without_words(void **state) {
    struct squad_fixture *f = *state;
    const char *qas = QA("a", ANSWER("the"));
    struct squad_scores s = evaluate(f, qas, "{\"a\": \"!\"}", NULL, false, INFINITY);
    assert_near(s.all.exact, 100); /* 1.1: equal, but no word in common */
    assert_near(s.all.f1, 0);
    s = evaluate(f, qas, "{\"a\": \"!\"}", NULL, true, INFINITY);
    assert_near(s.all.exact, 100); /* 2.0: a reference without words is no reference */
    assert_near(s.all.f1, 100);
    assert_int_equal(s.has_answer.total, 1);
    s = evaluate(f, QA("a", ANSWER("the") "," ANSWER("one")), "{\"a\": \"\"}", NULL, true, INFINITY);
    assert_near(s.all.exact, 0); /* beside one that has words it says nothing */
    assert_near(s.all.f1, 0);
}

/* Three answerable, two not; odds that let in q1 (right), q2 (wrong), q3 (right), n1 (wrongly answered), n2 (rightly
 * not). */
static const char FIVE[] = QA("q1", ANSWER("one")) "," QA("q2", ANSWER("two")) "," QA(
    "q3", ANSWER("three three")) "," QA("n1", "") "," QA("n2", "");
static const char FIVE_PREDICTIONS[] =
    "{\"q1\": \"one\", \"q2\": \"no\", \"q3\": \"three\", \"n1\": \"x\", \"n2\": \"\"}";
static const char FIVE_ODDS[] = "{\"q1\": -3, \"q2\": -2, \"q3\": -1, \"n1\": 0, \"n2\": 2}";

static void test_rules_of_2_0(void **state) {
    struct squad_fixture *f = *state;
    struct squad_scores s = evaluate(f, FIVE, FIVE_PREDICTIONS, FIVE_ODDS, true, INFINITY);
    double third = 2 * 1 * 0.5 / 1.5; /* "three" of "three three" */
    assert_near(s.all.exact, 40);
    assert_near(s.all.f1, 100 * (1 + third + 1) / 5);
    assert_int_equal(s.has_answer.total, 3);
    assert_near(s.has_answer.exact, 100.0 / 3);
    assert_int_equal(s.no_answer.total, 2);
    assert_near(s.no_answer.exact, 50);
    assert_true(s.best_known);
    /* From 2 ("no answer" everywhere): q1 makes 3; then only F1 gains, by q3. */
    assert_near(s.best_exact, 60);
    assert_near(s.best_exact_threshold, -3);
    assert_near(s.best_f1, 100 * (3 + third) / 5);
    assert_near(s.best_f1_threshold, -1);
    s = evaluate(f, FIVE, FIVE_PREDICTIONS, FIVE_ODDS, true, -1.5); /* q3, n1, n2 become "no answer" */
    assert_near(s.all.exact, 60);
    assert_near(s.has_answer.exact, 100.0 / 3);
    assert_near(s.no_answer.exact, 100);
    s = evaluate(f, FIVE, FIVE_PREDICTIONS, FIVE_ODDS, true, -1); /* odds on the threshold are not above it */
    assert_near(s.all.f1, 100 * (1 + third + 2) / 5);
    s = evaluate(f, FIVE, FIVE_PREDICTIONS, NULL, true, -1.5); /* without odds there is nothing to compare */
    assert_near(s.all.exact, 40);
    assert_false(s.best_known);
}

static void test_ties_of_odds_follow_the_file(void **state) {
    struct squad_fixture *f = *state;
    const char *qas = QA("q", ANSWER("one")) "," QA("n", "");
    const char *predictions = "{\"q\": \"one\", \"n\": \"x\"}";
    struct squad_scores s = evaluate(f, qas, predictions, "{\"q\": 0.5, \"n\": 0.5}", true, INFINITY);
    assert_near(s.best_exact, 100); /* q first: 1 + 1, and n takes one back later */
    assert_near(s.best_exact_threshold, 0.5);
    s = evaluate(f, qas, predictions, "{\"n\": 0.5, \"q\": 0.5}", true, INFINITY);
    assert_near(s.best_exact, 50);
    assert_near(s.best_exact_threshold, 0);
}

static void test_empty_data(void **state) {
    struct squad_fixture *f = *state;
    struct squad_scores s = evaluate(f, "", "{}", "{}", true, 1);
    assert_int_equal(s.all.total, 0);
    assert_near(s.all.exact, 0);
    assert_near(s.best_f1, 0);
}

static void test_no_references_under_1_1(void **state) {
    struct squad_fixture *f = *state;
    struct squad_predictions p;
    struct squad_scores scores;
    squad_given(f, "context", QA("lonely", ""));
    struct status status = squad_predictions_create(f->arena, &f->dataset, false, &p);
    assert_string_equal(status.message, "");
    status = squad_evaluate(&f->dataset, &p, false, INFINITY, &scores);
    assert_int_equal(status.code, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(status.message, "question lonely has no reference answer"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SQUAD_TEST(test_rules_of_1_1),
        SQUAD_TEST(test_words_count_as_often_as_they_stand),
        SQUAD_TEST(test_answers_without_words),
        SQUAD_TEST(test_rules_of_2_0),
        SQUAD_TEST(test_ties_of_odds_follow_the_file),
        SQUAD_TEST(test_empty_data),
        SQUAD_TEST(test_no_references_under_1_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

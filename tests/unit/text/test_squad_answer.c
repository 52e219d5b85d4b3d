/* From logits to answers: which spans count, how ties fall, and "no answer". */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "squad_fixture.h"
#include "text/squad/squad_answer.h"

enum { MAX_TOKENS = 64, MAX_WINDOWS = 4 };

/* [CLS] which one ? [SEP] ... : the paragraph begins at position 5 */
static const char QUESTION[] = "{\"id\": \"q1\", \"question\": \"which one ?\"}";
enum { AT = 5 };

struct logit_set {
    float start[MAX_WINDOWS][MAX_TOKENS];
    float end[MAX_WINDOWS][MAX_TOKENS];
    struct squad_logits views[MAX_WINDOWS];
};

/* Everything far below what the tests raise. */
static void low(struct logit_set *set) {
    for (size_t w = 0; w < MAX_WINDOWS; w++) {
        for (size_t i = 0; i < MAX_TOKENS; i++)
            set->start[w][i] = set->end[w][i] = -10;
        set->views[w] = (struct squad_logits){set->start[w], set->end[w]};
    }
}

static const struct squad_answer_config SPAN = {20, 30, false, 0};
static const struct squad_answer_config NULLABLE = {20, 30, true, 0};

static struct squad_answer answer(struct squad_fixture *f, const struct logit_set *set,
                                  const struct squad_answer_config *config) {
    struct squad_answer made;
    struct status status = squad_answer_question(&f->windows, 0, set->views, config, f->arena, &made);
    assert_string_equal(status.message, "");
    return made;
}

static void given(struct squad_fixture *f, const char *context, uint32_t length, uint32_t stride) {
    squad_given(f, context, QUESTION);
    struct status status = squad_make_windows(f, length, stride, 3);
    assert_string_equal(status.message, "");
}

static void assert_text(struct slice got, const char *want) {
    if (!slice_equal_text(got, want))
        fail_msg("got \"%.*s\", expected \"%s\"", SLICE_ARGS(got), want);
}

static void test_text_of_the_original(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "The  Caf\xc3\xa9-Bar, open", 64, 32); /* the cafe - bar , open */
    low(&set);
    set.start[0][AT + 0] = 3;
    set.end[0][AT + 3] = 4;
    struct squad_answer made = answer(f, &set, &SPAN);
    assert_text(made.prediction, "The  Caf\xc3\xa9-Bar");
    assert_text(made.entries[0].text, "The  Caf\xc3\xa9-Bar");
    assert_true(made.entries[0].start_logit == 3 && made.entries[0].end_logit == 4);
    assert_true(made.entry_count <= 20);
    double sum = 0;
    for (size_t i = 0; i < made.entry_count; i++)
        sum += made.entries[i].probability;
    assert_true(fabs(sum - 1) < 1e-12);
}

static void test_spans_that_do_not_count(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "one two three four five six seven", 64, 32);
    low(&set);
    set.start[0][0] = set.end[0][0] = 50;           /* [CLS] */
    set.start[0][2] = set.end[0][2] = 40;           /* in the question */
    set.start[0][AT + 7] = set.end[0][AT + 7] = 30; /* the last [SEP] */
    set.start[0][AT + 4] = 20;                      /* ends before it starts */
    set.end[0][AT + 3] = 20;
    set.start[0][AT + 1] = 5;
    struct squad_answer made = answer(f, &set, &SPAN);
    assert_text(made.prediction, "two three four");
    struct squad_answer_config two_tokens = {20, 2, false, 0}; /* five .. five beats what is too long */
    assert_text(answer(f, &set, &two_tokens).prediction, "five");
}

static void test_ties_fall_to_the_left(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "one two three four", 64, 32);
    low(&set);
    for (size_t i = 0; i < 4; i++)
        set.start[0][AT + i] = set.end[0][AT + i] = 1;
    struct squad_answer made = answer(f, &set, &SPAN);
    assert_int_equal(made.entry_count, 10);
    assert_text(made.entries[0].text, "one");
    assert_text(made.entries[1].text, "one two");
    assert_text(made.entries[9].text, "four");
    struct squad_answer_config few = {3, 30, false, 0};
    made = answer(f, &set, &few);
    assert_int_equal(made.entry_count, 3);
    assert_text(made.entries[2].text, "one two three");
}

static void test_equal_texts_count_once(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "cat dog cat dog cat", 64, 32);
    low(&set);
    set.start[0][AT + 0] = set.end[0][AT + 0] = 1;
    set.start[0][AT + 4] = set.end[0][AT + 4] = 3;
    struct squad_answer_config one_token = {20, 1, false, 0};
    struct squad_answer made = answer(f, &set, &one_token);
    assert_int_equal(made.entry_count, 2);
    assert_text(made.entries[0].text, "cat");
    assert_true(made.entries[0].start_logit == 3);
    assert_text(made.entries[1].text, "dog");
    /* The answer is the place it was found at. */
    assert_ptr_equal(made.prediction.data, f->dataset.paragraphs[0].context.data + 16);
    /* Of equal texts with equal scores the first found stays where it is: that with the higher start logit. */
    set.start[0][AT + 2] = set.end[0][AT + 2] = 3;
    set.start[0][AT + 1] = set.end[0][AT + 1] = 3;
    set.start[0][AT + 0] = 4;
    set.end[0][AT + 0] = 2;
    made = answer(f, &set, &one_token);
    assert_int_equal(made.entry_count, 2);
    assert_text(made.entries[0].text, "cat");
    assert_true(made.entries[0].start_logit == 4);
    assert_text(made.entries[1].text, "dog");
}

static void test_only_the_window_with_most_context_counts(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "one two three four five six seven eight nine ten", 11, 3); /* 0+5 3+5 6+4 */
    assert_int_equal(f->windows.window_count, 3);
    low(&set);
    set.start[1][AT + 0] = set.end[1][AT + 0] = 9; /* "four" belongs to window 0 */
    set.start[0][AT + 3] = set.end[0][AT + 3] = 2; /* where it scores less */
    set.start[2][AT + 3] = set.end[2][AT + 3] = 1; /* "ten" */
    struct squad_answer made = answer(f, &set, &SPAN);
    assert_text(made.entries[0].text, "four");
    assert_true(made.entries[0].start_logit == 2);
    assert_text(made.entries[1].text, "ten");
}

static void test_no_answer(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "one two three four five six seven eight nine ten", 11, 3);
    low(&set);
    set.start[0][AT] = set.end[0][AT] = 2; /* "one", 4 */
    for (size_t w = 0; w < 3; w++)
        set.start[w][0] = set.end[w][0] = (float)(3 - (int)w); /* the lowest is that of window 2: 2 */
    struct squad_answer made = answer(f, &set, &NULLABLE);
    assert_text(made.prediction, "one");
    assert_true(made.null_odds == -2);
    assert_text(made.entries[0].text, "one");
    assert_text(made.entries[1].text, "");
    struct squad_answer_config lower = {20, 30, true, -2};
    assert_text(answer(f, &set, &lower).prediction, "one"); /* must exceed the threshold */
    lower.null_score_diff_threshold = -2.5;
    assert_text(answer(f, &set, &lower).prediction, "");
    set.start[2][0] = set.end[2][0] = 8; /* now window 1 has the lowest: 4, a tie, which the span wins */
    made = answer(f, &set, &NULLABLE);
    assert_true(made.null_odds == 0);
    assert_text(made.prediction, "one");
    assert_text(made.entries[0].text, "one");
    set.start[1][0] = set.end[1][0] = 2.5f;
    made = answer(f, &set, &NULLABLE);
    assert_true(made.null_odds == 1);
    assert_text(made.prediction, "");
    assert_text(made.entries[0].text, "");
}

static void test_no_answer_always_gets_a_place(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "one two three four", 64, 32);
    low(&set);
    for (size_t i = 0; i < 4; i++)
        set.start[0][AT + i] = set.end[0][AT + i] = 1;
    set.start[0][0] = set.end[0][0] = -50;
    struct squad_answer_config few = {2, 30, true, 0};
    struct squad_answer made = answer(f, &set, &few);
    assert_int_equal(made.entry_count, 3);
    assert_text(made.entries[2].text, "");
}

static void test_nothing_to_choose_from(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    given(f, "", 64, 32);
    low(&set);
    struct squad_answer made = answer(f, &set, &SPAN);
    assert_int_equal(made.entry_count, 1);
    assert_text(made.prediction, "");
    assert_true(made.entries[0].probability == 1);
    made = answer(f, &set, &NULLABLE);
    assert_int_equal(made.entry_count, 1);
    assert_true(made.null_odds == -20);
    assert_text(made.prediction, "");
}

static void test_logits_that_are_no_numbers(void **state) {
    struct squad_fixture *f = *state;
    struct logit_set set;
    struct squad_answer made;
    given(f, "one two", 64, 32);
    const float bad[] = {NAN, INFINITY};
    for (size_t i = 0; i < 2; i++) {
        low(&set);
        set.end[0][3] = bad[i];
        struct status status = squad_answer_question(&f->windows, 0, set.views, &SPAN, f->arena, &made);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "question q1: the end logit of token 3 of 8"));
    }
    low(&set);
    set.start[0][MAX_TOKENS - 1] = NAN; /* padding is not read */
    for (size_t i = 0; i < 8; i++)
        set.start[0][i] = set.end[0][i] = -INFINITY; /* masked, all of it */
    made = answer(f, &set, &NULLABLE);
    assert_true(made.entries[0].start_logit == -FLT_MAX && isfinite(made.null_odds) &&
                isfinite(made.entries[0].probability));
    set.start[0][AT] = set.end[0][AT] = 0;
    assert_text(answer(f, &set, &NULLABLE).prediction, "one");
}

static void test_settings_that_cannot_work(void **state) {
    (void)state;
    const struct squad_answer_config rows[] = {
        {0, 30, false, 0}, {1001, 30, false, 0}, {20, 0, false, 0}, {20, 30, true, NAN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = squad_answer_check_config(&rows[i]);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    }
    struct status status = squad_answer_check_config(&SPAN);
    assert_true(status_is_ok(&status));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SQUAD_TEST(test_text_of_the_original),
        SQUAD_TEST(test_spans_that_do_not_count),
        SQUAD_TEST(test_ties_fall_to_the_left),
        SQUAD_TEST(test_equal_texts_count_once),
        SQUAD_TEST(test_only_the_window_with_most_context_counts),
        SQUAD_TEST(test_no_answer),
        SQUAD_TEST(test_no_answer_always_gets_a_place),
        SQUAD_TEST(test_nothing_to_choose_from),
        SQUAD_TEST(test_logits_that_are_no_numbers),
        SQUAD_TEST(test_settings_that_cannot_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

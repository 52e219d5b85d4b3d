#include "text/squad/squad_evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/squad/squad_normalize.h"

/* A normalised answer and its words, sorted, so that two can be compared as multisets. */
struct answer {
    struct slice text;
    struct slice *words;
    size_t word_count;
};

/* One evaluation. `keep` lives as long as it; `scratch` as long as one question. */
struct evaluation {
    const struct squad_dataset *dataset;
    const struct squad_predictions *predictions;
    bool version_2;
    struct arena *keep;
    struct arena *scratch;
    struct buf text; /* an answer being normalised */
    double *exact;   /* by question, 0 or 1 */
    double *f1;      /* by question, 0 .. 1 */
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "SQuAD evaluation: out of memory");
}

static int compare_words(const void *a, const void *b) {
    const struct slice *left = a, *right = b;
    size_t common = left->size < right->size ? left->size : right->size;
    int order = memcmp(left->data, right->data, common);
    return order != 0 ? order : (left->size > right->size) - (left->size < right->size);
}

static struct status normalize(struct evaluation *evaluation, struct slice text, struct answer *ret) {
    buf_clear(&evaluation->text);
    squad_normalize_answer(text, &evaluation->text);
    *ret = (struct answer){.text = {"", 0}};
    if (buf_failed(&evaluation->text))
        return out_of_memory();
    if (evaluation->text.size == 0)
        return status_ok();
    ret->text = arena_copy(evaluation->scratch, buf_slice(&evaluation->text));
    if (!ret->text.data)
        return out_of_memory();
    size_t count = 1;
    for (size_t i = 0; i < ret->text.size; i++)
        count += ret->text.data[i] == ' ';
    ret->words = arena_calloc(evaluation->scratch, count, sizeof *ret->words);
    if (!ret->words)
        return out_of_memory();
    struct slice rest = ret->text;
    while (ret->word_count < count)
        slice_split(rest, ' ', &ret->words[ret->word_count++], &rest);
    qsort(ret->words, count, sizeof *ret->words, compare_words);
    return status_ok();
}

static size_t count_common(const struct answer *a, const struct answer *b) {
    size_t common = 0;
    for (size_t i = 0, j = 0; i < a->word_count && j < b->word_count;) {
        int order = compare_words(&a->words[i], &b->words[j]);
        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}

/* Under 2.0 rules two answers without words agree; under 1.1 rules they have nothing in common. */
static double f1_of(const struct answer *prediction, const struct answer *reference, bool version_2) {
    if (version_2 && (prediction->word_count == 0 || reference->word_count == 0))
        return prediction->word_count == reference->word_count;
    size_t common = count_common(prediction, reference);
    if (common == 0)
        return 0;
    double precision = (double)common / (double)prediction->word_count;
    double recall = (double)common / (double)reference->word_count;
    return 2 * precision * recall / (precision + recall);
}

static void compare_with(struct evaluation *evaluation, size_t index, const struct answer *prediction,
                         const struct answer *reference) {
    double f1 = f1_of(prediction, reference, evaluation->version_2);
    evaluation->f1[index] = f1 > evaluation->f1[index] ? f1 : evaluation->f1[index];
    if (slice_equal(prediction->text, reference->text))
        evaluation->exact[index] = 1;
}

/* The best over the references. Under 2.0 rules references without words are left out, and a question that then has
 * none is answered right by no answer. */
static struct status score_question(struct evaluation *evaluation, size_t index) {
    const struct squad_question *question = &evaluation->dataset->questions[index];
    const struct answer no_answer = {.text = {"", 0}};
    struct answer prediction, reference;
    arena_reset(evaluation->scratch);
    STATUS_TRY(normalize(evaluation, evaluation->predictions->texts[index], &prediction));
    size_t used = 0;
    for (uint32_t i = 0; i < question->answer_count; i++) {
        STATUS_TRY(normalize(evaluation, question->answers[i], &reference));
        if (evaluation->version_2 && reference.word_count == 0)
            continue;
        compare_with(evaluation, index, &prediction, &reference);
        used++;
    }
    if (used == 0 && evaluation->version_2)
        compare_with(evaluation, index, &prediction, &no_answer);
    return status_ok();
}

static struct status score_all(struct evaluation *evaluation, struct squad_scores *scores) {
    const struct squad_dataset *dataset = evaluation->dataset;
    for (size_t q = 0; q < dataset->question_count; q++) {
        if (!evaluation->version_2 && dataset->questions[q].answer_count == 0)
            return status_error(STATUS_FAILED_PRECONDITION,
                                "question %.*s has no reference answer: it cannot be scored by "
                                "SQuAD 1.1 rules",
                                SLICE_ARGS(dataset->questions[q].id));
        if (evaluation->predictions->present[q])
            STATUS_TRY(score_question(evaluation, q));
        else
            scores->missing++;
    }
    return status_ok();
}

enum subset { SUBSET_ALL, SUBSET_HAS_ANSWER, SUBSET_NO_ANSWER };

/* Averages, after "no answer" has taken the questions whose null odds lie above the threshold. */
static struct squad_score average(const struct evaluation *evaluation, enum subset subset, double no_answer_threshold) {
    const struct squad_predictions *predictions = evaluation->predictions;
    struct squad_score score = {0};
    double exact = 0, f1 = 0;
    for (size_t q = 0; q < evaluation->dataset->question_count; q++) {
        bool has_answer = evaluation->dataset->questions[q].answer_count > 0;
        if (subset != SUBSET_ALL && has_answer != (subset == SUBSET_HAS_ANSWER))
            continue;
        bool nulled = evaluation->version_2 && predictions->null_odds && predictions->present[q] &&
                      predictions->null_odds[q] > no_answer_threshold;
        exact += nulled ? !has_answer : evaluation->exact[q];
        f1 += nulled ? !has_answer : evaluation->f1[q];
        score.total++;
    }
    if (score.total > 0) {
        score.exact = 100 * exact / (double)score.total;
        score.f1 = 100 * f1 / (double)score.total;
    }
    return score;
}

/* A question in the order of its null odds. */
struct ranked {
    double odds;
    uint32_t order;
    uint32_t question;
};

static int compare_ranked(const void *a, const void *b) {
    const struct ranked *left = a, *right = b;
    if (left->odds != right->odds)
        return left->odds < right->odds ? -1 : 1;
    return (left->order > right->order) - (left->order < right->order);
}

/* The official find_best_thresh: begin with "no answer" everywhere and let the predictions in, the surest first. */
static void find_best(const struct evaluation *evaluation, const struct ranked *ranked, size_t count,
                      const double *scores, double *ret_best, double *ret_threshold) {
    const struct squad_dataset *dataset = evaluation->dataset;
    double current = 0, threshold = 0;
    for (size_t q = 0; q < dataset->question_count; q++)
        current += dataset->questions[q].answer_count == 0;
    double best = current;
    for (size_t i = 0; i < count; i++) {
        uint32_t q = ranked[i].question;
        if (dataset->questions[q].answer_count > 0)
            current += scores[q];
        else
            current -= evaluation->predictions->texts[q].size > 0;
        if (current > best) {
            best = current;
            threshold = ranked[i].odds;
        }
    }
    *ret_best = dataset->question_count ? 100 * best / (double)dataset->question_count : 0;
    *ret_threshold = threshold;
}

static struct status find_thresholds(struct evaluation *evaluation, struct squad_scores *scores) {
    const struct squad_predictions *predictions = evaluation->predictions;
    size_t count = 0;
    struct ranked *ranked = arena_calloc(evaluation->keep, evaluation->dataset->question_count, sizeof *ranked);
    if (!ranked)
        return out_of_memory();
    for (uint32_t q = 0; q < evaluation->dataset->question_count; q++)
        if (predictions->present[q])
            ranked[count++] =
                (struct ranked){predictions->null_odds[q], predictions->null_order ? predictions->null_order[q] : q, q};
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    find_best(evaluation, ranked, count, evaluation->exact, &scores->best_exact, &scores->best_exact_threshold);
    find_best(evaluation, ranked, count, evaluation->f1, &scores->best_f1, &scores->best_f1_threshold);
    scores->best_known = true;
    return status_ok();
}

static struct status evaluate(struct evaluation *evaluation, double no_answer_threshold, struct squad_scores *scores) {
    size_t count = evaluation->dataset->question_count;
    evaluation->exact = arena_calloc(evaluation->keep, count, sizeof *evaluation->exact);
    evaluation->f1 = arena_calloc(evaluation->keep, count, sizeof *evaluation->f1);
    if (!evaluation->exact || !evaluation->f1)
        return out_of_memory();
    STATUS_TRY(score_all(evaluation, scores));
    scores->all = average(evaluation, SUBSET_ALL, no_answer_threshold);
    scores->version_2 = evaluation->version_2;
    if (!evaluation->version_2)
        return status_ok();
    scores->has_answer = average(evaluation, SUBSET_HAS_ANSWER, no_answer_threshold);
    scores->no_answer = average(evaluation, SUBSET_NO_ANSWER, no_answer_threshold);
    return evaluation->predictions->null_odds ? find_thresholds(evaluation, scores) : status_ok();
}

struct status squad_evaluate(const struct squad_dataset *dataset, const struct squad_predictions *predictions,
                             bool version_2, double no_answer_threshold, struct squad_scores *ret) {
    struct evaluation evaluation = {.dataset = dataset,
                                    .predictions = predictions,
                                    .version_2 = version_2,
                                    .keep = arena_create(0),
                                    .scratch = arena_create(0),
                                    .text = BUF_EMPTY};
    struct squad_scores scores = {0};
    struct status status =
        evaluation.keep && evaluation.scratch ? evaluate(&evaluation, no_answer_threshold, &scores) : out_of_memory();
    arena_destroy(evaluation.keep);
    arena_destroy(evaluation.scratch);
    buf_free(&evaluation.text);
    if (status_is_ok(&status))
        *ret = scores;
    return status;
}

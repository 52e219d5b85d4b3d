/* squad_evaluate.h: exact match and F1 as the official SQuAD evaluators (1.1 and 2.0) count them.
 *
 * Differences by decision: under 2.0 rules a question without a prediction counts as wrong, as it does under 1.1 (the
 * official 2.0 script stops with an error).
 * Source: evaluate-v1.1.py and evaluate-v2.0.py of the SQuAD leaderboard.
 * Thread: no shared state.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_EVALUATE_H
#define INFERD_TEXT_SQUAD_SQUAD_EVALUATE_H

#include "text/squad/squad_predictions.h"

/* Percentages, 0 .. 100; all 0 when total is 0. */
struct squad_score {
    double exact;
    double f1;
    size_t total; /* questions */
};

struct squad_scores {
    struct squad_score all;
    size_t missing; /* questions without a prediction (they count as wrong) */
    bool version_2; /* 2.0 rules were used, and has_answer and no_answer are filled */
    struct squad_score has_answer;
    struct squad_score no_answer;
    bool best_known; /* null odds were given, and the best_ fields are filled */
    double best_exact;
    double best_exact_threshold;
    double best_f1;
    double best_f1_threshold;
};

/* version_2: which rules. no_answer_threshold: with null odds under 2.0 rules, a question whose odds lie above it
 * counts as answered by "no answer" (the official --na-prob-thresh; pass INFINITY when the predictions hold that
 * decision already). Errors: FAILED_PRECONDITION when a question has no reference answer under 1.1 rules;
 * RESOURCE_EXHAUSTED. */
struct status squad_evaluate(const struct squad_dataset *dataset, const struct squad_predictions *predictions,
                             bool version_2, double no_answer_threshold, struct squad_scores *ret) STATUS_MUST_CHECK;

#endif

/* squad_answer.h: logits -> answers: the n best spans of a question over all its windows.
 *
 * Answers are substrings of the original paragraph, found by the tokens' offsets.
 * Source: the original BERT run_squad.py (write_predictions).
 * Thread: no shared state; each call needs its own arena.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_ANSWER_H
#define INFERD_TEXT_SQUAD_SQUAD_ANSWER_H

#include "text/squad/squad_windows.h"

enum { SQUAD_MAX_N_BEST = 1000 };

struct squad_answer_config {
    uint32_t n_best_size;             /* start and end positions tried per window, and answers kept; 20 in the recipe */
    uint32_t max_answer_length;       /* tokens; 30 in the recipe */
    bool version_2;                   /* allow "no answer" */
    double null_score_diff_threshold; /* "no answer" wins when its score exceeds the best span's by more than this; 0 */
};

/* The logits of one window: at least squad_window_size() values each; what lies behind (padding) is not read. */
struct squad_logits {
    const float *start;
    const float *end;
};

struct squad_answer_entry {
    struct slice text;  /* borrowed from the data set; empty for "no answer" */
    double probability; /* softmax over the entries of this question */
    float start_logit;
    float end_logit;
};

struct squad_answer {
    struct slice prediction;                  /* borrowed from the data set; empty for "no answer" */
    double null_odds;                         /* version 2: score of "no answer" minus score of the best span; else 0 */
    const struct squad_answer_entry *entries; /* best first, from the arena */
    size_t entry_count;                       /* at least 1, at most n_best_size + 1 */
};

/* Checks ranges: n_best_size 1 .. SQUAD_MAX_N_BEST, max_answer_length >= 1, threshold not NaN. */
struct status squad_answer_check_config(const struct squad_answer_config *config) STATUS_MUST_CHECK;

/* Answers one question. logits[k] belongs to window first_window[question] + k. Negative infinity is taken as the
 * lowest finite number. Where no span counts, the answer is the empty text, with the logits of [CLS].
 * Errors: INVALID_ARGUMENT naming the question, for NaN or positive infinity; RESOURCE_EXHAUSTED.
 */
struct status squad_answer_question(const struct squad_windows *windows, uint32_t question,
                                    const struct squad_logits *logits, const struct squad_answer_config *config,
                                    struct arena *arena, struct squad_answer *ret) STATUS_MUST_CHECK;

#endif

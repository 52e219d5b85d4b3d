/* question_settings.h: how a model of task question_answering reads questions and chooses answers: its vocabulary, and
 * what its config says.
 *
 * Thread: immutable after opening. */
#ifndef INFERD_BACKENDS_BERT_QUESTION_SETTINGS_H
#define INFERD_BACKENDS_BERT_QUESTION_SETTINGS_H

#include "checkpoint/bert_config.h"
#include "core/model_config.h"
#include "text/squad/squad_answer.h"

enum {
    QUESTION_N_BEST = 20, /* positions tried per window and answers ranked, as in the recipe; the most that are told */
    QUESTION_CONTEXT_BYTES_MAX = 1 << 20,
    QUESTION_TEXT_BYTES_MAX = 1 << 16,
    QUESTION_ANSWER_BYTES_MAX = 1 << 20 /* of all answers of a request together */
};

struct question_settings {
    struct arena *arena; /* owned; the vocabulary */
    struct wordpiece tokenizer;
    struct squad_window_config windows; /* max_windows: of one request */
    struct squad_answer_config answers;
    uint32_t n_best; /* answers to a question, where the request does not tell */
};

/* Names of the config parameters that question_settings_open reads. */
enum { QUESTION_SETTINGS_NAMES = 11 };
extern const char *const question_settings_names[QUESTION_SETTINGS_NAMES];

/* The vocabulary is vocab.txt in the version folder. Errors: INVALID_ARGUMENT for a parameter out of range, or windows
 * longer than the model's positions; FAILED_PRECONDITION when the vocabulary is not the one that the config or the
 * model means; those of vocab_load. */
struct status question_settings_open(const struct model_config *config, const struct bert_config *bert,
                                     const char *version_directory, struct question_settings **ret) STATUS_MUST_CHECK;
void question_settings_close(struct question_settings *settings); /* accepts NULL */

#endif

/* squad_windows.h: questions and paragraphs -> model inputs: [CLS] question [SEP] window of the paragraph [SEP].
 *
 * A paragraph that is too long for one input is cut into overlapping windows; `doc_stride` is the distance between the
 * starts of two windows (Hugging Face's `stride` is the overlap instead). Windows are views: tokens of a paragraph are
 * kept once for all its questions, and ids are written out by squad_window_fill when a request is built. Source: the
 * original BERT run_squad.py (convert_examples_to_features). Owner: the arena. The data set must outlive the windows.
 * Thread: immutable afterwards.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_WINDOWS_H
#define INFERD_TEXT_SQUAD_SQUAD_WINDOWS_H

#include "text/squad/squad_dataset.h"
#include "text/wordpiece.h"

enum {
    SQUAD_MAX_SEQUENCE = 1 << 16,
    SQUAD_MAX_WINDOWS = 1 << 24,
    SQUAD_SPECIAL_TOKENS = 3 /* [CLS] and two [SEP] in each window */
};

struct squad_window_config {
    uint32_t max_seq_length;   /* tokens in all; 384 in the recipe; at least max_query_length + 4 */
    uint32_t doc_stride;       /* tokens from window start to window start; 128 in the recipe; at least 1 */
    uint32_t max_query_length; /* question tokens beyond are dropped; 64 in the recipe; at least 1 */
    uint32_t max_windows;      /* of all questions together; 0, or more than that: SQUAD_MAX_WINDOWS */
};

struct squad_window {
    uint32_t question;                     /* index into dataset->questions */
    uint32_t context_begin;                /* first context token, counted in the whole paragraph */
    uint32_t context_count;                /* context tokens; 0 only for a paragraph without tokens */
    uint32_t query_count;                  /* question tokens, after truncation */
    const struct wordpiece_token *query;   /* query_count tokens */
    const struct wordpiece_token *context; /* context_count tokens; offsets into the paragraph's context */
};

struct squad_windows {
    const struct squad_dataset *dataset;
    struct vocab_special special;
    const struct squad_window *windows; /* grouped by question, in the order of the data set */
    size_t window_count;
    const uint32_t *first_window; /* question_count + 1 entries: question q has windows first[q] .. first[q + 1] - 1 */
    uint64_t token_count;         /* of all windows, special tokens included */
    uint32_t longest;             /* tokens of the longest window */
};

/* Checks ranges, and that a window has room for a paragraph. INVALID_ARGUMENT. */
struct status squad_window_config_check(const struct squad_window_config *config) STATUS_MUST_CHECK;
/* Tokenizes everything and lays out the windows. Every question gets at least one window.
 * Errors: INVALID_ARGUMENT (config out of range), TOO_LARGE (over max_windows), RESOURCE_EXHAUSTED. */
struct status squad_windows_create(struct arena *arena, const struct wordpiece *tokenizer,
                                   const struct squad_window_config *config, const struct squad_dataset *dataset,
                                   struct squad_windows *ret) STATUS_MUST_CHECK;

/* Tokens of a window: [CLS] + query + [SEP] + context + [SEP]. */
uint32_t squad_window_size(const struct squad_window *window);
/* Writes squad_window_size() input ids and segment ids (0 for [CLS] question [SEP], 1 for the rest). Padding, and the
 * mask of ones, are the caller's. */
void squad_window_fill(const struct squad_windows *windows, const struct squad_window *window, int32_t *ret_input_ids,
                       int32_t *ret_segment_ids);
/* Position in the window (as in the logits) of its first context token. */
uint32_t squad_window_context_offset(const struct squad_window *window);
/* True when, of all windows of the same question that hold this context token (an index into the window's context),
 * this one shows it with the most context around it; of equals the first. */
bool squad_window_is_max_context(const struct squad_windows *windows, const struct squad_window *window,
                                 uint32_t context_index);

#endif

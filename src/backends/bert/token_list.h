/* token_list.h: the tokens of a batch's sequences, one behind the other, as the engine takes them.
 *
 * Thread: one owner. */
#ifndef INFERD_BACKENDS_BERT_TOKEN_LIST_H
#define INFERD_BACKENDS_BERT_TOKEN_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What a task may want for each sequence. */
enum token_vector {
    TOKEN_VECTOR_LABELS, /* the classifier's logits */
    TOKEN_VECTOR_MEAN,   /* of the last layer's rows */
    TOKEN_VECTOR_POOLED, /* the pooler's output */
    TOKEN_VECTOR_COUNT
};

/* A list that grows; zeroed to begin with. The logits belong to its tokens. */
struct token_list {
    int32_t *ids, *segments, *positions;
    float *starts, *ends;
    uint32_t *offsets; /* [sequence_count + 1]; sequence i is tokens offsets[i] .. offsets[i + 1] - 1 */
    float
        *vectors[TOKEN_VECTOR_COUNT]; /* [sequence_count][size of the vector], of the batch's arena; NULL: not wanted */
    size_t token_count, token_room;
    size_t sequence_count, sequence_room;
};

void token_list_free(struct token_list *list);
void token_list_clear(struct token_list *list);
/* Makes room for so many tokens and sequences more. RESOURCE_EXHAUSTED; the list is as before then. */
struct status token_list_reserve(struct token_list *list, size_t tokens, size_t sequences) STATUS_MUST_CHECK;
/* Ends a sequence: its tokens are those added since the one before. There is room for it. */
void token_list_end_sequence(struct token_list *list);

#endif

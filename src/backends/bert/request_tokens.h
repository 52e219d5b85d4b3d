/* request_tokens.h: the real tokens of requests, one behind the other, as the engine takes them. */
#ifndef INFERD_BACKENDS_BERT_REQUEST_TOKENS_H
#define INFERD_BACKENDS_BERT_REQUEST_TOKENS_H

#include "core/infer_request.h"
#include "engine/bert_engine.h"

/* A list that grows; zeroed to begin with. The logits belong to its tokens. */
struct token_list {
    int32_t *ids, *segments, *positions;
    float *starts, *ends;
    uint32_t *offsets; /* [sequence_count + 1] */
    size_t token_count, token_room;
    size_t sequence_count, sequence_room;
};

void token_list_free(struct token_list *list);
void token_list_clear(struct token_list *list);

/* Tokens of a validated request that its mask does not take out. */
uint32_t request_tokens_count(const struct infer_request *request);
/* Appends each row of the request as a sequence; a row without any token is an empty one. INVALID_ARGUMENT when the
 * shapes of its tensors differ, input_ids is not of rank 2, or a row has more than `longest` tokens: what a refused
 * request sends is not copied. RESOURCE_EXHAUSTED. The list is as before then. */
struct status request_tokens_append(const struct infer_request *request, size_t longest,
                                    struct token_list *list) STATUS_MUST_CHECK;
/* Answers with the logits of the sequences from `sequence` on, in the shape of input_ids. NULL when memory is short. */
struct infer_response *request_tokens_answer(const struct infer_request *request, const struct token_list *list,
                                             size_t sequence);

#endif

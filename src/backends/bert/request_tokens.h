/* request_tokens.h: task span_logits: a request's rows of token ids are the sequences, without what its mask takes out;
 * the answer is the logits, in the shape of input_ids. */
#ifndef INFERD_BACKENDS_BERT_REQUEST_TOKENS_H
#define INFERD_BACKENDS_BERT_REQUEST_TOKENS_H

#include "backends/bert/bert_task.h"

extern const struct bert_task request_tokens_task;

/* The inputs, the parameters and the way to sequences, for other tasks that take tokens. */
extern const struct bert_tensor request_tokens_inputs[];
extern const char *const request_tokens_parameters[];
enum { REQUEST_TOKENS_INPUTS = 4, REQUEST_TOKENS_PARAMETERS = 5 };
struct infer_cost request_tokens_cost(const struct bert_model *model, const struct infer_request *request);
struct status request_tokens_append(const struct bert_model *model, const struct infer_request *request,
                                    struct arena *arena, struct token_list *list, void **ret_work) STATUS_MUST_CHECK;

#endif

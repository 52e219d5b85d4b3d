/* request_tokens.h: task span_logits: a request's rows of token ids are the sequences, without what its mask takes out;
 * the answer is the logits, in the shape of input_ids. */
#ifndef INFERD_BACKENDS_BERT_REQUEST_TOKENS_H
#define INFERD_BACKENDS_BERT_REQUEST_TOKENS_H

#include "backends/bert/bert_task.h"

extern const struct bert_task request_tokens_task;

#endif

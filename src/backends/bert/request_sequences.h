/* request_sequences.h: tasks classification and embedding: sequences come in as for span_logits; the answer is one
 * vector for each: the logits of labels, the mean of the last layer's rows, or the pooler's output. */
#ifndef INFERD_BACKENDS_BERT_REQUEST_SEQUENCES_H
#define INFERD_BACKENDS_BERT_REQUEST_SEQUENCES_H

#include "backends/bert/bert_task.h"

extern const struct bert_task request_sequences_classification, request_sequences_embedding;

/* Numbers of a vector of this model. */
size_t request_sequences_vector_size(const struct bert_engine *engine, enum token_vector vector);

#endif

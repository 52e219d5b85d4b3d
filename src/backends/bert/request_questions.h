/* request_questions.h: task question_answering: BYTES question and context in, the answers out. Tokenized, cut into
 * windows and put together again by src/text, as `inferd squad` does it. */
#ifndef INFERD_BACKENDS_BERT_REQUEST_QUESTIONS_H
#define INFERD_BACKENDS_BERT_REQUEST_QUESTIONS_H

#include "backends/bert/bert_task.h"

/* Outputs are [rows, n]: answer BYTES, score FP32 (probability among the ranked answers, best first), start and end
 * INT32 (Unicode code points of the context, end exclusive). n is the request's parameter n_best, 1 ..
 * QUESTION_N_BEST, else the config's. "No answer", and what is missing up to n, is the empty text with start and end
 * -1; missing ones have score 0. */
extern const struct bert_task request_questions_task;

#endif

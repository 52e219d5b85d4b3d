/* bert_backend.h: serves BERT models by our own engine (engine/bert_engine.h).
 *
 * A version folder holds a checkpoint in any form that checkpoint/bert_checkpoint.h opens; `inferd export --format
 * bert` writes one. Of task span_logits: input_ids, and where the config has them input_mask, segment_ids and
 * unique_ids (which is not looked at), [batch, length] in INT32; start_logits and end_logits, [batch, length] in FP32.
 * Tokens whose mask is 0 are not computed, wherever they stand; their logits are BERT_LOGIT_OF_PADDING. Requests of any
 * lengths share a batch.
 *
 * Task question_answering: BYTES question and context in, answers out (request_questions.h). Tasks classification and
 * embedding: tokens as of span_logits in, a vector for each row out (request_sequences.h).
 *
 * Config parameters (others are refused at load):
 *   task                 span_logits, question_answering, classification, embedding
 *   inference_precision  auto, or what the instances' devices have of fp32, bf16, int8, fp16, fp8; see enum
 *                        bert_precision
 *   bf16_layers          of fp8: so many of the first layers are computed in bf16, 0 (the default) to one less than
 *                        there are
 *   instruction_set      auto, or less than the CPU has: reference, avx2, avx512, avx512_bf16
 *   short_batches        graphs, auto or persistent: see enum bert_short_batches
 *   max_batch_tokens     most tokens that are computed together, 1..65536; a batch is cut there. 1024 on the CPU, 16384
 *                        on a GPU, which computes few tokens in little less time than many
 *   max_seq_length, do_lower_case, strip_accents, tokenize_chinese_chars, vocab_hash
 *                        for clients, not looked at, but in task question_answering, whose parameters are in
 *                        question_settings.h */
#ifndef INFERD_BACKENDS_BERT_BERT_BACKEND_H
#define INFERD_BACKENDS_BERT_BERT_BACKEND_H

#include "core/backend.h"

const struct backend_ops *bert_backend(void);

/* So low that no client takes the position for an answer; as far as the additive masks of BERT's own graphs go. */
#define BERT_LOGIT_OF_PADDING (-10000.0f)

#endif

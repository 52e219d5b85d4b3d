/* bert_checkpoint.h: a BERT and the heads that stand on it, opened from any of the forms that inferd knows.
 *
 * The forms: Hugging Face (config.json + model.safetensors), TensorFlow 1 (bert_config.json + *.ckpt.index + *.data-*;
 * the variable names of Google's and NVIDIA's BERT), and "random:SEED" with a configuration (untrained, for
 * benchmarks). inferd export reads models through this; so can an engine that computes by itself. Owner: the checkpoint
 * owns the mapped files. Thread: immutable after opening, but for bert_checkpoint_keep_layers. A file that is cut short
 * while it is open reads as zeros: whoever has read weights asks bert_checkpoint_check before anything is made of them.
 */
#ifndef INFERD_CHECKPOINT_BERT_CHECKPOINT_H
#define INFERD_CHECKPOINT_BERT_CHECKPOINT_H

#include "base/status.h"
#include "checkpoint/bert_config.h"
#include "checkpoint/bert_weight.h"

struct bert_checkpoint;

/* `path`: a folder; a .safetensors file; the PREFIX of a TensorFlow checkpoint (or its .index file); or "random:SEED".
 * `config_path`: a configuration to use in place of the one beside the weights, or NULL.
 * All weights of the encoder and of the heads that there are are found, their shapes compared with the configuration
 * their checksums (where there are any) verified and all their numbers found to be finite before this returns, so that
 * reading cannot fail. Errors: NOT_FOUND tells what was looked for; INVALID_ARGUMENT lists the missing tensors, or
 * tells expected and stored shape, or where a number is not finite; the errors of the readers. */
struct status bert_checkpoint_open(const char *path, const char *config_path,
                                   struct bert_checkpoint **ret) STATUS_MUST_CHECK;
/* Whether all that was read so far was in the files. DATA_LOSS. */
struct status bert_checkpoint_check(const struct bert_checkpoint *checkpoint) STATUS_MUST_CHECK;
void bert_checkpoint_close(struct bert_checkpoint *checkpoint); /* accepts NULL */

const struct bert_config *bert_checkpoint_config(const struct bert_checkpoint *checkpoint);
/* Leaves the first `count` layers, of 1 to as many as there are, to whoever reads the checkpoint from then on: for
 * looking at a model layer by layer. Not beside other calls. */
void bert_checkpoint_keep_layers(struct bert_checkpoint *checkpoint, int64_t count);
/* The errors of bert_config_read_tokenizer: how its text is tokenized is not known then. */
struct status bert_checkpoint_check_tokenizer(const struct bert_checkpoint *checkpoint) STATUS_MUST_CHECK;
/* A classifier of tokens counts as none, and so does one without a pooler. */
bool bert_checkpoint_has(const struct bert_checkpoint *checkpoint, enum bert_head head);
/* INVALID_ARGUMENT tells which tensors are missing when the head is not there. */
struct status bert_checkpoint_require(const struct bert_checkpoint *checkpoint, enum bert_head head) STATUS_MUST_CHECK;
/* `layer` counts from 0; 0 for parts that are not in a layer. All is 0 in a weight
 * of a head that is not there. */
const struct bert_weight *bert_checkpoint_weight(const struct bert_checkpoint *checkpoint, enum bert_part part,
                                                 int64_t layer);
/* All numbers of the model together. */
int64_t bert_checkpoint_parameter_count(const struct bert_checkpoint *checkpoint);
/* For people: "Hugging Face safetensors, F16". */
const char *bert_checkpoint_form(const struct bert_checkpoint *checkpoint);
/* vocab.txt beside the weights or, for random ones, beside the configuration; NULL when there is none. */
const char *bert_checkpoint_vocab_path(const struct bert_checkpoint *checkpoint);

#endif

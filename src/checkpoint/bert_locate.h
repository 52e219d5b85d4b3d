/* bert_locate.h: finds the files of a checkpoint from what the user named. */
#ifndef INFERD_CHECKPOINT_BERT_LOCATE_H
#define INFERD_CHECKPOINT_BERT_LOCATE_H

#include "base/arena.h"
#include "base/status.h"

enum bert_form { BERT_FORM_SAFETENSORS, BERT_FORM_TENSOR_BUNDLE, BERT_FORM_RANDOM };

struct bert_files {
    enum bert_form form;
    const char *weights;   /* the .safetensors file, or the prefix of a TensorFlow checkpoint; NULL for random */
    const char *config;    /* the configuration; exists */
    const char *tokenizer; /* tokenizer_config.json beside the weights, may not exist; NULL for random */
    const char *vocab;     /* vocab.txt, or NULL when there is none */
    uint64_t seed;         /* random only */
};

/* `path` and `config_path` as bert_checkpoint_open has them. Memory from the arena. NOT_FOUND tells what was looked
 * for. */
struct status bert_locate(const char *path, const char *config_path, struct arena *arena,
                          struct bert_files *ret) STATUS_MUST_CHECK;

#endif

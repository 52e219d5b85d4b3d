/* bert_config.h: the shape of a BERT: config.json of Hugging Face, bert_config.json of Google and NVIDIA.
 *
 * Every number is range-checked, so that products of two of them fit an int64_t.
 * Source: the configuration files of google-research/bert and of Hugging Face's BertConfig (names and defaults).
 */
#ifndef INFERD_CHECKPOINT_BERT_CONFIG_H
#define INFERD_CHECKPOINT_BERT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

/* The gaussian error linear unit, exact (with erf) or by its tanh approximation. */
enum bert_activation { BERT_GELU_ERF, BERT_GELU_TANH };

/* A switch that many files do not set. */
enum bert_setting { BERT_NOT_SET, BERT_ON, BERT_OFF };

/* What is done to a text before it is split into words, by the names of Hugging Face's tokenizer. */
struct bert_tokenizer {
    enum bert_setting do_lower_case;
    enum bert_setting strip_accents;          /* not set: as the case is lowered */
    enum bert_setting tokenize_chinese_chars; /* not set: on */
};

struct bert_config {
    int64_t vocab_size;
    int64_t hidden_size; /* a multiple of head_count */
    int64_t layer_count;
    int64_t head_count;
    int64_t intermediate_size;
    int64_t position_count; /* longest sequence, in tokens */
    int64_t type_count;     /* segments */
    int64_t label_count;    /* of the classifier; no file tells it reliably: the checkpoint's tensor does. 0: none */
    bool labels_tokens;     /* the classifier is one of tokens, not of sequences */
    double layer_norm_eps;
    enum bert_activation activation;
    struct bert_tokenizer tokenizer;
};

/* Reads the JSON text. `file_name` is for messages. INVALID_ARGUMENT tells field, range and value; UNSUPPORTED a kind
 * of model, activation or position embedding that this program does not have. */
struct status bert_config_parse(struct slice json, const char *file_name, struct bert_config *ret) STATUS_MUST_CHECK;
/* The same from a file. */
struct status bert_config_read(const char *path, struct bert_config *ret) STATUS_MUST_CHECK;
/* Sets what is not set yet as Hugging Face's tokenizer_config.json says, which may not be there. A file that tells of
 * accents and not of the case means its writer's default, which is to lower it. Errors, with `tokenizer` as it was: the
 * file cannot be read, is not JSON, or one of the three is no boolean. */
struct status bert_config_read_tokenizer(const char *path, struct bert_tokenizer *tokenizer) STATUS_MUST_CHECK;

#endif

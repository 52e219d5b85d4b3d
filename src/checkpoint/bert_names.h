/* bert_names.h: what each tensor of a BERT is called and how it is shaped in the two families of checkpoints. */
#ifndef INFERD_CHECKPOINT_BERT_NAMES_H
#define INFERD_CHECKPOINT_BERT_NAMES_H

#include "checkpoint/bert_config.h"
#include "checkpoint/bert_weight.h"

enum bert_family { BERT_HUGGING_FACE, BERT_TENSORFLOW };

enum { BERT_NAME_SIZE = 128, BERT_NAME_CANDIDATES = 4 };

/* Names that a part may have, the usual one first: with and without the model's prefix, old names of LayerNorm. */
struct bert_names {
    size_t count;
    char items[BERT_NAME_CANDIDATES][BERT_NAME_SIZE];
};
struct bert_names bert_names_of(enum bert_family family, enum bert_part part, int64_t layer);

/* Whether the part appears once per layer. */
bool bert_part_is_per_layer(enum bert_part part);
/* The head that the part belongs to; BERT_HEAD_COUNT for the encoder's own. */
enum bert_head bert_part_head(enum bert_part part);
/* A weight with its sizes and stored layout filled in. Its origin is that of an untrained model: random numbers for
 * tables and kernels, the constants 1 for LayerNorm's gamma and 0 for beta and biases. */
struct bert_weight bert_part_describe(enum bert_family family, enum bert_part part, const struct bert_config *config);

#endif

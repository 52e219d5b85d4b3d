/* bert_weight.h: one tensor of a BERT, by its role, whatever file it comes from, and reading it as floats piece by
 * piece.
 *
 * Owner: a weight borrows from the checkpoint that gave it. Thread: immutable, any thread may read.
 */
#ifndef INFERD_CHECKPOINT_BERT_WEIGHT_H
#define INFERD_CHECKPOINT_BERT_WEIGHT_H

#include "checkpoint/weight.h"

enum bert_part {
#define BERT_PART(name, scope, kind, rows, columns, hf, tf) BERT_##name,
#include "checkpoint/bert_parts.def"
#undef BERT_PART
    BERT_PART_COUNT
};

/* What may stand on the encoder. A checkpoint has any of them, or none; SPAN gives the logits of an answer's start and
 * end for each token, POOLER tanh of a matrix times a sequence's first row, CLASSIFIER the logits of labels from that.
 */
enum bert_head { BERT_HEAD_SPAN, BERT_HEAD_POOLER, BERT_HEAD_CLASSIFIER, BERT_HEAD_COUNT };

/* How a matrix lies in memory, row by row: one row per output (Hugging Face, x * W^T) or per input (TensorFlow, x * W).
 * Tables and vectors have BERT_OUT_IN: rows are entries of the table; a vector of n numbers is n rows of one. */
enum bert_layout { BERT_OUT_IN, BERT_IN_OUT };

/* Where the numbers come from. */
enum bert_origin { BERT_FROM_FILE, BERT_FROM_RANDOM, BERT_FROM_CONSTANT };

struct bert_weight {
    struct slice name;       /* in the checkpoint; for random ones the Hugging Face name */
    int64_t outputs, inputs; /* of a table: rows, columns; of a vector: n, 1 */
    int rank;                /* 1 for a vector, else 2 */
    bool is_matrix;          /* may be asked for in either layout */
    enum bert_layout layout; /* as stored */
    enum bert_origin origin;
    enum weight_type type; /* as stored */
    struct slice bytes;    /* BERT_FROM_FILE: as stored */
    float largest;         /* BERT_FROM_FILE: the largest magnitude among the numbers; all are finite */
    uint64_t key;          /* BERT_FROM_RANDOM */
    float constant;        /* BERT_FROM_CONSTANT */
};

/* Rows and columns of the weight in a layout. */
int64_t bert_weight_rows(const struct bert_weight *weight, enum bert_layout layout);
int64_t bert_weight_columns(const struct bert_weight *weight, enum bert_layout layout);

/* Rows first .. first + count - 1 of the weight in `layout` (for what is no matrix: BERT_OUT_IN) as floats. */
void bert_weight_read(const struct bert_weight *weight, enum bert_layout layout, int64_t first, int64_t count,
                      float *ret);

/* The floats in place, without a copy, when the file holds them so (float, this layout, aligned); else NULL. */
const float *bert_weight_view(const struct bert_weight *weight, enum bert_layout layout);

#endif

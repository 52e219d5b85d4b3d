#include "checkpoint/bert_weight.h"

#include "checkpoint/random_checkpoint.h"

enum { RUN_MAX = 256 }; /* columns that one step of a transposition reads */

int64_t bert_weight_rows(const struct bert_weight *weight, enum bert_layout layout) {
    return layout == BERT_OUT_IN ? weight->outputs : weight->inputs;
}

int64_t bert_weight_columns(const struct bert_weight *weight, enum bert_layout layout) {
    return layout == BERT_OUT_IN ? weight->inputs : weight->outputs;
}

/* `count` numbers from position `first`, in stored order. */
static void read_run(const struct bert_weight *weight, int64_t first, int64_t count, float *ret) {
    switch (weight->origin) {
    case BERT_FROM_FILE:
        weight_to_float(weight->type, weight->bytes.data + (size_t)first * weight_type_size(weight->type),
                        (size_t)count, ret);
        break;
    case BERT_FROM_RANDOM:
        random_checkpoint_fill(weight->key, (uint64_t)first, (size_t)count, ret);
        break;
    case BERT_FROM_CONSTANT:
        for (int64_t i = 0; i < count; i++)
            ret[i] = weight->constant;
        break;
    }
}

/* Reads columns first .. first + count - 1 as stored, and lays each down as a row. */
static void read_transposed(const struct bert_weight *weight, int64_t first, int64_t count, float *ret) {
    int64_t rows = bert_weight_rows(weight, weight->layout);
    int64_t columns = bert_weight_columns(weight, weight->layout);
    float run[RUN_MAX];
    for (int64_t done = 0; done < count; done += RUN_MAX) {
        int64_t step = count - done < RUN_MAX ? count - done : RUN_MAX;
        for (int64_t row = 0; row < rows; row++) {
            read_run(weight, row * columns + first + done, step, run);
            for (int64_t i = 0; i < step; i++)
                ret[(done + i) * rows + row] = run[i];
        }
    }
}

void bert_weight_read(const struct bert_weight *weight, enum bert_layout layout, int64_t first, int64_t count,
                      float *ret) {
    int64_t columns = bert_weight_columns(weight, layout);
    if (layout == weight->layout)
        read_run(weight, first * columns, count * columns, ret);
    else
        read_transposed(weight, first, count, ret);
}

const float *bert_weight_view(const struct bert_weight *weight, enum bert_layout layout) {
    bool in_place = weight->origin == BERT_FROM_FILE && weight->type == WEIGHT_F32 && layout == weight->layout &&
                    (uintptr_t)weight->bytes.data % _Alignof(float) == 0;
    return in_place ? (const float *)(const void *)weight->bytes.data : NULL;
}

/* session_room.h: all memory that computing one batch takes, laid out when the session is made. */
#ifndef INFERD_ENGINE_MODEL_SESSION_ROOM_H
#define INFERD_ENGINE_MODEL_SESSION_ROOM_H

#include "base/status.h"
#include "checkpoint/bert_config.h"
#include "engine/kernels/kernels.h"

enum {
    ROW_BLOCK = 96,   /* most rows that one thread takes through a layer at a time, so that they stay in L2 */
    QUERY_BLOCK = 24, /* queries that are weighed against a sequence at a time: their scores stay in L1 */
};

/* What a thread needs for itself. */
struct worker_room {
    struct kernel_rows input;        /* [ROW_BLOCK][H] what a GEMM reads, where that is not x or the context itself */
    struct kernel_rows intermediate; /* [ROW_BLOCK][I] */
    struct kernel_rows quantised;    /* [ROW_BLOCK][I] the same in int8 */
    void *keys, *values;             /* panels of one head of one sequence */
    struct kernel_rows scores;       /* [QUERY_BLOCK][L] */
    struct kernel_rows weights;      /* [QUERY_BLOCK][L]; in float the scores themselves */
    float *inverse_sums;             /* [QUERY_BLOCK] */
};

struct session_room {
    size_t max_tokens, max_length;      /* of a batch, of a sequence */
    struct kernel_rows x;               /* [T][H] F32: the residual stream */
    struct kernel_rows query_key_value; /* [T][3H] */
    struct kernel_rows context;         /* [T][H] */
    struct worker_room *workers;
    int worker_count;
    char *block;
    size_t block_size;
};

/* `format` of the matrices. Activations between GEMMs are float with KERNEL_F32, else bf16. RESOURCE_EXHAUSTED. */
struct status session_room_create(const struct bert_config *config, enum kernel_format format, size_t max_tokens,
                                  int worker_count, struct session_room *ret) STATUS_MUST_CHECK;
void session_room_free(struct session_room *room);

#endif

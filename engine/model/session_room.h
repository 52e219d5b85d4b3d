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
    float *key_scales, *key_sums;    /* [L] where keys are int8 */
    float *value_scales;             /* [D] where values are int8 */
    struct kernel_rows queries;      /* [QUERY_BLOCK][D] where keys are int8; else their format alone */
    struct kernel_rows scores;       /* [QUERY_BLOCK][L] */
    struct kernel_rows weights;      /* [QUERY_BLOCK][L]; in float the scores themselves; values have its format */
    float *inverse_sums;             /* [QUERY_BLOCK] */
};

/* For pooler and classifier; only where the model has a pooler. */
struct head_room {
    struct kernel_rows firsts, pooled; /* [ROW_BLOCK][H] F32 */
    struct kernel_rows labels;         /* [ROW_BLOCK][labels] F32 */
};

struct session_room {
    size_t max_tokens, max_length;      /* of a batch, of a sequence */
    struct kernel_rows x;               /* [T][H] F32: the residual stream */
    struct kernel_rows query_key_value; /* [T][3H] */
    struct kernel_rows context;         /* [T][H] */
    struct head_room heads;
    struct worker_room *workers;
    int worker_count;
    char *block;
    size_t block_size;
};

/* What the room is for. Activations between GEMMs are float when `format` of the matrices is KERNEL_F32, else bf16. */
struct session_plan {
    const struct bert_config *config;
    enum kernel_format format;
    bool has_pooler;
    size_t max_tokens;
    int worker_count;
};

/* RESOURCE_EXHAUSTED. */
struct status session_room_create(const struct session_plan *plan, struct session_room *ret) STATUS_MUST_CHECK;
void session_room_free(struct session_room *room);

#endif

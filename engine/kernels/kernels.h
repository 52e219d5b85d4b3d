/* kernels.h: the operations that a forward pass is made of, as one table of functions per instruction set.
 *
 * kernels_reference.c has each in plain C; the others are checked against it. Who may use which table is the business
 * of cpu_features.h. Nothing here allocates, takes a lock or fails: the caller has checked sizes and made room.
 *
 * Every kernel works on rows, and what it makes of a row does not depend on the rows beside it: sums run over a row's
 * own numbers in an order that only the row's length decides. So an answer is the same, bit by bit, in every batch.
 *
 * Letters in comments on shapes: T tokens of a batch, H hidden size, D size of a head, L tokens of a sequence.
 */
#ifndef INFERD_ENGINE_KERNELS_KERNELS_H
#define INFERD_ENGINE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What GEMMs multiply. A row of either operand is a run of 32-bit words: one float, two bf16 or four bytes (activations
 * unsigned, weights signed); a row whose length does not fill its last word is filled up with zeros. */
enum kernel_format { KERNEL_F32, KERNEL_BF16, KERNEL_INT8, KERNEL_FORMAT_COUNT };

enum {
    KERNEL_PANEL = 48, /* columns of a panel of weights */
    KERNEL_TILE = 8,   /* rows that share what is loaded of a panel */
    KERNEL_ALIGN = 64, /* of packed matrices and rows of activations, in bytes */
};

/* Rows of activations in one of the formats. `stride` in bytes, a multiple of KERNEL_ALIGN. */
struct kernel_rows {
    void *data;
    size_t stride;
    enum kernel_format format;
    struct kernel_quant *quant; /* KERNEL_INT8: one per row */
};

/* Numbers of a row that lie closer together than this are 0 in bytes: their scale would have no inverse in a float. */
#define KERNEL_LEAST_RANGE 1e-35f
/* A column of values is taken for at least so large where its scale's inverse is made, for the same reason. */
#define KERNEL_LEAST_VALUE 1e-30f

/* An int8 row: number = scale * (byte - zero). */
struct kernel_quant {
    float scale, zero;
};

/* A matrix [columns of outputs][words of inputs] cut into panels of 48 outputs: word k of all 48, then word k + 1, ...;
 * outputs that fill up the last panel are zero. Vectors are as long as the panels together. */
struct kernel_matrix {
    const void *panels;
    size_t words, columns;
    enum kernel_format format;
    const float *bias;         /* or NULL */
    const float *column_scale; /* KERNEL_INT8: number = column_scale * byte */
    const float *column_sum;   /* KERNEL_INT8: sum of a column's bytes */
};

enum kernel_epilogue {
    KERNEL_STORE,     /* c = a * b + bias */
    KERNEL_SCALE,     /* c = row_scale * a * b + bias; KERNEL_INT8: the bytes of a are its numbers, without `quant` */
    KERNEL_GELU_ERF,  /* c = gelu(a * b + bias) */
    KERNEL_GELU_TANH, /* the same by the tanh approximation */
    KERNEL_ADD,       /* c += a * b + bias; c is KERNEL_F32 */
};

struct kernel_gemm {
    struct kernel_rows a;
    const struct kernel_matrix *b;
    struct kernel_rows
        c; /* KERNEL_F32 or KERNEL_BF16; columns in full words of 64 bytes may be written past the last */
    size_t rows;
    enum kernel_epilogue epilogue;
    const float *row_scale; /* KERNEL_SCALE: one for each row */
    const void *next;       /* the panels that are read after b, whose first come into the cache meanwhile; or NULL */
};

struct kernel_norm {
    float *x;                /* [rows][H], normalised in place */
    size_t x_stride;         /* bytes */
    struct kernel_rows copy; /* the same in the format of the next GEMM; data NULL: none */
    const float *gamma, *beta;
    size_t rows, columns;
    float epsilon;
};

/* Scores of one query block against a whole sequence, turned into weights that still lack the division by their sum:
 * 2^(score - the whole number nearest to the row's largest), in int8 255 * 2^(score - the row's largest), rounded. In
 * int8 the sum is that of the bytes. */
struct kernel_softmax {
    float *scores;              /* [rows][L]; base-2 logarithms; changed; int8: up to 3 behind a row's last too */
    size_t scores_stride;       /* bytes */
    struct kernel_rows weights; /* KERNEL_F32 (may be the scores themselves), else filled up to whole words */
    float *inverse_sums;
    size_t rows, columns;
};

/* Packs part of an activation matrix as the second operand of a GEMM. */
struct kernel_pack {
    struct kernel_rows from; /* KERNEL_F32 or KERNEL_BF16 */
    size_t rows, columns;
    void *panels;        /* with room for those of `from`'s format, whatever is made */
    float *column_scale; /* from KERNEL_BF16: makes int8 panels, with the scale of each of their columns; or NULL */
    float *column_sum;   /* pack_outputs: and the sum of its bytes */
};

/* In int8, weights and values of attention have the bytes of a word a quarter of the row apart: with W words, word w is
 * of the tokens w, W + w, 2W + w, 3W + w. So vectors of four quarters become words lane by lane. */

struct kernels {
    const char *name;
    void (*gemm[KERNEL_FORMAT_COUNT])(const struct kernel_gemm *gemm); /* by the format of a and b */
    void (*layer_norm)(const struct kernel_norm *norm);
    void (*softmax)(const struct kernel_softmax *softmax);
    /* Rows of floats or bf16 to int8, each by the scale that its smallest and largest number give. */
    void (*quantise)(const struct kernel_rows *from, const struct kernel_rows *to, size_t rows, size_t columns);
    /* rows become the outputs (keys: [L][D] for Q * K^T), or the inputs (values: [L][D] for P * V). */
    void (*pack_outputs)(const struct kernel_pack *pack);
    void (*pack_inputs)(const struct kernel_pack *pack);
    /* Two dot products a row, with bias: the span head. */
    void (*span)(const float *x, size_t x_stride, size_t rows, size_t columns, const float *weights,
                 const float bias[2], float *starts, float *ends);
};

extern const struct kernels kernels_reference;
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
extern const struct kernels kernels_avx512_bf16;

static inline size_t kernel_word_count(enum kernel_format format, size_t columns) {
    static const size_t per_word[KERNEL_FORMAT_COUNT] = {1, 2, 4};
    return (columns + per_word[format] - 1) / per_word[format];
}
static inline size_t kernel_panel_count(size_t columns) {
    return (columns + KERNEL_PANEL - 1) / KERNEL_PANEL;
}
/* Bytes of the panels of a matrix. */
static inline size_t kernel_panels_size(size_t columns, size_t words) {
    return kernel_panel_count(columns) * KERNEL_PANEL * words * 4;
}
static inline void *kernel_row(const struct kernel_rows *rows, size_t row) {
    return (char *)rows->data + row * rows->stride;
}
/* The rows from `row` on. */
static inline struct kernel_rows kernel_rows_from(const struct kernel_rows *rows, size_t row) {
    struct kernel_rows rest = *rows;
    rest.data = kernel_row(rows, row);
    rest.quant = rows->quant ? rows->quant + row : NULL;
    return rest;
}

#endif

/* tensor.h: a named, typed, shaped run of bytes, wherever the bytes live.
 *
 * Binary form everywhere: little-endian, row-major, unpadded; a BYTES element is a 4-byte little-endian length and
 * then that many bytes (source: KServe v2 binary tensor extension).
 */
#ifndef INFERD_CORE_TENSOR_H
#define INFERD_CORE_TENSOR_H

#include <stdint.h>

#include "base/status.h"
#include "core/datatype.h"

enum { TENSOR_RANK_MAX = 16 };

/* Who keeps the bytes alive, and where they are. */
enum memory_kind {
    MEMORY_REQUEST, /* the request's (or response's) arena or body buffer */
    MEMORY_SHARED,  /* a client's shared memory, kept by the request; its bytes may change at any time */
    MEMORY_DEVICE   /* a client's memory on a GPU, named by `part`; of a request until its bytes are copied */
};

/* A part of a client's shared memory, as a request names it (shared_memory.h). */
struct memory_part {
    struct slice region; /* empty: none is named */
    uint64_t offset, size;
    const struct shared_memory_region *found; /* set by submission until the final response */
};

struct tensor {
    struct slice name; /* borrowed from the request's memory */
    enum datatype type;
    int rank;                       /* 0..TENSOR_RANK_MAX */
    int64_t shape[TENSOR_RANK_MAX]; /* with the batch dimension in front, where the model batches */
    struct slice data;              /* binary form; for MEMORY_DEVICE nothing yet */
    enum memory_kind memory;
    int device;              /* 0: nothing sets it yet */
    struct memory_part part; /* where the data of an input lies, for submission to find it */
};

/* Product of the dims; INVALID_ARGUMENT on a negative dim or overflow of int64. */
struct status shape_element_count(const int64_t *shape, int rank, int64_t *ret) STATUS_MUST_CHECK;
/* Bytes that a tensor of a fixed-size type takes; INVALID_ARGUMENT on a negative dim or overflow. 0 for BYTES. */
struct status tensor_fixed_size(enum datatype type, const int64_t *shape, int rank, size_t *ret) STATUS_MUST_CHECK;
/* Checks that data.size is what type and shape need; for BYTES walks the length prefixes, except in memory that
 * others may change or that is not ours to read. Errors name the tensor and tell expected and got. */
struct status tensor_check_size(const struct tensor *tensor) STATUS_MUST_CHECK;
/* "[2,128]" into text; cut when it does not fit. */
void shape_format(const int64_t *shape, int rank, char *text, size_t size);

#endif

/* cublas_library.h: cuBLASLt, opened when the first engine for a GPU is made: the program neither needs it to be built
 * nor to start. What the engine uses of it is declared here, so that its headers need not be there either.
 *
 * Source: the cuBLASLt API reference, releases 12 and 13 (the values of a release do not change).
 * Thread: any.
 */
#ifndef INFERD_ENGINE_CUDA_CUBLAS_LIBRARY_H
#define INFERD_ENGINE_CUDA_CUBLAS_LIBRARY_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct cublas_handle;
struct cublas_operation;  /* what is multiplied how */
struct cublas_layout;     /* type and shape of one matrix */
struct cublas_preference; /* what an algorithm may use */

enum { CUBLAS_COMPUTE_FLOAT = 68, CUBLAS_TRANSPOSED = 1 };
enum cublas_operation_attribute {
    CUBLAS_TRANSPOSE_A = 3, /* int32_t */
    CUBLAS_TRANSPOSE_B = 4, /* int32_t */
    CUBLAS_EPILOGUE = 7,    /* uint32_t */
    CUBLAS_BIAS = 8,        /* pointer to the device */
    CUBLAS_SCALE_A = 17,    /* pointers to a float on the device */
    CUBLAS_SCALE_B = 18,
    CUBLAS_SCALE_D = 20,
    CUBLAS_FAST_ACCUMULATE = 25, /* int8_t */
    CUBLAS_BIAS_TYPE = 26,       /* int32_t, cudaDataType */
};
enum { CUBLAS_EPILOGUE_BIAS = 4, CUBLAS_EPILOGUE_GELU_BIAS = 36 };
enum { CUBLAS_LAYOUT_COLUMNS = 3 };       /* uint64_t */
enum { CUBLAS_PREFERENCE_WORKSPACE = 1 }; /* uint64_t */

struct cublas_algorithm {
    uint64_t data[8];
};

struct cublas_candidate {
    struct cublas_algorithm algorithm;
    size_t workspace_size;
    int state; /* 0: usable */
    float wave_count;
    int reserved[4];
};

/* Results are cublasStatus_t: 0 is success. */
struct cublas_library {
    int (*create)(struct cublas_handle **ret);
    int (*destroy)(struct cublas_handle *handle);
    size_t (*get_version)(void);
    const char *(*status_string)(int status);
    int (*operation_create)(struct cublas_operation **ret, int compute_type, int scale_type);
    int (*operation_destroy)(struct cublas_operation *operation);
    int (*operation_set)(struct cublas_operation *operation, int attribute, const void *value, size_t size);
    int (*layout_create)(struct cublas_layout **ret, int type, uint64_t rows, uint64_t columns, int64_t stride);
    int (*layout_destroy)(struct cublas_layout *layout);
    int (*layout_set)(struct cublas_layout *layout, int attribute, const void *value, size_t size);
    int (*preference_create)(struct cublas_preference **ret);
    int (*preference_destroy)(struct cublas_preference *preference);
    int (*preference_set)(struct cublas_preference *preference, int attribute, const void *value, size_t size);
    int (*heuristic)(struct cublas_handle *handle, struct cublas_operation *operation, struct cublas_layout *a,
                     struct cublas_layout *b, struct cublas_layout *c, struct cublas_layout *d,
                     struct cublas_preference *preference, int wanted, struct cublas_candidate *ret, int *ret_count);
    int (*multiply)(struct cublas_handle *handle, struct cublas_operation *operation, const void *alpha, const void *a,
                    struct cublas_layout *a_layout, const void *b, struct cublas_layout *b_layout, const void *beta,
                    const void *c, struct cublas_layout *c_layout, void *d, struct cublas_layout *d_layout,
                    const struct cublas_algorithm *algorithm, void *workspace, size_t workspace_size,
                    cudaStream_t stream);
};

/* The library of the CUDA release that the engine was compiled with. UNAVAILABLE: there is none, or it lacks a
 * function; the message tells where it was looked for. */
struct status cublas_library_open(struct cublas_library *ret) STATUS_MUST_CHECK;
/* UNAVAILABLE with the library's own words; `what` was tried. */
struct status cublas_status(const struct cublas_library *library, int status, const char *what);

#endif

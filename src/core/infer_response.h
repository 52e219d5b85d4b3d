/* infer_response.h: one answer to an inference: an error, or output tensors.
 *
 * Owner: who receives it through on_response, and destroys it after use. Output bytes live in the response's own memory
 * (infer_response_add_output), or point into memory that a release callback frees. */
#ifndef INFERD_CORE_INFER_RESPONSE_H
#define INFERD_CORE_INFER_RESPONSE_H

#include "base/arena.h"
#include "core/tensor.h"

struct requested_output;

struct infer_response {
    struct arena *arena;     /* owned; names and small things */
    struct status status;    /* when not OK there are no outputs */
    bool final;              /* the last one of its request */
    bool empty;              /* final only: announces the end and carries nothing (backend_finish) */
    struct slice model_name; /* both point into arena */
    int64_t model_version;
    struct infer_parameter *parameters; /* such as sequence_id, given back by a backend */
    size_t parameter_count;
    struct tensor *outputs; /* room for output_capacity */
    size_t output_count, output_capacity;
    bool borrows;                     /* bytes of outputs lie in the request's memory (infer_response_add_copy) */
    void (*release_data)(void *user); /* frees output memory that is not in the arena; may be NULL */
    void *release_user;

    /* The core's own. */
    const struct requested_output *requested; /* the request's, for outputs with a destination */
    size_t requested_count;
    uint64_t created_ns;         /* of decoupled models: when the outputs began to be made */
    struct infer_response *next; /* link of a list of responses that wait for delivery */
    bool reserved;               /* lives in its request's memory (infer_response_create_error) */
};

struct infer_request;

/* A response for `request` with room for its model's outputs. NULL when memory is short. */
struct infer_response *infer_response_create(const struct infer_request *request, size_t output_capacity);
/* An error response. Never NULL: when memory is short it lives in the request's memory, so destroy it before the
 * request; a request can have one such response only. */
struct infer_response *infer_response_create_error(struct infer_request *request, struct status status);
void infer_response_destroy(struct infer_response *response); /* accepts NULL */
/* Adds an output with room for `size` bytes of data: in the response's arena, or where the request wants it
 * (MEMORY_SHARED: write once and do not read, and do not look at the data after the final response). RESOURCE_EXHAUSTED
 * when memory is short; INTERNAL when the request's own place for it is too small. */
struct status infer_response_add_output(struct infer_response *response, struct slice name, enum datatype type,
                                        const int64_t *shape, int rank, size_t size, char **ret_data) STATUS_MUST_CHECK;

/* Adds an output that has the type, shape and bytes of a tensor of the request. The bytes are not copied, if they are
 * the request's own for as long as it is there (it uses no shared memory). Errors as above. */
struct status infer_response_add_copy(struct infer_response *response, const struct infer_request *request,
                                      struct slice name, const struct tensor *tensor) STATUS_MUST_CHECK;

/* The requested output of that name, if it is to lie in a part of memory; NULL: in the response. */
const struct requested_output *infer_response_part(const struct infer_response *response, struct slice name);

#endif

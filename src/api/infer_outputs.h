/* infer_outputs.h: which outputs of a response the client gets, in the form that it asked for; the same for both
 * protocols. */
#ifndef INFERD_API_INFER_OUTPUTS_H
#define INFERD_API_INFER_OUTPUTS_H

#include "core/infer_request.h"

struct infer_output {
    struct tensor tensor;                     /* of the response, or its classes; in shared memory: without data */
    const struct requested_output *requested; /* NULL: the client named no outputs */
    struct infer_parameter parameters[3];     /* where it lies in shared memory, for those who may tell it */
    size_t parameter_count;
};

/* The wanted outputs in the model's order, classified where that was asked for. Memory is the response's. */
struct status infer_outputs_select(const struct infer_request *request, const struct infer_response *response,
                                   struct infer_output **ret, size_t *ret_count) STATUS_MUST_CHECK;

/* The last output's bytes, if they are many enough that they should end the answer as they lie there (infer_call_tail);
 * else an empty slice. */
struct slice infer_outputs_tail(struct slice last);

#endif

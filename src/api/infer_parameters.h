/* infer_parameters.h: the meaning of request parameters, the same for HTTP and gRPC.
 *
 * Well-known ones land in the request's own fields: sequence_id, sequence_start, sequence_end, priority, and timeout
 * (microseconds, which becomes the deadline if it is the earlier one; its passing is told as UNAVAILABLE, as Triton
 * does; a negative one is none). Names that begin with "triton_", and "headers", are reserved and refused.
 * All others are the model's own and are kept. Source: KServe v2 parameters extension and Triton's schedule policy,
 * classification and shared-memory extensions. */
#ifndef INFERD_API_INFER_PARAMETERS_H
#define INFERD_API_INFER_PARAMETERS_H

#include "core/infer_request.h"

enum { SEQUENCE_ID_MAX = 128 }; /* bytes of one that is a string; Triton's bound */

/* Room for `count` parameters in request->parameters. */
struct status infer_parameters_reserve(struct infer_request *request, size_t count) STATUS_MUST_CHECK;
/* Takes one parameter; its slices must live as long as the request. `now_ns` (monotonic) is when a timeout begins.
 * INVALID_ARGUMENT names the parameter, what was expected and got; UNSUPPORTED: a sequence_id of more than
 * SEQUENCE_ID_MAX bytes. */
struct status infer_parameters_apply(struct infer_request *request, const struct infer_parameter *parameter,
                                     uint64_t now_ns) STATUS_MUST_CHECK;
/* True for names that mean something to the server, or are kept for it: none of the model's own. */
bool infer_parameter_is_reserved(struct slice name);
/* "the integer -3", for messages. */
void infer_parameter_describe(const struct infer_parameter *parameter, char *text, size_t size);
/* The value as a number of 0 or more; false for other kinds and negative ones. */
bool infer_parameter_as_u64(const struct infer_parameter *parameter, uint64_t *ret);

/* What may stand in the parameters of an input or a requested output, besides what one protocol alone knows. Names that
 * mean nothing there are ignored, as the protocol wants, whatever their values: so is classification of an input. */
struct tensor_parameters {
    bool of_output;          /* whose they are; set it first */
    uint64_t classification; /* top-k; 0: not asked for */
    struct memory_part
        part; /* shared_memory_region, _offset and _byte_size; its text lives as long as the parameter's */
    bool has_offset, has_size;
};
bool tensor_parameter_is_known(const struct tensor_parameters *parameters, struct slice name);
/* The index in its list is for messages: "inputs[1]". */
struct status tensor_parameters_apply(struct tensor_parameters *parameters, const struct infer_parameter *parameter,
                                      size_t index) STATUS_MUST_CHECK;
/* After the last one: whether they go together. */
struct status tensor_parameters_check(const struct tensor_parameters *parameters, size_t index) STATUS_MUST_CHECK;

#endif

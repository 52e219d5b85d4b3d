/* sequence_output.h: an output in which identity tells what sequence a request belongs to, for clients of protocols
 * that have no response parameters: the config's parameter sequence_output names the last output, UINT64 with dims [2],
 * that gets the correlation id (0: none, or not a number) and the flags (enum sequence_flags) in each batch entry. */
#ifndef INFERD_BACKENDS_IDENTITY_SEQUENCE_OUTPUT_H
#define INFERD_BACKENDS_IDENTITY_SEQUENCE_OUTPUT_H

#include "core/infer_request.h"
#include "core/model_config.h"

#define SEQUENCE_OUTPUT_PARAMETER "sequence_output"

/* The output, or NULL where the config has no such parameter. INVALID_ARGUMENT when it is not as described above. */
struct status sequence_output_find(const struct model_config *config,
                                   const struct model_output **ret) STATUS_MUST_CHECK;
/* Adds it to a response, if the request wants it. */
struct status sequence_output_add(const struct model_config *config, const struct model_output *output,
                                  const struct infer_request *request,
                                  struct infer_response *response) STATUS_MUST_CHECK;

#endif

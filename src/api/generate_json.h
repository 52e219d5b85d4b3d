/* generate_json.h: the JSON of the generate extension, which has one flat object for everything.
 *
 * In: members with the name of an input become that tensor: a value or a flat array of them; its datatype, and its
 * shape but for one variable dimension, are the config's, with batch 1. `id` is the request's. All other members, and
 * those of the object `parameters`, are request parameters. Out: id, model_name, model_version, the response's
 * parameters and its outputs, each under its name. Source: Triton's generate extension. Thread: none of its own. */
#ifndef INFERD_API_GENERATE_JSON_H
#define INFERD_API_GENERATE_JSON_H

#include "base/buf.h"
#include "core/infer_request.h"
#include "core/model_config.h"

/* Fills the request; all is copied into its arena. `now_ns` is when a timeout begins. INVALID_ARGUMENT names the
 * member. */
struct status generate_json_decode(struct slice json, const struct model_config *config, uint64_t now_ns,
                                   struct infer_request *request) STATUS_MUST_CHECK;
/* Appends the object. */
struct status generate_json_encode(const struct infer_request *request, const struct infer_response *response,
                                   struct buf *out) STATUS_MUST_CHECK;

#endif

/* request_validation.h: does a request fit its model? Names, datatypes, shapes, batch size, byte sizes and wanted
 * outputs, against the config; and the config's reshape, both ways.
 *
 * Error texts are Triton's where it has one, since clients' users know them. Pure functions of their arguments. */
#ifndef INFERD_CORE_REQUEST_VALIDATION_H
#define INFERD_CORE_REQUEST_VALIDATION_H

#include "core/infer_request.h"
#include "core/model_config.h"

/* Of an output that is requested several times the first is kept, as with Triton; before anything else looks at them.
 */
void request_drop_repeated_outputs(const struct model_config *config, struct infer_request *request);

/* INVALID_ARGUMENT tells what was expected and got; *ret_items is the batch dimension (1 when the model does not
 * batch). Cost: inputs of the request times inputs of the model, and a walk over BYTES tensors. */
struct status request_validate(const struct model_config *config, const struct infer_request *request,
                               uint32_t *ret_items) STATUS_MUST_CHECK;

/* A number that is equal for requests whose inputs a backend can join along the batch dimension: same inputs, same
 * shapes behind it. `seed` is secret, so that clients cannot make different shapes collide. For validated requests. */
uint64_t request_shape_key(const struct model_config *config, const struct infer_request *request, uint64_t seed);

/* Gives the inputs the shapes that the engine sees (`reshape` in the config), or takes them back. For validated
 * requests. */
void request_reshape_inputs(const struct model_config *config, struct infer_request *request);
void request_restore_inputs(const struct model_config *config, struct infer_request *request);
/* From the engine's output shapes to the config's. INTERNAL when a shape is not the one that the config tells. */
struct status response_reshape_outputs(const struct model_config *config,
                                       struct infer_response *response) STATUS_MUST_CHECK;

#endif

/* response_plan.h: how many responses identity makes to a request of a decoupled model, when, and how it ends. The
 * config's parameters say it for all requests, and a request's own parameters of the same names for itself:
 *
 *   responses             how many, 0 to 100000 (1)
 *   response_delay_ms     pause before each, 0 to 600000 (0)
 *   fail_after_responses  so many, then an error in place of the rest (never)
 *   separate_final        "true": the end is told by itself, and not with the last response ("false") */
#ifndef INFERD_BACKENDS_IDENTITY_RESPONSE_PLAN_H
#define INFERD_BACKENDS_IDENTITY_RESPONSE_PLAN_H

#include "core/infer_request.h"
#include "core/model_config.h"

/* Config parameters that response_plan_parse reads. */
#define RESPONSE_PLAN_PARAMETERS "responses", "response_delay_ms", "fail_after_responses", "separate_final"

struct response_plan {
    uint32_t responses;
    uint64_t delay_ns;
    bool fails;
    uint32_t fail_after;
    bool separate_final;
};

/* From the config; INVALID_ARGUMENT for bad values, and for any where the model is not decoupled. */
struct status response_plan_parse(const struct model_config *config, struct response_plan *ret) STATUS_MUST_CHECK;
/* Changes `plan` as the request's parameters say; INVALID_ARGUMENT for bad values. */
struct status response_plan_adapt(struct response_plan *plan, const struct infer_request *request) STATUS_MUST_CHECK;

#endif

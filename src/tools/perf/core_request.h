/* core_request.h: a request in the client's words as one of the core's, for driver_in_process.c. */
#ifndef INFERD_TOOLS_PERF_CORE_REQUEST_H
#define INFERD_TOOLS_PERF_CORE_REQUEST_H

#include "client/infer_client.h"
#include "core/infer_request.h"

/* -1, the latest, for an empty version; INVALID_ARGUMENT for what is no number. */
struct status core_request_version(struct slice version, int64_t *ret) STATUS_MUST_CHECK;
/* Fills a new request. What it is made of is the caller's, so all of it is copied, as a message would copy it. Errors:
 * INVALID_ARGUMENT for parameters that a server would refuse too; RESOURCE_EXHAUSTED. */
struct status core_request_fill(const struct infer_request_spec *spec, uint64_t now_ns,
                                struct infer_request *request) STATUS_MUST_CHECK;

#endif

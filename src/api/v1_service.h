/* v1_service.h: the calls of TRTIS v1 that do not infer, without a wire: a request message in, a response message out,
 * in the form of v2_service.h. gRPC sends the messages as they are; v1_http.c makes paths and bodies of them.
 *
 * v1 answers every failure in the response's request_status; the status that these functions return is for shortage of
 * memory alone. Source: src/servers/{http_server,grpc_server}.cc of the inference server, release 1.11. */
#ifndef INFERD_API_V1_SERVICE_H
#define INFERD_API_V1_SERVICE_H

#include "api/v1_state.h"
#include "api/v2_service.h"
#include "codec/trtis_v1_messages.h"

v2_call_f v1_call_status; /* v1_status.c */
v2_call_f v1_call_health;
v2_call_f v1_call_model_control; /* blocks until done */
v2_call_f v1_call_shared_memory_control;
v2_call_f v1_call_repository;
v2_call_f v1_call_profile; /* does nothing, successfully: clients before 1.7 call it around each measurement */

/* A request_status for an outcome, with the server's id and the next request number. */
struct status v1_make_status(const struct api_context *context, const struct status *outcome, struct arena *arena,
                             struct pb_v1_request_status **ret) STATUS_MUST_CHECK;
/* Counts a call that is about to be answered. */
void v1_count_call(const struct api_context *context, enum v1_call_kind kind, uint64_t begun_ns);

#endif

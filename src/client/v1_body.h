/* v1_body.h: the messages of TRTIS v1 in the client's own words, for v1_grpc_body.c and v1_http_body.c, which put them
 * on the wire. Server's side of the same: api/v1_infer.h. Source: api.proto and server_status.proto of the inference
 * server, release 1.11. */
#ifndef INFERD_CLIENT_V1_BODY_H
#define INFERD_CLIENT_V1_BODY_H

#include "client/client_body.h"
#include "codec/trtis_v1_messages.h"

/* ---- inference ---- */

/* Describes a request's tensors; the message points into the request and the arena. INVALID_ARGUMENT for what v1 has no
 * words for: an id that is no number, classes, parameters of other names, inputs that differ in their batch. */
struct status v1_body_describe(const struct infer_request_spec *request, struct arena *arena,
                               struct pb_v1_infer_request_header *ret) STATUS_MUST_CHECK;
/* -1, the latest, for an empty version. */
struct status v1_body_version(struct slice version, int64_t *ret) STATUS_MUST_CHECK;
/* Takes an answer apart; `raw` has the bytes of each output of the header. DATA_LOSS when they disagree. */
struct status v1_body_read(const struct client_call *call, const struct pb_v1_infer_response_header *header,
                           const struct slice *raw, struct arena *arena,
                           struct client_infer_answer *ret) STATUS_MUST_CHECK;

/* ---- status ---- */

/* OK for SUCCESS; DATA_LOSS when there is none. */
struct status v1_body_outcome(const struct pb_v1_request_status *status) STATUS_MUST_CHECK;
/* Whether the version (of several: one) is ready. */
bool v1_body_model_ready(const struct pb_v1_server_status *status, struct slice model, struct slice version);
/* NOT_FOUND with the reason when no version is ready, as a server of v2 would say. */
struct status v1_body_config(const struct pb_v1_server_status *status, struct slice model,
                             struct pb_model_config *ret) STATUS_MUST_CHECK;
/* Of all models in the status; see struct infer_statistics. */
struct status v1_body_statistics(const struct pb_v1_server_status *status, struct arena *arena,
                                 struct infer_statistics **ret, size_t *ret_count) STATUS_MUST_CHECK;
/* UNSUPPORTED for what v1 has no call for. */
struct status v1_body_check_query(const struct client_query *query) STATUS_MUST_CHECK;

#endif

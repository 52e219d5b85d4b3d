/* v2_service.h: the calls of KServe v2 that ask and do not infer, without a wire: a request message in, a response
 * message out. gRPC sends the messages as they are, HTTP as JSON by the same tables, so that both always tell the same.
 *
 * Every function has this form: it reads *request, fills the zeroed *response with memory of the arena, and may pin a
 * model in *ret_pinned that the response points into; the caller releases it when the response has been written. */
#ifndef INFERD_API_V2_SERVICE_H
#define INFERD_API_V2_SERVICE_H

#include "api/context.h"

typedef struct status v2_call_f(const struct api_context *context, const void *request, struct arena *arena,
                                void *response, struct model **ret_pinned);

v2_call_f v2_call_server_live;
v2_call_f v2_call_server_ready;
v2_call_f v2_call_model_ready;
v2_call_f v2_call_server_metadata;
v2_call_f v2_call_model_metadata;
v2_call_f v2_call_model_config;
v2_call_f v2_call_model_statistics;     /* v2_statistics.c */
v2_call_f v2_call_trace_setting;        /* v2_trace.c */
v2_call_f v2_call_log_settings;         /* v2_logging.c */
v2_call_f v2_call_health_check;         /* grpc.health.v1 */
v2_call_f v2_call_system_memory_status; /* v2_shared_memory.c */
v2_call_f v2_call_system_memory_register;
v2_call_f v2_call_system_memory_unregister;
v2_call_f v2_call_cuda_memory_status;
v2_call_f v2_call_cuda_memory_register; /* these two may block; response may be NULL */
v2_call_f v2_call_cuda_memory_unregister;
v2_call_f v2_call_repository_index;      /* v2_repository.c; these three may block */
v2_call_f v2_call_repository_model_load; /* they have nothing to tell: response may be NULL */
v2_call_f v2_call_repository_model_unload;

/* Load parameters that are files begin so. */
#define V2_FILE_PREFIX "file:"

/* True for the names of settings that v2_call_trace_setting looks at; it ignores others, as the protocol wants. */
bool v2_is_trace_setting(struct slice name);
/* Ready: its models are, and it is not being stopped. */
bool v2_server_is_ready(const struct api_context *context);
/* The same for grpc.health.v1, as HealthCheckResponse.ServingStatus. */
int32_t v2_health_status(const struct api_context *context);
/* A version as clients write it: empty is -1, the latest. INVALID_ARGUMENT for anything but digits. */
struct status v2_parse_version(struct slice text, int64_t *ret) STATUS_MUST_CHECK;

#endif

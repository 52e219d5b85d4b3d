/* handlers.h: the handlers that routes.c lists. Each answers its call, at once or later. Thread: the exchange's loop.
 */
#ifndef INFERD_API_HANDLERS_H
#define INFERD_API_HANDLERS_H

#include "api/http_call.h"

void v2_health_live(struct http_call *call); /* v2_http.c */
void v2_health_ready(struct http_call *call);
void v2_model_ready(struct http_call *call);
void v2_server_metadata(struct http_call *call);
void v2_model_metadata(struct http_call *call);
void v2_model_config(struct http_call *call);
void v2_statistics(struct http_call *call);
void v2_infer_http(struct http_call *call); /* v2_infer_http.c */
void v2_generate(struct http_call *call);   /* v2_generate_http.c */
void v2_generate_stream(struct http_call *call);
void v2_trace_setting(struct http_call *call); /* v2_settings_http.c */
void v2_log_settings(struct http_call *call);
void v2_system_memory_status(struct http_call *call); /* v2_shared_memory_http.c */
void v2_system_memory_register(struct http_call *call);
void v2_system_memory_unregister(struct http_call *call);
void v2_cuda_memory_status(struct http_call *call);
void v2_cuda_memory_register(struct http_call *call);
void v2_cuda_memory_unregister(struct http_call *call);
void v2_repository_index(struct http_call *call); /* v2_repository_http.c */
void v2_repository_model_load(struct http_call *call);
void v2_repository_model_unload(struct http_call *call);
void metrics_handle(struct http_call *call); /* metrics_text.c */

void v1_http_health_live(struct http_call *call); /* v1_http.c */
void v1_http_health_ready(struct http_call *call);
void v1_http_status(struct http_call *call);
void v1_http_profile(struct http_call *call);
void v1_http_load(struct http_call *call); /* v1_control_http.c */
void v1_http_unload(struct http_call *call);
void v1_http_repository_index(struct http_call *call);
void v1_http_register_system(struct http_call *call); /* v1_shared_memory_http.c */
void v1_http_register_cuda(struct http_call *call);
void v1_http_unregister(struct http_call *call);
void v1_http_unregister_all(struct http_call *call);
void v1_http_shared_memory_status(struct http_call *call);
void v1_infer_http(struct http_call *call); /* v1_infer_http.c */

#endif

/* routes.c: everything that HTTP clients may call. Source: KServe v2 and Triton's extensions. */
#include "api/handlers.h"
#include "api/router.h"

const struct route api_routes[] = {
    /* First, as they are looked for most often. */
    {"POST", "/v2/models/{model}/infer", API_INFERENCE, v2_infer_http},
    {"POST", "/v2/models/{model}/versions/{version}/infer", API_INFERENCE, v2_infer_http},

    {"GET", "/v2/health/live", API_HEALTH, v2_health_live},
    {"GET", "/v2/health/ready", API_HEALTH, v2_health_ready},
    {"GET", "/v2", API_METADATA, v2_server_metadata},
    {"GET", "/v2/models/stats", API_STATISTICS, v2_statistics}, /* so "stats" cannot be a model's name */
    {"GET", "/v2/models/{model}", API_METADATA, v2_model_metadata},
    {"GET", "/v2/models/{model}/versions/{version}", API_METADATA, v2_model_metadata},
    {"GET", "/v2/models/{model}/ready", API_HEALTH, v2_model_ready},
    {"GET", "/v2/models/{model}/versions/{version}/ready", API_HEALTH, v2_model_ready},
    {"GET", "/v2/models/{model}/config", API_MODEL_CONFIG, v2_model_config},
    {"GET", "/v2/models/{model}/versions/{version}/config", API_MODEL_CONFIG, v2_model_config},
    {"GET", "/v2/models/{model}/stats", API_STATISTICS, v2_statistics},
    {"GET", "/v2/models/{model}/versions/{version}/stats", API_STATISTICS, v2_statistics},
    {"POST", "/v2/models/{model}/generate", API_INFERENCE, v2_generate},
    {"POST", "/v2/models/{model}/versions/{version}/generate", API_INFERENCE, v2_generate},
    {"POST", "/v2/models/{model}/generate_stream", API_INFERENCE, v2_generate_stream},
    {"POST", "/v2/models/{model}/versions/{version}/generate_stream", API_INFERENCE, v2_generate_stream},
    {"POST", "/v2/repository/index", API_MODEL_REPOSITORY, v2_repository_index},
    {"POST", "/v2/repository/{name}/index", API_MODEL_REPOSITORY, v2_repository_index},
    {"POST", "/v2/repository/models/{model}/load", API_MODEL_REPOSITORY, v2_repository_model_load},
    {"POST", "/v2/repository/models/{model}/unload", API_MODEL_REPOSITORY, v2_repository_model_unload},
    {"POST", "/v2/repository/{name}/models/{model}/load", API_MODEL_REPOSITORY, v2_repository_model_load},
    {"POST", "/v2/repository/{name}/models/{model}/unload", API_MODEL_REPOSITORY, v2_repository_model_unload},
    {"GET", "/v2/trace/setting", API_TRACE, v2_trace_setting},
    {"POST", "/v2/trace/setting", API_TRACE, v2_trace_setting},
    {"GET", "/v2/models/{model}/trace/setting", API_TRACE, v2_trace_setting}, /* never of a version */
    {"POST", "/v2/models/{model}/trace/setting", API_TRACE, v2_trace_setting},
    {"GET", "/v2/logging", API_LOGGING, v2_log_settings},
    {"POST", "/v2/logging", API_LOGGING, v2_log_settings},
    {"GET", "/v2/systemsharedmemory/status", API_SHARED_MEMORY, v2_system_memory_status},
    {"GET", "/v2/systemsharedmemory/region/{name}/status", API_SHARED_MEMORY, v2_system_memory_status},
    {"POST", "/v2/systemsharedmemory/region/{name}/register", API_SHARED_MEMORY, v2_system_memory_register},
    {"POST", "/v2/systemsharedmemory/unregister", API_SHARED_MEMORY, v2_system_memory_unregister},
    {"POST", "/v2/systemsharedmemory/region/{name}/unregister", API_SHARED_MEMORY, v2_system_memory_unregister},
    {"GET", "/v2/cudasharedmemory/status", API_SHARED_MEMORY, v2_cuda_memory_status},
    {"GET", "/v2/cudasharedmemory/region/{name}/status", API_SHARED_MEMORY, v2_cuda_memory_status},
    {"POST", "/v2/cudasharedmemory/region/{name}/register", API_SHARED_MEMORY, v2_cuda_memory_register},
    {"POST", "/v2/cudasharedmemory/unregister", API_SHARED_MEMORY, v2_cuda_memory_unregister},
    {"POST", "/v2/cudasharedmemory/region/{name}/unregister", API_SHARED_MEMORY, v2_cuda_memory_unregister},
    {"GET", "/metrics", API_METRICS, metrics_handle},
    /* TRTIS v1 */
    {"GET", "/api/health/live", API_HEALTH, v1_http_health_live},
    {"GET", "/api/health/ready", API_HEALTH, v1_http_health_ready},
    {"GET", "/api/status", API_V1_STATUS, v1_http_status},
    {"GET", "/api/status/", API_V1_STATUS, v1_http_status},
    {"GET", "/api/status/{rest}", API_V1_STATUS, v1_http_status},
    {"POST", "/api/modelcontrol/load/{rest}", API_MODEL_REPOSITORY, v1_http_load},
    {"POST", "/api/modelcontrol/unload/{rest}", API_MODEL_REPOSITORY, v1_http_unload},
    {"GET", "/api/repository/index", API_MODEL_REPOSITORY, v1_http_repository_index},
    {"GET", "/api/profile", API_STATISTICS, v1_http_profile},
    {"POST", "/api/sharedmemorycontrol/register/{rest}", API_SHARED_MEMORY, v1_http_register_system},
    {"POST", "/api/sharedmemorycontrol/cudaregister/{rest}", API_SHARED_MEMORY, v1_http_register_cuda},
    {"POST", "/api/sharedmemorycontrol/unregister/{rest}", API_SHARED_MEMORY, v1_http_unregister},
    {"POST", "/api/sharedmemorycontrol/unregisterall", API_SHARED_MEMORY, v1_http_unregister_all},
    {"GET", "/api/sharedmemorycontrol/status", API_SHARED_MEMORY, v1_http_shared_memory_status},
    {"POST", "/api/infer/{rest}", API_INFERENCE, v1_infer_http},
};

const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];

/* grpc_methods.c: the methods that gRPC clients may call. Source: KServe v2's GRPCInferenceService with Triton's
 * extensions, grpc.health.v1, server reflection, and TRTIS v1's GRPCService. */
#include "api/admission.h"
#include "api/blocking_call.h"
#include "api/grpc_front.h"
#include "api/infer_stream.h"
#include "api/reflection.h"
#include "api/status_map.h"
#include "api/v1_service.h"
#include "api/v2_service.h"
#include "api/work_carrier.h"
#include "codec/health_messages.h"
#include "codec/inference_messages.h"

/* What a plain method needs besides its path: its messages, and who fills the answer. */
struct plain_method {
    const struct pb_message *request, *response;
    v2_call_f *run;
};

/* Rows: METHOD(path, class, request message, response message, function). The functions of BLOCKING methods run on a
 * thread of the workers, those of PLAIN ones right away. */
#define V2 "/inference.GRPCInferenceService/"
#define V1 "/nvidia.inferenceserver.GRPCService/"
#define PLAIN_METHODS(METHOD)                                                                                          \
    METHOD(V2 "ServerLive", API_HEALTH, server_live_request, server_live_response, v2_call_server_live)                \
    METHOD(V2 "ServerReady", API_HEALTH, server_ready_request, server_ready_response, v2_call_server_ready)            \
    METHOD(V2 "ModelReady", API_HEALTH, model_ready_request, model_ready_response, v2_call_model_ready)                \
    METHOD(V2 "ServerMetadata", API_METADATA, server_metadata_request, server_metadata_response,                       \
           v2_call_server_metadata)                                                                                    \
    METHOD(V2 "ModelMetadata", API_METADATA, model_metadata_request, model_metadata_response, v2_call_model_metadata)  \
    METHOD(V2 "ModelConfig", API_MODEL_CONFIG, model_config_request, model_config_response, v2_call_model_config)      \
    METHOD(V2 "ModelStatistics", API_STATISTICS, model_statistics_request, model_statistics_response,                  \
           v2_call_model_statistics)                                                                                   \
    METHOD(V2 "TraceSetting", API_TRACE, trace_setting_request, trace_setting_response, v2_call_trace_setting)         \
    METHOD(V2 "LogSettings", API_LOGGING, log_settings_request, log_settings_response, v2_call_log_settings)           \
    METHOD(V2 "SystemSharedMemoryStatus", API_SHARED_MEMORY, system_shared_memory_status_request,                      \
           system_shared_memory_status_response, v2_call_system_memory_status)                                         \
    METHOD(V2 "SystemSharedMemoryRegister", API_SHARED_MEMORY, system_shared_memory_register_request,                  \
           system_shared_memory_register_response, v2_call_system_memory_register)                                     \
    METHOD(V2 "SystemSharedMemoryUnregister", API_SHARED_MEMORY, system_shared_memory_unregister_request,              \
           system_shared_memory_unregister_response, v2_call_system_memory_unregister)                                 \
    METHOD(V2 "CudaSharedMemoryStatus", API_SHARED_MEMORY, cuda_shared_memory_status_request,                          \
           cuda_shared_memory_status_response, v2_call_cuda_memory_status)                                             \
    METHOD("/grpc.health.v1.Health/Check", API_HEALTH, health_check_request, health_check_response,                    \
           v2_call_health_check)                                                                                       \
    METHOD(V1 "Status", API_V1_STATUS, v1_status_request, v1_status_response, v1_call_status)                          \
    METHOD(V1 "Health", API_HEALTH, v1_health_request, v1_health_response, v1_call_health)                             \
    METHOD(V1 "Profile", API_STATISTICS, v1_profile_request, v1_profile_response, v1_call_profile)
#define BLOCKING_METHODS(METHOD)                                                                                       \
    METHOD(V2 "RepositoryIndex", API_MODEL_REPOSITORY, repository_index_request, repository_index_response,            \
           v2_call_repository_index)                                                                                   \
    METHOD(V2 "RepositoryModelLoad", API_MODEL_REPOSITORY, repository_model_load_request,                              \
           repository_model_load_response, v2_call_repository_model_load)                                              \
    METHOD(V2 "RepositoryModelUnload", API_MODEL_REPOSITORY, repository_model_unload_request,                          \
           repository_model_unload_response, v2_call_repository_model_unload)                                          \
    METHOD(V2 "CudaSharedMemoryRegister", API_SHARED_MEMORY, cuda_shared_memory_register_request,                      \
           cuda_shared_memory_register_response, v2_call_cuda_memory_register)                                         \
    METHOD(V2 "CudaSharedMemoryUnregister", API_SHARED_MEMORY, cuda_shared_memory_unregister_request,                  \
           cuda_shared_memory_unregister_response, v2_call_cuda_memory_unregister)                                     \
    METHOD(V1 "ModelControl", API_MODEL_REPOSITORY, v1_model_control_request, v1_model_control_response,               \
           v1_call_model_control)                                                                                      \
    METHOD(V1 "SharedMemoryControl", API_SHARED_MEMORY, v1_shared_memory_control_request,                              \
           v1_shared_memory_control_response, v1_call_shared_memory_control)                                           \
    METHOD(V1 "Repository", API_MODEL_REPOSITORY, v1_repository_request, v1_repository_response, v1_call_repository)

static const struct plain_method plain_methods[] = {
#define METHOD(path, class, request, response, run) {&pb_##request##_type, &pb_##response##_type, run},
    PLAIN_METHODS(METHOD) BLOCKING_METHODS(METHOD)
#undef METHOD
};

static void plain_on_message(struct grpc_call *call, struct slice message);
static void blocking_on_message(struct grpc_call *call, struct slice message);
static void blocking_leave(struct grpc_call *call);

#define INFER(full, message)                                                                                           \
    {                                                                                                                  \
        .path = SLICE_INIT(full), .kind = API_INFERENCE, .on_message = message, .on_wake = v2_infer_grpc_expire,       \
        .on_cancel = v2_infer_grpc_leave, .on_close = v2_infer_grpc_on_close                                           \
    }
#define INFER_STREAM(full, message)                                                                                    \
    {                                                                                                                  \
        .path = SLICE_INIT(full), .kind = API_INFERENCE, .client_streaming = true, .on_message = message,              \
        .on_half_close = infer_stream_on_half_close, .on_wake = infer_stream_on_wake,                                  \
        .on_drain = infer_stream_on_drain, .on_shutdown = infer_stream_on_shutdown, .on_cancel = infer_stream_leave,   \
        .on_close = infer_stream_leave                                                                                 \
    }
#define REFLECTION(full)                                                                                               \
    {                                                                                                                  \
        .path = SLICE_INIT(full), .kind = API_METADATA, .client_streaming = true, .on_message = reflection_on_message, \
        .on_half_close = reflection_on_half_close, .on_drain = reflection_on_drain                                     \
    }

/* Those of plain_methods come first, in its order. */
static const struct grpc_method methods[] = {
#define METHOD(full, class, request, response, run)                                                                    \
    {.path = SLICE_INIT(full), .kind = class, .on_message = plain_on_message},
    PLAIN_METHODS(METHOD)
#undef METHOD
#define METHOD(full, class, request, response, run)                                                                    \
    {.path = SLICE_INIT(full),                                                                                         \
     .kind = class,                                                                                                    \
     .on_message = blocking_on_message,                                                                                \
     .on_cancel = blocking_leave,                                                                                      \
     .on_close = blocking_leave},
        BLOCKING_METHODS(METHOD)
#undef METHOD
            INFER(V2 "ModelInfer", v2_infer_grpc_on_message),
    INFER(V1 "Infer", v1_infer_grpc_on_message),
    INFER_STREAM(V2 "ModelStreamInfer", v2_stream_grpc_on_message),
    INFER_STREAM(V1 "StreamInfer", v1_stream_grpc_on_message),
    {.path = SLICE_INIT("/grpc.health.v1.Health/Watch"),
     .kind = API_HEALTH,
     .on_message = health_watch_on_message,
     .on_drain = health_watch_on_drain,
     .on_shutdown = health_watch_on_shutdown,
     .on_cancel = health_watch_leave,
     .on_close = health_watch_leave},
    REFLECTION("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    REFLECTION("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
};

static bool admit(void *user, const struct grpc_method *method, struct http_exchange *exchange) {
    const struct api_context *context = user;
    struct status status = admission_check(context, method ? method->kind : 0, http_exchange_request(exchange));
    if (status_is_ok(&status))
        return true;
    grpc_refuse(exchange, status_map_grpc(status.code), status.message, status_map_retry_ms(status.code));
    return false;
}

struct grpc_service grpc_front_service(const struct api_context *context, size_t max_message_bytes) {
    return (struct grpc_service){.methods = methods,
                                 .method_count = sizeof methods / sizeof methods[0],
                                 .user = (void *)(uintptr_t)context, /* handlers only read it */
                                 .max_message_bytes = max_message_bytes,
                                 .admit = admit,
                                 .submit = work_carrier_submit};
}

void grpc_front_fail(struct grpc_call *call, const struct status *error) {
    grpc_call_finish_for_now(call, status_map_grpc(error->code), error->message, status_map_retry_ms(error->code));
}

/* Decodes the request, lets the function of the row answer it, and encodes what it says. */
static struct status run_plain(const struct api_context *context, const struct plain_method *method,
                               struct slice message, struct arena *arena, struct buf *out) {
    void *request = arena_calloc(arena, 1, method->request->size);
    void *response = arena_calloc(arena, 1, method->response->size);
    if (!request || !response)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
    STATUS_TRY(pb_decode(method->request, message, arena, request));
    struct model *pinned = NULL;
    struct status status = method->run(context, request, arena, response, &pinned);
    if (status_is_ok(&status))
        status = pb_encode(method->response, response, out);
    model_release(pinned);
    return status;
}

static void answer_plain(struct grpc_call *call, const struct status *status, struct buf *answer) {
    if (status_is_ok(status)) {
        grpc_call_send(call, answer);
        grpc_call_finish(call, GRPC_OK, "");
    } else {
        grpc_front_fail(call, status);
    }
}

static const struct plain_method *plain_method_of(const struct grpc_call *call) {
    return &plain_methods[grpc_call_method(call) - methods];
}

static void plain_on_message(struct grpc_call *call, struct slice message) {
    struct buf answer = BUF_EMPTY;
    struct status status =
        run_plain(grpc_call_user(call), plain_method_of(call), message, grpc_call_arena(call), &answer);
    answer_plain(call, &status, &answer);
    buf_free(&answer);
}

/* The same on a thread of the workers. */
struct grpc_blocking {
    struct blocking_call call; /* first */
    const struct plain_method *method;
};

static struct status blocking_work(struct blocking_call *call) {
    const struct grpc_blocking *blocking = (struct grpc_blocking *)call;
    return run_plain(call->context, blocking->method, buf_slice(&call->body), call->arena, &call->answer);
}

static void blocking_send(struct blocking_call *call) {
    answer_plain(call->exchange, &call->status, &call->answer);
}

static const struct blocking_call_ops grpc_blocking_ops = {blocking_work, blocking_send};

static void blocking_on_message(struct grpc_call *grpc, struct slice message) {
    struct grpc_blocking *blocking =
        blocking_call_create(&grpc_blocking_ops, sizeof *blocking, grpc_call_user(grpc), grpc, message.size);
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
    if (blocking) {
        grpc_call_set_context(grpc, &blocking->call);
        blocking->method = plain_method_of(grpc);
        blocking->call.body = grpc_call_take_message(grpc, &message);
        status = blocking_call_submit(&blocking->call);
    }
    if (!status_is_ok(&status))
        grpc_front_fail(grpc, &status);
}

static void blocking_leave(struct grpc_call *grpc) {
    blocking_call_detach(grpc_call_context(grpc));
    grpc_call_set_context(grpc, NULL);
}

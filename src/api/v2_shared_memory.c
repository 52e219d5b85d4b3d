/* v2_shared_memory.c: the calls of Triton's shared-memory extensions (v2_service.h), for system memory and for CUDA's,
 * of which this build has none: its calls are there so that clients that ask or clean up go on. */
#include <inttypes.h>

#include "api/v2_service.h"
#include "codec/inference_messages.h"

enum { CUDA_HANDLE_BYTES = 64 }; /* sizeof(cudaIpcMemHandle_t) */

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

struct status v2_call_system_memory_status(const struct api_context *context, const void *request, struct arena *arena,
                                           void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_system_shared_memory_status_request *call = request;
    struct pb_system_shared_memory_status_response *answer = response;
    struct shared_memory_row *rows;
    size_t count;
    STATUS_TRY(shared_memory_list(inference_server_shared_memory(context->server), call->name, arena, &rows, &count));
    struct pb_system_shared_memory_status_response_region_status *regions = arena_calloc(arena, count, sizeof *regions);
    answer->regions.items = arena_calloc(arena, count, sizeof *answer->regions.items);
    if (!regions || !answer->regions.items)
        return no_memory();
    answer->regions.count = count;
    for (size_t i = 0; i < count; i++) {
        regions[i].name = rows[i].name;
        regions[i].key = rows[i].key;
        regions[i].offset = rows[i].offset;
        regions[i].byte_size = rows[i].byte_size;
        answer->regions.items[i].key = rows[i].name;
        answer->regions.items[i].value = &regions[i];
    }
    return status_ok();
}

struct status v2_call_system_memory_register(const struct api_context *context, const void *request,
                                             struct arena *arena, void *response, struct model **ret_pinned) {
    (void)arena, (void)response, (void)ret_pinned;
    const struct pb_system_shared_memory_register_request *call = request;
    return shared_memory_register(inference_server_shared_memory(context->server), call->name, call->key, call->offset,
                                  call->byte_size);
}

struct status v2_call_system_memory_unregister(const struct api_context *context, const void *request,
                                               struct arena *arena, void *response, struct model **ret_pinned) {
    (void)arena, (void)response, (void)ret_pinned;
    const struct pb_system_shared_memory_unregister_request *call = request;
    struct shared_memory *memory = inference_server_shared_memory(context->server);
    if (call->name.size > 0)
        shared_memory_unregister(memory, call->name);
    else
        shared_memory_unregister_all(memory);
    return status_ok();
}

/* No region can have been registered as CUDA's. */
struct status v2_call_cuda_memory_status(const struct api_context *context, const void *request, struct arena *arena,
                                         void *response, struct model **ret_pinned) {
    (void)response, (void)ret_pinned;
    const struct pb_cuda_shared_memory_status_request *call = request;
    if (call->name.size == 0)
        return status_ok();
    struct shared_memory_row *rows;
    size_t count;
    struct status status =
        shared_memory_list(inference_server_shared_memory(context->server), call->name, arena, &rows, &count);
    if (status_is_ok(&status))
        return status_error(STATUS_NOT_FOUND,
                            "The region named '%.*s' is registered as system shared memory, not CUDA shared memory",
                            SLICE_ARGS(call->name));
    return status_error(STATUS_NOT_FOUND, "Unable to find cuda shared memory region: '%.*s'", SLICE_ARGS(call->name));
}

struct status v2_call_cuda_memory_register(const struct api_context *context, const void *request, struct arena *arena,
                                           void *response, struct model **ret_pinned) {
    (void)context, (void)arena, (void)response, (void)ret_pinned;
    const struct pb_cuda_shared_memory_register_request *call = request;
    if (call->raw_handle.size != CUDA_HANDLE_BYTES)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "failed to register CUDA shared memory region '%.*s': raw_handle: expected %d bytes, got "
                            "%zu",
                            SLICE_ARGS(call->name), (int)CUDA_HANDLE_BYTES, call->raw_handle.size);
    return status_error(STATUS_UNSUPPORTED,
                        "failed to register CUDA shared memory region '%.*s': this build of the server has no GPU "
                        "support; use system shared memory",
                        SLICE_ARGS(call->name));
}

struct status v2_call_cuda_memory_unregister(const struct api_context *context, const void *request,
                                             struct arena *arena, void *response, struct model **ret_pinned) {
    (void)context, (void)request, (void)arena, (void)response, (void)ret_pinned;
    return status_ok();
}

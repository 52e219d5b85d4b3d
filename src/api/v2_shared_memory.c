/* v2_shared_memory.c: the calls of Triton's shared-memory extensions (v2_service.h), for system memory and for CUDA's.
 */
#include "api/v2_service.h"
#include "codec/inference_messages.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

/* Without a name: all of the kind. */
static void unregister(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name) {
    if (name.size > 0)
        shared_memory_unregister(memory, kind, name);
    else
        shared_memory_unregister_all(memory, kind);
}

struct status v2_call_system_memory_status(const struct api_context *context, const void *request, struct arena *arena,
                                           void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_system_shared_memory_status_request *call = request;
    struct pb_system_shared_memory_status_response *answer = response;
    struct shared_memory_row *rows;
    size_t count;
    STATUS_TRY(shared_memory_list(inference_server_shared_memory(context->server), SHARED_MEMORY_SYSTEM, call->name,
                                  arena, &rows, &count));
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
    unregister(inference_server_shared_memory(context->server), SHARED_MEMORY_SYSTEM, call->name);
    return status_ok();
}

struct status v2_call_cuda_memory_status(const struct api_context *context, const void *request, struct arena *arena,
                                         void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_cuda_shared_memory_status_request *call = request;
    struct pb_cuda_shared_memory_status_response *answer = response;
    struct shared_memory_row *rows;
    size_t count;
    STATUS_TRY(shared_memory_list(inference_server_shared_memory(context->server), SHARED_MEMORY_CUDA, call->name,
                                  arena, &rows, &count));
    struct pb_cuda_shared_memory_status_response_region_status *regions = arena_calloc(arena, count, sizeof *regions);
    answer->regions.items = arena_calloc(arena, count, sizeof *answer->regions.items);
    if (!regions || !answer->regions.items)
        return no_memory();
    answer->regions.count = count;
    for (size_t i = 0; i < count; i++) {
        regions[i].name = rows[i].name;
        regions[i].device_id = (uint64_t)rows[i].device;
        regions[i].byte_size = rows[i].byte_size;
        answer->regions.items[i].key = rows[i].name;
        answer->regions.items[i].value = &regions[i];
    }
    return status_ok();
}

struct status v2_call_cuda_memory_register(const struct api_context *context, const void *request, struct arena *arena,
                                           void *response, struct model **ret_pinned) {
    (void)arena, (void)response, (void)ret_pinned;
    const struct pb_cuda_shared_memory_register_request *call = request;
    return shared_memory_register_cuda(inference_server_shared_memory(context->server), call->name, call->raw_handle,
                                       call->device_id, call->byte_size);
}

struct status v2_call_cuda_memory_unregister(const struct api_context *context, const void *request,
                                             struct arena *arena, void *response, struct model **ret_pinned) {
    (void)arena, (void)response, (void)ret_pinned;
    const struct pb_cuda_shared_memory_unregister_request *call = request;
    struct shared_memory *memory = inference_server_shared_memory(context->server);
    unregister(memory, SHARED_MEMORY_CUDA, call->name);
    shared_memory_flush(memory); /* the client may free it now */
    return status_ok();
}

/* v1_shared_memory.c: SharedMemoryControl: register, unregister, status. The table of regions is the one that v2 has.
 */
#include "api/v1_service.h"
#include "base/clock.h"
#include "codec/inference_messages.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

static struct status register_region(const struct api_context *context,
                                     const struct pb_v1_shared_memory_control_request_register *call,
                                     struct arena *arena) {
    struct shared_memory *memory = inference_server_shared_memory(context->server);
    if (call->system_shared_memory)
        return shared_memory_register(memory, call->name, call->system_shared_memory->shared_memory_key,
                                      call->system_shared_memory->offset, call->byte_size);
    if (!call->cuda_shared_memory)
        return status_error(STATUS_UNKNOWN, "region '%.*s': expected system_shared_memory or cuda_shared_memory",
                            SLICE_ARGS(call->name));
    const struct pb_cuda_shared_memory_register_request cuda = {.name = call->name,
                                                                .raw_handle = call->cuda_shared_memory->raw_handle,
                                                                .device_id = call->cuda_shared_memory->device_id,
                                                                .byte_size = call->byte_size};
    struct pb_cuda_shared_memory_register_response nothing = {0};
    return v2_call_cuda_memory_register(context, &cuda, arena, &nothing, NULL);
}

static struct status list_regions(const struct api_context *context, struct arena *arena,
                                  struct pb_v1_shared_memory_control_response_status *ret) {
    struct shared_memory_row *rows;
    size_t count;
    const struct slice all = {NULL, 0};
    STATUS_TRY(shared_memory_list(inference_server_shared_memory(context->server), all, arena, &rows, &count));
    struct pb_v1_shared_memory_region *regions = arena_calloc(arena, count, sizeof *regions);
    struct pb_v1_shared_memory_region_system_shared_memory *systems = arena_calloc(arena, count, sizeof *systems);
    if (!regions || !systems)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        systems[i].shared_memory_key = rows[i].key;
        systems[i].offset = rows[i].offset;
        regions[i].name = rows[i].name;
        regions[i].byte_size = rows[i].byte_size;
        regions[i].which_shared_memory_types = pb_v1_shared_memory_region_system_shared_memory_number;
        regions[i].system_shared_memory = &systems[i];
    }
    ret->shared_memory_region.items = ret->shared_memory_region_as_sent.items = regions;
    ret->shared_memory_region.count = ret->shared_memory_region_as_sent.count = count;
    return status_ok();
}

static struct status control(const struct api_context *context, const struct pb_v1_shared_memory_control_request *call,
                             struct arena *arena, struct pb_v1_shared_memory_control_response *ret) {
    struct shared_memory *memory = inference_server_shared_memory(context->server);
    switch (call->which_shared_memory_control) {
    case pb_v1_shared_memory_control_request_register_region_number:
        return register_region(context, call->register_region, arena);
    case pb_v1_shared_memory_control_request_unregister_number:
        shared_memory_unregister(memory, call->unregister->name);
        return status_ok();
    case pb_v1_shared_memory_control_request_unregister_all_number:
        shared_memory_unregister_all(memory);
        return status_ok();
    case pb_v1_shared_memory_control_request_status_number:
        ret->which_shared_memory_control = pb_v1_shared_memory_control_response_shared_memory_status_number;
        ret->shared_memory_status = arena_calloc(arena, 1, sizeof *ret->shared_memory_status);
        return ret->shared_memory_status ? list_regions(context, arena, ret->shared_memory_status) : no_memory();
    default:
        return status_error(STATUS_UNKNOWN,
                            "unknown shared memory control: expected register, unregister, unregister_all or status");
    }
}

struct status v1_call_shared_memory_control(const struct api_context *context, const void *request, struct arena *arena,
                                            void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    struct pb_v1_shared_memory_control_response *answer = response;
    uint64_t begun_ns = clock_monotonic_ns();
    struct status status = control(context, request, arena, answer);
    v1_count_call(context, V1_CALL_SHARED_MEMORY_CONTROL, begun_ns);
    return v1_make_status(context, &status, arena, &answer->request_status);
}

/* v1_shared_memory.c: SharedMemoryControl: register, unregister, status. The table of regions is the one that v2 has.
 */
#include "api/v1_service.h"
#include "base/clock.h"
#include "codec/inference_messages.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

static struct status register_region(const struct api_context *context,
                                     const struct pb_v1_shared_memory_control_request_register *call) {
    struct shared_memory *memory = inference_server_shared_memory(context->server);
    if (call->system_shared_memory)
        return shared_memory_register(memory, call->name, call->system_shared_memory->shared_memory_key,
                                      call->system_shared_memory->offset, call->byte_size);
    if (!call->cuda_shared_memory)
        return status_error(STATUS_UNKNOWN, "region '%.*s': expected system_shared_memory or cuda_shared_memory",
                            SLICE_ARGS(call->name));
    const struct pb_v1_shared_memory_control_request_register_cuda_shared_memory_identifier *cuda =
        call->cuda_shared_memory;
    return shared_memory_register_cuda(memory, call->name, cuda->raw_handle, cuda->device_id, call->byte_size);
}

static struct status describe(const struct shared_memory_row *row, struct arena *arena,
                              struct pb_v1_shared_memory_region *ret) {
    ret->name = row->name;
    ret->byte_size = row->byte_size;
    if (row->kind == SHARED_MEMORY_CUDA) {
        ret->which_shared_memory_types = pb_v1_shared_memory_region_cuda_shared_memory_number;
        ret->cuda_shared_memory = arena_calloc(arena, 1, sizeof *ret->cuda_shared_memory);
        if (!ret->cuda_shared_memory)
            return no_memory();
        ret->cuda_shared_memory->device_id = row->device;
        return status_ok();
    }
    ret->which_shared_memory_types = pb_v1_shared_memory_region_system_shared_memory_number;
    ret->system_shared_memory = arena_calloc(arena, 1, sizeof *ret->system_shared_memory);
    if (!ret->system_shared_memory)
        return no_memory();
    ret->system_shared_memory->shared_memory_key = row->key;
    ret->system_shared_memory->offset = row->offset;
    return status_ok();
}

static struct status list_regions(const struct api_context *context, struct arena *arena,
                                  struct pb_v1_shared_memory_control_response_status *ret) {
    struct shared_memory_row *rows;
    size_t count;
    const struct slice all = {NULL, 0};
    STATUS_TRY(shared_memory_list(inference_server_shared_memory(context->server), SHARED_MEMORY_ANY, all, arena, &rows,
                                  &count));
    struct pb_v1_shared_memory_region *regions = arena_calloc(arena, count, sizeof *regions);
    if (!regions)
        return no_memory();
    for (size_t i = 0; i < count; i++)
        STATUS_TRY(describe(&rows[i], arena, &regions[i]));
    ret->shared_memory_region.items = ret->shared_memory_region_as_sent.items = regions;
    ret->shared_memory_region.count = ret->shared_memory_region_as_sent.count = count;
    return status_ok();
}

static struct status control(const struct api_context *context, const struct pb_v1_shared_memory_control_request *call,
                             struct arena *arena, struct pb_v1_shared_memory_control_response *ret) {
    struct shared_memory *memory = inference_server_shared_memory(context->server);
    switch (call->which_shared_memory_control) {
    case pb_v1_shared_memory_control_request_register_region_number:
        return register_region(context, call->register_region);
    case pb_v1_shared_memory_control_request_unregister_number:
        shared_memory_unregister(memory, SHARED_MEMORY_ANY, call->unregister->name);
        shared_memory_flush(memory);
        return status_ok();
    case pb_v1_shared_memory_control_request_unregister_all_number:
        shared_memory_unregister_all(memory, SHARED_MEMORY_ANY);
        shared_memory_flush(memory);
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

/* v1_shared_memory_http.c: SharedMemoryControl over HTTP: the path says what is to be done; a worker does it
 * (blocking_call.h). */
#include "api/blocking_call.h"
#include "api/handlers.h"
#include "api/v1_http.h"
#include "api/v1_service.h"

/* The path, and the handle that a region of CUDA's is registered with, are the call's own: it is done by a worker, for
 * the driver of a GPU may take its time. */
struct v1_memory_call {
    struct blocking_call call; /* first */
    struct pb_v1_shared_memory_control_request request;
    struct pb_v1_shared_memory_control_response response;
    struct pb_v1_shared_memory_control_request_register region;
    struct pb_v1_shared_memory_control_request_register_system_shared_memory_identifier system;
    struct pb_v1_shared_memory_control_request_register_cuda_shared_memory_identifier cuda;
    struct pb_v1_shared_memory_control_request_unregister unregister;
    enum v1_format format; /* of the list */
};

static struct status work(struct blocking_call *call) {
    struct v1_memory_call *memory = (struct v1_memory_call *)call;
    return v1_call_shared_memory_control(call->context, &memory->request, call->arena, &memory->response, NULL);
}

static void send(struct blocking_call *call) {
    const struct v1_memory_call *memory = (struct v1_memory_call *)call;
    const struct pb_v1_request_status *status = status_is_ok(&call->status) ? memory->response.request_status : NULL;
    const struct pb_v1_shared_memory_control_response_status *list = memory->response.shared_memory_status;
    struct pb_v1_shared_memory_status body = {0};
    if (list) {
        body.shared_memory_region.items = list->shared_memory_region.items;
        body.shared_memory_region.count = list->shared_memory_region.count;
    }
    bool lists = memory->request.which_shared_memory_control == pb_v1_shared_memory_control_request_status_number;
    v1_http_answer_message(call->exchange, status, lists ? memory->format : V1_FORMAT_TEXT,
                           lists ? &pb_v1_shared_memory_status_type : NULL, lists ? &body : NULL);
}

static const struct blocking_call_ops memory_ops = {work, send};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
}

/* A call with the name of the path; NULL: there is no memory for it, which has been told. */
static struct v1_memory_call *create(struct http_call *http, uint32_t control) {
    struct v1_memory_call *memory = blocking_call_create(&memory_ops, sizeof *memory, http->context, http, 0);
    if (!memory) {
        v1_http_submit(http, NULL, no_memory());
        return NULL;
    }
    http->blocking = &memory->call;
    memory->request.which_shared_memory_control = control;
    memory->request.register_region = &memory->region;
    memory->request.unregister = &memory->unregister;
    return memory;
}

static void submit(struct http_call *http, struct v1_memory_call *memory, struct slice name) {
    struct slice copy = arena_copy(memory->call.arena, name);
    memory->region.name = memory->unregister.name = copy;
    v1_http_submit(http, &memory->call, copy.size == name.size ? status_ok() : no_memory());
}

/* Cuts the last segment off, and the '/' before it. False when there is none, or nothing would be left. */
static bool cut_last(struct slice *path, struct slice *ret) {
    for (size_t i = path->size; i-- > 1;) {
        if (path->data[i] == '/') {
            *ret = (struct slice){path->data + i + 1, path->size - i - 1};
            path->size = i;
            return true;
        }
    }
    return false;
}

/* "<name>/<key>/<offset>/<byte_size>"; a key begins with a slash of its own, and may have more. */
void v1_http_register_system(struct http_call *call) {
    struct slice name, key, size_text, offset_text, path = call->name;
    uint64_t offset, byte_size;
    if (!cut_last(&path, &size_text) || !cut_last(&path, &offset_text) || !slice_split(path, '/', &name, &key) ||
        name.size == 0 || key.size == 0 || !slice_to_u64(offset_text, &offset) ||
        !slice_to_u64(size_text, &byte_size)) {
        v1_http_refuse(call->exchange);
        return;
    }
    struct v1_memory_call *memory = create(call, pb_v1_shared_memory_control_request_register_region_number);
    if (!memory)
        return;
    memory->region.which_shared_memory_types = pb_v1_shared_memory_control_request_register_system_shared_memory_number;
    memory->region.system_shared_memory = &memory->system;
    memory->region.byte_size = byte_size;
    memory->system.offset = offset;
    memory->system.shared_memory_key = arena_copy(memory->call.arena, key);
    submit(call, memory, name);
}

/* "<name>/<byte_size>/<device_id>", with the handle as the body. */
void v1_http_register_cuda(struct http_call *call) {
    struct slice size_text, device_text, path = call->name;
    uint64_t byte_size;
    int64_t device;
    if (!cut_last(&path, &device_text) || !cut_last(&path, &size_text) || !slice_to_i64(device_text, &device) ||
        !slice_to_u64(size_text, &byte_size)) {
        v1_http_refuse(call->exchange);
        return;
    }
    struct v1_memory_call *memory = create(call, pb_v1_shared_memory_control_request_register_region_number);
    if (!memory)
        return;
    memory->region.which_shared_memory_types = pb_v1_shared_memory_control_request_register_cuda_shared_memory_number;
    memory->region.cuda_shared_memory = &memory->cuda;
    memory->region.byte_size = byte_size;
    memory->cuda.device_id = device;
    memory->call.body = http_exchange_take_body(call->exchange);
    memory->cuda.raw_handle = buf_slice(&memory->call.body);
    submit(call, memory, path);
}

void v1_http_unregister(struct http_call *call) {
    struct v1_memory_call *memory = create(call, pb_v1_shared_memory_control_request_unregister_number);
    if (memory)
        submit(call, memory, call->name);
}

void v1_http_unregister_all(struct http_call *call) {
    const struct slice all = {NULL, 0};
    struct v1_memory_call *memory = create(call, pb_v1_shared_memory_control_request_unregister_all_number);
    if (memory)
        submit(call, memory, all);
}

void v1_http_shared_memory_status(struct http_call *call) {
    const struct slice all = {NULL, 0};
    struct v1_memory_call *memory = create(call, pb_v1_shared_memory_control_request_status_number);
    if (!memory)
        return;
    memory->format = v1_http_text_or_binary(call);
    submit(call, memory, all);
}

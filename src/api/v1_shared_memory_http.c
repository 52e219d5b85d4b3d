/* v1_shared_memory_http.c: SharedMemoryControl over HTTP: the path says what is to be done. */
#include "api/handlers.h"
#include "api/v1_http.h"
#include "api/v1_service.h"

static struct pb_v1_request_status *run(struct http_call *call,
                                        const struct pb_v1_shared_memory_control_request *request,
                                        struct pb_v1_shared_memory_control_response *response) {
    struct status status =
        v1_call_shared_memory_control(call->context, request, http_exchange_arena(call->exchange), response, NULL);
    return status_is_ok(&status) ? response->request_status : NULL;
}

/* Runs a call that has nothing to say but how it went. */
static void answer_empty(struct http_call *call, const struct pb_v1_shared_memory_control_request *request) {
    struct pb_v1_shared_memory_control_response response = {0};
    v1_http_answer_message(call, run(call, request, &response), V1_FORMAT_TEXT, NULL, NULL);
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
    struct pb_v1_shared_memory_control_request_register_system_shared_memory_identifier system = {0};
    struct pb_v1_shared_memory_control_request_register region = {
        .which_shared_memory_types = pb_v1_shared_memory_control_request_register_system_shared_memory_number,
        .system_shared_memory = &system};
    if (!cut_last(&path, &size_text) || !cut_last(&path, &offset_text) || !slice_split(path, '/', &name, &key) ||
        name.size == 0 || key.size == 0 || !slice_to_u64(offset_text, &system.offset) ||
        !slice_to_u64(size_text, &region.byte_size)) {
        v1_http_refuse(call->exchange, 400);
        return;
    }
    region.name = name;
    system.shared_memory_key = key;
    const struct pb_v1_shared_memory_control_request request = {
        .which_shared_memory_control = pb_v1_shared_memory_control_request_register_region_number,
        .register_region = &region};
    answer_empty(call, &request);
}

/* "<name>/<byte_size>/<device_id>", with the handle as the body. */
void v1_http_register_cuda(struct http_call *call) {
    struct slice size_text, device_text, path = call->name;
    struct pb_v1_shared_memory_control_request_register_cuda_shared_memory_identifier cuda = {
        .raw_handle = http_exchange_body(call->exchange)};
    struct pb_v1_shared_memory_control_request_register region = {
        .which_shared_memory_types = pb_v1_shared_memory_control_request_register_cuda_shared_memory_number,
        .cuda_shared_memory = &cuda};
    if (!cut_last(&path, &device_text) || !cut_last(&path, &size_text) || !slice_to_i64(device_text, &cuda.device_id) ||
        !slice_to_u64(size_text, &region.byte_size)) {
        v1_http_refuse(call->exchange, 400);
        return;
    }
    region.name = path;
    const struct pb_v1_shared_memory_control_request request = {
        .which_shared_memory_control = pb_v1_shared_memory_control_request_register_region_number,
        .register_region = &region};
    answer_empty(call, &request);
}

void v1_http_unregister(struct http_call *call) {
    struct pb_v1_shared_memory_control_request_unregister region = {.name = call->name};
    const struct pb_v1_shared_memory_control_request request = {
        .which_shared_memory_control = pb_v1_shared_memory_control_request_unregister_number, .unregister = &region};
    answer_empty(call, &request);
}

void v1_http_unregister_all(struct http_call *call) {
    const struct pb_v1_shared_memory_control_request request = {
        .which_shared_memory_control = pb_v1_shared_memory_control_request_unregister_all_number};
    answer_empty(call, &request);
}

void v1_http_shared_memory_status(struct http_call *call) {
    const struct pb_v1_shared_memory_control_request request = {.which_shared_memory_control =
                                                                    pb_v1_shared_memory_control_request_status_number};
    struct pb_v1_shared_memory_control_response response = {0};
    struct pb_v1_request_status *status = run(call, &request, &response);
    struct pb_v1_shared_memory_status body = {0};
    if (response.shared_memory_status) {
        body.shared_memory_region.items = response.shared_memory_status->shared_memory_region.items;
        body.shared_memory_region.count = response.shared_memory_status->shared_memory_region.count;
    }
    v1_http_answer_message(call, status, v1_http_text_or_binary(call), &pb_v1_shared_memory_status_type, &body);
}

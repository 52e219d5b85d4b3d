/* v2_shared_memory_http.c: the HTTP form of the calls of v2_shared_memory.c: regions as an array, and the bodies of
 * register. */
#include <yyjson.h>

#include "api/handlers.h"
#include "api/http_blocking.h"
#include "api/json_body.h"
#include "api/v2_service.h"
#include "codec/base64.h"
#include "codec/inference_messages.h"
#include "codec/pb_json.h"

/* Runs a call; *ret is its response. */
static struct status run(struct http_call *call, v2_call_f *function, const void *request,
                         const struct pb_message *type, void **ret) {
    struct arena *arena = http_exchange_arena(call->exchange);
    struct model *pinned = NULL; /* these calls concern no model */
    *ret = arena_calloc(arena, 1, type->size);
    if (!*ret)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
    return function(call->context, request, arena, *ret, &pinned);
}

/* The values of the response's map `regions`, as an array. */
static struct status write_regions(const struct pb_message *type, const void *response, struct buf *out) {
    const struct pb_field *regions = pb_field_by_name(type, SLICE_LITERAL("regions"));
    const struct pb_field *value = pb_field_by_name(regions->message, SLICE_LITERAL("value"));
    struct json_writer writer = json_writer_on(out);
    json_begin_array(&writer);
    for (size_t i = 0; i < pb_child_count(regions, response); i++)
        pb_json_write(&writer, value->message, pb_child(value, pb_child(regions, response, i), 0));
    json_end_array(&writer);
    return buf_failed(out) ? status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer") : status_ok();
}

static void answer_regions(struct http_call *call, v2_call_f *function, const void *request,
                           const struct pb_message *type) {
    void *response;
    struct buf body = BUF_EMPTY;
    struct status status = run(call, function, request, type, &response);
    if (status_is_ok(&status))
        status = write_regions(type, response, &body);
    if (status_is_ok(&status))
        http_call_answer_json(call, &body);
    else
        http_call_answer_error(call, &status);
    buf_free(&body);
}

/* Answers a call that has nothing to say but that it went well; `status` is what came of reading the request. */
static void answer_empty(struct http_call *call, struct status status, v2_call_f *function, const void *request,
                         const struct pb_message *type) {
    void *response;
    if (status_is_ok(&status))
        status = run(call, function, request, type, &response);
    if (status_is_ok(&status))
        http_call_answer(call, 200, NULL, NULL);
    else
        http_call_answer_error(call, &status);
}

/* ---- system ---- */

void v2_system_memory_status(struct http_call *call) {
    const struct pb_system_shared_memory_status_request request = {.name = call->name};
    answer_regions(call, v2_call_system_memory_status, &request, &pb_system_shared_memory_status_response_type);
}

void v2_system_memory_register(struct http_call *call) {
    struct pb_system_shared_memory_register_request request;
    struct status status =
        pb_json_parse_lenient(&pb_system_shared_memory_register_request_type, http_exchange_body(call->exchange),
                              http_exchange_arena(call->exchange), &request);
    request.name = call->name;
    answer_empty(call, status, v2_call_system_memory_register, &request,
                 &pb_system_shared_memory_register_response_type);
}

void v2_system_memory_unregister(struct http_call *call) {
    const struct pb_system_shared_memory_unregister_request request = {.name = call->name};
    answer_empty(call, status_ok(), v2_call_system_memory_unregister, &request,
                 &pb_system_shared_memory_unregister_response_type);
}

/* ---- CUDA ---- */

void v2_cuda_memory_status(struct http_call *call) {
    const struct pb_cuda_shared_memory_status_request request = {.name = call->name};
    answer_regions(call, v2_call_cuda_memory_status, &request, &pb_cuda_shared_memory_status_response_type);
}

/* {"raw_handle": {"b64": text}, "device_id": number, "byte_size": number}: not the JSON form of the message, in which
 * the handle would be the text itself. */
static struct status read_cuda_region(yyjson_val *root, struct arena *arena,
                                      struct pb_cuda_shared_memory_register_request *ret) {
    yyjson_val *handle = yyjson_obj_get(yyjson_obj_get(root, "raw_handle"), "b64");
    yyjson_val *device = yyjson_obj_get(root, "device_id"), *size = yyjson_obj_get(root, "byte_size");
    if (!yyjson_is_str(handle))
        return json_body_expected("raw_handle.b64", "a string in base64", handle);
    if (!yyjson_is_uint(device) || yyjson_get_uint(device) > INT64_MAX)
        return json_body_expected("device_id", "an integer of 0 or more", device);
    if (!yyjson_is_uint(size))
        return json_body_expected("byte_size", "an integer of 0 or more", size);
    ret->device_id = (int64_t)yyjson_get_uint(device);
    ret->byte_size = yyjson_get_uint(size);
    struct status status = base64_decode(json_body_text(handle), arena, &ret->raw_handle);
    return status_is_ok(&status) ? status : status_prefix(status, "raw_handle.b64");
}

static struct status parse_cuda_region(struct slice body, struct arena *arena,
                                       struct pb_cuda_shared_memory_register_request *ret) {
    yyjson_doc *doc;
    yyjson_val *root;
    struct status status = json_body_read(body, &doc, &root);
    if (status_is_ok(&status))
        status = read_cuda_region(root, arena, ret);
    yyjson_doc_free(doc);
    return status;
}

/* The driver takes its time: these two are done on a worker's thread. */
static struct status register_cuda(struct http_blocking *blocking) {
    struct blocking_call *call = &blocking->call;
    struct pb_cuda_shared_memory_register_request request = {.name = blocking->name};
    STATUS_TRY(parse_cuda_region(buf_slice(&call->body), call->arena, &request));
    return v2_call_cuda_memory_register(call->context, &request, call->arena, NULL, NULL);
}

static struct status unregister_cuda(struct http_blocking *blocking) {
    struct blocking_call *call = &blocking->call;
    const struct pb_cuda_shared_memory_unregister_request request = {.name = blocking->name};
    return v2_call_cuda_memory_unregister(call->context, &request, call->arena, NULL, NULL);
}

void v2_cuda_memory_register(struct http_call *call) {
    http_blocking_start(call, register_cuda, NULL);
}

void v2_cuda_memory_unregister(struct http_call *call) {
    http_blocking_start(call, unregister_cuda, NULL);
}

#include "api/reflection.h"

#include "api/grpc_front.h"
#include "codec/pb_file.h"
#include "codec/reflection_messages.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

/* An answer under way; everything is the arena's. */
struct reply {
    struct arena *arena;
    struct pb_server_reflection_response message;
};

static struct status set_error(struct reply *reply, enum grpc_code code, const char *what, struct slice name) {
    struct pb_error_response *error = arena_calloc(reply->arena, 1, sizeof *error);
    char *text =
        arena_printf(reply->arena, "%s%s%.*s%s", what, name.size ? ": '" : "", SLICE_ARGS(name), name.size ? "'" : "");
    if (!error || !text)
        return no_memory();
    error->error_code = (int32_t)code;
    error->error_message = slice_of(text);
    reply->message.which_message_response = pb_server_reflection_response_error_response_number;
    reply->message.error_response = error;
    return status_ok();
}

static struct status describe(struct arena *arena, const struct pb_file *file, struct slice *ret) {
    struct buf bytes = BUF_EMPTY;
    struct status status = pb_file_describe(file, &bytes);
    if (status_is_ok(&status))
        *ret = arena_copy(arena, buf_slice(&bytes));
    if (status_is_ok(&status) && !ret->data)
        status = no_memory();
    buf_free(&bytes);
    return status;
}

/* The file and those that it imports, which import none themselves. */
static struct status set_file(struct reply *reply, const struct pb_file *file) {
    struct pb_file_descriptor_response *answer = arena_calloc(reply->arena, 1, sizeof *answer);
    if (!answer)
        return no_memory();
    answer->file_descriptor_proto.count = 1 + file->import_count;
    answer->file_descriptor_proto.items =
        arena_calloc(reply->arena, 1 + file->import_count, sizeof *answer->file_descriptor_proto.items);
    if (!answer->file_descriptor_proto.items)
        return no_memory();
    STATUS_TRY(describe(reply->arena, file, &answer->file_descriptor_proto.items[0]));
    for (size_t i = 0; i < file->import_count; i++)
        STATUS_TRY(describe(reply->arena, file->imports[i], &answer->file_descriptor_proto.items[1 + i]));
    reply->message.which_message_response = pb_server_reflection_response_file_descriptor_response_number;
    reply->message.file_descriptor_response = answer;
    return status_ok();
}

static struct status set_services(struct reply *reply) {
    struct pb_list_service_response *answer = arena_calloc(reply->arena, 1, sizeof *answer);
    struct pb_service_response *services = arena_calloc(reply->arena, pb_file_count, sizeof *services);
    if (!answer || !services)
        return no_memory();
    answer->service.items = services;
    for (size_t i = 0; i < pb_file_count; i++) {
        if (!pb_files[i]->service)
            continue;
        struct slice name = slice_of(arena_printf(reply->arena, "%s.%s", pb_files[i]->package, pb_files[i]->service));
        if (!name.data)
            return no_memory();
        services[answer->service.count++].name = name;
    }
    reply->message.which_message_response = pb_server_reflection_response_list_services_response_number;
    reply->message.list_services_response = answer;
    return status_ok();
}

/* proto3 has no extensions but those of descriptor.proto, which nothing here declares. */
static struct status set_extension_numbers(struct reply *reply, struct slice type) {
    if (!pb_file_message(type))
        return set_error(reply, GRPC_NOT_FOUND, "there is no such message", type);
    struct pb_extension_number_response *answer = arena_calloc(reply->arena, 1, sizeof *answer);
    if (!answer)
        return no_memory();
    answer->base_type_name = type;
    reply->message.which_message_response = pb_server_reflection_response_all_extension_numbers_response_number;
    reply->message.all_extension_numbers_response = answer;
    return status_ok();
}

static struct status answer(struct reply *reply, struct pb_server_reflection_request *request) {
    const struct pb_file *file;
    reply->message.valid_host = request->host;
    reply->message.original_request = request;
    switch (request->which_message_request) {
    case pb_server_reflection_request_file_by_filename_number:
        file = pb_file_by_name(request->file_by_filename);
        return file ? set_file(reply, file)
                    : set_error(reply, GRPC_NOT_FOUND, "there is no such file", request->file_by_filename);
    case pb_server_reflection_request_file_containing_symbol_number:
        file = pb_file_by_symbol(request->file_containing_symbol);
        return file ? set_file(reply, file)
                    : set_error(reply, GRPC_NOT_FOUND, "there is no such symbol", request->file_containing_symbol);
    case pb_server_reflection_request_file_containing_extension_number:
        return set_error(reply, GRPC_NOT_FOUND, "there is no such extension of",
                         request->file_containing_extension->containing_type);
    case pb_server_reflection_request_all_extension_numbers_of_type_number:
        return set_extension_numbers(reply, request->all_extension_numbers_of_type);
    case pb_server_reflection_request_list_services_number:
        return set_services(reply);
    default:
        return set_error(reply, GRPC_INVALID_ARGUMENT, "message_request: expected one of its members, got none",
                         (struct slice){NULL, 0});
    }
}

static struct status reflect(struct slice message, struct arena *arena, struct buf *out) {
    struct pb_server_reflection_request request;
    struct reply reply = {.arena = arena};
    if (message.size > REFLECTION_REQUEST_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "a reflection request may have %d bytes, got %zu",
                            (int)REFLECTION_REQUEST_MAX, message.size);
    STATUS_TRY(pb_decode(&pb_server_reflection_request_type, message, arena, &request));
    STATUS_TRY(answer(&reply, &request));
    return pb_encode(&pb_server_reflection_response_type, &reply.message, out);
}

void reflection_on_message(struct grpc_call *call, struct slice message) {
    struct buf out = BUF_EMPTY;
    struct arena *arena = arena_create(0);
    struct status status = arena ? reflect(message, arena, &out) : no_memory();
    arena_destroy(arena);
    if (status_is_ok(&status))
        grpc_call_send(call, &out);
    else
        grpc_front_fail(call, &status);
    buf_free(&out);
    if (grpc_call_unsent_bytes(call) > REFLECTION_WAITING_MAX) {
        grpc_call_pause(call);
        grpc_call_await_drain(call, REFLECTION_WAITING_MAX / 2);
    }
}

void reflection_on_drain(struct grpc_call *call) {
    grpc_call_resume(call);
}

void reflection_on_half_close(struct grpc_call *call) {
    grpc_call_finish(call, GRPC_OK, "");
}

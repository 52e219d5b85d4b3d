/* v1_grpc_body.c: TRTIS v1 over gRPC, nvidia.inferenceserver.GRPCService: failures are told in request_status, behind
 * the gRPC status OK. See client_body.h. */
#include "client/grpc_message.h"
#include "client/grpc_stream.h"
#include "client/v1_body.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a gRPC message");
}

/* ---- requests ---- */

static struct status write_memory_query(const struct client_query *query, struct client_call *call) {
    struct pb_v1_shared_memory_control_request_register_system_shared_memory_identifier memory = {.shared_memory_key =
                                                                                                      query->key};
    struct pb_v1_shared_memory_control_request_register add = {
        .name = query->region,
        .which_shared_memory_types = pb_v1_shared_memory_control_request_register_system_shared_memory_number,
        .system_shared_memory = &memory,
        .byte_size = query->byte_size};
    struct pb_v1_shared_memory_control_request_unregister drop = {.name = query->region};
    struct pb_v1_shared_memory_control_request request = {0};
    if (query->kind == QUERY_MEMORY_REGISTER) {
        request.which_shared_memory_control = pb_v1_shared_memory_control_request_register_region_number;
        request.register_region = &add;
    } else {
        request.which_shared_memory_control = pb_v1_shared_memory_control_request_unregister_number;
        request.unregister = &drop;
    }
    call->grpc_path = "/nvidia.inferenceserver.GRPCService/SharedMemoryControl";
    return grpc_message_write(&pb_v1_shared_memory_control_request_type, &request, &call->request);
}

static struct status write_query(const struct client_query *query, const char *authority, struct client_call *call) {
    (void)authority; /* a header, not part of the message */
    STATUS_TRY(v1_body_check_query(query));
    if (client_query_is_order(query->kind))
        return write_memory_query(query, call);
    if (query->kind == QUERY_SERVER_READY) {
        struct pb_v1_health_request health = {.mode = SLICE_LITERAL("ready")};
        call->grpc_path = "/nvidia.inferenceserver.GRPCService/Health";
        return grpc_message_write(&pb_v1_health_request_type, &health, &call->request);
    }
    struct pb_v1_status_request status = {.model_name = query->model};
    call->grpc_path = "/nvidia.inferenceserver.GRPCService/Status";
    return grpc_message_write(&pb_v1_status_request_type, &status, &call->request);
}

static struct status write_infer(const struct infer_request_spec *request, const char *authority, struct arena *arena,
                                 struct client_call *call) {
    (void)authority;
    struct pb_v1_infer_request_header header;
    struct pb_v1_infer_request message = {.model_name = request->model, .meta_data = &header};
    STATUS_TRY(v1_body_version(request->version, &message.model_version));
    STATUS_TRY(v1_body_describe(request, arena, &header));
    message.raw_input.items = arena_calloc(arena, request->input_count, sizeof *message.raw_input.items);
    if (message.raw_input.items == NULL)
        return out_of_memory();
    for (size_t i = 0; i < request->input_count && request->input_regions == NULL; i++)
        message.raw_input.items[message.raw_input.count++] = request->inputs[i].data;
    call->grpc_path = "/nvidia.inferenceserver.GRPCService/Infer";
    return grpc_message_write(&pb_v1_infer_request_type, &message, &call->request);
}

/* ---- answers ---- */

static struct status read_infer(const struct client_call *call, struct arena *arena, struct client_infer_answer *ret) {
    struct pb_v1_infer_response message;
    static const struct pb_v1_infer_response_header none;
    STATUS_TRY(grpc_message_read(grpc_message_of(call), arena, &pb_v1_infer_response_type, &message));
    STATUS_TRY(v1_body_outcome(message.request_status));
    const struct pb_v1_infer_response_header *header = message.meta_data != NULL ? message.meta_data : &none;
    if (header->output.count > INFER_ANSWER_TENSORS_MAX || message.raw_output.count != header->output.count)
        return status_error(STATUS_DATA_LOSS, "the server's answer has %zu outputs and %zu raw_output",
                            header->output.count, message.raw_output.count);
    return v1_body_read(call, header, message.raw_output.items, arena, ret);
}

static struct status read_status(struct slice bytes, struct arena *arena, struct pb_v1_server_status *ret) {
    struct pb_v1_status_response message;
    STATUS_TRY(grpc_message_read(bytes, arena, &pb_v1_status_response_type, &message));
    STATUS_TRY(v1_body_outcome(message.request_status));
    if (message.server_status == NULL)
        return status_error(STATUS_DATA_LOSS, "the server's answer to Status has no status");
    *ret = *message.server_status;
    return status_ok();
}

/* A server that ends answers UNAVAILABLE, which is a no; so is what it says of a model that it does not know. */
static struct status read_ready(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                bool *ret) {
    struct status status = call->status;
    if (!status_is_ok(&status))
        return status;
    if (query->kind == QUERY_SERVER_READY) {
        struct pb_v1_health_response health;
        STATUS_TRY(grpc_message_read(grpc_message_of(call), arena, &pb_v1_health_response_type, &health));
        *ret = health.health;
        status = v1_body_outcome(health.request_status);
    } else if (query->kind == QUERY_MODEL_READY) {
        struct pb_v1_server_status server;
        status = read_status(grpc_message_of(call), arena, &server);
        *ret = status_is_ok(&status) && v1_body_model_ready(&server, query->model, query->version);
        if (status.code == STATUS_INVALID_ARGUMENT)
            return status_ok();
    } else {
        struct pb_v1_shared_memory_control_response memory;
        STATUS_TRY(
            grpc_message_read(grpc_message_of(call), arena, &pb_v1_shared_memory_control_response_type, &memory));
        *ret = true;
        return v1_body_outcome(memory.request_status);
    }
    *ret = *ret && status_is_ok(&status);
    return status.code == STATUS_UNAVAILABLE ? status_ok() : status;
}

/* Only a config is asked for so. */
static struct status read_message(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                  const struct pb_message *type, void *ret) {
    (void)type;
    struct slice copy = arena_copy(arena, grpc_message_of(call)); /* the message's strings outlive the call */
    struct pb_v1_server_status server;
    if (copy.data == NULL && grpc_message_of(call).size > 0)
        return out_of_memory();
    STATUS_TRY(read_status(copy, arena, &server));
    return v1_body_config(&server, query->model, ret);
}

static struct status read_statistics(const struct client_call *call, struct arena *arena, struct infer_statistics **ret,
                                     size_t *ret_count) {
    struct pb_v1_server_status server;
    STATUS_TRY(read_status(grpc_message_of(call), arena, &server));
    return v1_body_statistics(&server, arena, ret, ret_count);
}

const struct client_body_ops v1_grpc_body_ops = {
    .write_query = write_query,
    .write_infer = write_infer,
    .read_infer = read_infer,
    .read_ready = read_ready,
    .read_message = read_message,
    .read_statistics = read_statistics,
    .stream = &grpc_stream_v1,
    .untyped = true,
};

#include "core/infer_response.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "core/request_state.h"

struct infer_response *infer_response_create(const struct infer_request *request, size_t output_capacity) {
    struct arena *arena = arena_create(0);
    if (!arena)
        return NULL;
    struct infer_response *response = arena_calloc(arena, 1, sizeof *response);
    struct slice name = request->model ? request->state->model_name : request->model_name;
    if (response) {
        if (request->model && request->state->response_began_ns)
            response->created_ns = clock_monotonic_ns();
        response->arena = arena;
        response->model_name = arena_copy(arena, name);
        response->model_version = request->model ? request->state->model_version : request->model_version;
        response->outputs = arena_calloc(arena, output_capacity, sizeof *response->outputs);
        response->output_capacity = output_capacity;
        response->requested = request->outputs;
        response->requested_count = request->output_count;
    }
    if (!response || !response->outputs || response->model_name.size != name.size) {
        arena_destroy(arena);
        return NULL;
    }
    return response;
}

struct infer_response *infer_response_create_error(struct infer_request *request, struct status status) {
    struct infer_response *response = infer_response_create(request, 0);
    if (!response) {
        response = &request->state->reserve;
        memset(response, 0, sizeof *response);
        response->reserved = true;
        response->model_name = request->model ? request->state->model_name : request->model_name;
        response->model_version = request->model ? request->state->model_version : request->model_version;
    }
    response->status = status;
    return response;
}

void infer_response_destroy(struct infer_response *response) {
    if (!response)
        return;
    if (response->release_data)
        response->release_data(response->release_user);
    if (!response->reserved)
        arena_destroy(response->arena); /* the response itself lies in it */
}

const struct requested_output *infer_response_part(const struct infer_response *response, struct slice name) {
    for (size_t i = 0; i < response->requested_count; i++)
        if (response->requested[i].part.region.size > 0 && slice_equal(response->requested[i].name, name))
            return &response->requested[i];
    return NULL;
}

struct status infer_response_add_output(struct infer_response *response, struct slice name, enum datatype type,
                                        const int64_t *shape, int rank, size_t size, char **ret_data) {
    if (rank < 0 || rank > TENSOR_RANK_MAX)
        return status_error(STATUS_INTERNAL, "output '%.*s' has %d dimensions, and a tensor may have 0 to %d",
                            SLICE_ARGS(name), rank, TENSOR_RANK_MAX);
    if (response->output_count == response->output_capacity)
        return status_error(STATUS_INTERNAL, "output '%.*s' is one more than the %zu that the response has room for",
                            SLICE_ARGS(name), response->output_capacity);
    const struct requested_output *elsewhere = infer_response_part(response, name);
    if (elsewhere && size > elsewhere->part.size)
        return status_error(STATUS_INTERNAL,
                            "shared memory size specified with the request for output '%.*s' (%" PRIu64
                            " bytes) should be at least %zu bytes to hold the results",
                            SLICE_ARGS(name), elsewhere->part.size, size);
    bool shared = elsewhere && elsewhere->destination; /* not on a GPU, where it is copied to at the end */
    char *data = shared ? elsewhere->destination : arena_alloc(response->arena, size);
    struct slice own_name = arena_copy(response->arena, name);
    if (!data || own_name.size != name.size)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the %zu bytes of output '%.*s'", size,
                            SLICE_ARGS(name));
    struct tensor *tensor = &response->outputs[response->output_count++];
    tensor->name = own_name;
    tensor->type = type;
    tensor->rank = rank;
    if (rank)
        memcpy(tensor->shape, shape, (size_t)rank * sizeof *shape);
    tensor->data = (struct slice){data, size};
    tensor->memory = shared ? MEMORY_SHARED : MEMORY_REQUEST;
    *ret_data = data;
    return status_ok();
}

struct status infer_response_add_copy(struct infer_response *response, const struct infer_request *request,
                                      struct slice name, const struct tensor *tensor) {
    bool borrowed = tensor->memory == MEMORY_REQUEST && !request->shared_memory;
    size_t size = borrowed ? 0 : tensor->data.size;
    char *data;
    STATUS_TRY(infer_response_add_output(response, name, tensor->type, tensor->shape, tensor->rank, size, &data));
    response->borrows |= borrowed;
    if (borrowed)
        response->outputs[response->output_count - 1].data = tensor->data;
    else if (size > 0)
        memmove(data, tensor->data.data, size); /* both may be in one region of shared memory */
    return status_ok();
}

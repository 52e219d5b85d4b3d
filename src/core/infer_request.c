#include "core/infer_request.h"

#include <stddef.h>
#include <string.h>

#include "core/request_state.h"

struct infer_request *infer_request_create(size_t arena_limit) {
    enum { OWN_BYTES = sizeof(struct infer_request) + sizeof(struct request_state) + 64 };
    if (arena_limit && __builtin_add_overflow(arena_limit, OWN_BYTES, &arena_limit))
        arena_limit = 0;
    struct arena *arena = arena_create(arena_limit);
    if (!arena)
        return NULL;
    struct infer_request *request = arena_calloc(arena, 1, sizeof *request);
    struct request_state *state = request ? arena_alloc(arena, sizeof *state) : NULL;
    if (!state) {
        arena_destroy(arena);
        return NULL;
    }
    memset(state, 0, offsetof(struct request_state, reserve));
    atomic_init(&state->stage, STAGE_ADAPTER);
    atomic_init(&request->cancelled, false);
    request->arena = arena;
    request->state = state;
    request->model_version = -1;
    return request;
}

void infer_request_destroy(struct infer_request *request) {
    if (!request)
        return;
    if (request->state->detach_memory)
        request->state->detach_memory(request);
    if (request->model)
        request->state->unpin(request->model);
    arena_destroy(request->arena); /* the request itself lies in it */
}

const struct tensor *infer_request_input(const struct infer_request *request, struct slice name) {
    for (size_t i = 0; i < request->input_count; i++)
        if (slice_equal(request->inputs[i].name, name))
            return &request->inputs[i];
    return NULL;
}

bool infer_request_wants(const struct infer_request *request, struct slice output_name) {
    for (size_t i = 0; i < request->output_count; i++)
        if (slice_equal(request->outputs[i].name, output_name))
            return true;
    return request->output_count == 0;
}

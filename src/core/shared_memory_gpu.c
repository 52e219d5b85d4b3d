/* shared_memory_gpu.c: inputs that come from memory of GPUs, and results that go there: copies, off the threads that
 * must not wait. */

#include "core/request_state.h"
#include "core/shared_memory_priv.h"

/* Room that the arena keeps for all that a submission adds to a request. */
enum { ARENA_SLACK = 1 << 20 };

/* ---- inputs ---- */

/* Under the lock. */
static bool is_on_gpu(const struct shared_memory *memory, const struct memory_part *part) {
    const struct shared_memory_region *region = part->region.size > 0 ? shared_memory_find(memory, part->region) : NULL;
    return region && region->gpu;
}

bool shared_memory_is_far(struct shared_memory *memory, const struct infer_request *request) {
    if (!memory->options.allowed || request->shared_memory || shared_memory_count_parts(request) == 0)
        return false;
    pthread_mutex_lock(&memory->lock);
    bool far = false, any = memory->gpu_regions > 0;
    for (size_t i = 0; any && !far && i < request->input_count; i++)
        far = is_on_gpu(memory, &request->inputs[i].part);
    for (size_t i = 0; any && !far && i < request->output_count; i++)
        far = is_on_gpu(memory, &request->outputs[i].part);
    pthread_mutex_unlock(&memory->lock);
    return far;
}

static struct status copy_input(struct infer_request *request, struct tensor *tensor) {
    size_t size = (size_t)tensor->part.size;
    char *data = arena_alloc(request->arena, size);
    if (!data)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the %zu bytes of input '%.*s'", size,
                            SLICE_ARGS(tensor->name));
    struct status status = gpu_memory_read(tensor->part.found->gpu, tensor->part.offset, size, data);
    if (!status_is_ok(&status))
        return status_prefix(status, "input '%.*s' cannot be read from shared memory region '%.*s'",
                             SLICE_ARGS(tensor->name), SLICE_ARGS(tensor->part.region));
    tensor->data = (struct slice){data, size};
    tensor->memory = MEMORY_REQUEST;
    return status_ok();
}

/* What was decoded has had its bound: what is copied has its own, the regions, and the gate that books it. */
static struct status make_room(struct infer_request *request) {
    size_t room = arena_used(request->arena) + ARENA_SLACK;
    for (size_t i = 0; i < request->input_count; i++) {
        const struct tensor *tensor = &request->inputs[i];
        if (tensor->memory == MEMORY_DEVICE && (__builtin_add_overflow(room, tensor->part.size, &room) ||
                                                __builtin_add_overflow(room, _Alignof(max_align_t), &room)))
            return status_error(STATUS_INVALID_ARGUMENT, "inputs in CUDA shared memory have too many bytes together");
    }
    arena_set_limit(request->arena, room);
    return status_ok();
}

static struct status copy_inputs(struct infer_request *request) {
    STATUS_TRY(make_room(request));
    for (size_t i = 0; i < request->input_count; i++)
        if (request->inputs[i].memory == MEMORY_DEVICE)
            STATUS_TRY(copy_input(request, &request->inputs[i]));
    return status_ok();
}

struct status shared_memory_fetch(struct shared_memory *memory, struct infer_request *request) {
    STATUS_TRY(shared_memory_attach_all(memory, request));
    struct status status = request->shared_memory ? copy_inputs(request) : status_ok();
    if (!status_is_ok(&status))
        shared_memory_detach(request);
    return status;
}

/* ---- results ---- */

static struct status copy_output(const struct infer_response *response, struct tensor *tensor) {
    const struct requested_output *output = infer_response_part(response, tensor->name);
    if (!output || output->destination)
        return status_ok();
    struct status status = gpu_memory_write(output->part.found->gpu, output->part.offset, tensor->data);
    if (!status_is_ok(&status))
        return status_prefix(status, "output '%.*s' cannot be written to shared memory region '%.*s'",
                             SLICE_ARGS(tensor->name), SLICE_ARGS(output->part.region));
    tensor->memory = MEMORY_SHARED;
    return status_ok();
}

/* Nothing is written for a client who has given up: the memory may be something else's by now. */
static struct status copy_outputs(const struct infer_request *request, struct infer_response *response) {
    if (!status_is_ok(&response->status) || atomic_load(&request->cancelled))
        return status_ok();
    for (size_t i = 0; i < response->output_count; i++)
        STATUS_TRY(copy_output(response, &response->outputs[i]));
    return status_ok();
}

/* The next response to be copied; NULL: there is none, and the task has to be posted again for the next. */
static struct infer_response *take(struct shared_memory_uses *uses) {
    pthread_mutex_lock(&uses->memory->lock);
    struct infer_response *response = uses->first;
    if (response)
        uses->first = response->next;
    if (!uses->first)
        uses->last = &uses->first;
    uses->posted = response != NULL;
    pthread_mutex_unlock(&uses->memory->lock);
    return response;
}

static void run(struct gpu_task *task) {
    struct shared_memory_uses *uses = (void *)((char *)task - offsetof(struct shared_memory_uses, task));
    struct infer_response *response;
    bool final = false;
    while (!final && (response = take(uses)) != NULL) { /* the final one takes the request with it */
        response->next = NULL;
        final = response->final;
        uses->copied(uses->request, response, final, copy_outputs(uses->request, response));
    }
}

bool shared_memory_defer(struct infer_request *request, struct infer_response *response, bool final,
                         shared_memory_copied_f *copied) {
    struct shared_memory_uses *uses = request->shared_memory;
    if (!uses || !uses->has_gpu_outputs)
        return false;
    if (!response)
        response = infer_response_create_error(
            request, status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the response of the model"));
    response->final = final;
    response->next = NULL;
    uses->copied = copied;
    uses->task.run = run;
    pthread_mutex_lock(&uses->memory->lock);
    *uses->last = response;
    uses->last = &response->next;
    bool post = !uses->posted;
    uses->posted = true;
    pthread_mutex_unlock(&uses->memory->lock);
    if (post)
        gpu_memory_post(uses->memory->gpus, &uses->task);
    return true;
}

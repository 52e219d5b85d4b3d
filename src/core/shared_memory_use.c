/* shared_memory_use.c: requests and the shared memory that they name: the second half of shared_memory.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/request_state.h"
#include "core/shared_memory_priv.h"

/* ---- attach ---- */

size_t shared_memory_count_parts(const struct infer_request *request) {
    size_t count = 0;
    for (size_t i = 0; i < request->input_count; i++)
        count += request->inputs[i].part.region.size > 0;
    for (size_t i = 0; i < request->output_count; i++)
        count += request->outputs[i].part.region.size > 0;
    return count;
}

static struct status check_inside(const struct shared_memory_row *row, const struct memory_part *part) {
    uint64_t end;
    if (part->offset > row->byte_size || (part->offset == row->byte_size && part->size > 0))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "Invalid offset for shared memory region: '%.*s': %" PRIu64 ", and it has %" PRIu64
                            " bytes",
                            SLICE_ARGS(row->name), part->offset, row->byte_size);
    if (__builtin_add_overflow(part->offset, part->size, &end))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "Integer overflow detected: byte_size (%" PRIu64 ") + offset (%" PRIu64
                            ") exceeds maximum value (%" PRIu64 ") for region '%.*s'",
                            part->size, part->offset, UINT64_MAX, SLICE_ARGS(row->name));
    if (end > row->byte_size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "Invalid offset + byte size for shared memory region: '%.*s': %" PRIu64 " + %" PRIu64
                            ", and it has %" PRIu64 " bytes",
                            SLICE_ARGS(row->name), part->offset, part->size, row->byte_size);
    return status_ok();
}

static struct status check_whole(const struct shared_memory_region *region) {
    if (!region->map || !guarded_map_is_lost(region->map))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT,
                        "shared memory region '%.*s': its object '%.*s' was cut short while it was in use, or the "
                        "system has no memory for it; unregister the region and register it again",
                        SLICE_ARGS(region->row.name), SLICE_ARGS(region->row.key));
}

/* Under the lock. The address of the part, whose region is kept from now on; NULL: it lies on a GPU. */
static struct status use_part(struct shared_memory_uses *uses, struct memory_part *part, char **ret) {
    struct shared_memory_region *region = shared_memory_find(uses->memory, part->region);
    if (!region)
        return status_error(STATUS_NOT_FOUND, "Unable to find shared memory region: '%.*s'", SLICE_ARGS(part->region));
    STATUS_TRY(check_inside(&region->row, part));
    STATUS_TRY(check_whole(region));
    region->uses++;
    uses->regions[uses->count++] = region;
    part->found = region;
    *ret = region->map ? guarded_map_data(region->map) + part->offset : NULL;
    return status_ok();
}

static struct status use_input(struct shared_memory_uses *uses, struct tensor *tensor) {
    struct shared_memory *memory = uses->memory;
    char *data;
    STATUS_TRY(use_part(uses, &tensor->part, &data));
    if (!data) {
        tensor->memory = MEMORY_DEVICE; /* until it is copied, and booked like any bytes of a request */
        return status_ok();
    }
    if (tensor->part.size > memory->options.max_input_bytes - memory->input_bytes)
        return status_error(STATUS_UNAVAILABLE,
                            "no room for the %" PRIu64 " bytes of input '%.*s': inputs in shared memory of all "
                            "requests may have %" PRIu64 " bytes at once; try again later",
                            tensor->part.size, SLICE_ARGS(tensor->name), memory->options.max_input_bytes);
    memory->input_bytes += tensor->part.size;
    uses->input_bytes += tensor->part.size;
    tensor->data = (struct slice){data, (size_t)tensor->part.size};
    tensor->memory = MEMORY_SHARED;
    return status_ok();
}

static struct status use_parts(struct shared_memory_uses *uses, struct infer_request *request) {
    for (size_t i = 0; i < request->input_count; i++)
        if (request->inputs[i].part.region.size > 0)
            STATUS_TRY(use_input(uses, &request->inputs[i]));
    for (size_t i = 0; i < request->output_count; i++) {
        struct requested_output *output = &request->outputs[i];
        if (output->part.region.size == 0)
            continue;
        STATUS_TRY(use_part(uses, &output->part, &output->destination));
        uses->has_gpu_outputs |= !output->destination;
    }
    return status_ok();
}

struct status shared_memory_attach_all(struct shared_memory *memory, struct infer_request *request) {
    size_t count = shared_memory_count_parts(request);
    if (count == 0)
        return status_ok();
    STATUS_TRY(shared_memory_check_allowed(memory));
    struct shared_memory_uses *uses = arena_calloc(request->arena, 1, sizeof *uses);
    struct shared_memory_region **regions = arena_calloc(request->arena, count, sizeof(struct shared_memory_region *));
    if (!uses || !regions)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu parts of shared memory", count);
    uses->memory = memory;
    uses->regions = regions;
    uses->request = request;
    uses->last = &uses->first;
    request->shared_memory = uses;
    request->state->detach_memory = shared_memory_detach;
    pthread_mutex_lock(&memory->lock);
    struct status status = use_parts(uses, request);
    pthread_mutex_unlock(&memory->lock);
    if (!status_is_ok(&status))
        shared_memory_detach(request);
    return status;
}

static bool has_gpu_part(const struct shared_memory_uses *uses) {
    for (size_t i = 0; i < uses->count; i++)
        if (uses->regions[i]->gpu)
            return true;
    return false;
}

struct status shared_memory_attach(struct shared_memory *memory, struct infer_request *request) {
    if (request->shared_memory)
        return status_ok();
    STATUS_TRY(shared_memory_attach_all(memory, request));
    if (!request->shared_memory || !has_gpu_part(request->shared_memory))
        return status_ok();
    shared_memory_detach(request);
    return status_error(STATUS_UNAVAILABLE, "a shared memory region was registered anew while the request that names "
                                            "it was being read; try again");
}

/* ---- settle ---- */

static bool is_float(enum datatype type) {
    return type == DATATYPE_FP16 || type == DATATYPE_BF16 || type == DATATYPE_FP32 || type == DATATYPE_FP64;
}

/* Of the bytes of one object: regions that share it are mapped at different addresses. */
static bool overlaps(const struct memory_part *input, const struct memory_part *output) {
    const struct shared_memory_region *from = input->found, *to = output->found;
    if (!to || !to->map || from->device != to->device || from->inode != to->inode)
        return false;
    uint64_t begin = from->row.offset + input->offset, other = to->row.offset + output->offset; /* inside the object */
    return begin < other + output->size && other < begin + input->size;
}

static bool must_copy(const struct infer_request *request, const struct tensor *tensor, bool may_change) {
    if (tensor->memory != MEMORY_SHARED)
        return false;
    if (tensor->type == DATATYPE_BYTES)
        return true;
    if (!may_change && (!is_float(tensor->type) || tensor->data.size <= SHARED_MEMORY_COPY_MAX))
        return true;
    for (size_t i = 0; i < request->output_count; i++)
        if (overlaps(&tensor->part, &request->outputs[i].part))
            return true;
    return false;
}

/* Room of a copy, so that the next one is aligned for vectors. */
static size_t room_of(size_t size) {
    enum { ALIGNMENT = 64 };
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; /* far below SIZE_MAX: it is mapped */
}

static struct status copy_input(struct tensor *tensor, char *to) {
    memcpy(to, tensor->data.data, tensor->data.size);
    tensor->data.data = to;
    tensor->memory = MEMORY_REQUEST;
    if (tensor->type != DATATYPE_BYTES)
        return status_ok();
    return tensor_check_size(tensor);
}

struct status shared_memory_settle(struct infer_request *request, bool may_change) {
    struct shared_memory_uses *uses = request->shared_memory;
    if (!uses)
        return status_ok();
    size_t room = 0, count = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        if (!must_copy(request, &request->inputs[i], may_change))
            continue;
        room += room_of(request->inputs[i].data.size);
        count++;
    }
    if (count == 0)
        return status_ok();
    uses->copies = aligned_alloc(room_of(1), room + room_of(1)); /* one of size 0 has an address, too */
    if (!uses->copies)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the %zu bytes of %zu inputs in shared memory",
                            room, count);
    char *to = uses->copies;
    struct status content = status_ok();
    for (size_t i = 0; i < request->input_count && status_is_ok(&content); i++) {
        struct tensor *tensor = &request->inputs[i];
        if (!must_copy(request, tensor, may_change))
            continue;
        size_t size = tensor->data.size;
        content = copy_input(tensor, to);
        to += room_of(size);
    }
    STATUS_TRY(shared_memory_check(request)); /* the better reason, where it is one */
    return content;
}

struct status shared_memory_check(const struct infer_request *request) {
    const struct shared_memory_uses *uses = request->shared_memory;
    for (size_t i = 0; uses && i < uses->count; i++)
        STATUS_TRY(check_whole(uses->regions[i]));
    return status_ok();
}

/* ---- detach ---- */

void shared_memory_detach(struct infer_request *request) {
    struct shared_memory_uses *uses = request->shared_memory;
    if (!uses)
        return;
    request->shared_memory = NULL;
    for (size_t i = 0; i < request->input_count; i++)
        request->inputs[i].part.found = NULL;
    for (size_t i = 0; i < request->output_count; i++) {
        request->outputs[i].destination = NULL;
        request->outputs[i].part.found = NULL;
    }
    struct shared_memory *memory = uses->memory;
    pthread_mutex_lock(&memory->lock);
    memory->input_bytes -= uses->input_bytes;
    for (size_t i = 0; i < uses->count; i++) {
        uses->regions[i]->uses--;
        uses->regions[i] = shared_memory_drop_unused(memory, uses->regions[i]);
    }
    pthread_mutex_unlock(&memory->lock);
    for (size_t i = 0; i < uses->count; i++)
        shared_memory_free_region(uses->regions[i]);
    free(uses->copies);
}

#include "tools/perf/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TENSOR_ALIGNMENT = 64 };

static struct status failed(const char *what, const char *key) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "shared memory %s: %s: %s", key, what, strerror(errno));
}

static struct slice region_of(const struct memory_object *object) {
    return slice_of(object->key + 1); /* without the slash */
}

static size_t aligned(size_t size) {
    return (size + TENSOR_ALIGNMENT - 1) / TENSOR_ALIGNMENT * TENSOR_ALIGNMENT;
}

static struct status object_open(struct memory_object *object, const char *what, size_t size) {
    snprintf(object->key, sizeof object->key, "/inferd_perf_%ld_%s", (long)getpid(), what);
    object->size = size > 0 ? size : 1;
    object->fd = shm_open(object->key, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (object->fd < 0) {
        struct status status = failed("cannot be made", object->key);
        object->key[0] = '\0'; /* not ours to remove */
        return status;
    }
    object->linked = true;
    int error = posix_fallocate(object->fd, 0, (off_t)object->size); /* a full /dev/shm shows here, not as SIGBUS */
    if (error != 0) {
        errno = error;
        return failed("no room", object->key);
    }
    void *data = mmap(NULL, object->size, PROT_READ | PROT_WRITE, MAP_SHARED, object->fd, 0);
    if (data == MAP_FAILED)
        return failed("cannot be mapped", object->key);
    object->data = data;
    return status_ok();
}

static void object_unlink(struct memory_object *object) {
    if (object->linked)
        shm_unlink(object->key);
    object->linked = false;
}

static struct status object_register(struct memory_object *object, struct driver *driver) {
    struct status status = driver->ops->memory_register(driver, region_of(object), slice_of(object->key), object->size);
    /* An answer that is not waited for any longer does not mean that the server has not done it. */
    object->registered =
        status_is_ok(&status) || status.code == STATUS_CANCELLED || status.code == STATUS_DEADLINE_EXCEEDED;
    if (!status_is_ok(&status))
        return status;
    object_unlink(object); /* the server has it open: whatever ends this program, nothing is left in /dev/shm */
    return status_ok();
}

static void object_close(struct memory_object *object, struct driver *driver) {
    if (object->registered) {
        struct status status = driver->ops->memory_unregister(driver, region_of(object));
        if (!status_is_ok(&status))
            fprintf(stderr, "inferd perf: shared memory %s: %s\n", object->key, status.message);
    }
    if (object->data != NULL)
        munmap(object->data, object->size);
    object_unlink(object);
    if (object->key[0] != '\0')
        close(object->fd);
}

/* ---- inputs ---- */

static size_t inputs_size(const struct workload *workload) {
    size_t size = 0;
    for (size_t e = 0; e < workload->entry_count; e++) {
        for (size_t i = 0; i < workload->entries[e].input_count; i++)
            size += aligned(workload->entries[e].inputs[i].data.size);
    }
    return size;
}

static struct status move_inputs(struct memory *memory, struct arena *arena, struct workload *workload) {
    size_t at = 0;
    for (size_t e = 0; e < workload->entry_count; e++) {
        struct workload_entry *entry = &workload->entries[e];
        struct infer_region *regions = arena_calloc(arena, entry->input_count, sizeof *regions);
        if (regions == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for input data");
        for (size_t i = 0; i < entry->input_count; i++) {
            struct slice *data = &entry->inputs[i].data;
            if (data->size > 0)
                memcpy(memory->input.data + at, data->data, data->size);
            data->data = memory->input.data + at;
            regions[i] = (struct infer_region){region_of(&memory->input), at, data->size};
            at += aligned(data->size);
        }
        entry->input_regions = regions;
    }
    return status_ok();
}

/* ---- outputs ---- */

/* Bytes that an output takes at most; of a variable one what the user says. */
static size_t output_size(const struct infer_tensor_info *output, size_t batch_size, size_t output_bytes) {
    int element = workload_element_size(output->datatype);
    size_t size = element > 0 ? (size_t)element : 0;
    for (size_t d = 0; d < output->rank && size > 0; d++) {
        if (output->shape[d] < 0 || __builtin_mul_overflow(size, (size_t)output->shape[d], &size))
            size = 0;
    }
    return (size > 0 ? size : output_bytes) * batch_size;
}

static struct status place_outputs(struct memory *memory, struct arena *arena, const struct infer_model_info *model,
                                   size_t batch_size, size_t output_bytes) {
    size_t at = 0;
    memory->output_names = arena_calloc(arena, model->output_count, sizeof *memory->output_names);
    memory->output_regions = arena_calloc(arena, model->output_count, sizeof *memory->output_regions);
    if (memory->output_names == NULL || memory->output_regions == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for outputs");
    for (size_t i = 0; i < model->output_count; i++) {
        size_t size = output_size(&model->outputs[i], batch_size, output_bytes);
        memory->output_names[i] = model->outputs[i].name;
        memory->output_regions[i] = (struct infer_region){{NULL, 0}, at, size};
        at += aligned(size);
    }
    memory->output_count = model->output_count;
    STATUS_TRY(object_open(&memory->output, "output", at));
    for (size_t i = 0; i < model->output_count; i++)
        memory->output_regions[i].name = region_of(&memory->output);
    return status_ok();
}

struct status memory_open(struct memory *memory, struct driver *driver, struct arena *arena,
                          const struct infer_model_info *model, struct workload *workload, size_t batch_size,
                          size_t output_bytes) {
    *memory = (struct memory){.driver = driver};
    if (workload->refresh)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "--fresh-data would change memory that requests in flight are read from: leave out one of it "
            "and --shared-memory");
    for (size_t e = 0; e < workload->entry_count; e++) {
        if (workload->entries[e].expected_count > 0)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "outputs in shared memory are not looked at: leave out --shared-memory, or validation_data");
    }
    STATUS_TRY(object_open(&memory->input, "input", inputs_size(workload)));
    STATUS_TRY(move_inputs(memory, arena, workload));
    STATUS_TRY(place_outputs(memory, arena, model, batch_size, output_bytes));
    STATUS_TRY(object_register(&memory->input, driver));
    return object_register(&memory->output, driver);
}

void memory_close(struct memory *memory) {
    object_close(&memory->input, memory->driver);
    object_close(&memory->output, memory->driver);
}

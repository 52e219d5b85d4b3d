/* memory.h: --shared-memory system: the workload's tensors in one object of shared memory that the server reads, and
 * room for its outputs in another, as perf_analyzer does it. All requests share the room: nobody reads the outputs.
 *
 * Lifetime: memory_close unregisters both and removes the objects, also after a failed memory_open. */
#ifndef INFERD_TOOLS_PERF_MEMORY_H
#define INFERD_TOOLS_PERF_MEMORY_H

#include "tools/perf/driver.h"
#include "tools/perf/workload.h"

/* An object in /dev/shm that is registered with the server under its own name. */
struct memory_object {
    char key[64]; /* "/inferd_perf_1234_input"; "": none */
    int fd;
    char *data;
    size_t size;
    bool linked; /* it has a name */
    bool registered;
};

struct memory {
    struct driver *driver;
    struct memory_object input, output;
    struct slice *output_names;          /* the arena's */
    struct infer_region *output_regions; /* the arena's */
    size_t output_count;
};

/* Moves the data of all entries and sets their regions. output_bytes: room for an output of variable size, times the
 * batch. Errors: INVALID_ARGUMENT (validation data, fresh data), RESOURCE_EXHAUSTED, what the server says. */
struct status memory_open(struct memory *memory, struct driver *driver, struct arena *arena,
                          const struct infer_model_info *model, struct workload *workload, size_t batch_size,
                          size_t output_bytes) STATUS_MUST_CHECK;
void memory_close(struct memory *memory);

#endif

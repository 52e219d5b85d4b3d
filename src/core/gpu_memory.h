/* gpu_memory.h: memory of GPUs that other processes have lent by a CUDA IPC handle: opening it, copying from and to it.
 *
 * The driver is not ours: any of its calls may take long, or not come back. So nothing here calls it on a thread that
 * must not wait: opening and reading are for threads that may, whatever else there is to do (closing, what
 * gpu_memory_post is given) is done by one thread of this part, in order. Who would wait for a driver that somebody
 * else already waits for gives up after GPU_MEMORY_PATIENCE_NS.
 *
 * A handle that is opened again is shared: one process may have it open only once. The driver library is opened when
 * this part is made; where there is none, or no GPU, opening says so.
 *
 * Source: CUDA Driver API: Memory Management (IPC), Primary Context Management; API synchronization behaviour.
 * Thread: any. */
#ifndef INFERD_CORE_GPU_MEMORY_H
#define INFERD_CORE_GPU_MEMORY_H

#include "base/clock.h"
#include "base/cuda_library.h"
#include "base/slice.h"

enum { GPU_MEMORY_PATIENCE_S = 5 };
#define GPU_MEMORY_PATIENCE_NS (GPU_MEMORY_PATIENCE_S * NS_PER_S)

struct gpu_memory;
struct gpu_mapping; /* an allocation of another process, open here */

/* A piece of work for the thread; embedded in its owner's memory, which stays valid until run() is called. */
struct gpu_task {
    void (*run)(struct gpu_task *task);
    struct gpu_task *next;
};

/* `library`: CUDA_DRIVER_LIBRARY, or another with the same functions; borrowed. RESOURCE_EXHAUSTED. */
struct status gpu_memory_create(const char *library, struct gpu_memory **ret) STATUS_MUST_CHECK;
/* Does what was posted, and gives everything back; a driver that does not come back is left behind, with the memory
 * that it may still use. No mapping is open any more. Accepts NULL. */
void gpu_memory_destroy(struct gpu_memory *memory);
/* How many GPUs there are, as far as is known by now; 0 when nothing can be done with them. */
int gpu_memory_devices(struct gpu_memory *memory);

/* Opens at least byte_size bytes from the start of what the handle stands for. UNSUPPORTED: no driver, or no GPU.
 * INVALID_ARGUMENT: a handle, device or size that cannot be. UNAVAILABLE: the driver fails, or somebody waits for it.
 * May wait. */
struct status gpu_memory_open(struct gpu_memory *memory, struct slice handle, int64_t device, uint64_t byte_size,
                              struct gpu_mapping **ret) STATUS_MUST_CHECK;
/* The thread closes it once nobody has it open. Accepts NULL. */
void gpu_memory_close(struct gpu_mapping *mapping);
/* Waits until all that was closed is closed, and no longer than GPU_MEMORY_PATIENCE_NS. */
void gpu_memory_flush(struct gpu_memory *memory);

/* Both wait for the copy; the caller has checked that the bytes are there. INTERNAL: the driver's error. */
struct status gpu_memory_read(struct gpu_mapping *mapping, uint64_t offset, size_t size, char *to) STATUS_MUST_CHECK;
struct status gpu_memory_write(struct gpu_mapping *mapping, uint64_t offset, struct slice bytes) STATUS_MUST_CHECK;
/* Has the thread run the task, after all that was posted before. Never waits, never fails. */
void gpu_memory_post(struct gpu_memory *memory, struct gpu_task *task);

#endif

/* shared_memory.h: memory of clients, registered under names: tensors may come from it and results go to it without
 * passing a socket.
 *
 * A region is a part of a POSIX shared-memory object, mapped for reading and writing ("system"), or memory of a GPU
 * (gpu_memory.h). Requests name parts of regions (struct memory_part); shared_memory_attach finds them and keeps their
 * regions until shared_memory_detach. A region that is unregistered while requests use it stays, and stays listed,
 * until the last of them has ended.
 *
 * Memory of a GPU is not touched by the thread that submits a request, nor by that which runs it: inputs are copied
 * into the request's own memory before the submission, on a thread that may wait (shared_memory_fetch); results are
 * made in the response's memory, and copied by the thread of gpu_memory.h before the response goes on
 * (shared_memory_defer).
 *
 * What the client may do to us meanwhile, and what holds:
 * - cut the object short: the map survives it (base/guarded_map.h), the requests concerned fail, and the region takes
 *   no more;
 * - change the bytes: whatever could be taken for a size or a place, and read twice, is copied before it is checked:
 *   BYTES always; integers, BOOL, and all tensors up to SHARED_MEMORY_COPY_MAX, unless the backend bears changes
 *   (backend.h). Others are read in place; what the client makes of his numbers meanwhile is his own result;
 * - put a result over an input: an input whose part any output of its request may overwrite is copied too, also through
 *   another region of the same object.
 *
 * Source: Triton's shared-memory extension; error texts are Triton's where it has one.
 * Thread: any; a request has one owner at a time. */
#ifndef INFERD_CORE_SHARED_MEMORY_H
#define INFERD_CORE_SHARED_MEMORY_H

#include "core/infer_request.h"

enum {
    SHARED_MEMORY_COPY_MAX = 64 << 10,
    SHARED_MEMORY_NAME_MAX = 1024, /* bytes of a region's name */
    SHARED_MEMORY_KEY_MAX = 255    /* of an object's, without leading slashes */
};

struct shared_memory; /* the table of regions */

enum shared_memory_kind { SHARED_MEMORY_ANY, SHARED_MEMORY_SYSTEM, SHARED_MEMORY_CUDA };

struct shared_memory_options {
    bool allowed;              /* clients may register and use regions; else both are UNSUPPORTED */
    size_t max_regions;        /* also those that wait for their last request */
    uint64_t max_mapped_bytes; /* of all regions together */
    uint64_t max_input_bytes;  /* inputs in shared memory of all requests at once: each may become a copy or a result */
    const char *cuda_library;  /* that reaches GPUs, borrowed; NULL: CUDA_DRIVER_LIBRARY */
};

/* Memory of the arena that a list was made with. */
struct shared_memory_row {
    enum shared_memory_kind kind;
    struct slice name, key; /* no key for CUDA */
    uint64_t offset, byte_size;
    int64_t device; /* for CUDA */
};

typedef void shared_memory_copied_f(struct infer_request *request, struct infer_response *response, bool final,
                                    struct status status);

/* NULL when memory is short. */
struct shared_memory *shared_memory_create(const struct shared_memory_options *options);
/* No request may be attached any more. Accepts NULL. */
void shared_memory_destroy(struct shared_memory *memory);
bool shared_memory_is_allowed(const struct shared_memory *memory);

/* Maps `byte_size` bytes from `offset` of the object `key` (a leading slash makes no difference) as region `name`.
 * UNSUPPORTED: not allowed here. ALREADY_EXISTS: the name is taken. INTERNAL: the object cannot be opened.
 * INVALID_ARGUMENT: it has not that many bytes, is no plain object, or the key is reserved; a name or key that is empty
 * or too long or not text. RESOURCE_EXHAUSTED: a limit is reached. */
struct status shared_memory_register(struct shared_memory *memory, struct slice name, struct slice key, uint64_t offset,
                                     uint64_t byte_size) STATUS_MUST_CHECK;
/* True when GPUs have been found whose memory can be registered. */
bool shared_memory_has_gpus(const struct shared_memory *memory);
/* Opens `byte_size` bytes of memory of a GPU by the handle of the process that has it. May wait for the driver. Errors
 * as above, and those of gpu_memory_open. */
struct status shared_memory_register_cuda(struct shared_memory *memory, struct slice name, struct slice handle,
                                          int64_t device, uint64_t byte_size) STATUS_MUST_CHECK;
/* A name that is unknown, or of another kind, is fine. */
void shared_memory_unregister(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name);
void shared_memory_unregister_all(struct shared_memory *memory, enum shared_memory_kind kind);
/* Waits, but not for long, until memory of GPUs that was unregistered, and has no request, is the client's alone. */
void shared_memory_flush(struct shared_memory *memory);
/* The region of that name, or all of them by name when it is empty. NOT_FOUND: there is none, of that kind. */
struct status shared_memory_list(struct shared_memory *memory, enum shared_memory_kind kind, struct slice name,
                                 struct arena *arena, struct shared_memory_row **ret_rows,
                                 size_t *ret_count) STATUS_MUST_CHECK;

/* Finds the parts that the request's inputs and outputs name: sets the data of the inputs and the destination of the
 * outputs, and keeps their regions. On an error nothing is kept. NOT_FOUND: no such region. INVALID_ARGUMENT: not
 * inside it, or the region was cut short. UNSUPPORTED: not allowed here. UNAVAILABLE: too many bytes in use; or one of
 * them is memory of a GPU, which wants shared_memory_fetch. Does nothing for a request that is attached. */
struct status shared_memory_attach(struct shared_memory *memory, struct infer_request *request) STATUS_MUST_CHECK;
/* True when the request, not attached yet, names memory of a GPU. */
bool shared_memory_is_far(struct shared_memory *memory, const struct infer_request *request);
/* Attaches such a request, and copies its inputs that lie on a GPU into its arena, which is asked for their bytes. May
 * wait for the driver. Errors of shared_memory_attach; RESOURCE_EXHAUSTED: the arena does not give them; INTERNAL: the
 * driver's. On an error nothing is kept. */
struct status shared_memory_fetch(struct shared_memory *memory, struct infer_request *request) STATUS_MUST_CHECK;
/* Copies the inputs that may not be read in place, and checks the elements of BYTES ones. For an attached request whose
 * names, datatypes and shapes are valid. `may_change`: the backend bears inputs that change. */
struct status shared_memory_settle(struct infer_request *request, bool may_change) STATUS_MUST_CHECK;
/* INVALID_ARGUMENT when a region of the request was cut short while it was in use: what was read and written is not
 * what the client meant. */
struct status shared_memory_check(const struct infer_request *request) STATUS_MUST_CHECK;
/* For a response of a request whose results, or some of them, are to go to a GPU: takes it over, true; `copied` is
 * called with it on another thread once that has copied them, or failed to. Responses of one request keep their order.
 * False for others. */
bool shared_memory_defer(struct infer_request *request, struct infer_response *response, bool final,
                         shared_memory_copied_f *copied) STATUS_MUST_CHECK;
/* Lets go of everything; the data of such inputs and outputs is gone. Does nothing for a request that is not attached.
 */
void shared_memory_detach(struct infer_request *request);

#endif

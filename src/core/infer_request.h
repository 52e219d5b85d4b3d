/* infer_request.h: the one internal form of an inference, whatever protocol it came by.
 *
 * Life: an adapter in api/ creates it, fills it and submits it (inference_server.h). From then on the core owns it
 * until the final response has been delivered; then `on_release` gives it back to the adapter, which destroys it. It
 * has one owner at a time and moves by message:
 *
 *   RECEIVED -> DECODED -> QUEUED -> BATCHED -> EXECUTING -> ENCODED -> SENT
 *
 * Responses: 1..n, the last marked final. They are delivered by `on_response` on any thread but never from within
 * cancel, nor, unless the adapter allows it (`runs_inside`), from within submit; in order, never at the same time for
 * one request. The response is never NULL. Exactly one, and one with data or an error, comes from a model that is not
 * decoupled; from a decoupled one any number, and the final one may be empty. A request that never ran gets exactly
 * one, an error and final. An error is always final.
 */
#ifndef INFERD_CORE_INFER_REQUEST_H
#define INFERD_CORE_INFER_REQUEST_H

#include <stdatomic.h>

#include "base/arena.h"
#include "core/infer_response.h"
#include "core/tensor.h"

enum parameter_kind { PARAMETER_BOOL, PARAMETER_INT, PARAMETER_UINT, PARAMETER_DOUBLE, PARAMETER_STRING };

/* A free-form request (or tensor) parameter. */
struct infer_parameter {
    struct slice name;
    enum parameter_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        struct slice string;
    } value;
    bool forwarded; /* a header of the request, not of its body */
};

enum sequence_flags { SEQUENCE_START = 1, SEQUENCE_END = 2 };

struct sequence_id {
    enum { SEQUENCE_NONE, SEQUENCE_NUMBER, SEQUENCE_STRING } kind;
    uint64_t number;
    struct slice string;
};

struct requested_output {
    struct slice name;
    uint32_t classification; /* top-k wanted as strings; 0 for the tensor itself */
    struct memory_part part; /* where to put it; none: in the response */
    char *destination;       /* the part's address, set by submission until the final response; NULL: on a GPU */
    void *adapter;           /* the adapter's own note (JSON or binary), not looked at by the core */
};

/* Times in clock_monotonic_ns; 0 while not reached; the compute times are there with the final response. Names are
 * those of the trace and of docs/architecture.md. */
struct infer_times {
    uint64_t received; /* first byte of the request known to the adapter */
    uint64_t queued;
    uint64_t batched;       /* left the queue for an instance */
    uint64_t compute_start; /* backend began gathering inputs */
    uint64_t compute_input_end;
    uint64_t compute_output_start;
    uint64_t compute_end;
};

struct infer_request;
typedef void infer_response_f(struct infer_request *request, struct infer_response *response, void *user);
typedef void infer_release_f(struct infer_request *request, void *user);

/* What a request costs its batch; filled at submission by the model (backend's cost function, or items only). */
struct infer_cost {
    uint32_t items;  /* rows of the batch dimension; 1 when the model does not batch */
    uint32_t tokens; /* real tokens for encoders that count them, else 0 */
};

struct infer_request {
    struct arena *arena; /* owned; every slice below may point into it, or into memory that on_release frees */
    struct slice model_name;
    int64_t model_version; /* -1: the latest that is ready */
    struct slice id;
    struct tensor *inputs;
    size_t input_count;
    struct requested_output *outputs; /* none: all of the model's outputs */
    size_t output_count;
    struct infer_parameter *parameters;
    size_t parameter_count;
    struct sequence_id sequence;
    uint32_t sequence_flags; /* enum sequence_flags */
    uint64_t
        priority; /* 0: the model's default; 1 is the highest. Without priority levels in the config all are equal */
    uint64_t deadline_ns; /* clock_monotonic_ns; later it does not start, and what it gives is dropped; 0: none */
    enum status_code deadline_code; /* of the error that tells so: UNAVAILABLE for a `timeout` parameter, as Triton;
                                       STATUS_OK stands for DEADLINE_EXCEEDED */
    uint64_t timeout_us;            /* of a `timeout` parameter, as it was given; 0: none */
    bool takes_several;    /* the adapter passes on any number of responses; others get none of decoupled models */
    atomic_bool cancelled; /* nobody wants the answer any more (inference_server_cancel, _expire); looked at before
                              execution and by long backends */
    infer_response_f *on_response;
    infer_release_f *on_release;
    void *user;       /* handed to both callbacks */
    bool runs_inside; /* both may be called from within submit, where a quick model then runs at once */

    /* Filled by the core; adapters read them in callbacks. */
    struct infer_cost cost;
    struct infer_times times;
    struct model *model; /* set when a submission was accepted; pinned until the request is destroyed */
    struct shared_memory_uses *shared_memory; /* parts of clients' memory that it keeps; NULL: none */
    struct infer_request *next;               /* link of the queue, the batch or the mailbox that owns the request */
    struct request_state *state;              /* the core's own (request_state.h), in the arena */
};

/* A zeroed request with an arena of its own, limited to arena_limit bytes (0: none); model_version -1. NULL when memory
 * is short. */
struct infer_request *infer_request_create(size_t arena_limit);
void infer_request_destroy(struct infer_request *request);                                        /* accepts NULL */
const struct tensor *infer_request_input(const struct infer_request *request, struct slice name); /* or NULL */
/* True when the output is wanted: listed, or none is listed. */
bool infer_request_wants(const struct infer_request *request, struct slice output_name);

#endif

/* backend.h: what an inference engine must offer to be served; the one boundary between scheduler and engines.
 *
 * A backend is a const table of functions. It may be compiled in (identity, bert) or live in a plug-in
 * lib/inferd/inferd_backend_<name>.so that exports `const struct backend_ops *inferd_backend(void)`.
 * Thread: load/unload on the loader's thread, one at a time per model; instance_create, execute and instance_destroy of
 * one instance never at the same time, but of different instances in parallel. Backends return status and do not abort
 * on bad input; they log through nothing but the text they return.
 */
#ifndef INFERD_CORE_BACKEND_H
#define INFERD_CORE_BACKEND_H

#include "core/infer_request.h"
#include "core/model_config.h"

enum { BACKEND_API_VERSION = 7 };

/* What a backend is told when a model version is loaded. Pointers are valid until unload returns. */
struct backend_model_args {
    const struct model_config *config;
    const char *model_directory;   /* <repo>/<model> */
    const char *version_directory; /* <repo>/<model>/<version> */
    int64_t version;
    int instance_count;       /* over all instance groups; where each computes: config->instances */
    int threads_per_instance; /* cores of this process divided among the instances on the CPU; >= 1 */
};

/* A batch handed to execute(): the requests as they are, unconcatenated. */
struct backend_batch {
    struct infer_request **requests;
    size_t count;
    uint32_t items; /* sum of cost.items */
};

/* How one batch went in time; all clock_monotonic_ns, filled by execute(). */
struct backend_times {
    uint64_t compute_start, input_end, output_start, compute_end;
};

struct backend_ops {
    int api_version;         /* BACKEND_API_VERSION */
    const char *name;        /* "openvino" */
    const char *description; /* engine and version, for --version and the log */

    /* State of the backend as a whole, such as an engine handle or weights shared by models. Optional (NULL). */
    struct status (*initialize)(void **ret_backend);
    void (*finalize)(void *backend);

    /* The GPUs that instances may compute on, as struct model_gpus says it. Optional (NULL, both of them): the backend
     * computes on the CPU alone, and is never given an instance on a GPU. */
    int (*gpu_count)(void *backend);
    struct status (*gpu_check)(void *backend, int32_t gpu);
    bool (*gpu_suits)(void *backend, int32_t gpu, const struct model_config *config,
                      const char *version_directory); /* Optional: all suit */

    /* Completes a config from the model file: fills missing inputs, outputs, max_batch_size in `config` (memory from
     * its arena). Optional (NULL): then a config must be complete. */
    struct status (*complete_config)(void *backend, struct model_config *config, const char *version_directory);

    /* Loads a version; weights belong here and are shared by its instances. */
    struct status (*load)(void *backend, const struct backend_model_args *args, void **ret_model);
    void (*unload)(void *model);

    struct status (*instance_create)(void *model, int index, void **ret_instance);
    void (*instance_destroy)(void *instance);

    /* Bytes of the model's weights in one of the places where it has instances, those that it shares with other models
     * included. Optional (NULL): it is not told. */
    uint64_t (*memory)(const void *model, const struct instance_place *place);

    /* Cost of one validated request, for the batch decision. Optional (NULL): items = batch dimension, tokens = 0. */
    struct infer_cost (*cost)(void *model, const struct infer_request *request);

    /* What computes in one of the places where it has instances, such as "bf16, avx512": for the log. Optional (NULL).
     */
    void (*describe)(const void *model, const struct instance_place *place, char *text, size_t size);

    /* True once a fault has left a device of the model useless, so that its batches fail until the process is started
     * anew: the model is not ready any more then. Asked after each batch, by any thread, and of all models when one is
     * lost. Optional (NULL): never. */
    bool (*is_lost)(const void *model);

    /* Most tokens (of cost) that a batch in that place should have; a single request may have more. Optional (NULL), or
     * 0: any. */
    uint64_t (*token_budget)(const void *model, const struct instance_place *place);

    /* True when requests of any shape may share a batch (ragged); otherwise the batcher groups equal shapes. */
    bool ragged;

    /* True when execute() bears inputs whose bytes change meanwhile: it reads each element once, or takes none for a
     * size or a place. Inputs in clients' shared memory are then read in place, but for BYTES; otherwise the core
     * copies those that could be either (shared_memory.h). */
    bool inputs_may_change;

    /* True when execute() takes some microseconds for this model, waits for nothing and answers all before it returns:
     * it may then run on the thread that submits, which saves two changes of threads. Optional (NULL): false. */
    bool (*is_quick)(const void *model);

    /* Runs the batch. Answers every request by backend_respond: once, or, where config->decoupled, any number of times,
     * the last with final = true or followed by backend_finish. From any thread and also after returning (a request
     * stays valid until its end; the batch and its array only until execute() returns). Calls for one request come one
     * after another, never at the same time. Once request->cancelled is set nothing more is wanted of it, but its end
     * is. A final response given
     * during execute() is held until it returns, so that statistics are booked before the answer goes out; times are
     * written then, and those left 0 are filled in. A status that is not OK means that no request was answered: the
     * core then answers all of them with it. */
    struct status (*execute)(void *instance, const struct backend_batch *batch, struct backend_times *ret_times);
};

/* Gives `response` (taken over) to the requester. A NULL response stands for memory shortage: an error, final. */
void backend_respond(struct infer_request *request, struct infer_response *response, bool final);
/* Ends a request of a decoupled model after whatever responses it has had. */
void backend_finish(struct infer_request *request);
/* The same with an error; always final. */
void backend_respond_error(struct infer_request *request, struct status status);

#endif

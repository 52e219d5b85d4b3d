/* inference_server.h: the server without its wires: a set of models, and submit(). Everything that api/ and tools/ may
 * ask of the core is here.
 *
 * Thread: all functions may be called from any thread, unless said otherwise. */
#ifndef INFERD_CORE_INFERENCE_SERVER_H
#define INFERD_CORE_INFERENCE_SERVER_H

#include "base/log.h"
#include "core/backend.h"
#include "core/infer_request.h"
#include "core/shared_memory.h"
#include "core/statistics.h"

struct inference_server;
struct model; /* one version of one model, reference-counted */

/* Whether models may be loaded and unloaded while the server runs. NONE: all are loaded at start, and that is it. */
enum model_control { MODEL_CONTROL_NONE, MODEL_CONTROL_EXPLICIT };

struct inference_server_options {
    const char *const *repositories; /* folders */
    size_t repository_count;
    enum model_control control;
    const char *const *startup_models; /* EXPLICIT: names to load at start; "*" means all */
    size_t startup_model_count;
    size_t loader_count;             /* models loaded at once at start, at most CORE_LOADERS_MAX; 0: chosen */
    const char *temporary_directory; /* for files that come with a load; NULL: /tmp */
    bool strict_readiness;           /* every model must be ready for the server to be */
    const char *backend_directory;   /* where inferd_backend_<name>.so lie */
    const struct backend_ops *const *builtin_backends; /* compiled in */
    size_t builtin_backend_count;
    struct shared_memory_options shared_memory;
    uint32_t max_queue_size; /* requests waiting per model, at least 1; above it: UNAVAILABLE */
    const struct log *log;   /* borrowed; outlives the server; NULL: silence */
    /* Called, without locks held, on whatever thread it is that has changed the state of some model, or of the server:
     * inference_server_is_ready may give another answer now. NULL: nobody listens. */
    void (*on_change)(void *user);
    void *on_change_user;
};

/* NOT_FOUND when a repository is not a folder. Options are copied, but for the log and the tables of the backends. */
struct status inference_server_create(const struct inference_server_options *options,
                                      struct inference_server **ret) STATUS_MUST_CHECK;
/* Loads the models that are to be there at start (several at a time where it helps), the versions that the policy of
 * each asks for. Returns OK also when some failed: each failure is logged and kept as that model's reason. *ret_failed
 * counts them. Blocking; call it on a thread of its own so that the front end already answers (not ready). */
struct status inference_server_load_models(struct inference_server *server, size_t *ret_failed) STATUS_MUST_CHECK;
/* From now on no version begins to load, at start or by request: UNAVAILABLE. The first step of the end. */
void inference_server_refuse_loads(struct inference_server *server);
/* Stops taking requests (UNAVAILABLE), waits until all in flight are answered or the deadline passes; OK when drained.
 * No load or unload is under way any more. */
struct status inference_server_drain(struct inference_server *server, uint64_t deadline_ns) STATUS_MUST_CHECK;
/* Unloads everything; what is still queued is answered with UNAVAILABLE, what is in execution is waited for. Call it
 * after drain, and not while a load or unload runs. Models that are pinned live on, unloaded. Accepts NULL.
 */
void inference_server_destroy(struct inference_server *server);

bool inference_server_is_live(const struct inference_server *server);
bool inference_server_is_ready(struct inference_server *server);

/* Pins a ready model version (version -1: latest ready). NOT_FOUND for an unknown name or version, UNAVAILABLE with the
 * reason for a known one that is not ready. Undo with model_release. */
struct status inference_server_acquire_model(struct inference_server *server, struct slice name, int64_t version,
                                             struct model **ret) STATUS_MUST_CHECK;
void model_release(struct model *model); /* accepts NULL */
const struct model_config *model_config_of(const struct model *model);
int64_t model_version_of(const struct model *model);
/* Bytes of its weights in each place where it has instances, those that it shares with other models included; none
 * where the backend does not tell. Valid while the model is pinned. */
struct model_memory {
    struct instance_place place;
    uint64_t bytes;
};
const struct model_memory *model_memory_of(const struct model *model, size_t *ret_count);
/* What computes in a place where the model has instances; empty where its engine does not tell. */
void model_describe(const struct model *model, const struct instance_place *place, char *text, size_t size);
/* Label of class `index` of an output (label_filename), or an empty slice. */
struct slice model_label(const struct model *model, struct slice output, uint32_t index);
/* Ready versions of a model, ascending, into memory of the arena. */
struct status inference_server_model_versions(struct inference_server *server, struct slice name, struct arena *arena,
                                              int64_t **ret_versions, size_t *ret_count) STATUS_MUST_CHECK;
/* A consistent copy of the counters; tables in memory of the arena. */
struct status model_statistics_snapshot(struct model *model, struct arena *arena,
                                        struct model_statistics *ret) STATUS_MUST_CHECK;

/* One row per known model version, for index, statistics of all models, metrics and readiness. UNKNOWN: the model lies
 * in a repository, and nobody has asked for it to be loaded. */
enum model_state { MODEL_UNKNOWN, MODEL_LOADING, MODEL_READY, MODEL_UNLOADING, MODEL_UNAVAILABLE };
struct model_index_row {
    struct slice name;
    int64_t version; /* -1: no version has been chosen yet, or could be */
    enum model_state state;
    struct slice reason;      /* why it is not ready; empty otherwise */
    struct slice metric_tags; /* ready-made Prometheus labels: ",_tag=\"value\"", or empty */
};
struct status inference_server_index(struct inference_server *server, struct arena *arena,
                                     struct model_index_row **ret_rows, size_t *ret_count) STATUS_MUST_CHECK;

/* The regions of clients' memory that requests may name. */
struct shared_memory *inference_server_shared_memory(struct inference_server *server);

/* Looks into the repositories for models that are new or gone, so that the index knows them. Reads folders. Does
 * nothing in MODEL_CONTROL_NONE, where only the start counts. */
struct status inference_server_rescan(struct inference_server *server) STATUS_MUST_CHECK;

/* A file that comes with a load: its path below the model's folder, "1/model.onnx". */
struct model_file {
    struct slice path, content;
};
/* What a load takes in place of what lies in the repository. Borrowed for the call. */
struct model_override {
    bool has_config;
    struct slice config; /* ModelConfig as JSON, in place of config.pbtxt */
    const struct model_file *files;
    size_t file_count; /* 0: the repository's. Otherwise they are the whole folder, and has_config is set */
};
/* Loads a model, or loads it again: all versions that its policy asks for, or none. The new ones take over from those
 * that served in one step; requests that those have are answered by them. When this returns they are gone. On an error
 * what served still does. INVALID_ARGUMENT: the model or the override is wrong, with the reason; INTERNAL: no
 * repository has its folder, or it cannot be read; UNAVAILABLE: MODEL_CONTROL_NONE, or the server is stopping.
 * `override` may be NULL. Blocks as long as it takes, also behind another load or unload of the same model. */
struct status inference_server_load_model(struct inference_server *server, struct slice name,
                                          const struct model_override *override) STATUS_MUST_CHECK;
/* Takes a model out of service: new requests are refused at once, those in flight and queued are answered, then its
 * memory is freed; blocks until then. Good for a model that is not loaded or not known. UNAVAILABLE:
 * MODEL_CONTROL_NONE.
 */
struct status inference_server_unload_model(struct inference_server *server, struct slice name) STATUS_MUST_CHECK;

/* Submits a filled request. OK: the core owns it and will deliver its responses and release it. Error: nothing
 * happened, the caller still owns it. Does all validation against the model's config: names, datatypes, shapes, batch
 * size, byte sizes, wanted outputs, sequence and priority parameters; missing optional inputs are fine. Messages say
 * expected and got. Parts of shared memory that it names are found here, and kept until its final response. */
struct status inference_server_submit(struct inference_server *server, struct infer_request *request) STATUS_MUST_CHECK;
/* UNAVAILABLE when the model's queue is full, so that a large request can be refused before it is taken; it counts as
 * one that was rejected. Good for a model that is not there, which is for inference_server_submit to tell. */
struct status inference_server_check_room(struct inference_server *server, struct slice name,
                                          int64_t version) STATUS_MUST_CHECK;
/* Asks for a request to be dropped: it leaves the queue at once and gets a CANCELLED response; one that runs goes on,
 * and long backends look at request->cancelled. Only while the caller knows that the request has not been released. */
void inference_server_cancel(struct inference_server *server, struct infer_request *request);
/* The same because its deadline has passed. Returns what its client is to be told, at once if need be: the error that
 * the response will have. */
struct status inference_server_expire(struct inference_server *server, struct infer_request *request);

#endif

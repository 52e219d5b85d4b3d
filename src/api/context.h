/* context.h: what every handler of api/ is given: one per loop thread and port, made by the composition root.
 *
 * api/ does not know net/: the loop that owns an exchange appears here only as a place to post tasks to.
 * Owner: the composition root; lives until the loops have stopped. Read-only for the handlers. */
#ifndef INFERD_API_CONTEXT_H
#define INFERD_API_CONTEXT_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/log.h"
#include "core/inference_server.h"

/* A piece of work for another thread. Embedded in its owner's memory, which stays valid until run() is called. */
struct api_task {
    void (*run)(struct api_task *task);
    struct api_task *next; /* of whoever has it */
};

/* The loop thread of an exchange. post() may be called from any thread, never fails and never waits. */
struct api_loop {
    void (*post)(struct api_loop *loop, struct api_task *task);
};

/* Threads for work that would keep a loop waiting. submit() may be called from any thread and never waits; task->run is
 * called on one of the threads. False: too much waits already, and the task stays the caller's. */
struct api_workers {
    bool (*submit)(struct api_workers *workers, struct api_task *task);
};

/* Kinds of calls, for ports that serve only some of them and for permissions. */
enum api_class {
    API_HEALTH = 1 << 0,
    API_METADATA = 1 << 1,
    API_INFERENCE = 1 << 2,
    API_MODEL_CONFIG = 1 << 3,
    API_STATISTICS = 1 << 4,
    API_METRICS = 1 << 5,
    API_MODEL_REPOSITORY = 1 << 6,
    API_SHARED_MEMORY = 1 << 7,
    API_TRACE = 1 << 8,
    API_LOGGING = 1 << 9,
    API_ALL = (1 << 10) - 1,
    API_V1_STATUS = API_METADATA | API_MODEL_CONFIG | API_STATISTICS /* one call tells it all */
};

struct access;
struct http_budget;
struct header_pattern;
struct load_meter;
struct metrics_state;
struct readiness;
struct recorder;
struct tracer;
struct v1_state;

struct api_context {
    struct inference_server *server;
    struct api_loop *loop;
    struct api_workers *workers;  /* calls that may take long */
    struct api_workers *decoders; /* bodies that are large to decode */
    struct api_workers *copiers;  /* inputs that lie in memory of a GPU */
    struct http_budget *budget;   /* of the memory of requests and answers; NULL: none */
    const char *version;          /* of the program */
    const char *server_name;      /* in the metadata of the server */
    unsigned classes;             /* enum api_class bits that this port serves over HTTP; others are "not found" */
    bool grpc;                    /* this port serves gRPC */
    size_t max_body_bytes;        /* of a request, also after decompression */
    size_t max_stream_requests;   /* pending at once on one stream of inferences; at least 1 */
    const atomic_bool *exiting;   /* the server is being stopped: not ready, but requests are still answered */
    struct readiness *readiness;  /* where changes of that are heard of */
    bool crowded;                 /* the connection is one too many: nothing but the server's health is told */
    struct access *access;        /* who may call what; NULL: everybody everything */
    struct metrics_state *metrics;
    struct load_meter *load;
    struct log *log; /* its settings may be changed */
    struct tracer *tracer;
    struct recorder *recorder;                                    /* NULL: inferences are not recorded */
    const struct header_pattern *http_forwarded, *grpc_forwarded; /* headers that become parameters; NULL: none */
    struct v1_state *v1;                                          /* v1_state.h */
};

#endif

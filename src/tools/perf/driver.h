/* driver.h: how the generator reaches a server, whatever the protocol: a thin vtable in the words of the client.
 *
 * A driver neither knows when to send nor what it costs; it sends, polls and asks for statistics. Thread: one owner. */
#ifndef INFERD_TOOLS_PERF_DRIVER_H
#define INFERD_TOOLS_PERF_DRIVER_H

#include "client/infer_client.h"

struct driver;
struct driver_ops {
    /* As infer_client_infer, _statistics, _poll and _close. */
    struct status (*send)(struct driver *driver, const struct infer_request_spec *request, infer_callback_f *callback,
                          void *user);
    struct status (*statistics)(struct driver *driver, struct slice model, struct slice version,
                                infer_statistics_f *callback, void *user);
    void (*poll)(struct driver *driver, uint64_t timeout_ns);
    /* Gives up what is in flight (callbacks see CANCELLED) and is ready for use again. */
    void (*cancel)(struct driver *driver);
    void (*close)(struct driver *driver);
    /* As infer_client_memory_register and _unregister. */
    struct status (*memory_register)(struct driver *driver, struct slice region, struct slice key, uint64_t byte_size);
    struct status (*memory_unregister)(struct driver *driver, struct slice region);
    /* Facts about the model and the server, asked before the load begins; waits while the server is loading. */
    struct status (*describe)(struct driver *driver, struct slice model, struct slice version, struct arena *arena,
                              struct infer_model_info *ret, bool *ret_has_statistics);
    /* As infer_client_set_patience; NULL: no question waits for long. */
    void (*set_patience)(struct driver *driver, infer_patience_f *patience, void *user);
    /* As infer_client_trace_settings; NULL: the server has none. */
    struct status (*trace_settings)(struct driver *driver, const struct infer_setting *changes, size_t change_count,
                                    struct arena *arena, const struct infer_setting **ret, size_t *ret_count);
};

struct driver {
    const struct driver_ops *ops;
};

/* A server over HTTP or gRPC. options (with what they point to) are borrowed until close. */
struct status driver_network_open(const char *url, const struct infer_client_options *options,
                                  struct driver **ret) STATUS_MUST_CHECK;

struct driver_in_process_options {
    const char *const *repositories; /* folders */
    size_t repository_count;
    const char *backend_directory; /* NULL: the program's own */
    const char *const *models;     /* to load */
    size_t model_count;
    uint64_t request_timeout_ns; /* 0: none */
};
/* The core of a server in this process, with the models loaded as far as they can be. */
struct status driver_in_process_open(const struct driver_in_process_options *options,
                                     struct driver **ret) STATUS_MUST_CHECK;

#endif

/* driver_v2.c: KServe v2 with Triton's extensions, over HTTP/1.1 or gRPC: the client does all of it. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#include "tools/perf/driver.h"

struct v2_driver {
    struct driver base;
    const char *url;
    const struct infer_client_options *options;
    struct infer_client *client;
};

static struct infer_client *client_of(struct driver *driver) {
    return ((struct v2_driver *)driver)->client;
}

static struct status v2_send(struct driver *driver, const struct infer_request_spec *request,
                             infer_callback_f *callback, void *user) {
    return infer_client_infer(client_of(driver), request, callback, user);
}

static struct status v2_statistics(struct driver *driver, struct slice model, struct slice version,
                                   infer_statistics_f *callback, void *user) {
    return infer_client_statistics(client_of(driver), model, version, callback, user);
}

/* The client does not wait when nothing is in flight; an open loop has to. */
static void v2_poll(struct driver *driver, uint64_t timeout_ns) {
    struct infer_client *client = client_of(driver);
    struct timespec time = {(time_t)(timeout_ns / NS_PER_S), (long)(timeout_ns % NS_PER_S)};
    if (infer_client_in_flight(client) > 0)
        infer_client_poll(client, timeout_ns);
    else if (timeout_ns > 0 && timeout_ns != UINT64_MAX)
        nanosleep(&time, NULL);
}

static struct status v2_restart(struct driver *driver) {
    struct v2_driver *self = (struct v2_driver *)driver;
    infer_client_close(self->client);
    self->client = NULL;
    return infer_client_open(self->url, self->options, &self->client);
}

static void v2_close(struct driver *driver) {
    struct v2_driver *self = (struct v2_driver *)driver;
    infer_client_close(self->client);
    free(self);
}

static struct status v2_memory_register(struct driver *driver, struct slice region, struct slice key,
                                        uint64_t byte_size) {
    return infer_client_memory_register(client_of(driver), region, key, byte_size);
}

static struct status v2_memory_unregister(struct driver *driver, struct slice region) {
    return infer_client_memory_unregister(client_of(driver), region);
}

static bool has_extension(const struct infer_server_info *server, const char *name) {
    for (size_t i = 0; i < server->extension_count; i++) {
        if (slice_equal_text(server->extensions[i], name))
            return true;
    }
    return false;
}

/* A server without the model configuration extension is asked for the metadata alone: its shapes hold the batch. */
static struct status v2_describe(struct driver *driver, struct slice model, struct slice version, struct arena *arena,
                                 struct infer_model_info *ret, bool *ret_has_statistics) {
    struct infer_client *client = client_of(driver);
    struct infer_server_info server;
    STATUS_TRY(infer_client_server_metadata(client, arena, &server));
    *ret_has_statistics = has_extension(&server, "statistics");
    if (has_extension(&server, "model_configuration"))
        return infer_client_model_config(client, model, version, arena, ret);
    return infer_client_model_metadata(client, model, version, arena, ret);
}

static const struct driver_ops v2_ops = {
    v2_send, v2_statistics, v2_poll, v2_restart, v2_close, v2_memory_register, v2_memory_unregister, v2_describe};

struct status driver_v2_open(const char *url, const struct infer_client_options *options, struct driver **ret) {
    struct v2_driver *self = calloc(1, sizeof *self);
    if (self == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a client");
    *self = (struct v2_driver){{&v2_ops}, url, options, NULL};
    struct status status = infer_client_open(url, options, &self->client);
    if (status_is_ok(&status))
        *ret = &self->base;
    else
        free(self);
    return status;
}

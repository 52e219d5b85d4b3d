/* driver_network.c: a server over the network: the client does all of it, whatever it speaks. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#include "tools/perf/driver.h"

enum { READY_WAIT_S = 30, READY_PAUSE_MS = 50 };

struct network_driver {
    struct driver base;
    const struct infer_client_options *options;
    struct infer_client *client;
};

static struct infer_client *client_of(struct driver *driver) {
    return ((struct network_driver *)driver)->client;
}

static struct status network_send(struct driver *driver, const struct infer_request_spec *request,
                                  infer_callback_f *callback, void *user) {
    return infer_client_infer(client_of(driver), request, callback, user);
}

static struct status network_statistics(struct driver *driver, struct slice model, struct slice version,
                                        infer_statistics_f *callback, void *user) {
    return infer_client_statistics(client_of(driver), model, version, callback, user);
}

/* An open loop waits when nothing is in flight, too. Without an end there would be nothing to wait for. */
static void network_poll(struct driver *driver, uint64_t timeout_ns) {
    struct infer_client *client = client_of(driver);
    if (infer_client_in_flight(client) > 0)
        infer_client_poll(client, timeout_ns);
    else
        infer_client_wait(client, timeout_ns == UINT64_MAX ? 0 : timeout_ns);
}

static void network_cancel(struct driver *driver) {
    infer_client_cancel(client_of(driver));
}

static void network_close(struct driver *driver) {
    struct network_driver *self = (struct network_driver *)driver;
    infer_client_close(self->client);
    free(self);
}

static struct status network_memory_register(struct driver *driver, struct slice region, struct slice key,
                                             uint64_t byte_size) {
    return infer_client_memory_register(client_of(driver), region, key, byte_size);
}

static struct status network_memory_unregister(struct driver *driver, struct slice region) {
    return infer_client_memory_unregister(client_of(driver), region);
}

static bool has_extension(const struct infer_server_info *server, const char *name) {
    for (size_t i = 0; i < server->extension_count; i++) {
        if (slice_equal_text(server->extensions[i], name))
            return true;
    }
    return false;
}

/* A server that has just been started may still be loading: then it is waited for. Whatever else is wrong, the
 * questions that follow find out. */
static void wait_until_ready(struct infer_client *client, struct slice model, struct slice version) {
    const struct timespec pause = {0, READY_PAUSE_MS * (long)NS_PER_MS};
    uint64_t end_ns = clock_monotonic_ns() + READY_WAIT_S * NS_PER_S;
    bool model_ready = false, server_ready = false, told = false;
    struct status status;
    do {
        status = infer_client_model_ready(client, model, version, &model_ready);
        if (status_is_ok(&status) && !model_ready)
            status = infer_client_server_ready(client, &server_ready);
        if (!status_is_ok(&status) || model_ready || server_ready)
            return;
        if (!told)
            fprintf(stderr, "inferd perf: the server is still loading: its model is waited for, up to %d s\n",
                    READY_WAIT_S);
        told = true;
        nanosleep(&pause, NULL);
    } while (clock_monotonic_ns() < end_ns);
}

/* A server without the model configuration extension is asked for the metadata alone: its shapes hold the batch. */
static struct status network_describe(struct driver *driver, struct slice model, struct slice version,
                                      struct arena *arena, struct infer_model_info *ret, bool *ret_has_statistics) {
    const struct network_driver *self = (const struct network_driver *)driver;
    struct infer_client *client = self->client;
    struct infer_server_info server;
    wait_until_ready(client, model, version);
    *ret_has_statistics = true;
    if (self->options->api == INFER_API_V1)
        return infer_client_model_config(client, model, version, arena, ret);
    STATUS_TRY(infer_client_server_metadata(client, arena, &server));
    *ret_has_statistics = has_extension(&server, "statistics");
    if (has_extension(&server, "model_configuration"))
        return infer_client_model_config(client, model, version, arena, ret);
    return infer_client_model_metadata(client, model, version, arena, ret);
}

static void network_set_patience(struct driver *driver, infer_patience_f *patience, void *user) {
    infer_client_set_patience(client_of(driver), patience, user);
}

static struct status network_trace_settings(struct driver *driver, const struct infer_setting *changes,
                                            size_t change_count, struct arena *arena, const struct infer_setting **ret,
                                            size_t *ret_count) {
    return infer_client_trace_settings(client_of(driver), changes, change_count, arena, ret, ret_count);
}

static const struct driver_ops network_ops = {network_send,
                                              network_statistics,
                                              network_poll,
                                              network_cancel,
                                              network_close,
                                              network_memory_register,
                                              network_memory_unregister,
                                              network_describe,
                                              network_set_patience,
                                              network_trace_settings};

struct status driver_network_open(const char *url, const struct infer_client_options *options, struct driver **ret) {
    struct network_driver *self = calloc(1, sizeof *self);
    if (self == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a client");
    *self = (struct network_driver){{&network_ops}, options, NULL};
    struct status status = infer_client_open(url, options, &self->client);
    if (status_is_ok(&status))
        *ret = &self->base;
    else
        free(self);
    return status;
}

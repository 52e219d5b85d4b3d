#include "core/inference_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "core/backend_registry.h"
#include "core/model.h"
#include "core/model_repository.h"
#include "core/request_completion.h"
#include "core/request_validation.h"

struct inference_server {
    enum model_control control;
    bool strict_readiness;
    atomic_bool stopping;
    struct log log; /* what a zeroed option leaves: silence */
    struct backend_registry *registry;
    struct shared_memory *shared_memory;
    struct model_repository *repository;
};

static struct status check_options(const struct inference_server_options *options) {
    if (options->max_queue_size < 1)
        return status_error(STATUS_INVALID_ARGUMENT, "max_queue_size must be at least 1");
    for (size_t i = 0; i < options->repository_count; i++)
        if (!file_is_directory(options->repositories[i]))
            return status_error(STATUS_NOT_FOUND, "model repository '%s' is not a folder", options->repositories[i]);
    return status_ok();
}

static struct status create_repository(struct inference_server *server,
                                       const struct inference_server_options *options) {
    struct model_loader loader = {.registry = server->registry,
                                  .max_queue_size = options->max_queue_size,
                                  .log = options->log ? options->log : &server->log};
    struct model_repository_options repository = {.loader = loader,
                                                  .folders = {options->repositories, options->repository_count},
                                                  .load_all = options->control == MODEL_CONTROL_NONE,
                                                  .loader_count = options->loader_count,
                                                  .temporary_directory = options->temporary_directory,
                                                  .on_change = options->on_change,
                                                  .on_change_user = options->on_change_user};
    if (options->control == MODEL_CONTROL_EXPLICIT) {
        repository.names = options->startup_models;
        repository.name_count = options->startup_model_count;
    }
    for (size_t i = 0; i < repository.name_count; i++)
        repository.load_all |= strcmp(repository.names[i], "*") == 0;
    return model_repository_create(&repository, &server->repository);
}

static struct status create_parts(struct inference_server *server, const struct inference_server_options *options) {
    struct backend_registry_options registry = {.builtin = options->builtin_backends,
                                                .builtin_count = options->builtin_backend_count,
                                                .plugin_directory = options->backend_directory};
    STATUS_TRY(backend_registry_create(&registry, &server->registry));
    server->shared_memory = shared_memory_create(&options->shared_memory);
    if (!server->shared_memory)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the server");
    return create_repository(server, options);
}

struct status inference_server_create(const struct inference_server_options *options, struct inference_server **ret) {
    STATUS_TRY(check_options(options));
    struct inference_server *server = calloc(1, sizeof *server);
    if (!server)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the server");
    server->control = options->control;
    server->strict_readiness = options->strict_readiness;
    struct status status = create_parts(server, options);
    if (!status_is_ok(&status)) {
        inference_server_destroy(server);
        return status;
    }
    *ret = server;
    return status_ok();
}

struct status inference_server_load_models(struct inference_server *server, size_t *ret_failed) {
    return model_repository_start(server->repository, ret_failed);
}

void inference_server_refuse_loads(struct inference_server *server) {
    model_repository_refuse_loads(server->repository);
}

struct status inference_server_drain(struct inference_server *server, uint64_t deadline_ns) {
    atomic_store(&server->stopping, true);
    model_repository_refuse(server->repository);
    return model_repository_wait_idle(server->repository, deadline_ns);
}

void inference_server_destroy(struct inference_server *server) {
    if (!server)
        return;
    model_repository_destroy(server->repository);
    backend_registry_destroy(server->registry);
    shared_memory_destroy(server->shared_memory);
    free(server);
}

bool inference_server_is_live(const struct inference_server *server) {
    return server != NULL;
}

bool inference_server_is_ready(struct inference_server *server) {
    return !atomic_load(&server->stopping) && model_repository_is_ready(server->repository, server->strict_readiness);
}

struct status inference_server_acquire_model(struct inference_server *server, struct slice name, int64_t version,
                                             struct model **ret) {
    return model_repository_acquire(server->repository, name, version, ret);
}

struct status inference_server_model_versions(struct inference_server *server, struct slice name, struct arena *arena,
                                              int64_t **ret_versions, size_t *ret_count) {
    return model_repository_versions(server->repository, name, arena, ret_versions, ret_count);
}

struct status inference_server_index(struct inference_server *server, struct arena *arena,
                                     struct model_index_row **ret_rows, size_t *ret_count) {
    return model_repository_index(server->repository, arena, ret_rows, ret_count);
}

struct shared_memory *inference_server_shared_memory(struct inference_server *server) {
    return server->shared_memory;
}

struct status inference_server_rescan(struct inference_server *server) {
    return server->control == MODEL_CONTROL_EXPLICIT ? model_repository_rescan(server->repository) : status_ok();
}

static struct status check_control(const struct inference_server *server) {
    if (server->control == MODEL_CONTROL_EXPLICIT)
        return status_ok();
    return status_error(STATUS_SWITCHED_OFF, "explicit model load / unload is not allowed: the model control mode is "
                                             "'none'; start the server with --model-control-mode=explicit");
}

struct status inference_server_load_model(struct inference_server *server, struct slice name,
                                          const struct model_override *override) {
    STATUS_TRY(check_control(server));
    return model_repository_load(server->repository, name, override);
}

struct status inference_server_unload_model(struct inference_server *server, struct slice name) {
    STATUS_TRY(check_control(server));
    return model_repository_unload(server->repository, name);
}

static struct status submit_to(struct model *model, struct shared_memory *memory, struct infer_request *request) {
    request_drop_repeated_outputs(model_config_of(model), request);
    struct status status = shared_memory_attach(memory, request);
    if (status_is_ok(&status))
        return model_submit(model, request);
    model_withdraw(model);
    return request_status(request, status);
}

struct status inference_server_submit(struct inference_server *server, struct infer_request *request) {
    if (atomic_load(&server->stopping))
        return status_error(STATUS_UNAVAILABLE, "Server exiting: it takes no more requests");
    struct model *model;
    STATUS_TRY(model_repository_admit(server->repository, request->model_name, request->model_version, &model));
    struct status status = submit_to(model, server->shared_memory, request);
    model_release(model);
    if (status_is_ok(&status))
        return status_ok();
    shared_memory_detach(request);
    return status;
}

struct status inference_server_check_room(struct inference_server *server, struct slice name, int64_t version) {
    struct model *model;
    struct status status = model_repository_acquire(server->repository, name, version, &model);
    if (!status_is_ok(&status))
        return status_ok();
    status = model_check_room(model);
    model_release(model);
    return status;
}

void inference_server_cancel(struct inference_server *server, struct infer_request *request) {
    (void)server;
    if (request->model)
        model_cancel(request->model, request, STATUS_CANCELLED);
}

struct status inference_server_expire(struct inference_server *server, struct infer_request *request) {
    (void)server;
    if (request->model)
        model_cancel(request->model, request, STATUS_DEADLINE_EXCEEDED);
    return request_status(request, request_expired(request));
}

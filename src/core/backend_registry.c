#include "core/backend_registry.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "core/core_limits.h"

/* Backends of Triton whose models one of our engines runs. */
static const struct {
    const char *backend, *engine;
} aliases[] = {
    {"onnxruntime", "openvino"},
    {"tensorflow", "openvino"},
};

struct engine {
    char name[CORE_ENGINE_NAME_MAX + 1];
    const struct backend_ops *ops;
    void *handle;
    struct engine *next;
};

struct backend_registry {
    const struct backend_ops **builtin; /* owned array */
    size_t builtin_count;
    char *plugin_directory; /* absolute; NULL: none */
    pthread_mutex_t lock;   /* of the list; held while a plug-in is loaded, so that it happens once */
    struct engine *engines; /* those that have been asked for and could be started */
};

struct status backend_registry_create(const struct backend_registry_options *options, struct backend_registry **ret) {
    struct backend_registry *registry = calloc(1, sizeof *registry);
    const struct backend_ops **builtin = calloc(options->builtin_count + 1, sizeof(const struct backend_ops *));
    if (!registry || !builtin) {
        free(registry);
        free(builtin);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the engines");
    }
    for (size_t i = 0; i < options->builtin_count; i++)
        builtin[i] = options->builtin[i];
    registry->builtin = builtin;
    registry->builtin_count = options->builtin_count;
    /* A directory that is not there leaves the server without plug-ins; who needs one is told. */
    if (options->plugin_directory && options->plugin_directory[0])
        registry->plugin_directory = realpath(options->plugin_directory, NULL);
    pthread_mutex_init(&registry->lock, NULL);
    *ret = registry;
    return status_ok();
}

void backend_registry_destroy(struct backend_registry *registry) {
    if (!registry)
        return;
    for (struct engine *engine = registry->engines, *next; engine; engine = next) {
        next = engine->next;
        if (engine->ops->finalize)
            engine->ops->finalize(engine->handle);
        free(engine);
    }
    pthread_mutex_destroy(&registry->lock);
    free(registry->plugin_directory);
    free(registry->builtin);
    free(registry);
}

static struct slice engine_of(struct slice backend) {
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (slice_equal_text(backend, aliases[i].backend))
            return slice_of(aliases[i].engine);
    return backend;
}

/* Names that may stand in the name of a plug-in's file. */
static bool is_engine_name(struct slice name) {
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return name.size > 0 && name.size <= CORE_ENGINE_NAME_MAX;
}

static struct status check_table(const struct backend_ops *ops, const char *where) {
    if (!ops || ops->api_version != BACKEND_API_VERSION)
        return status_error(STATUS_UNAVAILABLE, "%s speaks version %d of the backend interface, this server version %d",
                            where, ops ? ops->api_version : 0, BACKEND_API_VERSION);
    if (!ops->name || !ops->load || !ops->unload || !ops->instance_create || !ops->instance_destroy || !ops->execute ||
        !ops->gpu_count != !ops->gpu_check)
        return status_error(STATUS_UNAVAILABLE, "%s leaves out a function of the backend interface", where);
    return status_ok();
}

static struct status no_such_engine(const struct backend_registry *registry, struct slice engine, const char *path) {
    char known[160] = "";
    for (size_t i = 0; i < registry->builtin_count; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", registry->builtin[i]->name);
    }
    return status_error(STATUS_INVALID_ARGUMENT, "there is no engine '%.*s': compiled in are %s, and %s is not there%s",
                        SLICE_ARGS(engine), known[0] ? known : "none", path ? path : "a folder of plug-ins",
                        slice_equal_text(engine, "openvino") ? "; `make openvino` builds it" : "");
}

static struct status load_plugin(const struct backend_registry *registry, struct slice engine,
                                 const struct backend_ops **ret) {
    if (!registry->plugin_directory)
        return no_such_engine(registry, engine, NULL);
    char path[4352];
    int n = snprintf(path, sizeof path, "%s/inferd_backend_%.*s.so", registry->plugin_directory, SLICE_ARGS(engine));
    if (n < 0 || (size_t)n >= sizeof path)
        return status_error(STATUS_INVALID_ARGUMENT, "the folder of plug-ins has too long a name");
    if (!file_exists(path))
        return no_such_engine(registry, engine, path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return status_error(STATUS_UNAVAILABLE, "cannot load engine '%.*s': %s", SLICE_ARGS(engine), dlerror());
    const struct backend_ops *(*entry)(void);
    void *symbol = dlsym(library, "inferd_backend");
    if (!symbol)
        return status_error(STATUS_UNAVAILABLE, "%s has no function inferd_backend", path);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer; POSIX promises this */
    const struct backend_ops *ops = entry();
    STATUS_TRY(check_table(ops, path));
    *ret = ops;
    return status_ok();
}

static struct status find_table(const struct backend_registry *registry, struct slice engine,
                                const struct backend_ops **ret) {
    for (size_t i = 0; i < registry->builtin_count; i++) {
        const struct backend_ops *ops = registry->builtin[i];
        if (!slice_equal_text(engine, ops->name))
            continue;
        STATUS_TRY(check_table(ops, ops->name));
        *ret = ops;
        return status_ok();
    }
    return load_plugin(registry, engine, ret);
}

static struct status open_engine(struct backend_registry *registry, struct slice name, struct engine **ret) {
    for (struct engine *engine = registry->engines; engine; engine = engine->next)
        if (slice_equal_text(name, engine->name)) {
            *ret = engine;
            return status_ok();
        }
    const struct backend_ops *ops = NULL;
    STATUS_TRY(find_table(registry, name, &ops));
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for engine '%.*s'", SLICE_ARGS(name));
    memcpy(engine->name, name.data, name.size);
    engine->ops = ops;
    struct status status = ops->initialize ? ops->initialize(&engine->handle) : status_ok();
    if (!status_is_ok(&status)) {
        free(engine);
        return status_prefix(status, "cannot start engine '%.*s'", SLICE_ARGS(name));
    }
    engine->next = registry->engines;
    registry->engines = engine;
    *ret = engine;
    return status_ok();
}

struct status backend_registry_get(struct backend_registry *registry, struct slice name,
                                   const struct backend_ops **ret_ops, void **ret_backend) {
    struct slice engine_name = engine_of(name);
    if (!is_engine_name(engine_name))
        return status_error(STATUS_INVALID_ARGUMENT, "'%.*s' cannot be the name of a backend", SLICE_ARGS(name));
    struct engine *engine = NULL;
    pthread_mutex_lock(&registry->lock);
    struct status status = open_engine(registry, engine_name, &engine);
    pthread_mutex_unlock(&registry->lock);
    if (!status_is_ok(&status))
        return status;
    *ret_ops = engine->ops;
    *ret_backend = engine->handle;
    return status_ok();
}

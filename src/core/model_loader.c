#include "core/model_loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "codec/model_config_messages.h"
#include "core/core_limits.h"

#define CONFIG_NAME "config.pbtxt"

enum {
    PLACES_TEXT_MAX = 512,
    PLACE_TEXT_MAX = 96,
    SMALL_BATCH = 32 /* rows: with fewer a GPU is not filled, unless by long sequences */
};

static struct status no_memory(const struct model_folder *folder) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to load model '%s'", folder->name);
}

/* True for "1", "20241231"; false for "0", "01", "v1", "1.bak". */
static bool parse_version(const char *name, int64_t *ret) {
    return name[0] >= '1' && name[0] <= '9' && slice_to_i64(slice_of(name), ret);
}

static int compare_versions(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static struct status list_folder(struct model_folder *folder, struct arena *arena) {
    const char *const *names;
    size_t name_count;
    STATUS_TRY(file_list(folder->path, arena, &names, &name_count));
    int64_t *versions = arena_calloc(arena, name_count, sizeof *versions);
    if (!versions)
        return no_memory(folder);
    for (size_t i = 0; i < name_count; i++) {
        const char *path = path_join(arena, folder->path, names[i]);
        if (!path)
            return no_memory(folder);
        if (parse_version(names[i], &versions[folder->version_count]) && file_is_directory(path))
            folder->version_count++;
        folder->has_config |= strcmp(names[i], CONFIG_NAME) == 0; /* also one that cannot be read: that is an error */
    }
    qsort(versions, folder->version_count, sizeof *versions, compare_versions);
    folder->versions = versions;
    return status_ok();
}

static struct status read_config(struct model_folder *folder, struct arena *arena) {
    if (!folder->has_config)
        return status_ok();
    const char *path = path_join(arena, folder->path, CONFIG_NAME);
    if (!path)
        return no_memory(folder);
    struct buf content = BUF_EMPTY;
    struct status status = file_read(path, CORE_CONFIG_FILE_MAX, &content);
    if (status_is_ok(&status)) {
        folder->config_text = arena_copy(arena, buf_slice(&content));
        if (folder->config_text.size != content.size)
            status = no_memory(folder);
    }
    buf_free(&content);
    return status;
}

struct status model_folder_open(const char *path, const char *name, const struct slice *config, struct arena *arena,
                                struct model_folder *ret) {
    struct model_folder folder = {.name = name, .path = path};
    if (!path_is_plain_name(slice_of(name)) || !slice_is_utf8(slice_of(name)))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "a model's name is that of its folder: expected UTF-8 without control characters");
    STATUS_TRY(list_folder(&folder, arena));
    if (config) {
        folder.has_config = folder.config_is_json = true;
        folder.config_text = *config;
    } else {
        STATUS_TRY(read_config(&folder, arena));
    }
    if (folder.version_count == 0)
        return status_error(STATUS_NOT_FOUND,
                            "no version folder: the model's files belong into a folder named by a number, such as %s/1",
                            path);
    *ret = folder;
    return status_ok();
}

/* The config as far as it is written down. */
static struct status parse_config(const struct model_folder *folder, struct model_config **ret) {
    struct slice name = slice_of(folder->name);
    if (folder->config_is_json)
        return model_config_parse_json(name, folder->config_text, ret);
    return folder->has_config ? model_config_parse(name, folder->config_text, CONFIG_NAME, ret)
                              : model_config_create(name, ret);
}

static struct status copy_chosen(const struct model_folder *folder, const struct model_config *config,
                                 struct arena *arena, const int64_t **ret_versions, size_t *ret_count) {
    if (config->version_policy == VERSIONS_SPECIFIC) {
        struct slice bytes = {(const char *)config->specific_versions,
                              config->specific_version_count * sizeof *config->specific_versions};
        *ret_versions = (const int64_t *)(const void *)arena_copy(arena, bytes).data;
        *ret_count = config->specific_version_count;
        return *ret_versions ? status_ok() : no_memory(folder);
    }
    bool all = config->version_policy == VERSIONS_ALL || config->latest_versions > folder->version_count;
    *ret_count = all ? folder->version_count : config->latest_versions;
    *ret_versions = folder->versions + (folder->version_count - *ret_count);
    return status_ok();
}

struct status model_folder_choose(const struct model_folder *folder, struct arena *arena, const int64_t **ret_versions,
                                  size_t *ret_count) {
    struct model_config *config;
    STATUS_TRY(parse_config(folder, &config));
    struct status status = model_config_finish_versions(config);
    if (status_is_ok(&status))
        status = copy_chosen(folder, config, arena, ret_versions, ret_count);
    model_config_destroy(config);
    return status;
}

/* What a file in the version folder tells where the config names no backend. */
static const struct {
    const char *file, *backend;
} conventions[] = {
    {"model.onnx", "onnxruntime"},
    {"model.savedmodel", "tensorflow"},
    {"model.xml", "openvino"},
    {"model.safetensors", "bert"},
};

static struct status guess_backend(struct model_config *config, const char *version_directory) {
    for (size_t i = 0; i < sizeof conventions / sizeof conventions[0]; i++) {
        const char *path = path_join(config->arena, version_directory, conventions[i].file);
        if (!path)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the name of a model file");
        if (file_exists(path))
            return model_config_set_backend(config, slice_of(conventions[i].backend));
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "cannot tell which backend runs the model: no config.pbtxt names a backend or platform, and %s "
                        "holds none of model.onnx, model.savedmodel, model.xml, model.safetensors",
                        version_directory);
}

/* From the file's config to a complete, checked one, with its engine. */
static struct status finish_config(const struct model_loader *loader, struct model_config *config,
                                   const char *version_directory, struct model_load_args *args) {
    if (!model_config_backend(config).size) {
        if (config->message->platform.size)
            return model_config_finish(config, NULL); /* fails: tells which platforms are known */
        STATUS_TRY(guess_backend(config, version_directory));
    }
    STATUS_TRY(backend_registry_get(loader->registry, model_config_backend(config), &args->ops, &args->backend));
    bool incomplete = model_config_message_inputs(config) == 0 || model_config_message_outputs(config) == 0;
    if (incomplete && args->ops->complete_config)
        STATUS_TRY(args->ops->complete_config(args->backend, config, version_directory));
    const struct model_gpus gpus = {args->ops->gpu_count, args->ops->gpu_check, args->ops->gpu_suits, args->backend,
                                    version_directory};
    return model_config_finish(config, args->ops->gpu_count ? &gpus : NULL);
}

/* ", GPU 0: fp8, sm_90, 105.2 MiB": a place, what computes there, and its weights. */
static size_t describe_place(const struct model *model, const struct model_memory *memory, char *text, size_t size) {
    char name[24] = "CPU", what[PLACE_TEXT_MAX];
    if (memory->place.on_gpu)
        snprintf(name, sizeof name, "GPU %d", (int)memory->place.gpu);
    model_describe(model, &memory->place, what, sizeof what);
    return (size_t)snprintf(text, size, ", %s: %s%s%.1f MiB", name, what, what[0] ? ", " : "",
                            (double)memory->bytes / (double)(1 << 20));
}

/* Of engines that do not tell of memory it is the CPU, and what computes there. */
static void list_places(const struct model *model, char *text, size_t size) {
    size_t used = 0, count;
    const struct model_memory *rows = model_memory_of(model, &count);
    text[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++)
        used += describe_place(model, &rows[i], text + used, size - used);
    if (count > 0)
        return;
    char what[PLACE_TEXT_MAX];
    model_describe(model, &(struct instance_place){0}, what, sizeof what);
    if (what[0])
        snprintf(text, size, ", CPU: %s", what);
}

static bool is_on_gpu(const struct model_config *config) {
    bool on_gpu = false;
    for (int i = 0; i < config->instance_count; i++)
        on_gpu |= config->instances[i].on_gpu;
    return on_gpu;
}

/* What makes a GPU slow without anything being wrong. */
static void warn_of_small_batches(const struct model_loader *loader, const char *name,
                                  const struct model_config *config) {
    if (!is_on_gpu(config) || config->max_batch_size == 0)
        return;
    if (!config->batching.enabled)
        LOG_WARNING(loader->log, "'%s' computes on a GPU, and each request alone: 'dynamic_batching { }' is not there",
                    name);
    else if (config->max_batch_size < SMALL_BATCH)
        LOG_WARNING(loader->log, "'%s' computes on a GPU, and max_batch_size keeps its batches to %d rows", name,
                    (int)config->max_batch_size);
}

static void log_loaded(const struct model_loader *loader, const struct model_folder *folder,
                       const struct model_load_args *args, const struct model *model, uint64_t ns) {
    char places[PLACES_TEXT_MAX];
    list_places(model, places, sizeof places);
    LOG_INFO(loader->log,
             "loaded '%s' version %" PRId64
             ": backend '%.*s' is run by engine '%s' (%s), %d instance%s x %d thread%s%s, "
             "%.1f ms",
             folder->name, args->version, SLICE_ARGS(args->config->backend), args->ops->name,
             args->ops->description ? args->ops->description : "", args->config->instance_count,
             args->config->instance_count == 1 ? "" : "s", model_threads_per_instance(model),
             model_threads_per_instance(model) == 1 ? "" : "s", places, (double)ns / (double)NS_PER_MS);
}

static struct status load_version(const struct model_loader *loader, const struct model_folder *folder,
                                  struct model_config *config, int64_t version, struct model **ret) {
    char name[24];
    snprintf(name, sizeof name, "%" PRId64, version);
    struct model_load_args args = {
        .config = config,
        .model_directory = folder->path,
        .version_directory = path_join(config->arena, folder->path, name),
        .version = version,
        .max_queue_size = loader->max_queue_size,
        .begun_ns = clock_monotonic_ns(),
        .on_lost = loader->on_lost,
        .on_lost_user = loader->on_lost_user,
    };
    if (!args.version_directory)
        return no_memory(folder);
    if (!file_is_directory(args.version_directory))
        return status_error(STATUS_NOT_FOUND, "version_policy asks for it, but there is no folder %s",
                            args.version_directory);
    STATUS_TRY(finish_config(loader, config, args.version_directory, &args));
    STATUS_TRY(model_load(&args, ret));
    log_loaded(loader, folder, &args, *ret, clock_monotonic_ns() - args.begun_ns);
    warn_of_small_batches(loader, folder->name, config);
    return status_ok();
}

struct status model_loader_load(const struct model_loader *loader, const struct model_folder *folder, int64_t version,
                                struct model **ret) {
    struct model_config *config;
    STATUS_TRY(parse_config(folder, &config));
    struct status status = load_version(loader, folder, config, version, ret);
    if (!status_is_ok(&status))
        model_config_destroy(config);
    return status;
}

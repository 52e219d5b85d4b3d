/* Where the instances of a model compute: checks the instance groups of a config, decides what they leave open, as
 * Triton does, puts that into the message and makes config->instances. */
#include <stdio.h>

#include "codec/model_config_messages.h"
#include "core/core_limits.h"
#include "core/model_config_priv.h"

enum {
    PATH_MAX_BYTES = 64,
    INSTANCES_A_GPU = 2 /* where count is left out: one copies, reads and writes texts while the other computes */
};

/* An instance group and what its messages call it. */
struct group {
    struct model_config *config;
    struct pb_model_instance_group *message;
    size_t index;
    const struct model_gpus *gpus;
};

/* Into `path`, of PATH_MAX_BYTES; gives it back. */
static const char *path_of(const struct group *group, const char *field, char *path) {
    snprintf(path, PATH_MAX_BYTES, "instance_group[%zu].%s", group->index, field);
    return path;
}

/* Whether the GPU can be had; the error is one of the config's field. */
static struct status check_gpu(const struct group *group, int32_t gpu, const char *field, const char *advice) {
    char path[PATH_MAX_BYTES];
    struct slice backend = model_config_backend(group->config);
    struct status status =
        group->gpus ? group->gpus->check(group->gpus->backend, gpu)
                    : status_error(STATUS_UNSUPPORTED, "backend '%.*s' computes on the CPU alone", SLICE_ARGS(backend));
    if (status_is_ok(&status))
        return status;
    return model_config_error(group->config, path_of(group, field, path), "%s; %s", status.message, advice);
}

/* ---- kinds ---- */

static int count_gpus(const struct model_gpus *gpus) {
    return gpus ? gpus->count(gpus->backend) : 0;
}

/* The first of the GPUs that are named which the backend does not have; NULL: none. */
static const int32_t *find_missing(const struct pb_model_instance_group *message, const struct model_gpus *gpus) {
    int count = count_gpus(gpus);
    for (size_t i = 0; i < message->gpus.count; i++)
        if (message->gpus.items[i] < 0 || message->gpus.items[i] >= count)
            return &message->gpus.items[i];
    return NULL;
}

static bool suits(const struct model_config *config, const struct model_gpus *gpus, int32_t gpu) {
    return !gpus->suits || gpus->suits(gpus->backend, gpu, config, gpus->version_directory);
}

/* GPUs that are named are taken at their word: what they lack fails the load. */
static bool auto_is_gpu(const struct model_config *config, const struct pb_model_instance_group *message,
                        const struct model_gpus *gpus) {
    int count = count_gpus(gpus);
    if (message->gpus.count > 0)
        return count > 0 && !find_missing(message, gpus);
    int32_t gpu = 0;
    while (gpu < count && !suits(config, gpus, gpu))
        gpu++;
    return gpu < count;
}

static struct status name_gpus(const struct group *group, bool all);

static struct status decide_auto(const struct group *group) {
    const int32_t *missing = find_missing(group->message, group->gpus);
    group->message->kind = auto_is_gpu(group->config, group->message, group->gpus) ? PB_KIND_GPU : PB_KIND_CPU;
    if (missing)
        return check_gpu(group, *missing, "gpus", "KIND_AUTO took the CPU: remove 'gpus'");
    bool choose = group->message->kind == PB_KIND_GPU && group->message->gpus.count == 0;
    return choose ? name_gpus(group, false) : status_ok();
}

static struct status decide_kind(const struct group *group) {
    const struct model_config *config = group->config;
    char path[PATH_MAX_BYTES];
    switch (group->message->kind) {
    case PB_KIND_AUTO:
        return decide_auto(group);
    case PB_KIND_GPU:
        return status_ok();
    case PB_KIND_CPU:
        if (group->message->gpus.count == 0)
            return status_ok();
        return model_config_error(config, path_of(group, "gpus", path),
                                  "KIND_CPU has no GPUs: remove 'gpus', or write 'kind: KIND_GPU'");
    case PB_KIND_MODEL:
        return model_config_error(config, path_of(group, "kind", path),
                                  "KIND_MODEL is known but not implemented here: write 'kind: KIND_CPU'");
    default:
        return model_config_error(config, path_of(group, "kind", path),
                                  "%d is not a kind; expected KIND_AUTO, KIND_CPU or KIND_GPU",
                                  (int)group->message->kind);
    }
}

/* ---- GPUs ---- */

/* Those that suit or all of them, where none is named. Without any that is 0, so that the check of it tells what is
 * missing. */
static struct status name_gpus(const struct group *group, bool all) {
    const struct pb_field *field = pb_field_by_name(&pb_model_instance_group_type, SLICE_LITERAL("gpus"));
    int count = count_gpus(group->gpus);
    for (int32_t gpu = 0; gpu == 0 || gpu < count; gpu++) {
        if (!all && !suits(group->config, group->gpus, gpu))
            continue;
        int32_t *item = pb_append(group->config->arena, field, group->message);
        if (!item)
            return model_config_no_memory(group->config);
        *item = gpu;
    }
    return status_ok();
}

static struct status check_gpus(const struct group *group, bool named) {
    for (size_t i = 0; i < group->message->gpus.count; i++)
        STATUS_TRY(check_gpu(group, group->message->gpus.items[i], named ? "gpus" : "kind",
                             "KIND_GPU cannot be had: write 'kind: KIND_CPU' (or KIND_AUTO), without 'gpus'"));
    return status_ok();
}

/* ---- the groups ---- */

/* Instances of the group: count, on each of its GPUs. */
static int64_t size_of(const struct pb_model_instance_group *group) {
    return (int64_t)group->count * (group->kind == PB_KIND_GPU ? (int64_t)group->gpus.count : 1);
}

static struct status fill_count(const struct group *group) {
    struct model_config *config = group->config;
    char path[PATH_MAX_BYTES];
    if (group->message->count == 0)
        group->message->count = group->message->kind == PB_KIND_GPU ? INSTANCES_A_GPU : 1;
    int64_t size = size_of(group->message);
    if (group->message->count < 0 || size > CORE_INSTANCES_MAX - config->instance_count)
        return model_config_error(config, path_of(group, "count", path),
                                  "expected 1 to %d instances over all groups, got %lld here and %d before",
                                  CORE_INSTANCES_MAX, (long long)size, config->instance_count);
    config->instance_count += (int)size;
    return status_ok();
}

static struct status fill_group(const struct group *group) {
    struct model_config *config = group->config;
    bool named = group->message->gpus.count > 0;
    STATUS_TRY(decide_kind(group));
    bool on_gpu = group->message->kind == PB_KIND_GPU;
    if (on_gpu && group->message->gpus.count == 0)
        STATUS_TRY(name_gpus(group, true));
    STATUS_TRY(fill_count(group)); /* first: it bounds how many there are to be checked */
    if (on_gpu)
        STATUS_TRY(check_gpus(group, named));
    if (group->message->name.size)
        return status_ok();
    const char *name = arena_printf(config->arena, "%.*s_%zu", (int)config->name.size, config->name.data, group->index);
    group->message->name = slice_of(name);
    return name ? status_ok() : model_config_no_memory(config);
}

/* In the order of the groups, of their GPUs, and as many in each place as count says. */
static void place(const struct pb_model_instance_group *group, struct instance_place **at) {
    bool on_gpu = group->kind == PB_KIND_GPU;
    for (size_t i = 0; i < (on_gpu ? group->gpus.count : 1); i++)
        for (int32_t k = 0; k < group->count; k++)
            *(*at)++ = (struct instance_place){on_gpu, on_gpu ? group->gpus.items[i] : 0};
}

struct status model_config_place_instances(struct model_config *config, const struct model_gpus *gpus) {
    struct pb_model_config *message = config->message;
    const struct pb_field *field = pb_field_by_name(&pb_model_config_type, SLICE_LITERAL("instance_group"));
    if (message->instance_group.count == 0) {
        struct pb_model_instance_group *only = pb_append(config->arena, field, message);
        if (!only)
            return model_config_no_memory(config);
        only->name = config->name; /* as Triton names it; those of the config get a number behind it */
    }
    config->instance_count = 0;
    for (size_t i = 0; i < message->instance_group.count; i++) {
        const struct group group = {config, &message->instance_group.items[i], i, gpus};
        STATUS_TRY(fill_group(&group));
    }
    struct instance_place *places = arena_calloc(config->arena, (size_t)config->instance_count, sizeof *places);
    if (!places)
        return model_config_no_memory(config);
    config->instances = places;
    for (size_t i = 0; i < message->instance_group.count; i++)
        place(&message->instance_group.items[i], &places);
    return status_ok();
}

bool model_config_wants_gpu(const struct model_config *config, const struct model_gpus *gpus) {
    const struct pb_model_config *message = config->message;
    const struct pb_model_instance_group none = {.kind = PB_KIND_AUTO};
    const size_t count = message->instance_group.count;
    bool wants = false;
    for (size_t i = 0; i < count || i == 0; i++) {
        const struct pb_model_instance_group *group = count ? &message->instance_group.items[i] : &none;
        wants |= group->kind == PB_KIND_GPU || (group->kind == PB_KIND_AUTO && auto_is_gpu(config, group, gpus));
    }
    return wants;
}

bool model_config_is_first_in_place(const struct model_config *config, int instance) {
    const struct instance_place *place = &config->instances[instance];
    for (int i = 0; i < instance; i++)
        if (config->instances[i].on_gpu == place->on_gpu && config->instances[i].gpu == place->gpu)
            return false;
    return true;
}

/* Checks what stands above the tensors of a config and puts the defaults into its message, as Triton shows them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "codec/model_config_limits.h"
#include "codec/model_config_messages.h"
#include "core/core_limits.h"
#include "core/model_config_priv.h"

/* Defines and zeroes a sub-message that is absent. */
#define OBTAIN(config, pointer) ((pointer) || ((pointer) = arena_calloc((config)->arena, 1, sizeof *(pointer))))

/* ---- name, platform, backend ---- */

static struct status check_name(struct model_config *config) {
    struct pb_model_config *message = config->message;
    if (message->name.size && !slice_equal(message->name, config->name))
        return model_config_error(config, "name",
                                  "the config is named '%.*s', but its folder is '%.*s': make them equal",
                                  SLICE_ARGS(message->name), SLICE_ARGS(config->name));
    message->name = config->name;
    if (message->max_batch_size < 0 || message->max_batch_size > MODEL_CONFIG_BATCH_MAX)
        return model_config_error(config, "max_batch_size", "expected 0 (no batching) to %d, got %d",
                                  MODEL_CONFIG_BATCH_MAX, (int)message->max_batch_size);
    config->max_batch_size = message->max_batch_size;
    return status_ok();
}

struct slice model_config_backend(const struct model_config *config) {
    const struct pb_model_config *message = config->message;
    if (message->backend.size)
        return message->backend;
    const struct model_platform *row = message->platform.size
                                           ? model_platform_by_name(message->platform)
                                           : model_platform_by_filename(message->default_model_filename);
    return row ? slice_of(row->backend) : (struct slice){NULL, 0};
}

/* Engine openvino runs the files of all platforms, so it may be named beside any of them. */
static bool backend_serves(struct slice backend, const struct model_platform *row) {
    return slice_equal_text(backend, row->backend) || slice_equal_text(backend, "openvino");
}

static struct status check_platform(struct model_config *config) {
    struct slice platform = config->message->platform, backend = config->message->backend;
    const struct model_platform *row = model_platform_by_name(platform);
    char known[STATUS_MESSAGE_MAX / 2];
    model_platform_names(known, sizeof known);
    if (platform.size && !row && !slice_equal(platform, backend))
        return model_config_error(config, "platform", "unknown platform '%.*s'; expected one of %s",
                                  SLICE_ARGS(platform), known);
    if (row && backend.size && !backend_serves(backend, row))
        return model_config_error(
            config, "backend", "backend '%.*s' does not serve platform '%s', backend '%s' does: remove one of the two",
            SLICE_ARGS(backend), row->platform, row->backend);
    if (model_config_backend(config).size == 0)
        return model_config_error(config, NULL,
                                  "neither 'backend' nor 'platform' says what runs the model; platforms are %s", known);
    return status_ok();
}

static struct status fill_backend(struct model_config *config) {
    struct pb_model_config *message = config->message;
    STATUS_TRY(check_platform(config));
    message->backend = model_config_backend(config);
    /* A backend's name becomes part of a library's path. */
    if (!path_is_plain_name(message->backend))
        return model_config_error(config, "backend", "'%.*s' cannot be the name of a backend",
                                  SLICE_ARGS(message->backend));
    const struct model_platform *row = model_platform_by_backend(message->backend);
    bool own_platform = row && strcmp(row->platform, row->backend) != 0;
    if (!message->platform.size && own_platform)
        message->platform = slice_of(row->platform);
    if (!message->default_model_filename.size && own_platform && row->filename)
        message->default_model_filename = slice_of(row->filename);
    if (message->default_model_filename.size && !path_is_plain_name(message->default_model_filename))
        return model_config_error(config, "default_model_filename", "'%.*s' is not the plain name of a file",
                                  SLICE_ARGS(message->default_model_filename));
    config->backend = message->backend;
    config->platform = message->platform;
    config->default_model_filename = message->default_model_filename;
    return status_ok();
}

/* ---- versions ---- */

static struct status check_latest(struct model_config *config, const struct pb_model_version_policy_latest *latest) {
    config->version_policy = VERSIONS_LATEST;
    config->latest_versions = latest ? latest->num_versions : 0;
    if (config->latest_versions == 0)
        return model_config_error(
            config, "version_policy.latest",
            "expected num_versions of 1 or more (the default without version_policy is 1), got 0");
    return status_ok();
}

static int compare_versions(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The derived list is ascending; the message keeps its own order. */
static struct status check_specific(struct model_config *config,
                                    const struct pb_model_version_policy_specific *specific) {
    static const char path[] = "version_policy.specific.versions";
    size_t count = specific ? specific->versions.count : 0;
    if (count == 0)
        return model_config_error(config, "version_policy.specific", "expected versions: [1, ...], got none");
    if (count > CORE_VERSIONS_MAX)
        return model_config_error(config, path, "expected at most %d versions, got %zu", CORE_VERSIONS_MAX, count);
    int64_t *sorted = arena_calloc(config->arena, count, sizeof *sorted);
    if (!sorted)
        return model_config_no_memory(config);
    memcpy(sorted, specific->versions.items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_versions);
    if (sorted[0] < 1)
        return model_config_error(config, path, "versions are 1 or more, got %lld", (long long)sorted[0]);
    for (size_t i = 1; i < count; i++)
        if (sorted[i] == sorted[i - 1])
            return model_config_error(config, path, "version %lld is there twice", (long long)sorted[i]);
    config->version_policy = VERSIONS_SPECIFIC;
    config->specific_versions = sorted;
    config->specific_version_count = count;
    return status_ok();
}

struct status model_config_finish_versions(struct model_config *config) {
    struct pb_model_config *message = config->message;
    if (!OBTAIN(config, message->version_policy))
        return model_config_no_memory(config);
    struct pb_model_version_policy *policy = message->version_policy;
    switch (policy->which_policy_choice) {
    case pb_model_version_policy_specific_number:
        return check_specific(config, policy->specific);
    case pb_model_version_policy_all_number:
        config->version_policy = VERSIONS_ALL;
        return status_ok();
    case pb_model_version_policy_latest_number:
        return check_latest(config, policy->latest);
    default:
        if (!OBTAIN(config, policy->latest))
            return model_config_no_memory(config);
        policy->which_policy_choice = pb_model_version_policy_latest_number;
        policy->latest->num_versions = 1;
        return check_latest(config, policy->latest);
    }
}

/* ---- dynamic batching ---- */

static int compare_sizes(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Ascending and without duplicates, into config->batching. */
static struct status take_preferred(struct model_config *config, const struct pb_model_dynamic_batching *batching) {
    size_t count = batching->preferred_batch_size.count, kept = 0;
    uint32_t *sizes = arena_calloc(config->arena, count, sizeof *sizes);
    if (!sizes)
        return model_config_no_memory(config);
    for (size_t i = 0; i < count; i++) {
        int32_t size = batching->preferred_batch_size.items[i];
        if (size < 1 || size > config->max_batch_size)
            return model_config_error(config, "dynamic_batching.preferred_batch_size",
                                      "expected sizes from 1 to max_batch_size (%d), got %d",
                                      (int)config->max_batch_size, (int)size);
        sizes[i] = (uint32_t)size;
    }
    qsort(sizes, count, sizeof *sizes, compare_sizes);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || sizes[i] != sizes[i - 1])
            sizes[kept++] = sizes[i];
    config->batching.preferred = sizes;
    config->batching.preferred_count = kept;
    return status_ok();
}

struct status model_config_batch_by_default(struct model_config *config) {
    struct pb_model_config *message = config->message;
    if (message->which_scheduling_choice != 0)
        return status_ok();
    message->which_scheduling_choice = pb_model_config_dynamic_batching_number;
    return OBTAIN(config, message->dynamic_batching) ? status_ok() : model_config_no_memory(config);
}

static struct status fill_batching(struct model_config *config) {
    struct pb_model_config *message = config->message;
    config->batching = (struct batching_policy){.enabled = false};
    if (message->which_scheduling_choice != pb_model_config_dynamic_batching_number)
        return status_ok(); /* other schedulers are refused by name */
    if (config->max_batch_size == 0)
        return model_config_error(
            config, "dynamic_batching",
            "needs max_batch_size of 1 or more: a model that does not batch cannot join requests");
    if (!OBTAIN(config, message->dynamic_batching))
        return model_config_no_memory(config);
    struct pb_model_dynamic_batching *batching = message->dynamic_batching;
    if (batching->preferred_batch_size.count == 0) {
        const struct pb_field *sizes =
            pb_field_by_name(&pb_model_dynamic_batching_type, SLICE_LITERAL("preferred_batch_size"));
        int32_t *size = pb_append(config->arena, sizes, batching);
        if (!size)
            return model_config_no_memory(config);
        *size = config->max_batch_size;
    }
    if (__builtin_mul_overflow(batching->max_queue_delay_microseconds, NS_PER_US, &config->batching.max_delay_ns))
        return model_config_error(config, "dynamic_batching.max_queue_delay_microseconds",
                                  "%llu microseconds are too long a time",
                                  (unsigned long long)batching->max_queue_delay_microseconds);
    config->batching.enabled = true;
    config->batching.preserve_ordering = batching->preserve_ordering;
    return take_preferred(config, batching);
}

/* ---- what Triton always shows ---- */

static struct status fill_optimization(struct model_config *config) {
    struct pb_model_config *message = config->message;
    if (!OBTAIN(config, message->optimization))
        return model_config_no_memory(config);
    struct pb_model_optimization_policy *policy = message->optimization;
    struct pb_model_optimization_policy_pinned_memory_buffer **buffers[] = {&policy->input_pinned_memory,
                                                                            &policy->output_pinned_memory};
    for (size_t i = 0; i < 2; i++) {
        if (*buffers[i])
            continue;
        if (!OBTAIN(config, *buffers[i]))
            return model_config_no_memory(config);
        (*buffers[i])->enable = true;
    }
    return status_ok();
}

struct status model_config_normalise(struct model_config *config, const struct model_gpus *gpus) {
    STATUS_TRY(check_name(config));
    STATUS_TRY(fill_backend(config));
    STATUS_TRY(model_config_place_instances(config, gpus));
    STATUS_TRY(model_config_finish_versions(config));
    STATUS_TRY(fill_batching(config));
    const struct pb_model_transaction_policy *transactions = config->message->model_transaction_policy;
    config->decoupled = transactions && transactions->decoupled;
    return fill_optimization(config);
}

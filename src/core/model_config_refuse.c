/* Refuses what a config asks for and inferd does not do, so that nothing is silently ignored. The message is walked by
 * its descriptor tables; every field that is set must be on the list below. */
#include <stdio.h>
#include <string.h>

#include "codec/model_config_messages.h"
#include "core/model_config_priv.h"

/* Fields that are implemented, without indices. A message on the list lets its own fields be looked at: where none of
 * those is on the list (response_cache), only its defaults pass. */
static const char *const implemented[] = {
    "name",
    "platform",
    "backend",
    "max_batch_size",
    "default_model_filename",
    "version_policy",
    "version_policy.latest",
    "version_policy.latest.num_versions",
    "version_policy.all",
    "version_policy.specific",
    "version_policy.specific.versions",
    "input",
    "input.name",
    "input.data_type",
    "input.dims",
    "input.reshape",
    "input.reshape.shape",
    "input.optional",
    "input.allow_ragged_batch",
    "output",
    "output.name",
    "output.data_type",
    "output.dims",
    "output.reshape",
    "output.reshape.shape",
    "output.label_filename",
    "instance_group",
    "instance_group.name",
    "instance_group.kind",
    "instance_group.count",
    "instance_group.gpus",
    "dynamic_batching",
    "dynamic_batching.preferred_batch_size",
    "dynamic_batching.max_queue_delay_microseconds",
    "dynamic_batching.preserve_ordering",
    "dynamic_batching.default_queue_policy",
    "parameters",
    "parameters.key",
    "parameters.value",
    "parameters.value.string_value",
    "metric_tags",
    "metric_tags.key",
    "metric_tags.value",
    "model_transaction_policy",
    "model_transaction_policy.decoupled",
    "response_cache",
    "optimization",
    "optimization.input_pinned_memory",
    "optimization.input_pinned_memory.enable",
    "optimization.output_pinned_memory",
    "optimization.output_pinned_memory.enable",
};

enum { PATH_MAX_BYTES = 256 };

struct walk {
    const struct model_config *config;
    char plain[PATH_MAX_BYTES];   /* "input.reshape" */
    char indexed[PATH_MAX_BYTES]; /* "input[0].reshape" */
};

static bool is_implemented(const char *path) {
    for (size_t i = 0; i < sizeof implemented / sizeof implemented[0]; i++)
        if (strcmp(path, implemented[i]) == 0)
            return true;
    return false;
}

/* Gives the former length, for cutting back. Paths end where the longest of the tables does, well below the maximum. */
static size_t append_name(char *path, const char *name) {
    size_t before = strlen(path);
    snprintf(path + before, PATH_MAX_BYTES - before, "%s%s", before ? "." : "", name);
    return before;
}

static void append_index(char *path, size_t index) {
    size_t before = strlen(path);
    snprintf(path + before, PATH_MAX_BYTES - before, "[%zu]", index);
}

static struct status walk_message(struct walk *walk, const struct pb_message *type, const void *message) {
    for (size_t i = 0; i < type->field_count; i++) {
        const struct pb_field *field = &type->fields[i];
        if (!pb_field_is_set(field, message))
            continue;
        size_t plain = append_name(walk->plain, field->name), indexed = append_name(walk->indexed, field->name);
        if (!is_implemented(walk->plain))
            return model_config_error(walk->config, walk->indexed,
                                      "field '%s' is known but not implemented here; remove it", walk->plain);
        for (size_t k = 0; k < pb_child_count(field, message); k++) {
            size_t item = strlen(walk->indexed);
            if (field->label != PB_LABEL_SINGULAR)
                append_index(walk->indexed, k);
            STATUS_TRY(walk_message(walk, field->message, pb_child(field, message, k)));
            walk->indexed[item] = '\0';
        }
        walk->plain[plain] = '\0';
        walk->indexed[indexed] = '\0';
    }
    return status_ok();
}

/* Default is true, unlike other bools': false is a wish. */
static struct status check_pinned(const struct model_config *config,
                                  const struct pb_model_optimization_policy *policy) {
    const struct {
        const char *path;
        const struct pb_model_optimization_policy_pinned_memory_buffer *buffer;
    } rows[] = {{"optimization.input_pinned_memory.enable", policy->input_pinned_memory},
                {"optimization.output_pinned_memory.enable", policy->output_pinned_memory}};
    for (size_t i = 0; i < 2; i++)
        if (rows[i].buffer && !rows[i].buffer->enable)
            return model_config_error(config, rows[i].path,
                                      "field '%s' with the value false is known but not implemented here; remove it",
                                      rows[i].path);
    return status_ok();
}

struct status model_config_refuse_unimplemented(const struct model_config *config) {
    struct walk walk = {.config = config};
    STATUS_TRY(walk_message(&walk, &pb_model_config_type, config->message));
    return config->message->optimization ? check_pinned(config, config->message->optimization) : status_ok();
}

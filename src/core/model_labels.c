#include "core/model_labels.h"

#include "base/file.h"
#include "core/core_limits.h"

struct output_labels {
    struct slice output;
    struct slice *lines;
    size_t count;
};

struct model_labels {
    struct output_labels *outputs; /* those that have labels */
    size_t count;
};

/* A name below the model's folder: no way up, not absolute. */
static bool stays_inside(struct slice path) {
    struct slice head, rest = path;
    while (slice_split(rest, '/', &head, &rest))
        if (!path_is_plain_name(head))
            return false;
    return path_is_plain_name(head);
}

static struct status split_lines(struct arena *arena, struct slice text, struct output_labels *labels) {
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    labels->lines = arena_calloc(arena, count + 1, sizeof *labels->lines);
    if (!labels->lines)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %zu labels", count);
    struct slice line, rest = text;
    while (rest.size) {
        slice_split(rest, '\n', &line, &rest);
        if (line.size && line.data[line.size - 1] == '\r')
            line.size--;
        labels->lines[labels->count++] = line;
    }
    return status_ok();
}

static struct status load_output(const struct model_config *config, const char *directory,
                                 const struct model_output *output, struct output_labels *labels) {
    if (!stays_inside(output->label_filename))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "label_filename '%.*s' of output '%.*s' must name a file in the model's folder",
                            SLICE_ARGS(output->label_filename), SLICE_ARGS(output->name));
    const char *name = arena_strdup(config->arena, output->label_filename);
    const char *path = name ? path_join(config->arena, directory, name) : NULL;
    if (!path)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the name of a label file");
    struct buf content = BUF_EMPTY;
    struct status status = file_read(path, CORE_LABEL_FILE_MAX, &content);
    if (!status_is_ok(&status)) {
        buf_free(&content);
        return status_prefix(status, "labels of output '%.*s'", SLICE_ARGS(output->name));
    }
    struct slice text = arena_copy(config->arena, buf_slice(&content));
    bool copied = text.size == content.size;
    buf_free(&content);
    labels->output = output->name;
    if (!copied)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the labels of '%s'", path);
    return split_lines(config->arena, text, labels);
}

struct status model_labels_load(const struct model_config *config, const char *model_directory,
                                struct model_labels **ret) {
    struct model_labels *labels = arena_calloc(config->arena, 1, sizeof *labels);
    if (labels)
        labels->outputs = arena_calloc(config->arena, config->output_count, sizeof *labels->outputs);
    if (!labels || !labels->outputs)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for labels");
    for (size_t i = 0; i < config->output_count; i++)
        if (config->outputs[i].label_filename.size)
            STATUS_TRY(load_output(config, model_directory, &config->outputs[i], &labels->outputs[labels->count++]));
    *ret = labels;
    return status_ok();
}

struct slice model_labels_get(const struct model_labels *labels, struct slice output, uint32_t index) {
    for (size_t i = 0; i < labels->count; i++)
        if (slice_equal(labels->outputs[i].output, output))
            return index < labels->outputs[i].count ? labels->outputs[i].lines[index] : (struct slice){NULL, 0};
    return (struct slice){NULL, 0};
}

/* workload_files.c: --input-data FOLDER: one file for each input, named as it: raw bytes, or one string a line. */
#include "base/file.h"
#include "tools/perf/workload.h"

/* Lines as BYTES elements; a last line end begins no further one. */
static struct status strings_of_lines(struct arena *arena, struct slice text, struct slice *ret, size_t *ret_count) {
    size_t lines = 0;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    if (text.size + 4 * (lines + 1) > WORKLOAD_TENSOR_BYTES_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%zu strings of %zu bytes in all are more than 1 GiB", lines,
                            text.size);
    char *data = arena_alloc(arena, text.size + 4 * (lines + 1)), *at = data;
    if (data == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for strings");
    *ret_count = 0;
    while (text.size > 0) {
        struct slice line;
        slice_split(text, '\n', &line, &text);
        if (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        uint32_t size = (uint32_t)line.size;
        memcpy(at, &size, sizeof size);
        memcpy(at + sizeof size, line.data, line.size);
        at += sizeof size + line.size;
        ++*ret_count;
    }
    *ret = (struct slice){data, (size_t)(at - data)};
    return status_ok();
}

static struct status take_file(struct arena *arena, const char *path, struct slice content,
                               struct infer_tensor *tensor) {
    size_t count = 0, found = 0;
    int element = workload_element_size(tensor->datatype);
    STATUS_TRY(workload_element_count(tensor, &count));
    if (element == 0) {
        STATUS_TRY(strings_of_lines(arena, content, &tensor->data, &found));
        if (found != count)
            return status_error(STATUS_INVALID_ARGUMENT, "%s: %zu lines, but input %.*s has %zu elements", path, found,
                                SLICE_ARGS(tensor->name), count);
        return status_ok();
    }
    if (content.size != count * (size_t)element)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: %zu bytes, but input %.*s has %zu elements of %d bytes", path,
                            content.size, SLICE_ARGS(tensor->name), count, element);
    tensor->data = arena_copy(arena, content);
    if (tensor->data.size != content.size)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %s", path);
    return status_ok();
}

struct status workload_read_folder(struct arena *arena, const struct workload_config *config, const char *folder,
                                   struct workload_items *ret) {
    struct workload_item *item;
    STATUS_TRY(workload_items_add(arena, config, ret, true, &item));
    for (size_t i = 0; i < config->model->input_count; i++) {
        const struct infer_tensor_info *input = &config->model->inputs[i];
        char *name = arena_strdup(arena, input->name);
        const char *path = name != NULL ? path_join(arena, folder, name) : NULL;
        struct buf content = BUF_EMPTY;
        if (path == NULL)
            return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for input data");
        if (!path_is_plain_name(input->name))
            return status_error(STATUS_INVALID_ARGUMENT, "input %.*s: its name cannot be that of a file",
                                SLICE_ARGS(input->name));
        if (input->optional && !file_exists(path))
            continue;
        STATUS_TRY(workload_shape_of(config, input, arena, &item->inputs[i]));
        struct status status = file_read(path, WORKLOAD_TENSOR_BYTES_MAX, &content);
        if (status_is_ok(&status))
            status = take_file(arena, path, buf_slice(&content), &item->inputs[i]);
        buf_free(&content);
        if (!status_is_ok(&status))
            return status;
    }
    return status_ok();
}

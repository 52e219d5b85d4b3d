#include "backends/openvino/model_file.h"

#include "backends/openvino/graph_size.h"
#include "base/file.h"
#include "checkpoint/tensor_bundle.h"

/* The file that each backend's name stands for. Whoever names the engine itself may mean any of them. */
static const struct {
    const char *backend, *file;
} kinds[] = {
    {"onnxruntime", "model.onnx"},
    {"tensorflow", "model.savedmodel"},
    {"openvino", "model.xml"},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

/* The one file name that the config's backend or platform allows; NULL when any will do. */
static const char *file_of_config(const struct model_config *config) {
    struct slice backend = model_config_backend(config);
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (slice_equal_text(backend, kinds[i].backend) && !slice_equal_text(backend, "openvino"))
            return kinds[i].file;
    return NULL;
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to look for the model file");
}

static struct status require(const char *directory, const char *name, struct arena *arena, const char **ret_path) {
    const char *path = path_join(arena, directory, name);
    if (!path)
        return no_memory();
    if (!file_exists(path))
        return status_error(STATUS_NOT_FOUND, "expected the model file %s, got nothing of that name", path);
    *ret_path = path;
    return status_ok();
}

/* The one file of any kind that is there. */
static struct status find_any(const char *directory, struct arena *arena, const char **ret_path) {
    const char *found = NULL;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const char *path = path_join(arena, directory, kinds[i].file);
        if (!path)
            return no_memory();
        if (!file_exists(path))
            continue;
        if (found)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "expected one model file, got both %s and %s: say which with default_model_filename",
                                found, kinds[i].file);
        found = path;
    }
    if (!found)
        return status_error(STATUS_NOT_FOUND,
                            "expected model.onnx, model.savedmodel/ or model.xml in %s, got none of them", directory);
    *ret_path = found;
    return status_ok();
}

struct status model_file_find(const struct model_config *config, const char *version_directory, struct arena *arena,
                              const char **ret_path) {
    struct slice named = model_config_message_default_model_filename(config);
    const char *name = file_of_config(config);
    if (named.size > 0) {
        if (!path_is_plain_name(named))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "default_model_filename: expected a name without folders, got '%.*s'",
                                SLICE_ARGS(named));
        name = arena_strdup(arena, named);
        if (!name)
            return no_memory();
    }
    return name ? require(version_directory, name, arena, ret_path) : find_any(version_directory, arena, ret_path);
}

/* OpenVINO 2026.4 reads past its memory on a damaged variables.index, so it gets to see sound ones only. */
static struct status check_variables(const char *prefix) {
    struct tensor_bundle *bundle;
    STATUS_TRY(tensor_bundle_open(prefix, &bundle));
    struct weight_set tensors = tensor_bundle_tensors(bundle);
    struct status status = status_ok();
    for (size_t i = 0; i < tensors.count && status_is_ok(&status); i++) {
        status = tensor_bundle_verify(bundle, &tensors.items[i]);
        if (status.code == STATUS_UNSUPPORTED) /* a partitioned variable, which has no checksum of its own */
            status = status_ok();
    }
    tensor_bundle_close(bundle);
    return status;
}

static struct status check_saved_model(const char *path, struct arena *arena) {
    const char *graph = path_join(arena, path, "saved_model.pb");
    const char *prefix = path_join(arena, path, "variables/variables");
    const char *index = prefix ? arena_printf(arena, "%s.index", prefix) : NULL;
    if (!graph || !index)
        return no_memory();
    if (!file_exists(graph))
        return status_error(STATUS_NOT_FOUND, "%s is no SavedModel: it has no saved_model.pb", path);
    if (file_is_directory(graph))
        return status_error(STATUS_INVALID_ARGUMENT, "expected %s to be a file, got a folder", graph);
    STATUS_TRY(graph_size_check(GRAPH_SAVED_MODEL, graph));
    return file_exists(index) ? check_variables(prefix) : status_ok();
}

struct status model_file_check(const char *path, struct arena *arena) {
    struct slice name = slice_of(path);
    bool is_folder = file_is_directory(path), named_folder = slice_ends_with(name, SLICE_LITERAL(".savedmodel"));
    if (is_folder && (slice_ends_with(name, SLICE_LITERAL(".onnx")) || slice_ends_with(name, SLICE_LITERAL(".xml"))))
        return status_error(STATUS_INVALID_ARGUMENT, "expected %s to be a file, got a folder", path);
    if (is_folder)
        return check_saved_model(path, arena);
    if (named_folder)
        return status_error(STATUS_INVALID_ARGUMENT, "expected %s to be a SavedModel folder, got a file", path);
    return graph_size_check(slice_ends_with(name, SLICE_LITERAL(".xml")) ? GRAPH_IR : GRAPH_ONNX, path);
}

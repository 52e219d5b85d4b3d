#include "checkpoint/bert_locate.h"

#include <string.h>

#include "base/file.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to look for a checkpoint");
}

/* The folder that a file lies in. */
static char *folder_of(struct arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_strdup(arena, SLICE_LITERAL("."));
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    return arena_strdup(arena, (struct slice){path, size});
}

/* Sets *ret to folder/name when that exists. */
static struct status find_in(struct arena *arena, const char *folder, const char *name, const char **ret) {
    const char *path = path_join(arena, folder, name);
    if (!path)
        return no_memory();
    if (file_exists(path))
        *ret = path;
    return status_ok();
}

/* Sets *ret to the prefix of the only TensorFlow checkpoint in a folder; leaves it NULL when there is none. */
static struct status find_bundle(struct arena *arena, const char *folder, const char **ret) {
    const struct slice ending = SLICE_LITERAL(".index");
    const char *const *names;
    size_t count;
    struct slice found = {NULL, 0};
    STATUS_TRY(file_list(folder, arena, &names, &count));
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_of(names[i]);
        if (!slice_ends_with(name, ending))
            continue;
        if (slice_equal_text(name, "model.ckpt.index")) { /* the recipe's name: no need to choose */
            found = name;
            break;
        }
        if (found.data)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "%s holds several checkpoints (%.*s, %.*s, ...); name one: %s/PREFIX without .index",
                                folder, SLICE_ARGS(found), SLICE_ARGS(name), folder);
        found = name;
    }
    if (!found.data)
        return status_ok();
    const char *path = path_join(arena, folder, found.data);
    char *prefix = path ? arena_strdup(arena, (struct slice){path, strlen(path) - ending.size}) : NULL;
    *ret = prefix;
    return prefix ? status_ok() : no_memory();
}

/* What may lie in a folder instead of what was looked for, and what to do about it. */
static struct status nothing_in(struct arena *arena, const char *folder) {
    static const struct {
        const char *name, *hint;
    } others[] = {
        {"model.safetensors.index.json", "save the model as one file (max_shard_size above its size)"},
        {"pytorch_model.bin", "save the model again with safe_serialization=True"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const char *found = NULL;
        STATUS_TRY(find_in(arena, folder, others[i].name, &found));
        if (found)
            return status_error(STATUS_UNSUPPORTED, "%s is not read; %s", found, others[i].hint);
    }
    return status_error(
        STATUS_NOT_FOUND,
        "%s holds no checkpoint: looked for model.safetensors (with config.json) and model.ckpt.index or "
        "another *.index (with bert_config.json)",
        folder);
}

static struct status locate_in_folder(const char *folder, struct arena *arena, struct bert_files *files) {
    files->form = BERT_FORM_SAFETENSORS;
    STATUS_TRY(find_in(arena, folder, "model.safetensors", &files->weights));
    if (files->weights)
        return status_ok();
    files->form = BERT_FORM_TENSOR_BUNDLE;
    STATUS_TRY(find_bundle(arena, folder, &files->weights));
    return files->weights ? status_ok() : nothing_in(arena, folder);
}

/* `path` is a file, or the prefix of files. */
static struct status locate_file(const char *path, struct arena *arena, struct bert_files *files) {
    const struct slice ending = SLICE_LITERAL(".index");
    struct slice name = slice_of(path);
    if (slice_ends_with(name, SLICE_LITERAL(".safetensors"))) {
        files->form = BERT_FORM_SAFETENSORS;
        files->weights = path;
        return file_exists(path) ? status_ok() : status_error(STATUS_NOT_FOUND, "there is no file %s", path);
    }
    if (slice_ends_with(name, ending))
        name.size -= ending.size;
    char *prefix = arena_strdup(arena, name);
    char *index = arena_printf(arena, "%.*s.index", (int)name.size, name.data);
    if (!prefix || !index)
        return no_memory();
    files->form = BERT_FORM_TENSOR_BUNDLE;
    files->weights = prefix;
    if (file_exists(index))
        return status_ok();
    return status_error(STATUS_NOT_FOUND,
                        "there is no checkpoint %s: looked for a folder or .safetensors file of that name and for %s",
                        path, index);
}

/* The configuration beside the weights: the name that the form uses first, then the other family's. */
static struct status find_config(const char *folder, struct arena *arena, struct bert_files *files) {
    static const char *const names[] = {"config.json", "bert_config.json"};
    size_t first = files->form == BERT_FORM_SAFETENSORS ? 0 : 1;
    STATUS_TRY(find_in(arena, folder, names[first], &files->config));
    if (!files->config)
        STATUS_TRY(find_in(arena, folder, names[1 - first], &files->config));
    if (files->config)
        return status_ok();
    return status_error(STATUS_NOT_FOUND, "there is no configuration of the model: looked for %s and %s in %s",
                        names[first], names[1 - first], folder);
}

static struct status locate_random(const char *seed, const char *config_path, struct arena *arena,
                                   struct bert_files *files) {
    files->form = BERT_FORM_RANDOM;
    if (!slice_to_u64(slice_of(seed), &files->seed))
        return status_error(STATUS_INVALID_ARGUMENT, "random:SEED needs a whole number from 0, got \"%.60s\"", seed);
    if (!config_path)
        return status_error(STATUS_INVALID_ARGUMENT, "random:%s needs a bert_config.json that gives the model's shape",
                            seed);
    const char *folder = folder_of(arena, config_path);
    return folder ? find_in(arena, folder, "vocab.txt", &files->vocab) : no_memory();
}

static struct status locate_stored(const char *path, const char *config_path, struct arena *arena,
                                   struct bert_files *files) {
    bool is_folder = file_is_directory(path);
    STATUS_TRY(is_folder ? locate_in_folder(path, arena, files) : locate_file(path, arena, files));
    const char *folder = is_folder ? path : folder_of(arena, path);
    files->tokenizer = folder ? path_join(arena, folder, "tokenizer_config.json") : NULL;
    if (!files->tokenizer)
        return no_memory();
    STATUS_TRY(find_in(arena, folder, "vocab.txt", &files->vocab));
    return config_path ? status_ok() : find_config(folder, arena, files);
}

struct status bert_locate(const char *path, const char *config_path, struct arena *arena, struct bert_files *ret) {
    const struct slice random = SLICE_LITERAL("random:");
    struct bert_files files = {.config = config_path};
    if (config_path && !file_exists(config_path))
        return status_error(STATUS_NOT_FOUND, "there is no configuration %s", config_path);
    if (slice_starts_with(slice_of(path), random))
        STATUS_TRY(locate_random(path + random.size, config_path, arena, &files));
    else
        STATUS_TRY(locate_stored(path, config_path, arena, &files));
    *ret = files;
    return status_ok();
}

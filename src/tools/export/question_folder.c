#include "tools/export/question_folder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "text/vocab.h"

#define WEIGHTS "model.safetensors"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's paths");
}

char *question_folder_name(struct arena *arena, const char *model) {
    return arena_printf(arena, "%s-qa", model);
}

/* <version>/<file> -> ../../<model>/<version>/<file> */
static char *target_of(struct arena *arena, const char *model, const char *version, const char *file) {
    return arena_printf(arena, "../../%s/%s/%s", model, version, file);
}

/* ---- what is there ---- */

/* Whether the weights at path/version are the link that question_folder_fill makes. */
static struct status is_linked(struct arena *arena, const char *path, const char *version, const char *model,
                               bool *ret) {
    const char *link = arena_printf(arena, "%s/%s/%s", path, version, WEIGHTS);
    const char *target = target_of(arena, model, version, WEIGHTS);
    size_t size = target ? strlen(target) : 0;
    char *text = arena_alloc(arena, size + 1); /* one more byte, which a longer target would fill */
    if (!link || !target || !text)
        return no_memory();
    *ret = readlink(link, text, size + 1) == (ssize_t)size && memcmp(text, target, size) == 0;
    return status_ok();
}

struct status question_folder_examine(const struct model_folder *folder, const char *model, const char *name,
                                      enum question_folder_state *ret) {
    const char *path = path_join(folder->arena, folder->repository, name);
    const char *const *names;
    size_t count;
    if (!path)
        return no_memory();
    *ret = file_exists(path) ? QUESTION_FOLDER_OTHER : QUESTION_FOLDER_FREE;
    if (!file_is_directory(path))
        return status_ok();
    STATUS_TRY(file_list(path, folder->arena, &names, &count));
    bool ours = count == 0;
    for (size_t i = 0; i < count; i++) {
        bool linked;
        STATUS_TRY(is_linked(folder->arena, path, names[i], model, &linked));
        if (strcmp(names[i], folder->version) == 0) {
            *ret = linked ? QUESTION_FOLDER_OURS : QUESTION_FOLDER_OTHER;
            return status_ok();
        }
        ours = ours || linked;
    }
    *ret = ours ? QUESTION_FOLDER_FREE : QUESTION_FOLDER_OTHER;
    return status_ok();
}

/* ---- what is written ---- */

static struct status link_file(const struct model_folder *folder, const char *model, const char *file) {
    const char *target = target_of(folder->arena, model, folder->version, file);
    const char *path = path_join(folder->arena, folder->staged_version, file);
    if (!target || !path)
        return no_memory();
    if (symlink(target, path) == 0)
        return status_ok();
    char text[128];
    return status_error(STATUS_INTERNAL, "cannot make the link %s: %s", path, strerror_r(errno, text, sizeof text));
}

static struct status write_vocab(const struct model_folder *folder, const char *vocab_path) {
    const char *path = path_join(folder->arena, folder->staged_version, "vocab.txt");
    struct buf text = BUF_EMPTY;
    if (!path)
        return no_memory();
    if (!vocab_path)
        return file_write_atomic(path, vocab_embedded_text());
    struct status status = file_read(vocab_path, VOCAB_MAX_FILE_BYTES, &text);
    if (status_is_ok(&status))
        status = file_write_atomic(path, buf_slice(&text));
    buf_free(&text);
    return status;
}

struct status question_folder_fill(const struct model_folder *folder, const char *model, const char *vocab_path) {
    STATUS_TRY(link_file(folder, model, WEIGHTS));
    STATUS_TRY(link_file(folder, model, "config.json"));
    return write_vocab(folder, vocab_path);
}

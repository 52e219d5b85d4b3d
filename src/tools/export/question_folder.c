#include "tools/export/question_folder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "text/vocab.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's paths");
}

char *question_folder_name(struct arena *arena, const char *model) {
    return arena_printf(arena, "%s-qa", model);
}

/* <version>/<file> -> ../../<model>/<version>/<file> */
static struct status link_file(const struct model_folder *folder, const char *model, const char *file) {
    const char *target = arena_printf(folder->arena, "../../%s/%s/%s", model, folder->version, file);
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
    STATUS_TRY(link_file(folder, model, "model.safetensors"));
    STATUS_TRY(link_file(folder, model, "config.json"));
    return write_vocab(folder, vocab_path);
}

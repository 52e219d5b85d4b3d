/* model_folder.h: puts a model version into a model repository, all at once: it is built in a hidden folder beside the
 * models and renamed into place, so that a server that looks meanwhile sees the old state or the new one. What an
 * export that was killed has left behind is removed by the next one into the same repository.
 *
 * Order of calls: plan, (stage and commit, or retire), close. Thread: one owner; two exports to one model at once: the
 * second fails.
 */
#ifndef INFERD_TOOLS_EXPORT_MODEL_FOLDER_H
#define INFERD_TOOLS_EXPORT_MODEL_FOLDER_H

#include "base/arena.h"
#include "base/status.h"

struct model_folder {
    struct arena *arena; /* borrowed; the texts */
    const char *repository;
    const char *model_path;   /* <repository>/<name> */
    const char *version;      /* "1" */
    const char *version_path; /* <repository>/<name>/<version> */
    const char *config_path;  /* <repository>/<name>/config.pbtxt */
    bool overwrite;
    char *staging;              /* the hidden folder, laid out like a model's; NULL while there is none */
    int staging_lock;           /* a descriptor that keeps other exports from taking it for a dead one's; or -1 */
    const char *staged_version; /* <staging>/<version>: the caller fills it */
};

/* Errors: INVALID_ARGUMENT for a name that is no plain folder's. */
struct status model_folder_check_name(const char *name) STATUS_MUST_CHECK;
/* Works out the paths and refuses names that are no plain folder names (INVALID_ARGUMENT), and a version that exists
 * unless `overwrite` is set (ALREADY_EXISTS). Changes nothing on disk. */
struct status model_folder_plan(const char *repository, const char *name, int64_t version, bool overwrite,
                                struct arena *arena, struct model_folder *ret) STATUS_MUST_CHECK;
/* Refuses a configuration that differs from the one already there, unless overwriting: FAILED_PRECONDITION with the
 * first line that differs. Then makes the staging folder with config.pbtxt and an empty version folder. */
struct status model_folder_stage(struct model_folder *folder, struct slice config) STATUS_MUST_CHECK;
/* Moves what was staged into place, and removes what it replaces. */
struct status model_folder_commit(struct model_folder *folder) STATUS_MUST_CHECK;
/* Takes the version away, and the model with it when nothing else but its configuration is in it. Whoever looks sees
 * all of it or nothing. In place of stage and commit. */
struct status model_folder_retire(struct model_folder *folder) STATUS_MUST_CHECK;
/* Removes the staging folder, if there is one still. */
void model_folder_close(struct model_folder *folder);

#endif

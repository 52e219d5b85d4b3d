/* model_files.h: the files that come with a load request, as a model's folder of their own: private to the process's
 * user, and gone with the versions that were loaded from it. Thread: any; no state. */
#ifndef INFERD_CORE_MODEL_FILES_H
#define INFERD_CORE_MODEL_FILES_H

#include "base/arena.h"
#include "core/inference_server.h"

/* Writes the files into a new folder (mode 0700, files 0600) below `parent`; its path is the arena's. INVALID_ARGUMENT:
 * a path that is not of plain names below the folder, is there twice, or is that of the config, which comes by itself.
 * On an error nothing is left behind. */
struct status model_files_write(const char *parent, const struct model_file *files, size_t count, struct arena *arena,
                                const char **ret_directory) STATUS_MUST_CHECK;
/* Removes the folder with everything in it; what cannot be removed stays behind. NULL is none. */
void model_files_remove(const char *directory);

#endif

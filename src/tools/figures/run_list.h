/* run_list.h: a list of measured files with the settings of each, itself a CSV: what scripts/generate_figures.sh
 * writes.
 *
 *   file,label,sweep,model,max_seq_length,precision,max_batch_size,batch_size,delay_ms,instances,protocol
 *
 * Only `file` is needed (relative to the list); other columns and empty cells are unknown settings. `sweep` is static,
 * dynamic, instances or empty. Thread: immutable once read. */
#ifndef INFERD_TOOLS_FIGURES_RUN_LIST_H
#define INFERD_TOOLS_FIGURES_RUN_LIST_H

#include "tools/figures/measured_run.h"

enum { RUN_LIST_MAX = 256 };

struct run_list {
    struct measured_run *runs; /* room for RUN_LIST_MAX */
    size_t count;
};

struct status run_list_create(struct arena *arena, struct run_list *ret) STATUS_MUST_CHECK;
/* Adds one file; label may be NULL. */
struct status run_list_add(struct arena *arena, struct run_list *list, const char *path,
                           const char *label) STATUS_MUST_CHECK;
/* Adds all of a list. Errors: INVALID_ARGUMENT with file and line. */
struct status run_list_load(struct arena *arena, struct run_list *list, const char *path) STATUS_MUST_CHECK;

/* The settings that all of these runs have in common, "bert, 128 tokens, fp32, max batch 8"; "" when none is known. In
 * the arena; NULL when memory is short. */
const char *run_settings_text(struct arena *arena, const struct measured_run *const *runs, size_t count);

#endif

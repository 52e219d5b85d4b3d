/* model_replace.c: loads versions of a model and puts them in place of those that serve.
 *
 * The new ones are loaded beside the old ones, and take over in one step under the repository's lock, under which
 * requests are admitted too: a request is counted either by an old version, which is stopped only when it has answered
 * all, or it goes to a new one. None is lost. If one cannot be loaded, none takes over. */
#include <inttypes.h>

#include "core/model_files.h"
#include "core/model_repository_priv.h"

/* One load under way. */
struct replacement {
    struct model_repository *repository;
    struct model_entry *entry;             /* claimed: only this load changes its set */
    const struct model_override *override; /* NULL: what lies in the repository */
    bool at_start;
    bool beside; /* versions are serving, and stay until all is good */
    struct arena *scratch;
    const char *directory; /* of the override's files; NULL: none, or the set's by now */
    struct model_folder folder;
};

struct outcome {
    struct status status;
    struct model *model; /* NULL: failed */
};

static struct slice name_of(const struct replacement *load) {
    return model_entry_name(load->entry);
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to load a model");
}

static bool is_refusing(struct model_repository *repository) {
    pthread_mutex_lock(&repository->lock);
    bool refusing = repository->refusing_loads;
    pthread_mutex_unlock(&repository->lock);
    return refusing;
}

/* ---- failures ---- */

/* The reason as the caller is told it. Of one kind is what is wrong with a model, of another what cannot even be read,
 * as Triton has it; shortage of memory and the end of the server are neither. */
static struct status load_error(const struct replacement *load, enum status_code code, const struct status *reason) {
    if (reason->code == STATUS_RESOURCE_EXHAUSTED || is_refusing(load->repository))
        code = reason->code;
    if (code == STATUS_INTERNAL)
        return status_error(code, "failed to load '%.*s', failed to poll from model repository: %s",
                            SLICE_ARGS(name_of(load)), reason->message);
    return status_error(code, "load failed for model '%.*s': %s", SLICE_ARGS(name_of(load)), reason->message);
}

/* Whether the reason stays as the model's: not of one that only this request knew, and not in place of what serves. */
static bool is_kept(const struct replacement *load) {
    return !load->beside && (load->entry->listed || load->at_start);
}

/* No version could even be chosen. */
static void give_up(struct replacement *load, const struct status *reason) {
    static const int64_t whole = -1;
    LOG_ERROR(load->repository->options.loader.log, "failed to load '%.*s': %s", SLICE_ARGS(name_of(load)),
              reason->message);
    model_files_remove(load->directory);
    if (load->beside)
        return;
    struct model_set *set = is_kept(load) ? model_set_create(&whole, 1) : NULL;
    if (set)
        model_set_fail(set, &set->rows[0], slice_of(reason->message));
    model_control_discard(model_control_exchange(load->repository, load->entry, set));
}

/* Turns the set that was seen as LOADING into one of reasons. */
static void keep_reasons(struct replacement *load, struct model_set *set, const struct outcome *outcomes,
                         const struct status *common) {
    pthread_mutex_lock(&load->repository->lock);
    for (size_t i = 0; i < set->count; i++) {
        const struct status *reason = status_is_ok(&outcomes[i].status) ? common : &outcomes[i].status;
        model_set_fail(set, &set->rows[i], slice_of(reason->message));
    }
    model_repository_unlock_changed(load->repository);
    model_files_remove(set->directory);
    set->directory = NULL;
}

/* Some version failed: lets go of those that did not, and leaves what serves. */
static struct status fall_back(struct replacement *load, struct model_set *set, const struct outcome *outcomes) {
    const struct outcome *failed = outcomes;
    while (status_is_ok(&failed->status))
        failed++;
    const struct status reason = status_error(failed->status.code, "version %" PRId64 " is at UNAVAILABLE state: %s",
                                              set->rows[failed - outcomes].version, failed->status.message);
    for (size_t i = 0; i < set->count; i++) {
        if (outcomes[i].model)
            model_stop(outcomes[i].model);
        model_release(outcomes[i].model);
    }
    if (is_kept(load))
        keep_reasons(load, set, outcomes, &reason);
    else
        model_control_discard(load->beside ? set : model_control_exchange(load->repository, load->entry, NULL));
    return load_error(load, STATUS_INVALID_ARGUMENT, &reason);
}

/* ---- folder and versions ---- */

/* Where the model's files are, and what is there. */
static struct status open_folder(struct replacement *load) {
    const struct model_override *override = load->override;
    const struct model_repository_options *options = &load->repository->options;
    const char *path = NULL;
    struct status found = model_scan_find(&options->folders, name_of(load), load->scratch, &path);
    if (found.code == STATUS_RESOURCE_EXHAUSTED)
        return found;
    pthread_mutex_lock(&load->repository->lock);
    load->entry->listed = found.code != STATUS_NOT_FOUND;
    pthread_mutex_unlock(&load->repository->lock);
    if (override && override->file_count > 0) {
        STATUS_TRY(model_files_write(options->temporary_directory, override->files, override->file_count, load->scratch,
                                     &load->directory));
        path = load->directory;
    } else if (!status_is_ok(&found)) {
        return found;
    }
    return model_folder_open(path, load->entry->name, override && override->has_config ? &override->config : NULL,
                             load->scratch, &load->folder);
}

static struct outcome load_version(struct replacement *load, int64_t version) {
    const struct model_loader *loader = &load->repository->options.loader;
    struct outcome outcome = {.status = status_error(STATUS_UNAVAILABLE, "the server is stopping")};
    if (!is_refusing(load->repository)) { /* from the line on it is finished, whatever comes */
        LOG_INFO(loader->log, "loading '%.*s' version %" PRId64, SLICE_ARGS(name_of(load)), version);
        outcome.status = model_loader_load(loader, &load->folder, version, &outcome.model);
    }
    if (!outcome.model)
        LOG_ERROR(loader->log, "failed to load '%.*s' version %" PRId64 ": %s", SLICE_ARGS(name_of(load)), version,
                  outcome.status.message);
    return outcome;
}

/* A set for the versions, which has the override's files from here on; seen as LOADING where nothing serves. NULL when
 * memory is short. */
static struct model_set *begin_set(struct replacement *load, const int64_t *versions, size_t count) {
    struct model_set *set = model_set_create(versions, count);
    const char *directory = set && load->directory ? arena_strdup(set->arena, slice_of(load->directory)) : NULL;
    if (!set || (load->directory && !directory)) {
        model_set_destroy(set);
        return NULL;
    }
    set->directory = directory;
    load->directory = NULL;
    if (!load->beside)
        model_control_discard(model_control_exchange(load->repository, load->entry, set));
    return set;
}

/* Requests find the new versions from here on; those that served before answer what they have, and go. */
static void take_over(struct replacement *load, struct model_set *set, const struct outcome *outcomes) {
    struct model_repository *repository = load->repository;
    pthread_mutex_lock(&repository->lock);
    for (size_t i = 0; i < set->count; i++) {
        struct version_row *row = &set->rows[i];
        row->model = outcomes[i].model;
        if (row->model)
            row->state = MODEL_READY;
        else
            model_set_fail(set, row, slice_of(outcomes[i].status.message));
        if (row->model && repository->refusing)
            model_refuse(row->model);
    }
    struct model_set *before = load->entry->set;
    load->entry->set = set;
    model_repository_unlock_changed(repository);
    if (before == set)
        return;
    model_control_wait_answered(before);
    model_control_discard(before);
}

static struct status load_versions(struct replacement *load, const int64_t *versions, size_t count) {
    struct outcome *outcomes = arena_calloc(load->scratch, count, sizeof *outcomes);
    struct model_set *set = outcomes ? begin_set(load, versions, count) : NULL;
    if (!set) {
        struct status status = no_memory();
        give_up(load, &status);
        return status;
    }
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = load_version(load, versions[i]);
        good += outcomes[i].model != NULL;
    }
    if (good < count && (good == 0 || !load->at_start))
        return fall_back(load, set, outcomes);
    take_over(load, set, outcomes);
    return status_ok();
}

static struct status load_all(struct replacement *load) {
    const int64_t *versions = NULL;
    size_t count = 0;
    bool own_files = load->override && load->override->file_count > 0;
    enum status_code code = own_files ? STATUS_INVALID_ARGUMENT : STATUS_INTERNAL;
    struct status status = open_folder(load);
    if (status_is_ok(&status)) {
        code = STATUS_INVALID_ARGUMENT;
        status = model_folder_choose(&load->folder, load->scratch, &versions, &count);
    }
    if (status_is_ok(&status))
        return load_versions(load, versions, count);
    give_up(load, &status);
    return load_error(load, code, &status);
}

struct status model_replace(struct model_repository *repository, struct model_entry *entry,
                            const struct model_override *override, bool at_start) {
    static const int64_t whole = -1;
    if (is_refusing(repository) && !at_start)
        return status_error(STATUS_UNAVAILABLE, "the server is stopping: no model is loaded any more");
    struct replacement load = {.repository = repository,
                               .entry = entry,
                               .override = override,
                               .at_start = at_start,
                               .beside = model_set_is_serving(entry->set),
                               .scratch = arena_create(0)};
    if (!load.scratch)
        return no_memory();
    if (!load.beside) {
        struct model_set *set = model_set_create(&whole, 1);
        if (set)
            model_control_discard(model_control_exchange(repository, entry, set));
    }
    struct status status = load_all(&load);
    arena_destroy(load.scratch);
    return status;
}

/* model_startup.c: which models are loaded when the server starts, on several threads. */
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/worker_thread.h"
#include "core/core_limits.h"
#include "core/model_repository_priv.h"

/* The models that are still to be loaded, shared by the loader threads. */
struct load_job {
    struct model_repository *repository;
    const char *const *names;
    size_t count;
    atomic_size_t next, failed;
};

static void *loader_run(void *argument) {
    struct load_job *job = argument;
    size_t index;
    while ((index = atomic_fetch_add(&job->next, 1)) < job->count)
        atomic_fetch_add(&job->failed, model_control_load_at_start(job->repository, slice_of(job->names[index])));
    return NULL;
}

static size_t choose_loaders(size_t asked_for) {
    if (asked_for > 0)
        return asked_for < CORE_LOADERS_MAX ? asked_for : CORE_LOADERS_MAX;
    size_t cpus = (size_t)cpu_available_count();
    return cpus < CORE_LOADERS ? cpus : CORE_LOADERS;
}

/* Returns how many versions, or models as a whole, failed. */
static size_t load_all(struct model_repository *repository, const char *const *names, size_t count) {
    struct load_job job = {.repository = repository, .names = names, .count = count};
    atomic_init(&job.next, 0);
    atomic_init(&job.failed, 0);
    pthread_t helpers[CORE_LOADERS_MAX - 1];
    size_t wanted = choose_loaders(repository->options.loader_count);
    if (wanted > count)
        wanted = count;
    size_t started = 0;
    while (started + 1 < wanted) {
        struct status status = worker_thread_start(&helpers[started], loader_run, &job, "loader");
        if (!status_is_ok(&status))
            break; /* fewer do it too */
        started++;
    }
    loader_run(&job);
    for (size_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    return atomic_load(&job.failed);
}

/* The models to load, known and LOADING from here on, so that requests for one learn that it will come. */
static struct status announce(struct model_repository *repository, struct arena *scratch, const char *const **ret_names,
                              size_t *ret_count) {
    static const int64_t whole = -1;
    const struct model_repository_options *options = &repository->options;
    STATUS_TRY(model_repository_rescan(repository));
    *ret_names = options->names;
    *ret_count = options->name_count;
    if (options->load_all)
        STATUS_TRY(model_scan_names(&options->folders, scratch, ret_names, ret_count));
    struct status status = status_ok();
    pthread_mutex_lock(&repository->lock);
    for (size_t i = 0; i < *ret_count && status_is_ok(&status); i++) {
        struct model_entry *entry = model_table_obtain(&repository->table, slice_of((*ret_names)[i]));
        if (entry && !entry->set && !entry->claimed)
            entry->set = model_set_create(&whole, 1);
        if (!entry)
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the models to load");
    }
    pthread_mutex_unlock(&repository->lock);
    return status;
}

struct status model_repository_start(struct model_repository *repository, size_t *ret_failed) {
    struct arena *scratch = arena_create(0);
    const char *const *names;
    size_t count;
    struct status status = scratch ? announce(repository, scratch, &names, &count)
                                   : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the models to load");
    if (status_is_ok(&status)) {
        *ret_failed = load_all(repository, names, count);
        pthread_mutex_lock(&repository->lock);
        repository->started = true;
        model_repository_unlock_changed(repository);
    }
    arena_destroy(scratch);
    return status;
}

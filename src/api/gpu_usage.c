#include "api/gpu_usage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/worker_thread.h"

/* What a GPU has used since its first reading. */
struct energy_meter {
    char uuid[NVML_UUID_MAX];
    double last, used; /* joules */
};

/* Of two owners, the one who made it and its thread; the last of them frees it. */
struct gpu_usage {
    struct gpu_usage_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* stopping, ended */
    bool stopping, ended;
    struct gpu_figures figures[NVML_GPUS_MAX];
    size_t count;
    uint64_t read_ns; /* when they were read */
    bool told;        /* that reading failed */
    /* The thread's own. */
    struct energy_meter meters[NVML_GPUS_MAX];
    size_t meter_count;
};

static void free_usage(struct gpu_usage *usage) {
    pthread_cond_destroy(&usage->changed);
    pthread_mutex_destroy(&usage->lock);
    free(usage);
}

/* ---- the thread ---- */

/* Once its owner has gone, nobody knows whether the log is still there. Under the lock. */
static void tell(struct gpu_usage *usage, enum log_level level, const struct status *status) {
    if (!usage->stopping && usage->options.log)
        LOG_FIELDS(usage->options.log, level, NULL, 0, "no metrics of GPUs: %s", status->message);
}

static struct energy_meter *find_meter(struct gpu_usage *usage, const struct gpu_figures *figures) {
    for (size_t i = 0; i < usage->meter_count; i++)
        if (strcmp(usage->meters[i].uuid, figures->uuid) == 0)
            return &usage->meters[i];
    if (usage->meter_count == NVML_GPUS_MAX)
        return NULL;
    struct energy_meter *meter = &usage->meters[usage->meter_count++];
    memcpy(meter->uuid, figures->uuid, sizeof meter->uuid);
    meter->last = figures->energy;
    return meter;
}

/* From the driver's count to one of our own, which never goes back: the driver's begins anew when it is loaded again.
 */
static double count_energy(struct gpu_usage *usage, const struct gpu_figures *figures) {
    struct energy_meter *meter = isnan(figures->energy) ? NULL : find_meter(usage, figures);
    if (!meter)
        return (double)NAN;
    meter->used += figures->energy < meter->last ? figures->energy : figures->energy - meter->last;
    meter->last = figures->energy;
    return meter->used;
}

static void read_once(struct gpu_usage *usage, struct nvml *nvml) {
    struct gpu_figures figures[NVML_GPUS_MAX];
    size_t count = 0;
    struct status status = nvml_read(nvml, figures, &count);
    for (size_t i = 0; i < count; i++)
        figures[i].energy = count_energy(usage, &figures[i]);
    pthread_mutex_lock(&usage->lock);
    memcpy(usage->figures, figures, count * sizeof figures[0]);
    usage->count = count;
    usage->read_ns = clock_monotonic_ns();
    if (!status_is_ok(&status) && !usage->told)
        tell(usage, LOG_LEVEL_WARNING, &status);
    usage->told = !status_is_ok(&status);
    pthread_mutex_unlock(&usage->lock);
}

/* False when it is time to end. */
static bool wait_for_turn(struct gpu_usage *usage) {
    uint64_t until_ns = clock_monotonic_ns() + usage->options.interval_ns;
    pthread_mutex_lock(&usage->lock);
    while (!usage->stopping && clock_monotonic_ns() < until_ns)
        monotonic_cond_wait(&usage->changed, &usage->lock, until_ns);
    bool goes_on = !usage->stopping;
    pthread_mutex_unlock(&usage->lock);
    return goes_on;
}

static void *run(void *argument) {
    struct gpu_usage *usage = argument;
    struct nvml *nvml = NULL;
    struct status status = nvml_open(usage->options.library, &nvml);
    if (!status_is_ok(&status)) {
        pthread_mutex_lock(&usage->lock);
        tell(usage, LOG_LEVEL_INFO, &status);
        pthread_mutex_unlock(&usage->lock);
    } else {
        do
            read_once(usage, nvml);
        while (wait_for_turn(usage));
        nvml_close(nvml);
    }
    pthread_mutex_lock(&usage->lock);
    bool left_behind = usage->ended; /* by the owner, who waits no more */
    usage->ended = true;
    pthread_cond_broadcast(&usage->changed);
    pthread_mutex_unlock(&usage->lock);
    if (left_behind)
        free_usage(usage);
    return NULL;
}

/* ---- its owner ---- */

struct gpu_usage *gpu_usage_create(const struct gpu_usage_options *options) {
    struct gpu_usage *usage = calloc(1, sizeof *usage);
    if (!usage)
        return NULL;
    usage->options = *options;
    pthread_mutex_init(&usage->lock, NULL);
    monotonic_cond_init(&usage->changed);
    struct status status = worker_thread_start(&usage->thread, run, usage, "gpus");
    if (status_is_ok(&status))
        return usage;
    free_usage(usage);
    return NULL;
}

void gpu_usage_destroy(struct gpu_usage *usage) {
    if (!usage)
        return;
    uint64_t until_ns = clock_monotonic_ns() + GPU_USAGE_END_WAIT_S * NS_PER_S;
    pthread_mutex_lock(&usage->lock);
    usage->stopping = true;
    pthread_cond_broadcast(&usage->changed);
    while (!usage->ended && clock_monotonic_ns() < until_ns)
        monotonic_cond_wait(&usage->changed, &usage->lock, until_ns);
    bool ended = usage->ended;
    usage->ended = true;
    pthread_t thread = usage->thread;
    pthread_mutex_unlock(&usage->lock);
    if (!ended) {
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    free_usage(usage);
}

size_t gpu_usage_read(struct gpu_usage *usage, struct gpu_figures *ret_figures) {
    const struct gpu_usage_options *options = &usage->options;
    uint64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&usage->lock);
    size_t count = now_ns < usage->read_ns + options->interval_ns + options->patience_ns ? usage->count : 0;
    memcpy(ret_figures, usage->figures, count * sizeof *ret_figures);
    pthread_mutex_unlock(&usage->lock);
    return count;
}

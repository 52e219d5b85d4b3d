#include "tools/perf/server_statistics.h"

/* Every counter of a struct infer_statistics, by which snapshots are added and subtracted. */
enum { COUNTER_COUNT = 8 };
static const size_t counters[COUNTER_COUNT] = {
    offsetof(struct infer_statistics, success),       offsetof(struct infer_statistics, fail),
    offsetof(struct infer_statistics, queue),         offsetof(struct infer_statistics, compute_input),
    offsetof(struct infer_statistics, compute_infer), offsetof(struct infer_statistics, compute_output),
    offsetof(struct infer_statistics, cache_hit),     offsetof(struct infer_statistics, cache_miss),
};

static struct infer_counter *counter(struct infer_statistics *statistics, size_t i) {
    return (struct infer_counter *)(void *)((char *)statistics + counters[i]);
}
static struct infer_counter value(const struct infer_statistics *statistics, size_t i) {
    return *(const struct infer_counter *)(const void *)((const char *)statistics + counters[i]);
}

static void add(struct infer_statistics *sum, const struct infer_statistics *more) {
    sum->inference_count += more->inference_count;
    sum->execution_count += more->execution_count;
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        counter(sum, i)->count += value(more, i).count;
        counter(sum, i)->ns += value(more, i).ns;
    }
}

static bool is_meant(const struct server_models *models, size_t m, const struct infer_statistics *item) {
    bool size = item->batch_size == 0 || item->batch_size == models->batch_size;
    bool version = m > 0 || models->version.size == 0 || slice_equal(item->version, models->version);
    return size && version && slice_equal(item->name, models->names[m]);
}

void server_snapshot_take(const struct server_models *models, const struct infer_statistics *items, size_t count,
                          struct server_snapshot *ret) {
    *ret = (struct server_snapshot){.valid = count > 0, .count = models->count};
    for (size_t m = 0; m < models->count; m++) {
        for (size_t i = 0; i < count; i++) {
            if (is_meant(models, m, &items[i]))
                add(&ret->models[m], &items[i]);
        }
    }
}

static bool subtract(struct infer_statistics *from, const struct infer_statistics *less) {
    bool forward = from->inference_count >= less->inference_count && from->execution_count >= less->execution_count;
    from->inference_count -= less->inference_count;
    from->execution_count -= less->execution_count;
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        struct infer_counter *at = counter(from, i), other = value(less, i);
        forward = forward && at->count >= other.count && at->ns >= other.ns;
        at->count -= other.count;
        at->ns -= other.ns;
    }
    return forward;
}

struct server_snapshot server_snapshot_difference(const struct server_snapshot *before,
                                                  const struct server_snapshot *after) {
    struct server_snapshot difference = *after;
    difference.valid = before->valid && after->valid && before->count == after->count;
    for (size_t m = 0; m < difference.count && difference.valid; m++)
        difference.valid = subtract(&difference.models[m], &before->models[m]);
    return difference;
}

void server_snapshot_add(struct server_snapshot *sum, const struct server_snapshot *more) {
    sum->valid = sum->valid && more->valid && sum->count == more->count;
    for (size_t m = 0; m < sum->count && sum->valid; m++)
        add(&sum->models[m], &more->models[m]);
}

static uint64_t mean(struct infer_counter counter_value, uint64_t count) {
    return count > 0 ? counter_value.ns / count : 0;
}

struct server_breakdown server_breakdown_of(const struct infer_statistics *d) {
    return (struct server_breakdown){
        .requests = d->success.count,
        .inferences = d->inference_count,
        .executions = d->execution_count,
        .request_ns = mean(d->success, d->success.count),
        .queue_ns = mean(d->queue, d->queue.count),
        .compute_input_ns = mean(d->compute_input, d->compute_input.count),
        .compute_infer_ns = mean(d->compute_infer, d->compute_infer.count),
        .compute_output_ns = mean(d->compute_output, d->compute_output.count),
        .cache_hits = d->cache_hit.count,
        .cache_misses = d->cache_miss.count,
        .cache_hit_ns = mean(d->cache_hit, d->success.count),
        .cache_miss_ns = mean(d->cache_miss, d->success.count),
    };
}

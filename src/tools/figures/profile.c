#include "tools/figures/profile.h"

#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/file.h"
#include "tools/figures/doubt.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_load(const void *a, const void *b) {
    double x = ((const struct profile_experiment *)a)->load, y = ((const struct profile_experiment *)b)->load;
    return (x > y) - (x < y);
}

/* False when the request was not answered, or its times are no times. */
static bool latency_of(yyjson_val *request, double *ret_us) {
    yyjson_val *sent = yyjson_obj_get(request, "timestamp");
    yyjson_val *answers = yyjson_obj_get(request, "response_timestamps");
    yyjson_val *last = yyjson_arr_get_last(answers);
    if (!yyjson_is_uint(sent) || !yyjson_is_uint(last) || yyjson_get_uint(last) < yyjson_get_uint(sent))
        return false;
    *ret_us = (double)(yyjson_get_uint(last) - yyjson_get_uint(sent)) / 1000;
    return true;
}

static struct status read_experiment(struct arena *arena, yyjson_val *value, size_t index,
                                     struct profile_experiment *ret) {
    yyjson_val *experiment = yyjson_obj_get(value, "experiment"), *requests = yyjson_obj_get(value, "requests");
    yyjson_val *load = yyjson_obj_get(experiment, "value");
    const char *mode = yyjson_get_str(yyjson_obj_get(experiment, "mode"));
    ret->load = yyjson_get_num(load);
    if (!yyjson_is_num(load) || !(ret->load >= 0 && ret->load <= PROFILE_MAX_LOAD) || mode == NULL ||
        !yyjson_is_arr(requests))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "experiments[%zu]: expected an object with experiment.mode, experiment.value (0 to %g) and "
                            "requests",
                            index, PROFILE_MAX_LOAD);
    ret->doubts = yyjson_get_bool(yyjson_obj_get(experiment, "generator_limited")) ? DOUBT_LIMITED : 0;
    ret->is_rate = strcmp(mode, "concurrency") != 0;
    ret->latencies_us = arena_calloc(arena, yyjson_arr_size(requests), sizeof *ret->latencies_us);
    if (ret->latencies_us == NULL)
        return out_of_memory();
    yyjson_val *request;
    size_t i, count;
    yyjson_arr_foreach(requests, i, count, request) {
        if (latency_of(request, &ret->latencies_us[ret->count]))
            ret->count++;
    }
    qsort(ret->latencies_us, ret->count, sizeof *ret->latencies_us, by_value);
    return status_ok();
}

static struct status read_experiments(struct arena *arena, yyjson_val *root, struct profile *ret) {
    yyjson_val *list = yyjson_obj_get(root, "experiments"), *value;
    size_t i, count = yyjson_arr_size(list);
    if (count == 0 || count > PROFILE_MAX_EXPERIMENTS)
        return status_error(STATUS_INVALID_ARGUMENT, "expected \"experiments\" with 1 to %d elements, got %zu",
                            PROFILE_MAX_EXPERIMENTS, count);
    ret->experiments = arena_calloc(arena, count, sizeof *ret->experiments);
    if (ret->experiments == NULL)
        return out_of_memory();
    yyjson_arr_foreach(list, i, count, value) STATUS_TRY(read_experiment(arena, value, i, &ret->experiments[i]));
    ret->experiment_count = count;
    qsort(ret->experiments, count, sizeof *ret->experiments, by_load);
    return status_ok();
}

struct status profile_parse(struct arena *arena, struct slice json, const char *file, struct profile *ret) {
    yyjson_read_err error;
    struct profile profile = {.file = file};
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, YYJSON_READ_NOFLAG, NULL, &error);
    if (document == NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "no JSON: %s at byte %zu", error.msg, error.pos);
    struct status status = read_experiments(arena, yyjson_doc_get_root(document), &profile);
    yyjson_doc_free(document);
    if (status_is_ok(&status))
        *ret = profile;
    return status;
}

struct status profile_load(struct arena *arena, const char *path, struct profile *ret) {
    struct buf content = BUF_EMPTY;
    struct status status = file_read(path, PROFILE_MAX_BYTES, &content);
    if (status_is_ok(&status)) {
        status = profile_parse(arena, buf_slice(&content), path, ret);
        if (!status_is_ok(&status))
            status = status_prefix(status, "%s", path);
    }
    buf_free(&content);
    return status;
}

double profile_percentile_us(const struct profile_experiment *experiment, double rank) {
    double position = ceil(rank / 100 * (double)experiment->count - 1e-9);
    size_t index = position < 1 ? 0 : (size_t)position - 1;
    return experiment->latencies_us[index < experiment->count ? index : experiment->count - 1];
}

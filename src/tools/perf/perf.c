/* perf.c: the story of `inferd perf`: look at the model, make the data, measure load after load, report. */
#include "tools/perf/perf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/perf/memory.h"
#include "tools/perf/perf_driver.h"
#include "tools/perf/report_text.h"
#include "tools/perf/run_watch.h"
#include "tools/perf/search.h"
#include "tools/perf/trace_settings.h"
#include "tools/perf/workload_replay.h"
#include "tools/perf/workload_text.h"

enum {
    EXIT_GOOD = 0,
    EXIT_UNSTABLE = 2,
    EXIT_USAGE = 3,
    EXIT_FAILED = 99,
    EXIT_INTERRUPTED = 130, /* as shells say it */
    DRAIN_S = 10,
    TIMER_SLACK_NS = 1000 /* Linux's default of 50 us would delay every send of an open loop */
};

/* What is made on the way; all of it lives in the arena, but for the points. */
struct perf_job {
    const struct perf_options *options;
    struct arena *arena;
    struct driver *driver;
    struct slice name; /* of the model; empty for a replay of several */
    struct infer_model_info model;
    struct workload workload;
    struct generator_setup setup;
    struct generator_result *result;
    struct memory memory;
    struct trace_settings trace; /* as they were */
    struct run_watch watch;
    struct report_files files;
    const uint64_t *times_ns; /* gaps of --request-intervals, times of --fixed-schedule */
    size_t time_count;
    struct point *points; /* owned */
    size_t point_count, point_capacity;
    double load; /* under way */
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- before the load ---- */

static struct status check_model(const struct perf_job *job) {
    const struct perf_options *options = job->options;
    const struct infer_model_info *model = &job->model;
    if (options->batch_size > 1 && options->batch_size > model->max_batch_size)
        return status_error(STATUS_INVALID_ARGUMENT, "batch size %lld: model %.*s takes at most %lld",
                            (long long)options->batch_size, SLICE_ARGS(job->name),
                            (long long)(model->max_batch_size > 0 ? model->max_batch_size : 1));
    if (model->decoupled && !options->streaming && options->service != PERF_IN_PROCESS)
        return status_error(STATUS_INVALID_ARGUMENT, "model %.*s is decoupled: add -i grpc --streaming",
                            SLICE_ARGS(job->name));
    bool has_strings = options->replay != NULL; /* recorded ones are their own model's */
    for (size_t i = 0; i < model->input_count; i++)
        has_strings = has_strings || workload_element_size(model->inputs[i].datatype) == 0;
    if (options->strings_given && !has_strings)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--string-data and --string-length are of BYTES inputs, of which model %.*s has none",
                            SLICE_ARGS(job->name));
    return status_ok();
}

/* A name of --bls-composing-models. */
static struct status check_composing(const struct perf_job *job, struct slice name) {
    struct infer_model_info model = {0};
    bool has_statistics;
    struct status status =
        job->driver->ops->describe(job->driver, name, SLICE_LITERAL(""), job->arena, &model, &has_statistics);
    return status_is_ok(&status) ? status : status_prefix(status, "--bls-composing-models %.*s", SLICE_ARGS(name));
}

static struct status take_models(struct perf_job *job) {
    struct server_models *models = &job->setup.models;
    struct slice rest = slice_of(job->options->composing_models), name;
    models->names[models->count++] = job->name;
    models->version = slice_of(job->options->model_version);
    models->batch_size = (size_t)job->options->batch_size;
    for (size_t i = 0; i < job->model.step_count && models->count < SERVER_MODELS_MAX; i++)
        models->names[models->count++] = job->model.steps[i];
    while (rest.size > 0) {
        slice_split(rest, ',', &name, &rest);
        if (models->count == SERVER_MODELS_MAX)
            return status_error(STATUS_INVALID_ARGUMENT, "more than %d composing models", SERVER_MODELS_MAX - 1);
        STATUS_TRY(check_composing(job, name));
        models->names[models->count++] = name;
    }
    return status_ok();
}

static struct status make_workload(struct perf_job *job) {
    const struct perf_options *options = job->options;
    const struct workload_text text = {
        .path = options->text,
        .vocab = options->vocab,
        .max_seq_length = (uint32_t)options->max_seq_length,
        .doc_stride = (uint32_t)options->doc_stride,
        .max_query_length = (uint32_t)options->max_query_length,
        .pad = strcmp(options->pad, "max") == 0,
    };
    const struct workload_config config = {
        .text = options->text != NULL ? &text : NULL,
        .model = &job->model,
        .shapes = options->shapes,
        .shape_count = options->shape_texts.count,
        .sources = options->input_data.items,
        .source_count = options->input_data.count,
        .batch_size = (size_t)options->batch_size,
        .refresh = options->fresh_data,
        .seed = (uint64_t)options->seed,
        .string_length = (size_t)options->string_length,
        .string_data = options->string_data,
    };
    return workload_create(job->arena, &config, &job->workload);
}

/* Those of the command line; over a network a decoupled model is asked to tell the end of its answers. */
static struct status take_parameters(struct perf_job *job) {
    size_t count = job->options->parameter_texts.count;
    struct infer_client_parameter *parameters = arena_calloc(job->arena, count + 1, sizeof *parameters);
    if (parameters == NULL)
        return out_of_memory();
    for (size_t i = 0; i < count; i++)
        parameters[i] = job->options->parameters[i];
    parameters[count] = (struct infer_client_parameter){
        .name = SLICE_LITERAL("triton_enable_empty_final_response"), .kind = INFER_VALUE_BOOL, .boolean = true};
    job->setup.parameters = parameters;
    job->setup.parameter_count = count + (job->model.decoupled && job->options->service != PERF_IN_PROCESS ? 1 : 0);
    return status_ok();
}

/* In v1 an answer has only what it was asked for, by name. */
static struct status name_outputs(struct perf_job *job) {
    if (job->options->service != PERF_TRTIS)
        return status_ok();
    struct slice *names = arena_calloc(job->arena, job->model.output_count, sizeof *names);
    if (names == NULL)
        return out_of_memory();
    for (size_t i = 0; i < job->model.output_count; i++)
        names[i] = job->model.outputs[i].name;
    job->setup.outputs = names;
    job->setup.output_count = job->model.output_count;
    return status_ok();
}

static struct status share_memory(struct perf_job *job) {
    const struct perf_options *options = job->options;
    if (strcmp(options->shared_memory, "system") != 0)
        return status_ok();
    STATUS_TRY(memory_open(&job->memory, job->driver, job->arena, &job->model, &job->workload,
                           (size_t)options->batch_size, (size_t)options->output_memory_bytes));
    job->setup.outputs = job->memory.output_names;
    job->setup.output_regions = job->memory.output_regions;
    job->setup.output_count = job->memory.output_count;
    return status_ok();
}

static void plan_measurement(struct perf_job *job) {
    const struct perf_options *options = job->options;
    struct generator_setup *setup = &job->setup;
    setup->driver = job->driver;
    setup->workload = &job->workload;
    setup->model = job->name;
    setup->version = slice_of(options->model_version);
    setup->batched = job->model.max_batch_size > 0;
    setup->plan = (struct measurement_plan){
        .window_ns = options->count_windows ? 0 : (uint64_t)options->interval_ms * NS_PER_MS,
        .window_requests = (uint64_t)options->window_requests,
        .request_count = options->load == PERF_LOAD_FIXED ? job->time_count
                         : options->periodic_text != NULL ? (uint64_t)options->range.end
                                                          : (uint64_t)options->request_count,
        .warmup_requests = (uint64_t)options->warmup_requests,
        .max_trials = (size_t)options->max_trials,
        .stability_percent = options->stability_percent,
        .percentile = options->percentile,
        .limit_ns = (uint64_t)(options->latency_limit_ms * (double)NS_PER_MS),
        .goal_ns = (uint64_t)(options->goodput_ms * (double)NS_PER_MS),
        .timeout_ns = (uint64_t)(options->request_timeout_s * (double)NS_PER_S),
        .drain_ns = DRAIN_S * NS_PER_S,
    };
    setup->observer = run_watch_observer(&job->watch);
}

static struct status describe_model(struct perf_job *job) {
    STATUS_TRY(job->driver->ops->describe(job->driver, job->name, slice_of(job->options->model_version), job->arena,
                                          &job->model, &job->setup.has_statistics));
    STATUS_TRY(check_model(job));
    return take_models(job);
}

/* Which of several models take batches. The requests of one that cannot be described fail, and say why. */
static struct status find_batches(struct perf_job *job, struct replay *replay) {
    for (size_t i = 0; i < replay->model_count; i++) {
        struct infer_model_info model = {0};
        bool has_statistics;
        struct status status = job->driver->ops->describe(job->driver, replay->models[i], SLICE_LITERAL(""), job->arena,
                                                          &model, &has_statistics);
        if (status.code == STATUS_RESOURCE_EXHAUSTED)
            return status;
        if (status_is_ok(&status) && model.max_batch_size > 0)
            workload_replay_batched(replay, replay->models[i]);
    }
    return status_ok();
}

/* What was recorded, and when it is due. One model alone is looked at as any other; of several none is. */
static struct status take_replay(struct perf_job *job) {
    const struct perf_options *options = job->options;
    const struct workload_replay config = {
        .path = options->replay,
        .model = options->model,
        .speed = options->speed,
        .refresh = options->fresh_data,
        .streaming = options->streaming,
        .seed = (uint64_t)options->seed,
        .string_length = (size_t)options->string_length,
    };
    struct replay replay;
    STATUS_TRY(workload_replay_create(job->arena, &config, &replay));
    if (replay.notice.size > 0)
        fprintf(stderr, "inferd perf: %s: %.*s\n", options->replay, SLICE_ARGS(replay.notice));
    STATUS_TRY(find_batches(job, &replay));
    job->workload = replay.workload;
    job->times_ns = replay.times_ns;
    job->time_count = replay.workload.entry_count;
    if (replay.model_count == 1) {
        job->name = replay.models[0];
        return describe_model(job);
    }
    if (options->composing_models != NULL)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--bls-composing-models does not go with a --replay of several models");
    job->model.name = slice_of(arena_printf(job->arena, "%zu models", replay.model_count));
    job->setup.models.names[job->setup.models.count++] = job->model.name;
    return status_ok();
}

static struct status take_model(struct perf_job *job) {
    job->name = slice_of(job->options->model);
    STATUS_TRY(describe_model(job));
    STATUS_TRY(make_workload(job));
    STATUS_TRY(take_parameters(job));
    return name_outputs(job);
}

static struct status prepare(struct perf_job *job) {
    const struct perf_options *options = job->options;
    STATUS_TRY(options->replay != NULL ? take_replay(job) : take_model(job));
    /* Before anything is changed at the server. */
    STATUS_TRY(run_watch_open(&job->watch, options, &job->files, job->name));
    if (job->driver->ops->set_patience != NULL)
        job->driver->ops->set_patience(job->driver, run_watch_is_patient, &job->watch);
    STATUS_TRY(share_memory(job));
    if (options->load == PERF_LOAD_INTERVALS)
        STATUS_TRY(schedule_read_intervals(job->arena, options->intervals_path, &job->times_ns, &job->time_count));
    if (options->fixed_schedule)
        STATUS_TRY(workload_times(job->arena, &job->workload, &job->times_ns, &job->time_count));
    STATUS_TRY(report_files_begin(&job->files, options, &job->model, &job->setup.models, &job->workload));
    STATUS_TRY(trace_settings_change(options, job->driver, job->arena, &job->trace));
    plan_measurement(job);
    job->result = arena_alloc(job->arena, sizeof *job->result);
    if (job->result == NULL)
        return out_of_memory();
    report_settings(stdout, options, &job->model);
    if (!job->setup.has_statistics)
        fprintf(stderr, "inferd perf: %s: the server's part is not shown\n",
                job->name.size > 0 ? "the server keeps no statistics" : "several models");
    return status_ok();
}

/* ---- the load ---- */

static struct status make_schedule(const struct perf_job *job, struct arena *arena, struct schedule **ret) {
    const struct perf_options *options = job->options;
    switch (options->load) {
    case PERF_LOAD_RATE:
        return schedule_rate(arena, job->load, options->poisson, (uint64_t)options->seed, ret);
    case PERF_LOAD_INTERVALS:
        return schedule_intervals(arena, job->times_ns, job->time_count, ret);
    case PERF_LOAD_FIXED:
        return schedule_timed(arena, job->times_ns, job->time_count, ret);
    case PERF_LOAD_CONCURRENCY:
        break;
    }
    if (options->periodic_text != NULL)
        return schedule_periodic(arena, (size_t)options->range.start, (size_t)options->range.end,
                                 (size_t)options->range.step, (size_t)options->request_period, ret);
    return schedule_concurrency(arena, (size_t)job->load, ret);
}

/* The mean rate of a list of gaps or times. */
static double listed_rate(const struct perf_job *job) {
    double sum = 0, count = (double)job->time_count;
    if (job->options->load == PERF_LOAD_FIXED)
        return job->times_ns[job->time_count - 1] > 0
                   ? count * (double)NS_PER_S / (double)job->times_ns[job->time_count - 1]
                   : count;
    for (size_t i = 0; i < job->time_count; i++)
        sum += (double)job->times_ns[i];
    return sum > 0 ? count * (double)NS_PER_S / sum : 0;
}

static struct status keep_point(struct perf_job *job) {
    const struct perf_options *options = job->options;
    const struct point_scale scale = {
        .load = options->load,
        .value = job->load,
        .percentile = options->percentile,
        .limit_ns = options->latency_limit_ms * (double)NS_PER_MS,
        .one_compute = options->service == PERF_TRTIS,
    };
    if (job->point_count == job->point_capacity) {
        size_t capacity = job->point_capacity > 0 ? 2 * job->point_capacity : 16;
        struct point *more = realloc(job->points, capacity * sizeof *more);
        if (more == NULL)
            return out_of_memory();
        job->points = more;
        job->point_capacity = capacity;
    }
    struct point *point = &job->points[job->point_count++];
    point_make(&scale, job->result, point);
    point->server_missed = job->setup.has_statistics && !point->has_server;
    run_watch_point(&job->watch, job->result, point);
    report_files_point(&job->files, point, &job->result->sum.sample.latency);
    return status_ok();
}

/* New sequences for every point; NULL for a model that has none, and for a replay, whose requests bring theirs. */
static struct status make_sequences(struct perf_job *job, struct arena *arena) {
    const struct perf_options *options = job->options;
    bool closed = options->load == PERF_LOAD_CONCURRENCY, own = job->workload.entry_count > 1;
    const struct sequence_plan plan = {
        .slots = closed ? (size_t)job->load : (size_t)options->sequence_count,
        .length = own && !options->sequence_length_given ? 0 : (size_t)options->sequence_length,
        .variation_percent = options->sequence_variation,
        .first_id = options->sequence_first,
        .end_id = options->sequence_end,
        .serial = closed || options->serial_sequences,
        .seed = (uint64_t)options->seed,
    };
    job->setup.sequences = NULL;
    if (options->replay != NULL || (!job->model.has_sequences && !options->wants_sequences))
        return status_ok();
    if (options->load == PERF_LOAD_FIXED)
        return status_error(STATUS_INVALID_ARGUMENT, "--fixed-schedule names each item: it does not go with sequences");
    if (options->periodic_text != NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "--periodic-concurrency-range does not go with sequences");
    return sequences_create(arena, &plan, &job->workload, &job->setup.sequences);
}

static struct status measure_point(struct perf_job *job) {
    struct arena *arena = arena_create(0);
    struct schedule *schedule = NULL;
    if (arena == NULL)
        return out_of_memory();
    report_load(stdout, job->options, job->load);
    fflush(stdout);
    run_watch_load(&job->watch, job->load);
    struct status status = make_schedule(job, arena, &schedule);
    if (status_is_ok(&status))
        status = make_sequences(job, arena);
    if (status_is_ok(&status))
        status = generator_measure(&job->setup, schedule, job->result);
    arena_destroy(arena);
    if (status_is_ok(&status))
        status = keep_point(job);
    if (!status_is_ok(&status))
        return status;
    report_point(stdout, job->options, &job->setup.models, &job->points[job->point_count - 1]);
    fflush(stdout);
    return status;
}

static struct status measure(struct perf_job *job) {
    const struct perf_options *options = job->options;
    struct search search = {
        .kind = options->binary_search       ? SEARCH_BINARY
                : options->saturation_search ? SEARCH_SATURATION
                                             : SEARCH_LINEAR,
        .range = options->range,
        .whole = options->load == PERF_LOAD_CONCURRENCY,
        .open = options->load != PERF_LOAD_CONCURRENCY,
    };
    bool listed = options->load == PERF_LOAD_INTERVALS || options->load == PERF_LOAD_FIXED;
    job->load = listed ? listed_rate(job) : search_begin(&search);
    for (bool more = true; more;) {
        STATUS_TRY(measure_point(job));
        more = !run_watch_is_interrupted(&job->watch) && options->load != PERF_LOAD_INTERVALS &&
               options->periodic_text == NULL && search_next(&search, &job->points[job->point_count - 1], &job->load);
    }
    if (search.is_cut)
        fprintf(stderr, "inferd perf: a search has at most %d points: the loads behind them were not measured\n",
                SEARCH_POINTS_MAX);
    return status_ok();
}

/* ---- after it ---- */

/* What was measured before a failure is reported all the same. */
static struct status report(const struct perf_job *job, struct status status) {
    if (job->point_count == 0)
        return status;
    report_summary(stdout, job->options, job->points, job->point_count);
    struct status written = report_files_write(&job->files, job->points, job->point_count);
    return status_is_ok(&status) ? written : status;
}

static struct status run(struct perf_job *job) {
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    STATUS_TRY(perf_driver_open(job->options, job->arena, &job->driver));
    struct status status = prepare(job);
    if (status_is_ok(&status))
        status = report(job, measure(job));
    run_watch_clean(&job->watch);
    struct status restored = trace_settings_restore(&job->trace, job->arena);
    memory_close(&job->memory);
    run_watch_close(&job->watch); /* until here Ctrl-C does not end the program: the server is as it was */
    job->driver->ops->close(job->driver);
    return status_is_ok(&status) ? restored : status;
}

static int exit_code(const struct perf_job *job, const struct status *status) {
    bool interrupted = status->code == STATUS_CANCELLED && run_watch_is_interrupted(&job->watch);
    if (interrupted)
        return job->point_count > 0 ? EXIT_UNSTABLE : EXIT_INTERRUPTED;
    if (!status_is_ok(status))
        return EXIT_FAILED;
    for (size_t i = 0; i < job->point_count; i++) {
        const struct point *point = &job->points[i];
        if (point->interrupted || (!point->stable && !point->over_limit))
            return EXIT_UNSTABLE;
    }
    return EXIT_GOOD;
}

int perf_main(int argc, char **argv) {
    struct arena *arena = arena_create(0);
    struct perf_options options;
    enum options_outcome outcome = OPTIONS_RUN;
    if (arena == NULL) {
        fprintf(stderr, "inferd perf: out of memory\n");
        return EXIT_FAILED;
    }
    struct status status = perf_options_parse(argc, argv, arena, &options, &outcome);
    int code = status_is_ok(&status) ? EXIT_GOOD : EXIT_USAGE;
    if (status_is_ok(&status) && outcome == OPTIONS_RUN) {
        struct perf_job job = {.options = &options, .arena = arena, .watch.interrupt.fd = -1};
        status = run(&job);
        code = exit_code(&job, &status);
        report_files_free(&job.files);
        free(job.points);
    }
    if (!status_is_ok(&status))
        fprintf(stderr, "inferd perf: %s\n", status.message);
    if (fflush(stdout) != 0 && code == EXIT_GOOD)
        code = EXIT_FAILED;
    arena_destroy(arena);
    return code;
}

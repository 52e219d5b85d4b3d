/* speed_latency.c: gpu_speed latency. The summary of the table of options tells what is measured. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "speed_commands.h"
#include "speed_model.h"

enum { RUNS_MAX = 100000, WARMING_RUNS_MAX = 50 };

struct latency_options {
    struct speed_common common;
    const char *lengths, *batches;
    int64_t runs;
    double seconds;
};

/* clang-format off */
static const struct option_row rows[] = {
    SPEED_COMMON_ROWS,
    {.type = OPTION_STRING, .name = "lengths", .offset = offsetof(struct latency_options, lengths),
     .default_value = "128,178,384", .value_name = "N,N", .help = "Tokens of each sequence."},
    {.type = OPTION_STRING, .name = "batches", .offset = offsetof(struct latency_options, batches),
     .default_value = "1,8", .value_name = "N,N", .help = "Sequences of a batch."},
    {.type = OPTION_INT, .name = "runs", .offset = offsetof(struct latency_options, runs), .default_value = "1000",
     .value_name = "N", .help = "Of each, behind a twentieth that is not counted.", .min = 1, .max = RUNS_MAX},
    {.type = OPTION_DOUBLE, .name = "seconds", .offset = offsetof(struct latency_options, seconds),
     .default_value = "3", .value_name = "S", .help = "Each has fewer runs where they would take longer.", .min = 0,
     .max = 600},
};

static const struct option_table table = {
    "gpu_speed latency", "--checkpoint PATH [options]",
    "How long one batch takes, from the call to the logits in the CPU's memory, one batch behind the other on one "
    "session: median, 99th percentile, and the sequences a second of that. The recipe of 2019 gives for its server on "
    "a V100 in fp16: BERT-base at length 128, 119/s at batch 1 and 517/s at batch 8; BERT-large at length 384, 41/s at "
    "batch 1 and 61 to 64/s at batch 8.",
    rows, sizeof rows / sizeof rows[0], false};
/* clang-format on */

struct latency {
    const struct latency_options *options;
    struct speed_model model;
    struct arena *arena;
    struct json_writer json;
    double *times; /* [runs] seconds */
};

/* How many were timed. */
static struct status run_times(struct latency *latency, struct bert_session *session, const struct speed_batch *batch,
                               const struct bert_results *results, size_t *ret_count) {
    size_t runs = (size_t)latency->options->runs, warming = runs / 20 + 1;
    uint64_t end = clock_monotonic_ns() + (uint64_t)(latency->options->seconds * (double)NS_PER_S);
    warming = warming < WARMING_RUNS_MAX ? warming : WARMING_RUNS_MAX;
    for (size_t i = 0; i < warming; i++)
        STATUS_TRY(bert_session_run(session, &batch->batch, results));
    *ret_count = 0;
    while (*ret_count < runs && (*ret_count == 0 || clock_monotonic_ns() < end)) {
        uint64_t begin = clock_monotonic_ns();
        STATUS_TRY(bert_session_run(session, &batch->batch, results));
        latency->times[(*ret_count)++] = (double)(clock_monotonic_ns() - begin) / (double)NS_PER_S;
    }
    return status_ok();
}

static void put_row(struct latency *latency, enum bert_precision precision, size_t sequences, size_t length,
                    size_t count) {
    double mean = 0;
    for (size_t i = 0; i < count; i++)
        mean += latency->times[i] / (double)count;
    speed_sort(latency->times, count);
    double median = speed_percentile(latency->times, count, 0.5), tail = speed_percentile(latency->times, count, 0.99);
    const struct {
        const char *name;
        double value;
    } figures[] = {{"batch", (double)sequences}, {"length", (double)length},
                   {"runs", (double)count},      {"p50_us", median * 1e6},
                   {"p99_us", tail * 1e6},       {"sequences_per_second", (double)sequences / mean}};
    json_begin_object(&latency->json);
    json_key(&latency->json, "precision");
    json_text(&latency->json, bert_precision_text(precision));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        json_key(&latency->json, figures[i].name);
        json_double(&latency->json, figures[i].value);
    }
    json_end_object(&latency->json);
    printf("%-5s %5zu %6zu %12.1f %12.1f %12.1f %6zu\n", bert_precision_text(precision), sequences, length,
           median * 1e6, tail * 1e6, (double)sequences / mean, count);
    fflush(stdout);
}

static struct status measure_one(struct latency *latency, const struct bert_engine *engine, size_t sequences,
                                 size_t length) {
    const struct bert_config *config = bert_engine_config(engine);
    struct bert_session *session = NULL;
    struct speed_batch batch;
    size_t lengths[SPEED_NUMBERS_MAX], count;
    if (sequences > SPEED_NUMBERS_MAX || length > (size_t)config->position_count)
        return status_error(STATUS_INVALID_ARGUMENT, "%zu sequences of %zu tokens: expected up to %d of up to %lld",
                            sequences, length, SPEED_NUMBERS_MAX, (long long)config->position_count);
    for (size_t i = 0; i < sequences; i++)
        lengths[i] = length;
    STATUS_TRY(speed_batch_make(latency->arena, config, lengths, sequences, SPEED_SEGMENTS, &batch));
    bool span = bert_engine_has(engine, BERT_HEAD_SPAN);
    float *room =
        arena_calloc(latency->arena, span ? 2 * batch.tokens : sequences * (size_t)config->hidden_size, sizeof *room);
    if (!room)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for results");
    const struct bert_results results = {
        .starts = span ? room : NULL, .ends = span ? room + batch.tokens : NULL, .mean = span ? NULL : room};
    STATUS_TRY(bert_session_create(engine, batch.tokens, &session));
    struct status status = run_times(latency, session, &batch, &results, &count);
    bert_session_destroy(session);
    if (status_is_ok(&status))
        put_row(latency, bert_engine_precision(engine), sequences, length, count);
    return status;
}

static struct status measure_precision(struct latency *latency, enum bert_precision precision) {
    size_t lengths[SPEED_NUMBERS_MAX], batches[SPEED_NUMBERS_MAX], length_count, batch_count;
    struct bert_engine *engine = NULL;
    STATUS_TRY(speed_numbers_parse(latency->options->lengths, lengths, &length_count));
    STATUS_TRY(speed_numbers_parse(latency->options->batches, batches, &batch_count));
    struct status status = speed_engine_create(&latency->model, latency->model.device, precision, &engine);
    for (size_t i = 0; i < length_count * batch_count && status_is_ok(&status); i++)
        status = measure_one(latency, engine, batches[i % batch_count], lengths[i / batch_count]);
    bert_engine_destroy(engine);
    return status;
}

static struct status measure(struct latency *latency, bool *ret_all) {
    STATUS_TRY(speed_model_open(&latency->options->common, &latency->model));
    latency->times = arena_calloc(latency->arena, (size_t)latency->options->runs, sizeof *latency->times);
    if (!latency->times)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for times");
    printf("%s on %s\n%-5s %5s %6s %12s %12s %12s %6s\n", latency->options->common.checkpoint,
           latency->options->common.device, "", "batch", "length", "p50 us", "p99 us", "sequences/s", "runs");
    for (size_t i = 0; i < latency->model.precision_count; i++) {
        struct status status = measure_precision(latency, latency->model.precisions[i]);
        if (status_is_ok(&status))
            continue;
        *ret_all = false;
        printf("%-5s FAILED: %s\n", bert_precision_text(latency->model.precisions[i]), status.message);
    }
    return status_ok();
}

int speed_latency(int argc, char **argv) {
    static struct latency latency;
    struct latency_options options = {0};
    struct buf text = BUF_EMPTY;
    bool all = true;
    int code = 1;
    latency.arena = arena_create(0);
    latency.options = &options;
    if (!latency.arena || !speed_options(&table, argc, argv, latency.arena, &options, &code))
        return code;
    latency.json = speed_json_begin("latency", &options.common, &text);
    struct status status = measure(&latency, &all);
    struct status written = speed_json_end(&latency.json, &options.common);
    speed_model_close(&latency.model);
    arena_destroy(latency.arena);
    if (!status_is_ok(&status) || !status_is_ok(&written))
        return speed_fail("latency", status_is_ok(&status) ? &written : &status);
    return all ? 0 : 1;
}

/* speed_offline.c: gpu_speed offline. The summary of the table of options tells what is measured. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "speed_commands.h"
#include "speed_model.h"

enum { LENGTHS_MAX = 100000, ROUNDS_MAX = 1000, SESSIONS_MAX = 64, FILE_MAX_BYTES = 1 << 22, LINE_MAX_BYTES = 64 };

struct offline_options {
    struct speed_common common;
    const char *lengths;
    int64_t tokens, sessions, rounds;
    double seconds;
    bool step;
};

/* clang-format off */
static const struct option_row rows[] = {
    SPEED_COMMON_ROWS,
    {.type = OPTION_STRING, .name = "lengths", .offset = offsetof(struct offline_options, lengths),
     .default_value = "bench/gpu_speed/squad_lengths.txt", .value_name = "FILE",
     .help = "Lengths of sequences, one a line; lines that begin with # are left out."},
    {.type = OPTION_INT, .name = "tokens", .offset = offsetof(struct offline_options, tokens), .default_value = "16384",
     .value_name = "N", .help = "Most tokens of a batch.", .min = 1, .max = 1000000},
    {.type = OPTION_INT, .name = "sessions", .offset = offsetof(struct offline_options, sessions), .default_value = "2",
     .value_name = "N", .help = "Threads, each with a session, that run batches at the same time.", .min = 1,
     .max = SESSIONS_MAX},
    {.type = OPTION_DOUBLE, .name = "seconds", .offset = offsetof(struct offline_options, seconds),
     .default_value = "2", .value_name = "S", .help = "Of a round.", .min = 0, .max = 600},
    {.type = OPTION_INT, .name = "rounds", .offset = offsetof(struct offline_options, rounds), .default_value = "5",
     .value_name = "N", .help = "Of each precision, in turns.", .min = 1, .max = ROUNDS_MAX},
    {.type = OPTION_BOOL, .name = "step", .offset = offsetof(struct offline_options, step),
     .help = "Print the precisions that can be measured and 'ready', then run a round for each line of the standard "
             "input, which names a precision, and print its sequences a second and operations a second."},
};

static const struct option_table table = {
    "gpu_speed offline", "--checkpoint PATH [options]",
    "How many sequences of real lengths a device computes a second, and how many useful floating point operations. "
    "Batches are cut from the file in its order, as many sequences as there is room for; each session takes the next "
    "batch until the round's time is over, and brings token ids to the device and the span's logits (without such a "
    "head, embeddings) back. A warming round is not counted. Figures are medians of the rounds, with the least and "
    "the most.",
    rows, sizeof rows / sizeof rows[0], false};
/* clang-format on */

struct offline_engine {
    enum bert_precision precision;
    struct bert_engine *engine;
    struct bert_session *sessions[SESSIONS_MAX];
    double sequences[ROUNDS_MAX], operations[ROUNDS_MAX]; /* a second, of each round */
    size_t round_count;
};

struct offline {
    const struct offline_options *options;
    struct speed_model model;
    struct arena *arena;
    struct speed_batch *batches;
    size_t batch_count;
    size_t engine_count;
    struct offline_engine engines[SPEED_PRECISIONS_MAX];
};

/* ---- batches of real lengths ---- */

static struct status read_lengths(struct offline *offline, size_t *ret, size_t *ret_count) {
    struct buf text = BUF_EMPTY;
    size_t longest = (size_t)bert_checkpoint_config(offline->model.checkpoint)->position_count, count = 0;
    STATUS_TRY(file_read(offline->options->lengths, FILE_MAX_BYTES, &text));
    buf_append_char(&text, '\0');
    struct status status = status_ok();
    char *save = NULL;
    for (char *line = strtok_r(text.data, "\n", &save); line && count < LENGTHS_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        if (*line == '#')
            continue;
        ret[count] = strtoul(line, NULL, 10);
        if (ret[count] < 1 || ret[count] > longest || ret[count] > (size_t)offline->options->tokens) {
            status = status_error(STATUS_INVALID_ARGUMENT, "%s: expected lengths of 1..%zu, up to --tokens, got '%s'",
                                  offline->options->lengths, longest, line);
            break;
        }
        count++;
    }
    buf_free(&text);
    *ret_count = count;
    if (status_is_ok(&status) && count == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "%s has no lengths", offline->options->lengths);
    return status;
}

static struct status make_batches(struct offline *offline) {
    static size_t lengths[LENGTHS_MAX];
    size_t count, room = (size_t)offline->options->tokens;
    const struct bert_config *config = bert_checkpoint_config(offline->model.checkpoint);
    STATUS_TRY(read_lengths(offline, lengths, &count));
    offline->batches = arena_calloc(offline->arena, count, sizeof *offline->batches);
    if (!offline->batches)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for batches");
    for (size_t begin = 0, end = 0; begin < count; begin = end) {
        for (size_t tokens = 0; end < count && tokens + lengths[end] <= room; end++)
            tokens += lengths[end];
        STATUS_TRY(speed_batch_make(offline->arena, config, lengths + begin, end - begin, SPEED_SEGMENTS,
                                    &offline->batches[offline->batch_count++]));
    }
    return status_ok();
}

/* ---- one round ---- */

struct round {
    const struct offline *offline;
    uint64_t end_ns;
    atomic_size_t next;
};

struct round_worker {
    struct round *round;
    struct bert_session *session;
    pthread_t thread;
    double operations;
    size_t sequences;
    struct status status;
};

static void *work(void *pointer) {
    struct round_worker *worker = pointer;
    const struct offline *offline = worker->round->offline;
    const struct bert_config *config = bert_checkpoint_config(offline->model.checkpoint);
    size_t tokens = (size_t)offline->options->tokens;
    bool span = bert_checkpoint_has(offline->model.checkpoint, BERT_HEAD_SPAN);
    float *room = calloc(tokens * (size_t)(span ? 2 : config->hidden_size), sizeof *room);
    const struct bert_results results = {
        .starts = span ? room : NULL, .ends = span ? room + tokens : NULL, .mean = span ? NULL : room};
    if (!room)
        worker->status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for results");
    while (status_is_ok(&worker->status) && clock_monotonic_ns() < worker->round->end_ns) {
        size_t index = atomic_fetch_add(&worker->round->next, 1) % offline->batch_count;
        const struct speed_batch *batch = &offline->batches[index];
        worker->status = bert_session_run(worker->session, &batch->batch, &results);
        worker->operations += batch->operations;
        worker->sequences += batch->batch.sequence_count;
    }
    free(room);
    return NULL;
}

static struct status run_round(const struct offline *offline, const struct offline_engine *engine, double seconds,
                               double *ret_sequences, double *ret_operations) {
    struct round_worker workers[SESSIONS_MAX] = {{0}};
    size_t count = (size_t)offline->options->sessions, made = 0;
    uint64_t begin = clock_monotonic_ns();
    struct round round = {.offline = offline, .end_ns = begin + (uint64_t)(seconds * (double)NS_PER_S)};
    struct status status = status_ok();
    double sequences = 0, operations = 0;
    for (; made < count; made++) {
        workers[made] =
            (struct round_worker){.round = &round, .session = engine->sessions[made], .status = status_ok()};
        if (pthread_create(&workers[made].thread, NULL, work, &workers[made]) != 0) {
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "no thread for session %zu", made);
            break;
        }
    }
    for (size_t i = 0; i < made; i++) {
        pthread_join(workers[i].thread, NULL);
        sequences += (double)workers[i].sequences;
        operations += workers[i].operations;
        if (status_is_ok(&status))
            status = workers[i].status;
    }
    double took = (double)(clock_monotonic_ns() - begin) / (double)NS_PER_S;
    *ret_sequences = sequences / took;
    *ret_operations = operations / took;
    return status;
}

/* ---- the command ---- */

static struct status open_engine(const struct offline *offline, struct offline_engine *engine) {
    double ignored;
    STATUS_TRY(speed_engine_create(&offline->model, offline->model.device, engine->precision, &engine->engine));
    for (int64_t i = 0; i < offline->options->sessions; i++)
        STATUS_TRY(bert_session_create(engine->engine, (size_t)offline->options->tokens, &engine->sessions[i]));
    return run_round(offline, engine, offline->options->seconds / 4, &ignored, &ignored);
}

static void close_engine(struct offline_engine *engine) {
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        bert_session_destroy(engine->sessions[i]);
    bert_engine_destroy(engine->engine);
}

/* Those that cannot be made are told and left out. */
static void open_engines(struct offline *offline) {
    for (size_t i = 0; i < offline->model.precision_count; i++) {
        struct offline_engine *engine = &offline->engines[offline->engine_count];
        *engine = (struct offline_engine){.precision = offline->model.precisions[i]};
        struct status status = open_engine(offline, engine);
        if (status_is_ok(&status)) {
            offline->engine_count++;
            continue;
        }
        fprintf(stderr, "gpu_speed offline: %s: %s\n", bert_precision_text(engine->precision), status.message);
        close_engine(engine);
    }
}

static struct status run_rounds(struct offline *offline) {
    for (int64_t round = 0; round < offline->options->rounds; round++)
        for (size_t i = 0; i < offline->engine_count; i++) {
            struct offline_engine *engine = &offline->engines[i];
            STATUS_TRY(run_round(offline, engine, offline->options->seconds, &engine->sequences[engine->round_count],
                                 &engine->operations[engine->round_count]));
            engine->round_count++;
        }
    return status_ok();
}

/* One line in, one line out. */
static struct status run_steps(struct offline *offline) {
    char line[LINE_MAX_BYTES];
    for (size_t i = 0; i < offline->engine_count; i++)
        printf("%s ", bert_precision_text(offline->engines[i].precision));
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        double sequences = 0, operations = 0;
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < offline->engine_count; i++)
            if (strcmp(line, bert_precision_text(offline->engines[i].precision)) == 0)
                STATUS_TRY(
                    run_round(offline, &offline->engines[i], offline->options->seconds, &sequences, &operations));
        printf("%.3f %.6e\n", sequences, operations);
        fflush(stdout);
    }
    return status_ok();
}

static void put_figures(struct json_writer *json, const char *name, double *values, size_t count) {
    const char *const names[] = {"median", "least", "most"};
    const double shares[] = {0.5, 0, 1};
    speed_sort(values, count);
    json_key(json, name);
    json_begin_object(json);
    for (size_t i = 0; i < 3; i++) {
        json_key(json, names[i]);
        json_double(json, speed_percentile(values, count, shares[i]));
    }
    json_end_object(json);
}

static void report(struct offline *offline, struct json_writer *json) {
    printf("%s on %s: batches of up to %d tokens, %d sessions; medians of %d rounds of %.2f s (least .. most)\n",
           offline->options->common.checkpoint, offline->options->common.device, (int)offline->options->tokens,
           (int)offline->options->sessions, (int)offline->options->rounds, offline->options->seconds);
    for (size_t i = 0; i < offline->engine_count; i++) {
        struct offline_engine *engine = &offline->engines[i];
        size_t count = engine->round_count;
        json_begin_object(json);
        json_key(json, "precision");
        json_text(json, bert_precision_text(engine->precision));
        json_key(json, "kernels");
        json_text(json, bert_engine_kernels(engine->engine));
        json_key(json, "memory_bytes");
        json_u64(json, bert_engine_memory(engine->engine));
        put_figures(json, "sequences_per_second", engine->sequences, count);
        put_figures(json, "operations_per_second", engine->operations, count);
        json_end_object(json);
        printf("  %-5s %10.1f sequences/s (%.1f .. %.1f) %9.2f TFLOP/s  (%s)\n", bert_precision_text(engine->precision),
               speed_percentile(engine->sequences, count, 0.5), speed_percentile(engine->sequences, count, 0),
               speed_percentile(engine->sequences, count, 1), speed_percentile(engine->operations, count, 0.5) / 1e12,
               bert_engine_kernels(engine->engine));
    }
}

static struct status measure(struct offline *offline, struct json_writer *json) {
    STATUS_TRY(speed_model_open(&offline->options->common, &offline->model));
    STATUS_TRY(make_batches(offline));
    open_engines(offline);
    if (offline->engine_count == 0)
        return status_error(STATUS_UNSUPPORTED, "there is no engine to measure");
    STATUS_TRY(offline->options->step ? run_steps(offline) : run_rounds(offline));
    if (!offline->options->step)
        report(offline, json);
    return status_ok();
}

int speed_offline(int argc, char **argv) {
    static struct offline offline;
    struct offline_options options = {0};
    struct buf text = BUF_EMPTY;
    int code = 1;
    offline.arena = arena_create(0);
    offline.options = &options;
    if (!offline.arena || !speed_options(&table, argc, argv, offline.arena, &options, &code))
        return code;
    struct json_writer json = speed_json_begin("offline", &options.common, &text);
    struct status status = measure(&offline, &json);
    struct status written = speed_json_end(&json, &options.common);
    bool all = offline.engine_count == offline.model.precision_count;
    for (size_t i = 0; i < offline.engine_count; i++)
        close_engine(&offline.engines[i]);
    speed_model_close(&offline.model);
    arena_destroy(offline.arena);
    if (!status_is_ok(&status) || !status_is_ok(&written))
        return speed_fail("offline", status_is_ok(&status) ? &written : &status);
    return all ? 0 : 1;
}

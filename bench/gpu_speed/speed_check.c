/* speed_check.c: gpu_speed check. The summary of the table of options tells what is compared. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "speed_commands.h"
#include "speed_outputs.h"

enum {
    LENGTHS_MAX = 4096,
    CASES_MAX = 2 * SPEED_NUMBERS_MAX,
    SESSIONS_MAX = 16,
    FEW_RUNS = 3,
    SHORT_SEQUENCES = 300,
    REPEATED = 4,
    SHORT_TOKENS = 256, /* which a GPU may compute in one kernel */
    ALL_OUTPUTS = (1 << SPEED_OUTPUT_COUNT) - 1
};

struct check_options {
    struct speed_common common;
    const char *lengths;
    int64_t tokens, sessions, repeats;
    struct speed_tolerances tolerances;
    double head_factor, batch_difference;
};

/* clang-format off */
static const struct option_row rows[] = {
    SPEED_COMMON_ROWS,
    {.type = OPTION_STRING, .name = "lengths", .offset = offsetof(struct check_options, lengths),
     .default_value = "1,2,15,16,17,63,64,65,127,128,129,178,384,512", .value_name = "N,N",
     .help = "Lengths that are run alone and mixed; those that the model has no positions for are left out."},
    {.type = OPTION_INT, .name = "tokens", .offset = offsetof(struct check_options, tokens), .default_value = "4096",
     .value_name = "N", .help = "Of the large batch.", .min = 1, .max = 200000},
    {.type = OPTION_INT, .name = "sessions", .offset = offsetof(struct check_options, sessions), .default_value = "4",
     .value_name = "N", .help = "That run a batch at once.", .min = 1, .max = SESSIONS_MAX},
    {.type = OPTION_INT, .name = "repeats", .offset = offsetof(struct check_options, repeats), .default_value = "100",
     .value_name = "N", .help = "Of a short batch, which must give the same numbers; others are repeated a few times.",
     .min = 1, .max = 1000000},
    SPEED_TOLERANCE_ROWS(struct check_options, tolerances),
    {.type = OPTION_DOUBLE, .name = "head-factor", .offset = offsetof(struct check_options, head_factor),
     .default_value = "2", .value_name = "X",
     .help = "The other results' tolerance, in times of that of hidden states.", .min = 0, .max = 100},
    {.type = OPTION_DOUBLE, .name = "batch-difference", .offset = offsetof(struct check_options, batch_difference),
     .default_value = "-1", .value_name = "E",
     .help = "Largest relative difference between a sequence alone and in a batch; -1: on the CPU 0, so that they are "
             "equal bit by bit, elsewhere the precision's tolerance.", .min = -1, .max = 10},
};

static const struct option_table table = {
    "gpu_speed check", "--checkpoint PATH [options]",
    "Compares a device's results with those of the CPU in fp32, on ragged batches of random tokens: each length alone, "
    "all of them mixed (with segments, with positions), some mixed in a short batch, very many short sequences, a "
    "large batch. Errors are relative: the root mean square of the differences over that of the reference. The same batch again, each of its "
    "results asked for by itself, and in several sessions at once, must give the same numbers; a sequence alone nearly "
    "those that it has in a batch. Results are poisoned before each run; what is not finite, not written, or written "
    "beside it fails.",
    rows, sizeof rows / sizeof rows[0], false};
/* clang-format on */

struct check_case {
    char name[24];
    struct speed_batch batch;
    struct speed_outputs reference, outputs;
};

struct check {
    const struct check_options *options;
    struct speed_model model;
    struct arena *arena;
    size_t case_count, most_tokens;
    struct check_case cases[CASES_MAX];
    struct check_case *brief, *mixed, *large;
    double usual[SPEED_OUTPUT_COUNT]; /* root mean squares of the reference over all cases */
    struct json_writer json;
    int failures;
};

/* ---- cases ---- */

static struct status add_case(struct check *check, const char *name, const size_t *lengths, size_t count,
                              enum speed_filling filling) {
    struct check_case *one = &check->cases[check->case_count++];
    snprintf(one->name, sizeof one->name, "%s", name);
    STATUS_TRY(speed_batch_make(check->arena, bert_checkpoint_config(check->model.checkpoint), lengths, count, filling,
                                &one->batch));
    if (one->batch.tokens > check->most_tokens)
        check->most_tokens = one->batch.tokens;
    return status_ok();
}

static struct status add_lengths(struct check *check, const size_t *lengths, size_t count) {
    size_t backwards[SPEED_NUMBERS_MAX];
    char name[24];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "length %zu", lengths[i]);
        STATUS_TRY(add_case(check, name, lengths + i, 1, SPEED_PLAIN));
        backwards[count - 1 - i] = lengths[i];
    }
    STATUS_TRY(add_case(check, "mixed, segments", lengths, count, SPEED_SEGMENTS));
    check->mixed = &check->cases[check->case_count - 1];
    return add_case(check, "mixed, positions", backwards, count, SPEED_POSITIONS);
}

/* As many of the lengths as a short batch has room for. */
static struct status add_brief(struct check *check, const size_t *lengths, size_t count) {
    size_t few = 0, tokens = 0;
    while (few < count && tokens + lengths[few] <= SHORT_TOKENS)
        tokens += lengths[few++];
    check->brief = &check->cases[few > 0 ? check->case_count : 0];
    return few > 0 ? add_case(check, "mixed, short", lengths, few, SPEED_SEGMENTS) : status_ok();
}

static struct status add_crowds(struct check *check, size_t longest) {
    static size_t lengths[LENGTHS_MAX];
    size_t count = 0, tokens = 0;
    for (; count < SHORT_SEQUENCES; count++)
        lengths[count] = 1 + count % 3;
    STATUS_TRY(add_case(check, "many of 1 to 3", lengths, count, SPEED_PLAIN));
    for (count = 0; count < LENGTHS_MAX && tokens < (size_t)check->options->tokens; tokens += lengths[count++])
        lengths[count] = 1 + (count * 149 + 83) % longest;
    STATUS_TRY(add_case(check, "large", lengths, count, SPEED_SEGMENTS));
    check->large = &check->cases[check->case_count - 1];
    return status_ok();
}

static struct status add_cases(struct check *check) {
    const struct bert_config *config = bert_checkpoint_config(check->model.checkpoint);
    const size_t longest = (size_t)config->position_count;
    size_t lengths[SPEED_NUMBERS_MAX], count;
    STATUS_TRY(speed_lengths_parse(check->options->lengths, config, lengths, &count));
    STATUS_TRY(add_lengths(check, lengths, count));
    STATUS_TRY(add_brief(check, lengths, count));
    return add_crowds(check, longest < 384 ? longest : 384);
}

static struct status run_reference(struct check *check, const struct bert_engine *engine) {
    size_t counts[SPEED_OUTPUT_COUNT] = {0};
    struct bert_session *session;
    STATUS_TRY(bert_session_create(engine, check->most_tokens, &session));
    struct status status = status_ok();
    for (size_t i = 0; i < check->case_count && status_is_ok(&status); i++) {
        struct check_case *one = &check->cases[i];
        status = speed_outputs_make(check->arena, engine, &one->batch, &one->reference);
        if (status_is_ok(&status))
            status = speed_outputs_make(check->arena, engine, &one->batch, &one->outputs);
        if (status_is_ok(&status))
            status = speed_outputs_run(session, &one->batch, ALL_OUTPUTS, &one->reference);
        for (int k = 0; k < SPEED_OUTPUT_COUNT && status_is_ok(&status); k++) {
            double mean = speed_root_mean_square(one->reference.values[k], one->reference.counts[k]);
            check->usual[k] += mean * mean * (double)one->reference.counts[k];
            counts[k] += one->reference.counts[k];
        }
    }
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++)
        check->usual[k] = counts[k] ? __builtin_sqrt(check->usual[k] / (double)counts[k]) : 0;
    bert_session_destroy(session);
    return status;
}

/* ---- the device's numbers beside the reference's ---- */

struct run {
    struct check *check;
    const struct bert_engine *engine;
    struct bert_session *session;
    const char *precision;
    double tolerance;
};

static void fail(const struct run *run, const char *what, const struct status *status) {
    run->check->failures++;
    printf("%-5s FAILED: %s: %s\n", run->precision, what, status->message);
}

static void put_row(const struct run *run, const char *name, const char *output, const struct speed_error *error) {
    struct json_writer *json = &run->check->json;
    json_begin_object(json);
    json_key(json, "precision");
    json_text(json, run->precision);
    json_key(json, "case");
    json_text(json, name);
    json_key(json, "output");
    json_text(json, output);
    json_key(json, "largest");
    json_double(json, error->largest);
    json_key(json, "relative");
    json_double(json, error->relative);
    json_end_object(json);
}

static void compare_case(const struct run *run, const struct check_case *one, struct speed_error *worst) {
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++) {
        if (one->reference.counts[k] == 0)
            continue;
        struct speed_error error = speed_outputs_compare(one->outputs.values[k], one->reference.values[k],
                                                         one->reference.counts[k], run->check->usual[k]);
        double tolerance = run->tolerance * (k == SPEED_HIDDEN ? 1 : run->check->options->head_factor);
        put_row(run, one->name, speed_output_names[k], &error);
        if (!(error.relative <= tolerance)) {
            struct status status =
                status_error(STATUS_DATA_LOSS, "%s: relative error %.3g, more than %.3g (largest %.3g)",
                             speed_output_names[k], error.relative, tolerance, error.largest);
            fail(run, one->name, &status);
        }
        worst[k].largest = error.largest > worst[k].largest ? error.largest : worst[k].largest;
        worst[k].relative = error.relative > worst[k].relative ? error.relative : worst[k].relative;
    }
}

static void run_cases(const struct run *run) {
    struct speed_error worst[SPEED_OUTPUT_COUNT] = {{0, 0}};
    for (size_t i = 0; i < run->check->case_count; i++) {
        struct check_case *one = &run->check->cases[i];
        struct status status = speed_outputs_run(run->session, &one->batch, ALL_OUTPUTS, &one->outputs);
        if (status_is_ok(&status))
            compare_case(run, one, worst);
        else
            fail(run, one->name, &status);
    }
    printf("%-5s relative", run->precision);
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++)
        printf(" %9.2e", worst[k].relative);
    printf("\n      largest ");
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++)
        printf(" %9.2e", worst[k].largest);
    printf("\n");
}

/* ---- what must be equal ---- */

static struct status same(const struct speed_outputs *outputs, const struct speed_outputs *first, unsigned wanted) {
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++)
        if (wanted & 1U << k && memcmp(outputs->values[k], first->values[k], first->counts[k] * sizeof(float)) != 0)
            return status_error(STATUS_DATA_LOSS, "%s are other numbers than the first time", speed_output_names[k]);
    return status_ok();
}

static int64_t repeats_of(const struct run *run, const struct check_case *one) {
    return one->batch.tokens <= SHORT_TOKENS ? run->check->options->repeats : FEW_RUNS;
}

/* A batch again, and for each of the results by itself. Its outputs have the first run's numbers. */
static struct status check_repeats(const struct run *run, const struct check_case *one) {
    static const unsigned wanted[] = {ALL_OUTPUTS,       1U << SPEED_STARTS | 1U << SPEED_ENDS,
                                      1U << SPEED_MEAN,  1U << SPEED_HIDDEN,
                                      1U << SPEED_FIRST, 1U << SPEED_POOLED,
                                      1U << SPEED_LABELS};
    struct speed_outputs again;
    STATUS_TRY(speed_outputs_make(run->check->arena, run->engine, &one->batch, &again));
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        STATUS_TRY(speed_outputs_run(run->session, &one->batch, wanted[i], &again));
        STATUS_TRY(same(&again, &one->outputs, wanted[i]));
    }
    for (int64_t i = 0; i < repeats_of(run, one); i++) {
        STATUS_TRY(speed_outputs_run(run->session, &one->batch, ALL_OUTPUTS, &again));
        STATUS_TRY(same(&again, &one->outputs, ALL_OUTPUTS));
    }
    return status_ok();
}

/* The rows of one sequence in the results of a batch. */
static void slice_outputs(const struct check_case *one, size_t sequence, struct speed_outputs *part) {
    const uint32_t *offsets = one->batch.batch.offsets;
    size_t tokens = one->batch.tokens, sequences = one->batch.batch.sequence_count;
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++) {
        bool by_token = k <= SPEED_HIDDEN;
        size_t width = one->outputs.counts[k] / (by_token ? tokens : sequences);
        part->values[k] = one->outputs.values[k] + width * (by_token ? offsets[sequence] : sequence);
        part->counts[k] = width * (by_token ? offsets[sequence + 1] - offsets[sequence] : 1);
    }
}

static double batch_tolerance(const struct run *run, int output) {
    if (run->check->options->batch_difference >= 0)
        return run->check->options->batch_difference;
    if (run->check->model.device.kind == BERT_DEVICE_CPU)
        return 0;
    return run->tolerance * (output == SPEED_HIDDEN ? 1 : run->check->options->head_factor);
}

static struct status check_alone(const struct run *run, size_t sequence, double *largest) {
    const struct check_case *mixed = run->check->mixed;
    const struct bert_batch *all = &mixed->batch.batch;
    uint32_t begin = all->offsets[sequence];
    const uint32_t offsets[] = {0, all->offsets[sequence + 1] - begin};
    const struct speed_batch alone = {
        {1, offsets, all->token_ids + begin, all->segment_ids + begin, NULL}, offsets[1], 0};
    struct speed_outputs outputs, part;
    STATUS_TRY(speed_outputs_make(run->check->arena, run->engine, &alone, &outputs));
    STATUS_TRY(speed_outputs_run(run->session, &alone, ALL_OUTPUTS, &outputs));
    slice_outputs(mixed, sequence, &part);
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++) {
        struct speed_error error =
            speed_outputs_compare(outputs.values[k], part.values[k], part.counts[k], run->check->usual[k]);
        *largest = error.relative > *largest ? error.relative : *largest;
        if (!(error.relative <= batch_tolerance(run, k)))
            return status_error(STATUS_DATA_LOSS, "%s of %u tokens alone and in a batch differ by %.3g",
                                speed_output_names[k], offsets[1], error.relative);
    }
    return status_ok();
}

/* ---- several sessions at once ---- */

struct parallel {
    const struct run *run;
    const struct check_case *one;
    struct bert_session *session;
    struct speed_outputs outputs;
    struct status status;
    pthread_t thread;
};

static void *run_parallel(void *pointer) {
    struct parallel *parallel = pointer;
    const struct check_case *one = parallel->one;
    for (int64_t left = repeats_of(parallel->run, one); left > 0 && status_is_ok(&parallel->status); left--) {
        parallel->status = speed_outputs_run(parallel->session, &one->batch, ALL_OUTPUTS, &parallel->outputs);
        if (status_is_ok(&parallel->status))
            parallel->status = same(&parallel->outputs, &one->outputs, ALL_OUTPUTS);
    }
    return NULL;
}

static struct status check_parallel(const struct run *run, const struct check_case *one) {
    struct parallel all[SESSIONS_MAX] = {{0}};
    size_t made = 0, count = (size_t)run->check->options->sessions;
    struct status status = status_ok();
    for (size_t i = 0; i < count && status_is_ok(&status); i++) {
        all[i].run = run;
        all[i].one = one;
        all[i].status = status_ok();
        status = bert_session_create(run->engine, one->batch.tokens, &all[i].session);
        if (status_is_ok(&status))
            status = speed_outputs_make(run->check->arena, run->engine, &one->batch, &all[i].outputs);
    }
    while (status_is_ok(&status) && made < count &&
           pthread_create(&all[made].thread, NULL, run_parallel, &all[made]) == 0)
        made++;
    for (size_t i = 0; i < made; i++) {
        pthread_join(all[i].thread, NULL);
        if (status_is_ok(&status))
            status = all[i].status;
    }
    for (size_t i = 0; i < count; i++)
        bert_session_destroy(all[i].session);
    return status_is_ok(&status) && made < count
               ? status_error(STATUS_RESOURCE_EXHAUSTED, "only %zu of %zu threads were started", made, count)
               : status;
}

/* A sequence, `brief`, `mixed` and `large`: a device may go about each in its own way. The number that gave the same
 * numbers. */
static int check_repeated(const struct run *run, const char *what,
                          struct status (*check)(const struct run *run, const struct check_case *one)) {
    const struct check_case *const cases[REPEATED] = {&run->check->cases[0], run->check->brief, run->check->mixed,
                                                      run->check->large};
    int good = 0;
    for (size_t i = 0; i < REPEATED; i++) {
        struct status status = check(run, cases[i]);
        if (status_is_ok(&status))
            good++;
        else
            fail(run, what, &status);
    }
    return good;
}

static void check_sameness(const struct run *run) {
    double largest = 0;
    const int repeats = check_repeated(run, "a batch again", check_repeats);
    size_t alone = 0, count = run->check->mixed->batch.batch.sequence_count;
    for (; alone < count; alone++) {
        struct status status = check_alone(run, alone, &largest);
        if (!status_is_ok(&status)) {
            fail(run, "alone and in a batch", &status);
            break;
        }
    }
    const int parallel = check_repeated(run, "several sessions", check_parallel);
    printf(
        "      again: %d of %d the same; alone and in a batch: %zu of %zu good, differ by %.2g; %d sessions at once: "
        "%d of %d the same\n",
        repeats, REPEATED, alone, count, largest, (int)run->check->options->sessions, parallel, REPEATED);
}

/* ---- the command ---- */

static void check_precision(struct check *check, enum bert_precision precision) {
    struct run run = {check, NULL, NULL, bert_precision_text(precision),
                      speed_tolerance(&check->options->tolerances, precision)};
    struct bert_engine *engine = NULL;
    struct status status = speed_engine_create(&check->model, check->model.device, precision, &engine);
    run.engine = engine;
    if (status_is_ok(&status))
        status = bert_session_create(engine, check->most_tokens, &run.session);
    if (status_is_ok(&status)) {
        run_cases(&run);
        check_sameness(&run);
    } else {
        fail(&run, "no engine", &status);
    }
    fflush(stdout);
    bert_session_destroy(run.session);
    bert_engine_destroy(engine);
}

static struct status check_all(struct check *check) {
    struct bert_engine *reference = NULL;
    STATUS_TRY(speed_model_open(&check->options->common, &check->model));
    STATUS_TRY(add_cases(check));
    struct status status =
        speed_engine_create(&check->model, (struct bert_device){BERT_DEVICE_CPU, 0}, BERT_PRECISION_FP32, &reference);
    if (status_is_ok(&status))
        status = run_reference(check, reference);
    bert_engine_destroy(reference);
    STATUS_TRY(status);
    printf("%s on %s beside the CPU's fp32: worst of %zu cases\n%-14s", check->options->common.checkpoint,
           check->options->common.device, check->case_count, "");
    for (int k = 0; k < SPEED_OUTPUT_COUNT; k++)
        printf(" %9s", speed_output_names[k]);
    printf("\n");
    for (size_t i = 0; i < check->model.precision_count; i++)
        check_precision(check, check->model.precisions[i]);
    return status_ok();
}

int speed_check(int argc, char **argv) {
    static struct check check;
    struct check_options options = {0};
    struct buf text = BUF_EMPTY;
    int code = 1;
    check.arena = arena_create(0);
    check.options = &options;
    if (!check.arena || !speed_options(&table, argc, argv, check.arena, &options, &code))
        return code;
    check.json = speed_json_begin("check", &options.common, &text);
    struct status status = check_all(&check);
    struct status written = speed_json_end(&check.json, &options.common);
    speed_model_close(&check.model);
    arena_destroy(check.arena);
    if (!status_is_ok(&status) || !status_is_ok(&written))
        return speed_fail("check", status_is_ok(&status) ? &written : &status);
    printf("check: %s\n", check.failures ? "FAILED" : "good");
    return check.failures ? 1 : 0;
}

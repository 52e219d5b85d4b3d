/* squad.c: the story of `inferd squad`: read the questions, look at the model, ask, answer, score, report. */
#include "tools/squad/squad.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/client_address.h"
#include "text/squad/squad_output.h"
#include "tools/squad/batch_run.h"
#include "tools/squad/squad_model.h"
#include "tools/squad/squad_report.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What is made on the way; all of it lives in the arena. */
struct squad_job {
    const struct squad_options *options;
    struct arena *arena;
    struct squad_dataset dataset;
    struct squad_model model;
    struct squad_windows windows;
    struct batch_plan plan;
    struct batch_run run;
    struct squad_output output;
    struct squad_predictions predictions;
    struct squad_scores scores;
    bool scored; /* the data has reference answers */
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- scores and files ---- */

/* Before the work that it is written at the end of. */
static struct status check_json(const struct squad_options *options) {
    if (options->json == NULL)
        return status_ok();
    if (strcmp(options->json, "-") == 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--json -: standard output has the summary; /dev/stdout is taken, and comes behind it");
    struct status status = file_check_output(options->json);
    return status_is_ok(&status) ? status : status_prefix(status, "--json");
}

static struct status score(struct squad_job *job, double threshold) {
    job->scored = job->dataset.has_references;
    if (!job->scored) {
        printf("%s has no reference answers: nothing is scored\n", job->options->data);
        return status_ok();
    }
    STATUS_TRY(squad_evaluate(&job->dataset, &job->predictions, job->dataset.version_2, threshold, &job->scores));
    squad_report_scores(stdout, &job->scores);
    return status_ok();
}

static struct status write_json(const struct squad_job *job, const struct squad_speed *speed) {
    if (job->options->json == NULL)
        return status_ok();
    struct buf json = BUF_EMPTY;
    squad_report_json(&json, job->scored ? &job->scores : NULL, speed, job->dataset.question_count);
    struct status status =
        buf_failed(&json) ? out_of_memory() : file_write_output(job->options->json, buf_slice(&json));
    buf_free(&json);
    return status;
}

static struct status write_one(const struct squad_job *job, const char *name, const struct buf *content) {
    const char *path = path_join(job->arena, job->options->output_dir, name);
    if (path == NULL)
        return out_of_memory();
    return file_write_atomic(path, buf_slice(content));
}

static struct status write_predictions(const struct squad_job *job) {
    if (job->options->output_dir == NULL)
        return status_ok();
    STATUS_TRY(write_one(job, "predictions.json", &job->output.predictions));
    STATUS_TRY(write_one(job, "nbest_predictions.json", &job->output.nbest));
    return write_one(job, "null_odds.json", &job->output.null_odds);
}

/* ---- --evaluate ---- */

static struct status read_file(const char *path, struct arena *arena, struct slice *ret) {
    struct buf content = BUF_EMPTY;
    struct status status = file_read_maybe_gzip(path, SQUAD_MAX_FILE_BYTES, &content);
    if (status_is_ok(&status)) {
        *ret = arena_copy(arena, buf_slice(&content));
        if (ret->size != content.size)
            status = out_of_memory();
    }
    buf_free(&content);
    return status;
}

static struct status evaluate(struct squad_job *job) {
    const struct squad_options *options = job->options;
    struct slice text;
    STATUS_TRY(check_json(options));
    STATUS_TRY(squad_dataset_load(job->arena, options->data, &job->dataset));
    STATUS_TRY(read_file(options->evaluate, job->arena, &text));
    struct status status = squad_predictions_parse(job->arena, &job->dataset, text, &job->predictions);
    if (!status_is_ok(&status))
        return status_prefix(status, "%s", options->evaluate);
    if (options->null_odds != NULL) {
        STATUS_TRY(read_file(options->null_odds, job->arena, &text));
        status = squad_predictions_parse_null_odds(job->arena, &job->dataset, text, &job->predictions);
        if (!status_is_ok(&status))
            return status_prefix(status, "%s", options->null_odds);
    }
    if (job->predictions.unknown_count > 0)
        fprintf(stderr, "inferd squad: %zu predictions are for questions that %s does not have\n",
                job->predictions.unknown_count, options->data);
    STATUS_TRY(score(job, options->threshold_given ? options->null_score_diff_threshold : INFINITY));
    return write_json(job, NULL);
}

/* ---- asking ---- */

static struct status open_client(const struct squad_options *options, struct infer_client **ret) {
    struct infer_client_options client = {
        .protocol = options->is_http ? INFER_PROTOCOL_HTTP : INFER_PROTOCOL_GRPC,
        .request_timeout_ns = (uint64_t)(options->request_timeout * (double)NS_PER_S),
        .max_connections = options->is_http ? (size_t)options->concurrency : 1,
        .tls = client_target_has_scheme(options->url, "https://") ? &options->tls : NULL,
    };
    return infer_client_open(options->url, &client, ret);
}

static struct status open_vocab(const struct squad_job *job, struct vocab **ret) {
    if (job->options->vocab != NULL)
        return vocab_load(job->arena, job->options->vocab, ret);
    return vocab_open_embedded(job->arena, ret);
}

static struct status make_windows(struct squad_job *job, const struct vocab *vocab) {
    const struct squad_options *options = job->options;
    struct wordpiece tokenizer = {vocab, job->model.tokenizer};
    struct squad_window_config config = {job->model.max_seq_length, (uint32_t)options->doc_stride,
                                         (uint32_t)options->max_query_length, 0};
    STATUS_TRY(squad_windows_create(job->arena, &tokenizer, &config, &job->dataset, &job->windows));
    STATUS_TRY(batch_plan_create(job->arena, &job->windows, job->model.padding, (uint32_t)options->batch_size,
                                 job->model.max_seq_length, &job->plan));
    fprintf(stderr, "%s: %zu questions, %zu windows of at most %u tokens, %zu requests\n", options->data,
            job->dataset.question_count, job->windows.window_count, (unsigned)job->model.max_seq_length,
            job->plan.batch_count);
    return status_ok();
}

/* Says what a failed run has cost: nothing of it is written. */
static struct status tell_loss(const struct squad_job *job, struct status status) {
    uint32_t first = 0;
    size_t lost = batch_run_count_lost(&job->run, &job->windows, &first);
    if (lost > 0)
        fprintf(stderr,
                "inferd squad: %zu of %zu requests were answered, %zu failed; %zu of %zu questions have no answer (the "
                "first is %.*s); no predictions were written\n",
                job->run.answered, job->plan.batch_count, job->run.failed, lost, job->dataset.question_count,
                SLICE_ARGS(job->dataset.questions[first].id));
    const char *scheme = strstr(job->options->url, "://"), *address = scheme != NULL ? scheme + 3 : job->options->url;
    return strstr(status.message, address) != NULL ? status : status_prefix(status, "%s", job->options->url);
}

/* Logits -> answers, question by question, into the files' buffers and the predictions to be scored. */
static struct status answer_questions(struct squad_job *job, struct arena *scratch) {
    const struct squad_options *options = job->options;
    struct squad_answer_config config = {(uint32_t)options->n_best_size, (uint32_t)options->max_answer_length,
                                         job->dataset.version_2, options->null_score_diff_threshold};
    STATUS_TRY(squad_answer_check_config(&config));
    STATUS_TRY(squad_predictions_create(job->arena, &job->dataset, job->dataset.version_2, &job->predictions));
    for (uint32_t q = 0; q < job->dataset.question_count; q++) {
        struct squad_answer answer;
        arena_reset(scratch);
        STATUS_TRY(squad_answer_question(&job->windows, q, job->run.logits + job->windows.first_window[q], &config,
                                         scratch, &answer));
        squad_output_add(&job->output, job->dataset.questions[q].id, &answer);
        job->predictions.texts[q] = answer.prediction;
        job->predictions.present[q] = true;
        if (job->predictions.null_odds != NULL)
            job->predictions.null_odds[q] = answer.null_odds;
    }
    return squad_output_end(&job->output);
}

static struct status finish(struct squad_job *job) {
    struct arena *scratch = arena_create(0);
    if (scratch == NULL)
        return out_of_memory();
    struct status status = answer_questions(job, scratch);
    arena_destroy(scratch);
    if (!status_is_ok(&status))
        return status;
    STATUS_TRY(write_predictions(job));
    struct squad_speed speed = {
        .questions = job->dataset.question_count,
        .windows = job->windows.window_count,
        .requests = job->plan.batch_count,
        .tokens = job->windows.token_count,
        .padded_tokens = job->plan.padded_tokens,
        .seconds = job->run.seconds,
        .latency = latency_summarize(job->run.latencies, job->run.answered),
    };
    squad_report_speed(stdout, &speed);
    STATUS_TRY(score(job, INFINITY)); /* the predictions hold the decision of the threshold */
    return write_json(job, &speed);
}

static void tell_model(const struct squad_options *options, const struct squad_model *model) {
    const struct normalizer_options *tokenizer = &model->tokenizer;
    const char *accents = tokenizer->strip_accents ? ", accents stripped" : ", accents kept";
    fprintf(stderr, "model %s at %s (%s): max_seq_length %u, %s%s%s, max_batch_size %lld\n", options->model,
            options->url, options->protocol, (unsigned)model->max_seq_length,
            tokenizer->lowercase ? "uncased" : "cased", tokenizer->strip_accents == tokenizer->lowercase ? "" : accents,
            tokenizer->split_cjk ? "" : ", CJK ideographs not set apart", (long long)model->max_batch_size);
}

static struct status ask(struct squad_job *job, struct infer_client *client) {
    const struct squad_options *options = job->options;
    struct vocab *vocab = NULL;
    STATUS_TRY(squad_model_wait_ready(client, options));
    STATUS_TRY(open_vocab(job, &vocab));
    STATUS_TRY(squad_model_inspect(client, options, vocab, &job->model));
    tell_model(options, &job->model);
    if (job->model.notes[0] != '\0')
        fprintf(stderr, "%s\n", job->model.notes);
    STATUS_TRY(make_windows(job, vocab));
    struct batch_run_config config = {slice_of(options->model), slice_of(options->model_version),
                                      job->model.takes_unique_ids, (size_t)options->concurrency,
                                      progress_style_of(stderr)};
    struct status status = batch_run_execute(client, &config, &job->windows, &job->plan, job->arena, stderr, &job->run);
    return status_is_ok(&status) ? status : tell_loss(job, status);
}

static struct status run(struct squad_job *job) {
    const struct squad_options *options = job->options;
    struct infer_client *client = NULL;
    STATUS_TRY(squad_dataset_load(job->arena, options->data, &job->dataset));
    if (options->output_dir != NULL)
        STATUS_TRY(file_make_directories(options->output_dir));
    STATUS_TRY(check_json(options));
    STATUS_TRY(open_client(options, &client));
    struct status status = ask(job, client);
    infer_client_close(client);
    if (!status_is_ok(&status))
        return status;
    squad_output_begin(&job->output, job->dataset.version_2);
    status = finish(job);
    squad_output_free(&job->output);
    return status;
}

int squad_main(int argc, char **argv) {
    struct arena *arena = arena_create(0);
    struct squad_options options;
    enum options_outcome outcome = OPTIONS_RUN;
    if (arena == NULL) {
        fprintf(stderr, "inferd squad: out of memory\n");
        return EXIT_FAILED;
    }
    struct status status = squad_options_parse(argc, argv, arena, &options, &outcome);
    int code = status_is_ok(&status) ? EXIT_GOOD : EXIT_USAGE;
    if (status_is_ok(&status) && outcome == OPTIONS_RUN) {
        struct squad_job job = {.options = &options, .arena = arena};
        status = options.evaluate != NULL ? evaluate(&job) : run(&job);
        code = status_is_ok(&status) ? EXIT_GOOD : EXIT_FAILED;
    }
    if (!status_is_ok(&status))
        fprintf(stderr, "inferd squad: %s\n", status.message);
    if (fflush(stdout) != 0 && code == EXIT_GOOD)
        code = EXIT_FAILED;
    arena_destroy(arena);
    return code;
}

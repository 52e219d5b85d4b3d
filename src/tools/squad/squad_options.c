/* squad_options.c: the option table of `inferd squad`. */
#include "tools/squad/squad_options.h"

#include <string.h>

#include "client/client_address.h"
#include "text/squad/squad_answer.h"
#include "text/squad/squad_windows.h"

#define FIELD(name) offsetof(struct squad_options, name)

static const struct option_row rows[] = {
    {.type = OPTION_HEADING, .help = "Server"},
    {.type = OPTION_STRING,
     .name = "url",
     .offset = FIELD(url),
     .value_name = "[https://]HOST:PORT",
     .help = "Where the server listens; default localhost:8001 for gRPC, localhost:8000 for HTTP. https://, with gRPC "
             "too: over TLS."},
    {.type = OPTION_CHOICE,
     .name = "protocol",
     .offset = FIELD(protocol),
     .default_value = "grpc",
     .choices = "grpc|http",
     .help = "KServe v2 over gRPC, or over HTTP/1.1 with binary tensors."},
    {.type = OPTION_STRING,
     .name = "model",
     .offset = FIELD(model),
     .default_value = "bert",
     .value_name = "NAME",
     .help = "The model to ask."},
    {.type = OPTION_STRING,
     .name = "model-version",
     .offset = FIELD(model_version),
     .default_value = "",
     .value_name = "VERSION",
     .help = "Its version; empty for the server's choice."},
    {.type = OPTION_DOUBLE,
     .name = "wait-ready",
     .offset = FIELD(wait_ready),
     .default_value = "0",
     .value_name = "SECONDS",
     .max = 86400,
     .help = "Wait up to so long for server and model to become ready."},
    {.type = OPTION_DOUBLE,
     .name = "request-timeout",
     .offset = FIELD(request_timeout),
     .default_value = "300",
     .value_name = "SECONDS",
     .max = 86400,
     .help = "Give up when one request takes longer; 0 for no limit."},

    {.type = OPTION_STRING,
     .name = "tls-ca-file",
     .offset = FIELD(tls.ca_file),
     .value_name = "FILE",
     .help = "PEM: the authorities that the server's certificate may be of; the system's where none are given."},
    {.type = OPTION_STRING,
     .name = "tls-cert-file",
     .offset = FIELD(tls.certificate_file),
     .value_name = "FILE",
     .help = "PEM: our own certificate, for a server that asks for one."},
    {.type = OPTION_STRING,
     .name = "tls-key-file",
     .offset = FIELD(tls.key_file),
     .value_name = "FILE",
     .help = "Its key, without a passphrase, which not everybody may read."},

    {.type = OPTION_HEADING, .help = "Questions"},
    {.type = OPTION_STRING,
     .name = "data",
     .offset = FIELD(data),
     .value_name = "FILE",
     .help = "SQuAD 1.1 or 2.0 questions: JSON, plain or gzip."},
    {.type = OPTION_STRING,
     .name = "vocab",
     .offset = FIELD(vocab),
     .value_name = "FILE",
     .help =
         "The model's vocab.txt; default: the uncased English vocabulary of BERT, which is compiled in. A vocabulary "
         "other than the model's is refused."},
    {.type = OPTION_BOOL,
     .name = "do-lower-case",
     .offset = FIELD(do_lower_case),
     .help = "Lower the case of the text, and with it strip accents where the model's config does not tell of them; "
             "default: as the model's config says."},
    {.type = OPTION_INT,
     .name = "max-seq-length",
     .offset = FIELD(max_seq_length),
     .value_name = "TOKENS",
     .max = SQUAD_MAX_SEQUENCE,
     .help = "Longest window of question and text; default (or 0): as the model's config says."},
    {.type = OPTION_INT,
     .name = "doc-stride",
     .offset = FIELD(doc_stride),
     .default_value = "128",
     .value_name = "TOKENS",
     .min = 1,
     .max = SQUAD_MAX_SEQUENCE,
     .help = "Distance between the starts of two windows over a long text."},
    {.type = OPTION_INT,
     .name = "max-query-length",
     .offset = FIELD(max_query_length),
     .default_value = "64",
     .value_name = "TOKENS",
     .min = 1,
     .max = SQUAD_MAX_SEQUENCE,
     .help = "Questions are cut behind so many tokens."},

    {.type = OPTION_HEADING, .help = "Requests"},
    {.type = OPTION_INT,
     .name = "batch-size",
     .offset = FIELD(batch_size),
     .default_value = "8",
     .value_name = "WINDOWS",
     .min = 1,
     .max = 4096,
     .help = "Windows per request; the last request may have fewer."},
    {.type = OPTION_CHOICE,
     .name = "pad",
     .offset = FIELD(pad),
     .default_value = "longest",
     .choices = "none|longest|max",
     .help =
         "How the windows of a request come to one length. longest: padded to the longest of them. max: all padded to "
         "--max-seq-length. none: not padded; windows of equal length are put together, so that requests have up to "
         "--batch-size windows, but fewer where there are no more of a length."},
    {.type = OPTION_INT,
     .name = "concurrency",
     .offset = FIELD(concurrency),
     .default_value = "20",
     .value_name = "REQUESTS",
     .min = 1,
     .max = 4096,
     .help = "Requests kept in flight."},

    {.type = OPTION_HEADING, .help = "Answers"},
    {.type = OPTION_STRING,
     .name = "output-dir",
     .offset = FIELD(output_dir),
     .value_name = "DIR",
     .help = "Where predictions.json, nbest_predictions.json and null_odds.json go; default: they are not written."},
    {.type = OPTION_INT,
     .name = "n-best-size",
     .offset = FIELD(n_best_size),
     .default_value = "20",
     .value_name = "N",
     .min = 1,
     .max = SQUAD_MAX_N_BEST,
     .help = "Start and end positions tried per window, and answers kept per question."},
    {.type = OPTION_INT,
     .name = "max-answer-length",
     .offset = FIELD(max_answer_length),
     .default_value = "30",
     .value_name = "TOKENS",
     .min = 1,
     .max = SQUAD_MAX_SEQUENCE,
     .help = "Longest answer."},
    {.type = OPTION_DOUBLE,
     .name = "null-score-diff-threshold",
     .offset = FIELD(null_score_diff_threshold),
     .default_value = "0",
     .value_name = "SCORE",
     .help =
         "SQuAD 2.0: a question has no answer when the score for that exceeds the best answer's by more than this."},
    {.type = OPTION_STRING,
     .name = "json",
     .offset = FIELD(json),
     .value_name = "FILE",
     .help = "Write scores, throughput and latency there as JSON."},

    {.type = OPTION_HEADING, .help = "Scoring only"},
    {.type = OPTION_STRING,
     .name = "evaluate",
     .offset = FIELD(evaluate),
     .value_name = "PREDICTIONS",
     .help = "Ask no server: score this predictions.json against --data."},
    {.type = OPTION_STRING,
     .name = "null-odds",
     .offset = FIELD(null_odds),
     .value_name = "FILE",
     .help =
         "With --evaluate: a null_odds.json, for the best thresholds of SQuAD 2.0; where --null-score-diff-threshold "
         "is given too, questions whose odds exceed it count as answered by \"no answer\"."},
};

static const struct option_table table = {
    .program = "inferd squad",
    .synopsis = "--data FILE [options]",
    .summary =
        "Asks a served BERT question-answering model the questions of a SQuAD file and scores its answers. Progress "
        "goes to stderr, the summary to stdout. Exit codes: 0 good, 1 failed (where a question has no answer, no "
        "prediction file is written), 2 wrong usage.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .positional = false,
};

/* What asks a server has no use where none is asked. */
static struct status check_evaluate(int argc, char **argv, const struct squad_options *options) {
    static const char *const asking[] = {
        "url",         "protocol",         "model",        "model-version", "wait-ready",    "request-timeout",
        "tls-ca-file", "tls-cert-file",    "tls-key-file", "vocab",         "do-lower-case", "max-seq-length",
        "doc-stride",  "max-query-length", "batch-size",   "pad",           "concurrency",   "output-dir",
        "n-best-size", "max-answer-length"};
    if (options->evaluate == NULL)
        return status_ok();
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++)
        if (options_was_typed(&table, argc, argv, asking[i]))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "--%s has no use with --evaluate, which asks no server and predicts nothing",
                                asking[i]);
    if (options_was_typed(&table, argc, argv, "null-score-diff-threshold") && options->null_odds == NULL)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--null-score-diff-threshold needs --null-odds FILE with --evaluate: the predictions alone "
                            "do not tell the odds");
    return status_ok();
}

/* The forms of what names the server and the model. */
static struct status check_server(int argc, char **argv, const struct squad_options *options) {
    bool tls = options->tls.ca_file != NULL || options_was_typed(&table, argc, argv, "tls-cert-file") ||
               options_was_typed(&table, argc, argv, "tls-key-file"); /* the environment may name inferd serve's */
    uint64_t version;
    struct status status = client_target_check(options->url);
    if (!status_is_ok(&status))
        return status_prefix(status, "--url");
    if (tls && !client_target_has_scheme(options->url, "https://"))
        return status_error(STATUS_INVALID_ARGUMENT, "--tls-* need a --url that begins with https://");
    if (options->model[0] == '\0')
        return status_error(STATUS_INVALID_ARGUMENT, "--model: expected a name, got \"\"");
    if (options->model_version[0] != '\0' && !slice_to_u64(slice_of(options->model_version), &version))
        return status_error(STATUS_INVALID_ARGUMENT, "--model-version: expected a number, got \"%.100s\"",
                            options->model_version);
    return status_ok();
}

static struct status check(int argc, char **argv, const struct squad_options *options) {
    if (options->data == NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "--data FILE is needed; see inferd squad --help");
    if (options->null_odds != NULL && options->evaluate == NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "--null-odds goes with --evaluate only");
    if (options->evaluate == NULL)
        STATUS_TRY(check_server(argc, argv, options));
    int64_t least = options->max_query_length + SQUAD_SPECIAL_TOKENS + 1;
    if (options->max_seq_length != 0 && options->max_seq_length < least)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--max-seq-length: expected at least %lld (--max-query-length, 3 special tokens and 1 of "
                            "the text), got %lld",
                            (long long)least, (long long)options->max_seq_length);
    return status_ok();
}

struct status squad_options_parse(int argc, char **argv, struct arena *arena, struct squad_options *ret,
                                  enum options_outcome *ret_outcome) {
    *ret = (struct squad_options){0};
    STATUS_TRY(options_parse(&table, argc, argv, arena, ret, NULL, ret_outcome));
    if (*ret_outcome == OPTIONS_HELP) {
        options_print_help(&table, stdout);
        return status_ok();
    }
    ret->is_http = strcmp(ret->protocol, "http") == 0;
    if (ret->url == NULL)
        ret->url = ret->is_http ? "localhost:8000" : "localhost:8001";
    ret->padding = strcmp(ret->pad, "none") == 0      ? SQUAD_PAD_NONE
                   : strcmp(ret->pad, "longest") == 0 ? SQUAD_PAD_LONGEST
                                                      : SQUAD_PAD_MAX;
    ret->padding_given = options_was_given(&table, argc, argv, "pad");
    ret->do_lower_case_given = options_was_given(&table, argc, argv, "do-lower-case");
    ret->threshold_given = options_was_given(&table, argc, argv, "null-score-diff-threshold");
    STATUS_TRY(check_evaluate(argc, argv, ret));
    return check(argc, argv, ret);
}

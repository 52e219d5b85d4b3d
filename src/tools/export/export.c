#include "tools/export/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/options.h"
#include "codec/model_config_limits.h"
#include "tools/export/bert_files.h"
#include "tools/export/config_writer.h"
#include "tools/export/export_vocab.h"
#include "tools/export/model_folder.h"
#include "tools/export/onnx_writer.h"
#include "tools/export/question_folder.h"
#include "tools/export/savedmodel_writer.h"

struct export_options {
    const char *checkpoint, *bert_config, *vocab;
    const char *model_repository, *model;
    int64_t model_version;
    const char *format, *precision, *instance_kind;
    int64_t max_seq_length, max_batch_size, instances;
    double delay_ms;
    bool overwrite;
};

#define FIELD(name) offsetof(struct export_options, name)
#define HEADING(text)                                                                                                  \
    { .type = OPTION_HEADING, .help = text }

static const struct option_row option_rows[] = {
    HEADING("What to read"),
    {OPTION_STRING, "checkpoint", NULL, FIELD(checkpoint), NULL, "DIR|PREFIX",
     "A folder with config.json, vocab.txt and model.safetensors (Hugging Face), or with bert_config.json, vocab.txt "
     "and a "
     "TensorFlow checkpoint (or that checkpoint's PREFIX, without .index), or random:SEED for an untrained model of "
     "the "
     "shape that --bert-config gives.",
     0, 0, NULL},
    {OPTION_STRING, "bert-config", NULL, FIELD(bert_config), NULL, "FILE",
     "The model's configuration, in place of the one beside the checkpoint.", 0, 0, NULL},
    {OPTION_STRING, "vocab", NULL, FIELD(vocab), NULL, "FILE",
     "The vocabulary, in place of the vocab.txt beside the checkpoint; its hash is recorded for clients to check.", 0,
     0, NULL},
    HEADING("Where to write"),
    {OPTION_STRING, "model-repository", "model-store", FIELD(model_repository), NULL, "DIR",
     "The model repository; made when it does not exist.", 0, 0, NULL},
    {OPTION_STRING, "model", NULL, FIELD(model), NULL, "NAME", "The model's name.", 0, 0, NULL},
    {OPTION_INT, "model-version", NULL, FIELD(model_version), "1", "N", "The version to write.", 1, INT32_MAX, NULL},
    {OPTION_BOOL, "overwrite", NULL, FIELD(overwrite), "false", NULL,
     "Replace the version, and the model's configuration, if they exist. The NAME-qa that is on the old weights is "
     "replaced too, or removed.",
     0, 0, NULL},
    HEADING("How the model is served"),
    {OPTION_CHOICE, "format", NULL, FIELD(format), "bert", "FORMAT",
     "bert writes a checkpoint for the engine of that name, and beside it the model NAME-qa, which takes questions as "
     "text; onnx writes model.onnx, savedmodel a TensorFlow SavedModel, both for OpenVINO.",
     0, 0, "bert|onnx|savedmodel"},
    {OPTION_CHOICE, "precision", NULL, FIELD(precision), NULL, "PRECISION",
     "What the engine computes in; the file holds 32 bit floats either way. auto, int8, fp16 and fp8 are for the bert "
     "format: auto, its default, is bf16 on a CPU that multiplies bf16, else fp32; fp16 and fp8 are not for CPUs, and "
     "a server without a device that has them does not load the model. The other formats' default is fp32.",
     0, 0, "auto|fp32|bf16|int8|fp16|fp8"},
    {OPTION_INT, "max-seq-length", NULL, FIELD(max_seq_length), "384", "TOKENS",
     "Window length that clients use by default; the model itself takes any length that it has positions for.", 1,
     1 << 20, NULL},
    {OPTION_INT, "max-batch-size", NULL, FIELD(max_batch_size), NULL, "N",
     "The largest batch: without it 256 for fp16, fp8 and --instance-kind gpu, else 8.", 1, MODEL_CONFIG_BATCH_MAX,
     NULL},
    {OPTION_DOUBLE, "dynamic-batching-delay", NULL, FIELD(delay_ms), "0", "MS",
     "Milliseconds that a request may wait for others to fill a batch; 0 or less: no dynamic batching.", -1, 3600000,
     NULL},
    {OPTION_INT, "instances", NULL, FIELD(instances), NULL, "N",
     "Execution instances, on each GPU of KIND_GPU; without it the configuration leaves their number to the server: "
     "one "
     "on the CPU, two on each GPU.",
     1, 1024, NULL},
    {OPTION_CHOICE, "instance-kind", NULL, FIELD(instance_kind), NULL, "KIND",
     "Where they are: on the GPUs (bert format only), on the CPU, or, as without instance_group, on the GPUs that have "
     "the precision, else on the CPU. Without it --instances are on the GPUs for fp16 and fp8, else on the CPU.",
     0, 0, "auto|cpu|gpu"},
};

static const struct option_table option_table = {
    .program = "inferd export",
    .synopsis = "--checkpoint DIR|PREFIX --model-repository DIR --model NAME [options]",
    .summary = "Turns a BERT checkpoint into a model version that inferd serve loads: the model file and "
               "its config.pbtxt.",
    .rows = option_rows,
    .row_count = sizeof option_rows / sizeof option_rows[0],
};

struct format_row {
    const char *name, *platform;
    const char *folder; /* under the version, or NULL */
    const char *file;
    struct status (*write)(const struct bert_checkpoint *checkpoint, const char *path);
};

static const struct format_row formats[] = {
    {"bert", "bert", NULL, "model.safetensors", bert_files_write},
    {"onnx", "onnxruntime_onnx", NULL, "model.onnx", onnx_write},
    {"savedmodel", "tensorflow_savedmodel", "model.savedmodel", "saved_model.pb", savedmodel_write},
};

static const struct format_row *find_format(const char *name) {
    size_t i = 0;
    while (strcmp(formats[i].name, name) != 0) /* the option table admits no others */
        i++;
    return &formats[i];
}

static bool is_bert(const struct export_options *options) {
    return strcmp(options->format, "bert") == 0;
}

/* Precisions that no CPU has. */
static bool is_for_gpus(const struct export_options *options) {
    return options->precision && (strcmp(options->precision, "fp16") == 0 || strcmp(options->precision, "fp8") == 0);
}

/* NULL: the configuration does not say. */
static const char *kind_of(const struct export_options *options) {
    const char *kind = options->instance_kind;
    if (!kind && options->instances == 0)
        return NULL;
    if (!kind)
        return is_for_gpus(options) ? "KIND_GPU" : "KIND_CPU";
    if (strcmp(kind, "auto") == 0)
        return "KIND_AUTO";
    return strcmp(kind, "gpu") == 0 ? "KIND_GPU" : "KIND_CPU";
}

static int64_t max_batch_size_of(const struct export_options *options) {
    enum { ON_CPU = 8, ON_GPU = 256 };
    const char *kind = kind_of(options);
    if (options->max_batch_size > 0)
        return options->max_batch_size;
    return is_for_gpus(options) || (kind && strcmp(kind, "KIND_GPU") == 0) ? ON_GPU : ON_CPU;
}

static struct status check_kind(const struct export_options *options) {
    const char *kind = options->instance_kind ? options->instance_kind : "auto";
    if (strcmp(kind, "gpu") == 0 && !is_bert(options))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--instance-kind gpu is for --format bert; %s models run on the CPU", options->format);
    if (strcmp(kind, "cpu") == 0 && is_for_gpus(options))
        return status_error(STATUS_INVALID_ARGUMENT, "--instance-kind cpu: no CPU computes in %s", options->precision);
    return status_ok();
}

static struct status check_options(const struct export_options *options) {
    const struct {
        const char *flag, *value;
    } required[] = {{"checkpoint", options->checkpoint},
                    {"model-repository", options->model_repository},
                    {"model", options->model}};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
        if (!required[i].value || !required[i].value[0])
            return status_error(STATUS_INVALID_ARGUMENT, "--%s is missing", required[i].flag);
    STATUS_TRY(model_folder_check_name(options->model));
    bool plain =
        !options->precision || strcmp(options->precision, "fp32") == 0 || strcmp(options->precision, "bf16") == 0;
    if (!plain && !is_bert(options))
        return status_error(STATUS_INVALID_ARGUMENT, "--precision %s is for --format bert; %s models take fp32 or bf16",
                            options->precision, options->format);
    return check_kind(options);
}

static const char *precision_of(const struct export_options *options) {
    if (options->precision)
        return options->precision;
    return is_bert(options) ? "auto" : "fp32";
}

/* A delay above 0 never becomes none by rounding. */
static int64_t delay_in_us(double ms) {
    if (!(ms > 0))
        return 0;
    int64_t us = llround(ms * 1000);
    return us > 0 ? us : 1;
}

static struct status check_length(const struct export_options *options, const struct bert_config *config) {
    if (options->max_seq_length <= config->position_count)
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "--max-seq-length %lld is longer than the model's %lld positions",
                        (long long)options->max_seq_length, (long long)config->position_count);
}

/* A model that is written, as clients will see it. */
struct served_model {
    const char *name;
    enum config_task task;
    int64_t vector_size; /* of what it answers with, where that is one vector */
};

/* By the heads that the checkpoint has. */
static struct served_model served_model_of(const char *name, const struct bert_checkpoint *checkpoint) {
    const struct bert_config *config = bert_checkpoint_config(checkpoint);
    if (bert_checkpoint_has(checkpoint, BERT_HEAD_SPAN))
        return (struct served_model){.name = name, .task = CONFIG_SPAN_LOGITS};
    if (bert_checkpoint_has(checkpoint, BERT_HEAD_CLASSIFIER))
        return (struct served_model){name, CONFIG_CLASSES, config->label_count};
    return (struct served_model){name, CONFIG_EMBEDDING, config->hidden_size};
}

static struct status compose_config(const struct export_options *options, const struct export_vocab *vocab,
                                    const struct served_model *model, struct buf *ret) {
    const struct config_facts facts = {
        .task = model->task,
        .name = model->name,
        .vector_size = model->vector_size,
        .platform = find_format(options->format)->platform,
        .max_batch_size = max_batch_size_of(options),
        .kind = kind_of(options),
        .instances = options->instances,
        .delay_us = delay_in_us(options->delay_ms),
        .precision = precision_of(options),
        .joins_what_waits = is_bert(options),
        .max_seq_length = options->max_seq_length,
        .tokenizer = vocab->tokenizer,
        .vocab_hash = vocab->known ? vocab->hash : NULL,
    };
    config_write(&facts, ret);
    return buf_failed(ret) ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for config.pbtxt") : status_ok();
}

static struct status write_model(const struct format_row *format, const struct bert_checkpoint *checkpoint,
                                 const struct model_folder *folder) {
    const char *parent = folder->staged_version;
    if (format->folder)
        parent = path_join(folder->arena, parent, format->folder);
    const char *path = parent ? path_join(folder->arena, parent, format->file) : NULL;
    if (!path)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's paths");
    STATUS_TRY(file_make_directories(parent));
    STATUS_TRY(format->write(checkpoint, path));
    return bert_checkpoint_check(checkpoint);
}

/* ---- what the user sees ---- */

static void print_checkpoint(const struct export_options *options, const struct bert_checkpoint *checkpoint) {
    const struct bert_config *config = bert_checkpoint_config(checkpoint);
    int64_t parameters = bert_checkpoint_parameter_count(checkpoint);
    char count[32];
    if (parameters < 1000000)
        snprintf(count, sizeof count, "%lld", (long long)parameters);
    else
        snprintf(count, sizeof count, "%.1f million", (double)parameters / 1e6);
    printf("read   %s (%s)\n       %lld layers, hidden size %lld, %lld heads, vocabulary %lld: %s parameters\n",
           options->checkpoint, bert_checkpoint_form(checkpoint), (long long)config->layer_count,
           (long long)config->hidden_size, (long long)config->head_count, (long long)config->vocab_size, count);
    fflush(stdout);
}

static void print_result(const struct format_row *format, const struct model_folder *folder, uint64_t started_ns) {
    char path[4096];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s%s%s", folder->version_path, format->folder ? format->folder : "",
             format->folder ? "/" : "", format->file);
    double megabytes = stat(path, &info) == 0 ? (double)info.st_size / 1e6 : 0;
    printf("wrote  %s (%.1f MB, %.2f s)\n       %s\n", path, megabytes,
           (double)(clock_monotonic_ns() - started_ns) / (double)NS_PER_S, folder->config_path);
}

/* ---- the run ---- */

/* Writes config.pbtxt and an empty version into the folder's hidden place. */
static struct status stage(const struct export_options *options, const struct export_vocab *vocab,
                           const struct served_model *model, struct model_folder *folder) {
    struct buf config = BUF_EMPTY;
    struct status status = compose_config(options, vocab, model, &config);
    if (status_is_ok(&status))
        status = model_folder_stage(folder, buf_slice(&config));
    buf_free(&config);
    return status;
}

static struct status export_model(const struct export_options *options, const struct bert_checkpoint *checkpoint,
                                  const struct export_vocab *vocab, struct model_folder *folder) {
    const struct served_model model = served_model_of(options->model, checkpoint);
    STATUS_TRY(stage(options, vocab, &model, folder));
    return write_model(find_format(options->format), checkpoint, folder);
}

static struct status export_questions(const struct export_options *options, const struct export_vocab *vocab,
                                      const char *name, struct model_folder *folder) {
    const struct served_model model = {.name = name, .task = CONFIG_QUESTIONS};
    STATUS_TRY(stage(options, vocab, &model, folder));
    return question_folder_fill(folder, options->model, vocab->path);
}

/* The model beside the one that is exported: it takes questions. */
struct question_model {
    const char *name;
    const char *reason;         /* why it is not written: "" where nobody expects it; NULL when it is written */
    bool retired;               /* the one that is there goes: it is on weights that are replaced */
    struct model_folder folder; /* where one of the two is so */
};

/* Both models are complete before the first is moved into place. */
static struct status export_models(const struct export_options *options, const struct bert_checkpoint *checkpoint,
                                   const struct export_vocab *vocab, struct model_folder *folder,
                                   struct question_model *questions) {
    bool written = !questions->reason;
    struct status status = export_model(options, checkpoint, vocab, folder);
    if (status_is_ok(&status) && written)
        status = export_questions(options, vocab, questions->name, &questions->folder);
    if (status_is_ok(&status))
        status = model_folder_commit(folder);
    if (status_is_ok(&status) && written)
        status = model_folder_commit(&questions->folder);
    if (status_is_ok(&status) && questions->retired)
        status = model_folder_retire(&questions->folder);
    model_folder_close(folder);
    if (written || questions->retired)
        model_folder_close(&questions->folder);
    return status;
}

/* The reason, as in question_model, by what is exported alone, whatever is in the repository. */
static const char *why_no_questions(const struct export_options *options, const struct bert_checkpoint *checkpoint,
                                    const struct export_vocab *vocab) {
    if (!is_bert(options))
        return "";
    if (!bert_checkpoint_has(checkpoint, BERT_HEAD_SPAN))
        return bert_checkpoint_has(checkpoint, BERT_HEAD_CLASSIFIER)
                   ? "the checkpoint has no question-answering head, but a classifier, whose logits the model gives"
                   : "the checkpoint has no question-answering head; the model gives sentence_embedding";
    if (!vocab->known)
        return "there is no vocabulary";
    return options->max_seq_length < QUESTION_FOLDER_SEQUENCE_MIN ? "--max-seq-length is below 68" : NULL;
}

static struct status plan_questions(const struct export_options *options, const struct bert_checkpoint *checkpoint,
                                    const struct export_vocab *vocab, const struct model_folder *folder,
                                    struct question_model *ret) {
    ret->name = question_folder_name(folder->arena, options->model);
    ret->reason = why_no_questions(options, checkpoint, vocab);
    ret->retired = false;
    if (!ret->name)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's paths");
    enum question_folder_state state = QUESTION_FOLDER_OTHER;
    bool fits = path_is_plain_name(slice_of(ret->name)); /* NAME is one: only the length can be wrong */
    if (fits)
        STATUS_TRY(question_folder_examine(folder, options->model, ret->name, &state));
    if (state == QUESTION_FOLDER_OTHER && !ret->reason)
        ret->reason = fits ? "another model, whose weights are not links to these, has that name"
                           : "a model's name has at most 255 bytes";
    ret->retired = ret->reason && state == QUESTION_FOLDER_OURS;
    if (ret->reason && !ret->retired)
        return status_ok();
    return model_folder_plan(options->model_repository, ret->name, options->model_version, options->overwrite,
                             folder->arena, &ret->folder);
}

static void print_questions(const struct question_model *questions) {
    const struct model_folder *folder = &questions->folder;
    if (!questions->reason)
        printf("       %s: question and context in, answers out, on the same weights\n", folder->model_path);
    else if (questions->reason[0])
        printf("       no %s, which would take questions: %s\n", questions->name, questions->reason);
    if (questions->retired)
        printf("       removed %s, which took questions on the weights that were here\n",
               file_exists(folder->model_path) ? folder->version_path : folder->model_path);
}

static struct status export_checkpoint(const struct export_options *options, const struct bert_checkpoint *checkpoint,
                                       struct model_folder *folder, uint64_t started_ns) {
    struct export_vocab vocab;
    struct question_model questions;
    STATUS_TRY(check_length(options, bert_checkpoint_config(checkpoint)));
    STATUS_TRY(export_vocab_examine(checkpoint, options->vocab, folder->arena, &vocab));
    STATUS_TRY(plan_questions(options, checkpoint, &vocab, folder, &questions));
    STATUS_TRY(export_models(options, checkpoint, &vocab, folder, &questions));
    print_result(find_format(options->format), folder, started_ns);
    print_questions(&questions);
    return status_ok();
}

static struct status run(const struct export_options *options, struct arena *arena) {
    uint64_t started_ns = clock_monotonic_ns();
    struct model_folder folder;
    struct bert_checkpoint *checkpoint;
    STATUS_TRY(model_folder_plan(options->model_repository, options->model, options->model_version, options->overwrite,
                                 arena, &folder));
    STATUS_TRY(bert_checkpoint_open(options->checkpoint, options->bert_config, &checkpoint));
    print_checkpoint(options, checkpoint);
    struct status status = bert_checkpoint_check_tokenizer(checkpoint);
    if (status_is_ok(&status))
        status = export_checkpoint(options, checkpoint, &folder, started_ns);
    bert_checkpoint_close(checkpoint);
    return status;
}

static int report(const struct status *status, int exit_status) {
    fprintf(stderr, "inferd export: %s\n", status->message);
    if (exit_status == 2)
        fprintf(stderr, "inferd export --help shows all options\n");
    return exit_status;
}

static int parse_and_run(int argc, char **argv, struct arena *arena) {
    struct export_options options = {0};
    enum options_outcome outcome;
    struct status status = options_parse(&option_table, argc, argv, arena, &options, NULL, &outcome);
    if (!status_is_ok(&status))
        return report(&status, 2);
    if (outcome == OPTIONS_HELP) {
        options_print_help(&option_table, stdout);
        return 0;
    }
    status = check_options(&options);
    if (!status_is_ok(&status))
        return report(&status, 2);
    status = run(&options, arena);
    return status_is_ok(&status) ? 0 : report(&status, 1);
}

int export_main(int argc, char **argv) {
    struct arena *arena = arena_create(0);
    if (!arena) {
        struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory");
        return report(&status, 1);
    }
    int exit_status = parse_and_run(argc, argv, arena);
    arena_destroy(arena);
    return exit_status;
}

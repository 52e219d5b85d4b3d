#include "checkpoint/bert_checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "checkpoint/bert_locate.h"
#include "checkpoint/bert_names.h"
#include "checkpoint/random_checkpoint.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tensor_bundle.h"
#include "checkpoint/weight_range.h"

enum { MISSING_SHOWN = 3, LABELS_MAX = 65536 };

struct bert_checkpoint {
    struct arena *arena;
    struct bert_files files;
    struct bert_config config;
    struct safetensors *safetensors; /* at most one of these two is open */
    struct tensor_bundle *bundle;
    struct bert_weight *weights; /* BERT_PART_COUNT per layer; those outside of layers stand with layer 0 */
    bool has[BERT_HEAD_COUNT];
    const char *form;
    struct status tokenizer; /* what came of reading its file */
};

/* Tensors of the encoder, or of a head, that were looked for in vain. */
struct missing {
    struct buf names; /* the first of them, for the message */
    size_t count, wanted;
};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the checkpoint's tables");
}

static const char *where(const struct bert_checkpoint *checkpoint) {
    return checkpoint->files.weights ? checkpoint->files.weights : "random weights";
}

static struct weight_set stored_tensors(const struct bert_checkpoint *checkpoint) {
    return checkpoint->bundle ? tensor_bundle_tensors(checkpoint->bundle)
                              : safetensors_tensors(checkpoint->safetensors);
}

/* ---- one weight ---- */

static struct status check_stored(const struct bert_checkpoint *checkpoint, const struct bert_weight *wanted,
                                  const struct weight *found) {
    int64_t dims[2] = {bert_weight_rows(wanted, wanted->layout), bert_weight_columns(wanted, wanted->layout)};
    bool same = found->rank == wanted->rank && memcmp(found->dims, dims, (size_t)wanted->rank * sizeof dims[0]) == 0;
    if (!same) {
        char expected[WEIGHT_SHAPE_TEXT_SIZE], got[WEIGHT_SHAPE_TEXT_SIZE];
        weight_shape_text(dims, wanted->rank, expected);
        weight_shape_text(found->dims, found->rank, got);
        return status_error(STATUS_INVALID_ARGUMENT, "%s: tensor \"%.*s\": by %s its shape must be %s, got %s",
                            where(checkpoint), SLICE_ARGS(found->name), checkpoint->files.config, expected, got);
    }
    if (found->type == WEIGHT_OTHER)
        return status_error(STATUS_UNSUPPORTED,
                            "%s: tensor \"%.*s\" has type %s; expected 32 or 16 bit floating point (or bfloat16)",
                            where(checkpoint), SLICE_ARGS(found->name), found->type_name);
    return status_ok();
}

/* A single NaN or infinity makes every answer one. */
static struct status check_finite(const struct bert_checkpoint *checkpoint, struct bert_weight *weight) {
    size_t count = (size_t)(weight->outputs * weight->inputs);
    weight->largest = weight_largest(weight->type, weight->bytes.data, count);
    if (isfinite(weight->largest))
        return status_ok();
    size_t at = weight_first_not_finite(weight->type, weight->bytes.data, count);
    size_t columns = (size_t)bert_weight_columns(weight, weight->layout);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "%s: tensor \"%.*s\" holds a number that is not finite: row %zu, column %zu, counted from 0",
                        where(checkpoint), SLICE_ARGS(weight->name), at / columns, at % columns);
}

static const struct weight *find_any(const struct bert_checkpoint *checkpoint, const struct bert_names *names) {
    struct weight_set set = stored_tensors(checkpoint);
    const struct weight *found = NULL;
    for (size_t i = 0; i < names->count && !found; i++)
        found = weight_find(&set, slice_of(names->items[i]));
    return found;
}

static struct status take_stored(struct bert_checkpoint *checkpoint, const struct bert_names *names,
                                 struct bert_weight *weight, struct missing *missing) {
    const struct weight *found = find_any(checkpoint, names);
    missing->wanted++;
    if (!found) {
        if (missing->count++ < MISSING_SHOWN)
            buf_printf(&missing->names, "%s%s", missing->names.size ? ", " : "", names->items[0]);
        *weight = (struct bert_weight){0};
        return status_ok();
    }
    if (checkpoint->bundle)
        STATUS_TRY(tensor_bundle_verify(checkpoint->bundle, found));
    STATUS_TRY(check_stored(checkpoint, weight, found));
    weight->name = found->name;
    weight->origin = BERT_FROM_FILE;
    weight->type = found->type;
    weight->bytes = found->bytes;
    STATUS_TRY(check_finite(checkpoint, weight));
    if (!checkpoint->form) /* all are of one type as a rule; the first, the word embeddings, speaks for them */
        checkpoint->form =
            arena_printf(checkpoint->arena, "%s, %s",
                         checkpoint->bundle ? "TensorFlow checkpoint" : "Hugging Face safetensors", found->type_name);
    return status_ok();
}

static struct status take_random(struct bert_checkpoint *checkpoint, const struct bert_names *names,
                                 struct bert_weight *weight) {
    weight->name = arena_copy(checkpoint->arena, slice_of(names->items[0]));
    weight->key = random_checkpoint_key(checkpoint->files.seed, weight->name);
    return weight->name.data ? status_ok() : no_memory();
}

/* ---- all weights ---- */

static struct status report_missing(const struct bert_checkpoint *checkpoint, const struct missing *missing) {
    if (missing->count == 0)
        return status_ok();
    const char *hint = missing->count == missing->wanted ? "; this is no BERT of a known family" : "";
    struct slice names = buf_slice(&missing->names);
    return status_error(STATUS_INVALID_ARGUMENT, "%s lacks %zu of %zu tensors: %.*s%s%s", where(checkpoint),
                        missing->count, missing->wanted, (int)names.size, names.data ? names.data : "",
                        missing->count > MISSING_SHOWN ? ", ..." : "", hint);
}

/* A model cut down to fewer layers by a wrong configuration would run and answer nonsense. */
static struct status check_layer_count(const struct bert_checkpoint *checkpoint, enum bert_family family) {
    int64_t layers = checkpoint->config.layer_count;
    struct bert_names beyond = bert_names_of(family, BERT_QUERY_KERNEL, layers);
    const struct weight *found = find_any(checkpoint, &beyond);
    if (!found)
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "%s has the tensor \"%.*s\", but by %s the model has only %lld layers",
                        where(checkpoint), SLICE_ARGS(found->name), checkpoint->files.config, (long long)layers);
}

static enum bert_family family_of(const struct bert_checkpoint *checkpoint) {
    return checkpoint->bundle ? BERT_TENSORFLOW : BERT_HUGGING_FACE;
}

/* Every part of the encoder or, when `head` is one, of that head. */
static struct status collect_parts(struct bert_checkpoint *checkpoint, enum bert_head head, struct missing *missing) {
    bool is_random = checkpoint->files.form == BERT_FORM_RANDOM;
    enum bert_family family = family_of(checkpoint);
    for (size_t i = 0; i < (size_t)checkpoint->config.layer_count * BERT_PART_COUNT; i++) {
        enum bert_part part = (enum bert_part)(i % BERT_PART_COUNT);
        int64_t layer = (int64_t)(i / BERT_PART_COUNT);
        if (bert_part_head(part) != head || (layer > 0 && !bert_part_is_per_layer(part)))
            continue;
        struct bert_names names = bert_names_of(family, part, layer);
        checkpoint->weights[i] = bert_part_describe(family, part, &checkpoint->config);
        STATUS_TRY(is_random ? take_random(checkpoint, &names, &checkpoint->weights[i])
                             : take_stored(checkpoint, &names, &checkpoint->weights[i], missing));
    }
    return status_ok();
}

static struct status collect_encoder(struct bert_checkpoint *checkpoint) {
    struct missing missing = {.names = BUF_EMPTY};
    struct status status = collect_parts(checkpoint, BERT_HEAD_COUNT, &missing);
    if (status_is_ok(&status))
        status = report_missing(checkpoint, &missing);
    buf_free(&missing.names);
    return status;
}

/* A head is there when all of it is; half a head is an error. */
static struct status collect_head(struct bert_checkpoint *checkpoint, enum bert_head head) {
    struct missing missing = {.names = BUF_EMPTY};
    struct status status = collect_parts(checkpoint, head, &missing);
    if (status_is_ok(&status) && missing.count < missing.wanted)
        status = report_missing(checkpoint, &missing);
    buf_free(&missing.names);
    checkpoint->has[head] = missing.count == 0;
    return status;
}

/* The labels are as many as the classifier has outputs. */
static struct status count_labels(struct bert_checkpoint *checkpoint) {
    struct bert_names names = bert_names_of(family_of(checkpoint), BERT_CLASSIFIER_KERNEL, 0);
    const struct weight *found = find_any(checkpoint, &names);
    if (!found || checkpoint->config.labels_tokens || !checkpoint->has[BERT_HEAD_POOLER])
        return status_ok();
    if (found->rank != 2 || found->dims[0] < 1 || found->dims[0] > LABELS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: tensor \"%.*s\": expected 1 to %d rows, one for each label",
                            where(checkpoint), SLICE_ARGS(found->name), LABELS_MAX);
    checkpoint->config.label_count = found->dims[0];
    return status_ok();
}

static struct status collect_weights(struct bert_checkpoint *checkpoint) {
    size_t count = (size_t)checkpoint->config.layer_count * BERT_PART_COUNT;
    checkpoint->weights = arena_calloc(checkpoint->arena, count, sizeof *checkpoint->weights);
    if (!checkpoint->weights)
        return no_memory();
    STATUS_TRY(collect_encoder(checkpoint));
    STATUS_TRY(collect_head(checkpoint, BERT_HEAD_SPAN));
    if (checkpoint->files.form == BERT_FORM_RANDOM) /* untrained models answer questions, and nothing else */
        return status_ok();
    STATUS_TRY(collect_head(checkpoint, BERT_HEAD_POOLER));
    STATUS_TRY(count_labels(checkpoint));
    if (checkpoint->config.label_count > 0)
        STATUS_TRY(collect_head(checkpoint, BERT_HEAD_CLASSIFIER));
    return check_layer_count(checkpoint, family_of(checkpoint));
}

/* ---- opening ---- */

static struct status open_weights(struct bert_checkpoint *checkpoint) {
    switch (checkpoint->files.form) {
    case BERT_FORM_SAFETENSORS:
        return safetensors_open(checkpoint->files.weights, &checkpoint->safetensors);
    case BERT_FORM_TENSOR_BUNDLE:
        return tensor_bundle_open(checkpoint->files.weights, &checkpoint->bundle);
    case BERT_FORM_RANDOM:
        checkpoint->form = "random weights";
        break;
    }
    return status_ok();
}

static struct status read_config(struct bert_checkpoint *checkpoint) {
    STATUS_TRY(bert_config_read(checkpoint->files.config, &checkpoint->config));
    checkpoint->tokenizer = status_ok();
    if (checkpoint->files.tokenizer)
        checkpoint->tokenizer = bert_config_read_tokenizer(checkpoint->files.tokenizer, &checkpoint->config.tokenizer);
    return status_ok();
}

static struct status fill(struct bert_checkpoint *checkpoint, const char *path, const char *config_path) {
    STATUS_TRY(bert_locate(path, config_path, checkpoint->arena, &checkpoint->files));
    STATUS_TRY(read_config(checkpoint));
    STATUS_TRY(open_weights(checkpoint));
    STATUS_TRY(collect_weights(checkpoint));
    return checkpoint->form ? status_ok() : no_memory();
}

struct status bert_checkpoint_open(const char *path, const char *config_path, struct bert_checkpoint **ret) {
    struct bert_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint || !(checkpoint->arena = arena_create(0))) {
        free(checkpoint);
        return no_memory();
    }
    struct status status = fill(checkpoint, path, config_path);
    if (status_is_ok(&status))
        status = bert_checkpoint_check(checkpoint);
    if (status_is_ok(&status))
        *ret = checkpoint;
    else
        bert_checkpoint_close(checkpoint);
    return status;
}

struct status bert_checkpoint_check(const struct bert_checkpoint *checkpoint) {
    bool lost = (checkpoint->safetensors && safetensors_is_lost(checkpoint->safetensors)) ||
                (checkpoint->bundle && tensor_bundle_is_lost(checkpoint->bundle));
    return lost ? status_error(STATUS_DATA_LOSS, "%s was cut short while it was read", where(checkpoint)) : status_ok();
}

void bert_checkpoint_close(struct bert_checkpoint *checkpoint) {
    if (!checkpoint)
        return;
    safetensors_close(checkpoint->safetensors);
    tensor_bundle_close(checkpoint->bundle);
    arena_destroy(checkpoint->arena);
    free(checkpoint);
}

/* ---- what it holds ---- */

const struct bert_config *bert_checkpoint_config(const struct bert_checkpoint *checkpoint) {
    return &checkpoint->config;
}

void bert_checkpoint_keep_layers(struct bert_checkpoint *checkpoint, int64_t count) {
    checkpoint->config.layer_count = count;
}

struct status bert_checkpoint_check_tokenizer(const struct bert_checkpoint *checkpoint) {
    return checkpoint->tokenizer;
}

bool bert_checkpoint_has(const struct bert_checkpoint *checkpoint, enum bert_head head) {
    return checkpoint->has[head];
}

struct status bert_checkpoint_require(const struct bert_checkpoint *checkpoint, enum bert_head head) {
    static const struct {
        enum bert_part first;
        const char *what;
    } heads[BERT_HEAD_COUNT] = {
        [BERT_HEAD_SPAN] = {BERT_SPAN_KERNEL, "question-answering head: fine-tune it on SQuAD first"},
        [BERT_HEAD_POOLER] = {BERT_POOLER_KERNEL, "pooler"},
        [BERT_HEAD_CLASSIFIER] = {BERT_CLASSIFIER_KERNEL, "classifier of sequences, which stands on a pooler"},
    };
    if (checkpoint->has[head])
        return status_ok();
    struct bert_names names = bert_names_of(family_of(checkpoint), heads[head].first, 0);
    return status_error(STATUS_INVALID_ARGUMENT, "%s lacks the tensor %s; this model has no %s", where(checkpoint),
                        names.items[0], heads[head].what);
}

const struct bert_weight *bert_checkpoint_weight(const struct bert_checkpoint *checkpoint, enum bert_part part,
                                                 int64_t layer) {
    return &checkpoint->weights[(size_t)layer * BERT_PART_COUNT + part];
}

int64_t bert_checkpoint_parameter_count(const struct bert_checkpoint *checkpoint) {
    int64_t count = 0;
    for (int64_t i = 0; i < checkpoint->config.layer_count * BERT_PART_COUNT; i++)
        count += checkpoint->weights[i].outputs * checkpoint->weights[i].inputs; /* 0 where a part is not per layer */
    return count;
}

const char *bert_checkpoint_form(const struct bert_checkpoint *checkpoint) {
    return checkpoint->form;
}

const char *bert_checkpoint_vocab_path(const struct bert_checkpoint *checkpoint) {
    return checkpoint->files.vocab;
}

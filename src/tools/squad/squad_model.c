/* squad_model.c: the served model's config against the options. See squad_model.h. */
#include "tools/squad/squad_model.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "text/squad/squad_windows.h"

#define READY_INTERVAL_NS (50 * NS_PER_MS)

enum { SEQUENCE_DEFAULT = 384 };

/* ---- readiness ---- */

static struct status ask_ready(struct infer_client *client, const struct squad_options *options, bool *ret_ready) {
    *ret_ready = false;
    struct status status = infer_client_server_ready(client, ret_ready);
    bool no_such_call = status.code == STATUS_NOT_FOUND || status.code == STATUS_UNSUPPORTED;
    if (no_such_call) /* a web server, a metrics port */
        return status_prefix(status, "expected a KServe v2 server at %s, but it does not know the call", options->url);
    STATUS_TRY(status);
    if (!*ret_ready)
        return status_error(STATUS_UNAVAILABLE, "the server at %s is not ready", options->url);
    STATUS_TRY(infer_client_model_ready(client, slice_of(options->model), slice_of(options->model_version), ret_ready));
    if (*ret_ready)
        return status_ok();
    const char *separator = options->model_version[0] != '\0' ? " version " : "";
    return status_error(STATUS_UNAVAILABLE, "model '%s'%s%s is not known or not ready on the server at %s",
                        options->model, separator, options->model_version, options->url);
}

struct status squad_model_wait_ready(struct infer_client *client, const struct squad_options *options) {
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)(options->wait_ready * (double)NS_PER_S);
    for (;;) {
        bool ready = false;
        struct status status = ask_ready(client, options, &ready);
        bool may_become = status.code == STATUS_UNAVAILABLE || status.code == STATUS_DEADLINE_EXCEEDED;
        if (ready || !may_become || clock_monotonic_ns() >= end_ns)
            return status;
        struct timespec pause = {0, READY_INTERVAL_NS};
        nanosleep(&pause, NULL);
    }
}

/* ---- what the config says ---- */

static struct status check_vocab(const struct infer_model_info *info, const struct squad_options *options,
                                 const struct vocab *vocab) {
    struct slice theirs = infer_model_parameter_find(info, "vocab_hash");
    char ours[VOCAB_HASH_TEXT_SIZE];
    vocab_hash_text(vocab, ours);
    if (theirs.data == NULL || slice_equal_nocase(theirs, slice_of(ours)))
        return status_ok();
    return status_error(STATUS_FAILED_PRECONDITION,
                        "the vocabulary %s has hash %s, but model '%s' was exported with vocabulary %.*s: give its "
                        "vocab.txt with --vocab",
                        options->vocab != NULL ? options->vocab : "compiled in", ours, options->model,
                        SLICE_ARGS(theirs));
}

static struct status check_tensors(const struct infer_model_info *info, const struct squad_options *options) {
    static const char *const inputs[] = {"input_ids", "input_mask", "segment_ids"};
    static const char *const outputs[] = {"start_logits", "end_logits"};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const struct infer_tensor_info *input =
            infer_tensor_info_find(info->inputs, info->input_count, slice_of(inputs[i]));
        if (input == NULL || !slice_equal_text(input->datatype, "INT32") || input->rank != 1)
            return status_error(STATUS_FAILED_PRECONDITION,
                                "model '%s' is no BERT question-answering model: expected an INT32 input '%s' of one "
                                "dim",
                                options->model, inputs[i]);
    }
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        const struct infer_tensor_info *output =
            infer_tensor_info_find(info->outputs, info->output_count, slice_of(outputs[i]));
        if (output == NULL || !slice_equal_text(output->datatype, "FP32"))
            return status_error(STATUS_FAILED_PRECONDITION,
                                "model '%s' is no BERT question-answering model: expected an FP32 output '%s'",
                                options->model, outputs[i]);
    }
    for (size_t i = 0; i < info->input_count; i++) {
        const struct infer_tensor_info *input = &info->inputs[i];
        bool known = slice_equal_text(input->name, "unique_ids");
        for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
            known = known || slice_equal_text(input->name, inputs[k]);
        if (!known && !input->optional)
            return status_error(STATUS_FAILED_PRECONDITION, "model '%s' wants an input '%.*s', which is not known here",
                                options->model, SLICE_ARGS(input->name));
    }
    return status_ok();
}

static struct status check_batch(const struct infer_model_info *info, const struct squad_options *options) {
    if (options->batch_size <= info->max_batch_size)
        return status_ok();
    if (info->max_batch_size == 0)
        return status_error(STATUS_FAILED_PRECONDITION,
                            "model '%s' takes no batches (max_batch_size 0 in its config), expected at least 1",
                            options->model);
    return status_error(STATUS_FAILED_PRECONDITION,
                        "--batch-size %lld is more than the max_batch_size %lld of model '%s'",
                        (long long)options->batch_size, (long long)info->max_batch_size, options->model);
}

static void add_note(struct squad_model *model, const char *text) {
    size_t used = strlen(model->notes);
    snprintf(model->notes + used, sizeof model->notes - used, "%s%s", used > 0 ? "; " : "", text);
}

/* The length that every window must have, or 0. */
static int64_t fixed_length(const struct infer_model_info *info) {
    const struct infer_tensor_info *ids =
        infer_tensor_info_find(info->inputs, info->input_count, SLICE_LITERAL("input_ids"));
    return ids->shape[0] > 0 ? ids->shape[0] : 0;
}

static struct status settle_length(const struct infer_model_info *info, const struct squad_options *options,
                                   struct squad_model *ret) {
    struct slice said = infer_model_parameter_find(info, "max_seq_length");
    int64_t fixed = fixed_length(info), length = options->max_seq_length;
    int64_t least = options->max_query_length + SQUAD_SPECIAL_TOKENS + 1;
    if (length == 0 && fixed > 0) {
        length = fixed;
    } else if (length == 0 && said.data != NULL) {
        if (!slice_to_i64(said, &length))
            length = -1;
    } else if (length == 0) {
        length = SEQUENCE_DEFAULT;
        add_note(ret, "the model's config has no max_seq_length: 384 is assumed");
    }
    if (length < least || length > SQUAD_MAX_SEQUENCE)
        return status_error(STATUS_FAILED_PRECONDITION,
                            "model '%s': max_seq_length '%.*s' (input dim %lld) in its config cannot be used, expected "
                            "%lld (--max-query-length and 4) to %d",
                            options->model, SLICE_ARGS(said), (long long)fixed, (long long)least, SQUAD_MAX_SEQUENCE);
    if (fixed > 0 && length != fixed)
        return status_error(STATUS_FAILED_PRECONDITION,
                            "model '%s' takes windows of %lld tokens only, --max-seq-length says %lld", options->model,
                            (long long)fixed, (long long)length);
    if (fixed > 0 && options->padding != SQUAD_PAD_MAX && options->padding_given)
        return status_error(STATUS_FAILED_PRECONDITION,
                            "model '%s' takes windows of %lld tokens only: expected --pad max, got --pad %s",
                            options->model, (long long)fixed, options->pad);
    if (fixed > 0 && options->padding != SQUAD_PAD_MAX)
        add_note(ret, "the model takes windows of one length only: --pad max is used");
    ret->padding = fixed > 0 ? SQUAD_PAD_MAX : options->padding;
    ret->max_seq_length = (uint32_t)length;
    return status_ok();
}

/* Accents go with the case where the config does not tell of them. */
static struct status settle_tokenizer(const struct infer_model_info *info, const struct squad_options *options,
                                      struct squad_model *ret) {
    struct normalizer_options *tokenizer = &ret->tokenizer;
    struct status status = status_ok();
    *tokenizer = NORMALIZER_UNCASED;
    if (options->do_lower_case_given)
        tokenizer->lowercase = options->do_lower_case;
    else
        status = infer_model_parameter_boolean(info, "do_lower_case", &tokenizer->lowercase);
    if (!status_is_ok(&status))
        return status_error(status.code, "%s; give --do-lower-case", status.message);
    if (!options->do_lower_case_given && infer_model_parameter_find(info, "do_lower_case").data == NULL)
        add_note(ret, "the model's config has no do_lower_case: true is assumed");
    tokenizer->strip_accents = tokenizer->lowercase;
    STATUS_TRY(infer_model_parameter_boolean(info, "strip_accents", &tokenizer->strip_accents));
    return infer_model_parameter_boolean(info, "tokenize_chinese_chars", &tokenizer->split_cjk);
}

struct status squad_model_settle(const struct infer_model_info *info, const struct squad_options *options,
                                 const struct vocab *vocab, struct squad_model *ret) {
    *ret = (struct squad_model){.max_batch_size = info->max_batch_size};
    STATUS_TRY(check_tensors(info, options));
    STATUS_TRY(check_batch(info, options));
    STATUS_TRY(check_vocab(info, options, vocab));
    STATUS_TRY(settle_length(info, options, ret));
    STATUS_TRY(settle_tokenizer(info, options, ret));
    const struct infer_tensor_info *unique =
        infer_tensor_info_find(info->inputs, info->input_count, SLICE_LITERAL("unique_ids"));
    ret->takes_unique_ids = unique != NULL;
    if (unique != NULL && (!slice_equal_text(unique->datatype, "INT32") || unique->rank != 1))
        return status_error(STATUS_FAILED_PRECONDITION, "model '%s': expected the input 'unique_ids' to be INT32 [1]",
                            options->model);
    return status_ok();
}

struct status squad_model_inspect(struct infer_client *client, const struct squad_options *options,
                                  const struct vocab *vocab, struct squad_model *ret) {
    struct arena *arena = arena_create(0);
    struct infer_model_info info;
    if (arena == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    struct status status =
        infer_client_model_config(client, slice_of(options->model), slice_of(options->model_version), arena, &info);
    if (status_is_ok(&status))
        status = squad_model_settle(&info, options, vocab, ret);
    arena_destroy(arena);
    return status;
}

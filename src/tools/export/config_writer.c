#include "tools/export/config_writer.h"

#include <inttypes.h>
#include <stdio.h>

enum tensor_dims {
    DIMS_TOKENS,   /* one number for each token */
    DIMS_ONE,      /* one element */
    DIMS_ANSWERS,  /* one for each answer that is told */
    DIMS_VECTOR,   /* config_facts.vector_size */
    DIMS_UNIQUE_ID /* one number for the request, given without that dimension; may be left out */
};

struct tensor_row {
    const char *name, *type;
    enum tensor_dims dims;
};

struct task_tensors {
    const char *parameter; /* `task` of backend bert; NULL: its default */
    const struct tensor_row *inputs, *outputs;
    size_t input_count, output_count;
};

/* In the order of the recipe's client. The engine does not use unique_ids: clients may leave it out. */
static const struct tensor_row logits_inputs[] = {
    {"unique_ids", "TYPE_INT32", DIMS_UNIQUE_ID},
    {"segment_ids", "TYPE_INT32", DIMS_TOKENS},
    {"input_ids", "TYPE_INT32", DIMS_TOKENS},
    {"input_mask", "TYPE_INT32", DIMS_TOKENS},
};
static const struct tensor_row logits_outputs[] = {
    {"end_logits", "TYPE_FP32", DIMS_TOKENS},
    {"start_logits", "TYPE_FP32", DIMS_TOKENS},
};
static const struct tensor_row questions_inputs[] = {
    {"question", "TYPE_STRING", DIMS_ONE},
    {"context", "TYPE_STRING", DIMS_ONE},
};
static const struct tensor_row questions_outputs[] = {
    {"answer", "TYPE_STRING", DIMS_ANSWERS},
    {"score", "TYPE_FP32", DIMS_ANSWERS},
    {"start", "TYPE_INT32", DIMS_ANSWERS},
    {"end", "TYPE_INT32", DIMS_ANSWERS},
};

static const struct tensor_row classes_outputs[] = {{"logits", "TYPE_FP32", DIMS_VECTOR}};
static const struct tensor_row embedding_outputs[] = {{"sentence_embedding", "TYPE_FP32", DIMS_VECTOR}};

static const struct task_tensors tasks[] = {
    [CONFIG_SPAN_LOGITS] = {NULL, logits_inputs, logits_outputs, 4, 2},
    [CONFIG_QUESTIONS] = {"question_answering", questions_inputs, questions_outputs, 2, 4},
    [CONFIG_CLASSES] = {"classification", logits_inputs + 1, classes_outputs, 3, 1}, /* no client of the recipe asks */
    [CONFIG_EMBEDDING] = {"embedding", logits_inputs + 1, embedding_outputs, 3, 1},
};

static void put_quoted(struct buf *out, const char *text) {
    buf_append_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, *text);
    }
    buf_append_char(out, '"');
}

static void put_dims(struct buf *out, enum tensor_dims dims, int64_t vector_size) {
    if (dims == DIMS_VECTOR)
        buf_printf(out, "    dims: [ %" PRId64 " ]\n", vector_size);
    else
        buf_append_text(out, dims == DIMS_TOKENS || dims == DIMS_ANSWERS ? "    dims: [ -1 ]\n" : "    dims: [ 1 ]\n");
}

static void put_tensors(struct buf *out, const char *field, const struct tensor_row *rows, size_t count,
                        int64_t vector_size) {
    buf_printf(out, "%s [\n", field);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "  {\n    name: \"%s\"\n    data_type: %s\n", rows[i].name, rows[i].type);
        put_dims(out, rows[i].dims, vector_size);
        if (rows[i].dims == DIMS_UNIQUE_ID)
            buf_append_text(out, "    reshape { shape: [ ] }\n    optional: true\n");
        buf_append_text(out, i + 1 < count ? "  },\n" : "  }\n");
    }
    buf_append_text(out, "]\n");
}

static void put_parameter(struct buf *out, const char *key, const char *value) {
    buf_printf(out, "parameters { key: \"%s\" value { string_value: \"%s\" } }\n", key, value);
}

static void put_boolean(struct buf *out, const char *key, bool value) {
    put_parameter(out, key, value ? "true" : "false");
}

/* Of accents and CJK ideographs only what is not usual. */
static void put_tokenizer(struct buf *out, const struct normalizer_options *tokenizer) {
    put_boolean(out, "do_lower_case", tokenizer->lowercase);
    if (tokenizer->strip_accents != tokenizer->lowercase)
        put_boolean(out, "strip_accents", tokenizer->strip_accents);
    if (!tokenizer->split_cjk)
        put_boolean(out, "tokenize_chinese_chars", false);
}

static void put_dynamic_batching(struct buf *out, const struct config_facts *facts) {
    buf_append_text(out, "dynamic_batching {\n  preferred_batch_size: [ ");
    if (facts->max_batch_size > 1)
        buf_printf(out, "%" PRId64 ", ", facts->max_batch_size / 2);
    buf_printf(out, "%" PRId64 " ]\n  max_queue_delay_microseconds: %" PRId64 "\n}\n", facts->max_batch_size,
               facts->delay_us);
}

static void put_instances(struct buf *out, const struct config_facts *facts) {
    buf_append_text(out, "instance_group [\n  {\n");
    if (facts->instances > 0)
        buf_printf(out, "    count: %" PRId64 "\n", facts->instances);
    buf_printf(out, "    kind: %s\n  }\n]\n", facts->kind);
}

void config_write(const struct config_facts *facts, struct buf *out) {
    const struct task_tensors *tensors = &tasks[facts->task];
    char length[32];
    snprintf(length, sizeof length, "%" PRId64, facts->max_seq_length);
    buf_append_text(out, "name: ");
    put_quoted(out, facts->name);
    buf_printf(out, "\nplatform: \"%s\"\nmax_batch_size: %" PRId64 "\n", facts->platform, facts->max_batch_size);
    put_tensors(out, "input", tensors->inputs, tensors->input_count, facts->vector_size);
    put_tensors(out, "output", tensors->outputs, tensors->output_count, facts->vector_size);
    if (facts->kind)
        put_instances(out, facts);
    if (facts->delay_us > 0)
        put_dynamic_batching(out, facts);
    else if (facts->joins_what_waits)
        buf_append_text(out, "dynamic_batching {\n}\n");
    if (tensors->parameter)
        put_parameter(out, "task", tensors->parameter);
    put_parameter(out, "inference_precision", facts->precision);
    put_parameter(out, "max_seq_length", length);
    put_tokenizer(out, &facts->tokenizer);
    if (facts->vocab_hash)
        put_parameter(out, "vocab_hash", facts->vocab_hash);
}

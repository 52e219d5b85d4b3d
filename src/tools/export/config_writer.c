#include "tools/export/config_writer.h"

#include <inttypes.h>
#include <stdio.h>

struct tensor_row {
    const char *name, *type;
    bool per_request; /* one number per request (dims [1], given without that dimension) instead of one per token */
};

/* In the order of the recipe's client. The engine does not use unique_ids: clients may leave it out. */
static const struct tensor_row inputs[] = {
    {"unique_ids", "TYPE_INT32", true},
    {"segment_ids", "TYPE_INT32", false},
    {"input_ids", "TYPE_INT32", false},
    {"input_mask", "TYPE_INT32", false},
};
static const struct tensor_row outputs[] = {
    {"end_logits", "TYPE_FP32", false},
    {"start_logits", "TYPE_FP32", false},
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

static void put_tensors(struct buf *out, const char *field, const struct tensor_row *rows, size_t count) {
    buf_printf(out, "%s [\n", field);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "  {\n    name: \"%s\"\n    data_type: %s\n", rows[i].name, rows[i].type);
        if (rows[i].per_request)
            buf_append_text(out, "    dims: [ 1 ]\n    reshape { shape: [ ] }\n    optional: true\n");
        else
            buf_append_text(out, "    dims: [ -1 ]\n");
        buf_append_text(out, i + 1 < count ? "  },\n" : "  }\n");
    }
    buf_append_text(out, "]\n");
}

static void put_parameter(struct buf *out, const char *key, const char *value) {
    buf_printf(out, "parameters { key: \"%s\" value { string_value: \"%s\" } }\n", key, value);
}

static void put_dynamic_batching(struct buf *out, const struct config_facts *facts) {
    buf_append_text(out, "dynamic_batching {\n  preferred_batch_size: [ ");
    if (facts->max_batch_size > 1)
        buf_printf(out, "%" PRId64 ", ", facts->max_batch_size / 2);
    buf_printf(out, "%" PRId64 " ]\n  max_queue_delay_microseconds: %" PRId64 "\n}\n", facts->max_batch_size,
               facts->delay_us);
}

void config_write(const struct config_facts *facts, struct buf *out) {
    char length[32];
    snprintf(length, sizeof length, "%" PRId64, facts->max_seq_length);
    buf_append_text(out, "name: ");
    put_quoted(out, facts->name);
    buf_printf(out, "\nplatform: \"%s\"\nmax_batch_size: %" PRId64 "\n", facts->platform, facts->max_batch_size);
    put_tensors(out, "input", inputs, sizeof inputs / sizeof inputs[0]);
    put_tensors(out, "output", outputs, sizeof outputs / sizeof outputs[0]);
    if (facts->instances > 0)
        buf_printf(out, "instance_group [\n  {\n    count: %" PRId64 "\n    kind: KIND_CPU\n  }\n]\n",
                   facts->instances);
    if (facts->delay_us > 0)
        put_dynamic_batching(out, facts);
    else if (facts->joins_what_waits)
        buf_append_text(out, "dynamic_batching {\n}\n");
    put_parameter(out, "inference_precision", facts->precision);
    put_parameter(out, "max_seq_length", length);
    put_parameter(out, "do_lower_case", facts->lower_case ? "true" : "false");
    if (facts->vocab_hash)
        put_parameter(out, "vocab_hash", facts->vocab_hash);
}

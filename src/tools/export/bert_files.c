#include "tools/export/bert_files.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "checkpoint/bert_names.h"
#include "tools/export/weight_stream.h"

/* ---- model.safetensors ---- */

/* One row of the header, and the weight behind those before it. */
static void add_weight(struct weight_stream *stream, struct buf *header, const struct bert_weight *weight,
                       const char *name) {
    uint64_t begin = stream->hole_bytes, end = begin + weight_stream_weight_size(weight);
    buf_printf(header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%" PRId64, begin > 0 ? "," : "", name, weight->outputs);
    if (weight->rank > 1)
        buf_printf(header, ",%" PRId64, weight->inputs);
    buf_printf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end);
    weight_stream_add(stream, weight, BERT_OUT_IN);
}

static void add_weights(const struct bert_checkpoint *checkpoint, struct weight_stream *stream, struct buf *header) {
    int64_t layers = bert_checkpoint_config(checkpoint)->layer_count;
    buf_append_char(header, '{');
    for (int i = 0; i < BERT_PART_COUNT; i++) {
        enum bert_part part = (enum bert_part)i;
        for (int64_t layer = 0; layer < (bert_part_is_per_layer(part) ? layers : 1); layer++) {
            const struct bert_weight *weight = bert_checkpoint_weight(checkpoint, part, layer);
            if (weight->outputs > 0) /* else it is of a head that is not there */
                add_weight(stream, header, weight, bert_names_of(BERT_HUGGING_FACE, part, layer).items[0]);
        }
    }
    buf_append_char(header, '}');
    while (buf_slice(header).size % 8 != 0)
        buf_append_char(header, ' ');
}

static struct status write_weights(const struct bert_checkpoint *checkpoint, const char *path) {
    struct weight_stream stream = WEIGHT_STREAM_EMPTY;
    struct buf header = BUF_EMPTY, head = BUF_EMPTY;
    add_weights(checkpoint, &stream, &header);
    uint64_t size = buf_slice(&header).size; /* little endian, as this machine is (checkpoint/weight.h) */
    buf_append(&head, &size, sizeof size);
    buf_append(&head, buf_slice(&header).data, (size_t)size);
    struct status status = buf_failed(&header) || buf_failed(&head)
                               ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the header of %s", path)
                               : weight_stream_write(&stream, buf_slice(&head), (struct slice){NULL, 0}, path);
    weight_stream_free(&stream);
    buf_free(&header);
    buf_free(&head);
    return status;
}

/* ---- config.json ---- */

/* What Hugging Face calls a model with these heads. */
static const char *architecture_of(const struct bert_checkpoint *checkpoint) {
    if (bert_checkpoint_has(checkpoint, BERT_HEAD_SPAN))
        return "BertForQuestionAnswering";
    return bert_checkpoint_has(checkpoint, BERT_HEAD_CLASSIFIER) ? "BertForSequenceClassification" : "BertModel";
}

static void put_setting(const char *name, enum bert_setting setting, struct buf *out) {
    if (setting != BERT_NOT_SET)
        buf_printf(out, "  \"%s\": %s,\n", name, setting == BERT_ON ? "true" : "false");
}

/* Without what is the default. */
static void put_tokenizer(const struct bert_tokenizer *tokenizer, struct buf *out) {
    put_setting("do_lower_case", tokenizer->do_lower_case, out);
    if (tokenizer->strip_accents != tokenizer->do_lower_case)
        put_setting("strip_accents", tokenizer->strip_accents, out);
    if (tokenizer->tokenize_chinese_chars == BERT_OFF)
        put_setting("tokenize_chinese_chars", BERT_OFF, out);
}

static void put_config(const struct bert_checkpoint *checkpoint, struct buf *out) {
    const struct bert_config *config = bert_checkpoint_config(checkpoint);
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"vocab_size", config->vocab_size},
        {"hidden_size", config->hidden_size},
        {"num_hidden_layers", config->layer_count},
        {"num_attention_heads", config->head_count},
        {"intermediate_size", config->intermediate_size},
        {"max_position_embeddings", config->position_count},
        {"type_vocab_size", config->type_count},
    };
    buf_printf(out, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"bert\",\n", architecture_of(checkpoint));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        buf_printf(out, "  \"%s\": %" PRId64 ",\n", rows[i].name, rows[i].value);
    put_tokenizer(&config->tokenizer, out);
    buf_printf(out, "  \"layer_norm_eps\": %.9g,\n  \"hidden_act\": \"%s\"\n}\n", config->layer_norm_eps,
               config->activation == BERT_GELU_ERF ? "gelu" : "gelu_new");
}

static struct status write_config(const struct bert_checkpoint *checkpoint, const char *path) {
    struct arena *arena = arena_create(0);
    struct buf text = BUF_EMPTY;
    const char *slash = strrchr(path, '/');
    char *beside =
        arena ? arena_printf(arena, "%.*s/config.json", slash ? (int)(slash - path) : 1, slash ? path : ".") : NULL;
    put_config(checkpoint, &text);
    struct status status = !beside || buf_failed(&text)
                               ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for config.json beside %s", path)
                               : file_write_atomic(beside, buf_slice(&text));
    buf_free(&text);
    arena_destroy(arena);
    return status;
}

struct status bert_files_write(const struct bert_checkpoint *checkpoint, const char *path) {
    STATUS_TRY(write_weights(checkpoint, path));
    return write_config(checkpoint, path);
}

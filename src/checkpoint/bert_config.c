#include "checkpoint/bert_config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/buf.h"
#include "base/file.h"

enum { CONFIG_FILE_MAX = 1 << 20, TOKENIZER_FILE_MAX = 1 << 24, DESCRIPTION_SIZE = 48 };

struct number_field {
    const char *name;
    size_t offset;
    int64_t min, max;
    int64_t fallback; /* 0: the field is required */
};

static const struct number_field number_fields[] = {
    {"vocab_size", offsetof(struct bert_config, vocab_size), 1, 1 << 24, 0},
    {"hidden_size", offsetof(struct bert_config, hidden_size), 1, 1 << 16, 0},
    {"num_hidden_layers", offsetof(struct bert_config, layer_count), 1, 256, 0},
    {"num_attention_heads", offsetof(struct bert_config, head_count), 1, 1024, 0},
    {"intermediate_size", offsetof(struct bert_config, intermediate_size), 1, 1 << 18, 0},
    {"max_position_embeddings", offsetof(struct bert_config, position_count), 1, 1 << 20, 512},
    {"type_vocab_size", offsetof(struct bert_config, type_count), 1, 1024, 2},
};

struct setting_field {
    const char *name;
    size_t offset;
};

static const struct setting_field setting_fields[] = {
    {"do_lower_case", offsetof(struct bert_tokenizer, do_lower_case)},
    {"strip_accents", offsetof(struct bert_tokenizer, strip_accents)},
    {"tokenize_chinese_chars", offsetof(struct bert_tokenizer, tokenize_chinese_chars)},
};

struct activation_name {
    const char *name;
    enum bert_activation activation;
};

/* "gelu" is the exact form, as in Hugging Face, which reads the checkpoints of both families so. */
static const struct activation_name activation_names[] = {
    {"gelu", BERT_GELU_ERF},       {"gelu_python", BERT_GELU_ERF}, {"gelu_new", BERT_GELU_TANH},
    {"gelu_tanh", BERT_GELU_TANH}, {"tanh_gelu", BERT_GELU_TANH},  {"gelu_pytorch_tanh", BERT_GELU_TANH},
};

/* "string", "uint 0", "real 1.5": what a member holds, for messages. */
static void describe(yyjson_val *member, char text[DESCRIPTION_SIZE]) {
    if (yyjson_is_num(member))
        snprintf(text, DESCRIPTION_SIZE, "%s %.17g", yyjson_get_type_desc(member), yyjson_get_num(member));
    else
        snprintf(text, DESCRIPTION_SIZE, "%s", yyjson_get_type_desc(member));
}

static struct status read_number(yyjson_val *root, const struct number_field *field, const char *file_name,
                                 struct bert_config *config) {
    yyjson_val *member = yyjson_obj_get(root, field->name);
    int64_t *value = (int64_t *)(void *)((char *)config + field->offset);
    *value = field->fallback;
    if (!member && field->fallback)
        return status_ok();
    if (!member)
        return status_error(STATUS_INVALID_ARGUMENT, "%s lacks \"%s\"", file_name, field->name);
    double number = yyjson_is_num(member) ? yyjson_get_num(member) : NAN; /* for the range: INT64 may not hold it */
    if (!yyjson_is_int(member) || number < (double)field->min || number > (double)field->max) {
        char got[DESCRIPTION_SIZE];
        describe(member, got);
        return status_error(STATUS_INVALID_ARGUMENT, "%s: \"%s\" must be a whole number from %lld to %lld, got %s",
                            file_name, field->name, (long long)field->min, (long long)field->max, got);
    }
    *value = yyjson_get_sint(member);
    return status_ok();
}

static struct status read_activation(yyjson_val *root, const char *file_name, enum bert_activation *ret) {
    yyjson_val *member = yyjson_obj_get(root, "hidden_act");
    const char *name = member ? yyjson_get_str(member) : "gelu";
    if (!name)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: \"hidden_act\" must be a string, got %s", file_name,
                            yyjson_get_type_desc(member));
    for (size_t i = 0; i < sizeof activation_names / sizeof activation_names[0]; i++)
        if (slice_equal_text(slice_of(name), activation_names[i].name)) {
            *ret = activation_names[i].activation;
            return status_ok();
        }
    return status_error(STATUS_UNSUPPORTED,
                        "%s: \"hidden_act\" is \"%.60s\"; expected \"gelu\" (exact), or \"gelu_new\" or \"gelu_tanh\" "
                        "(the tanh approximation)",
                        file_name, name);
}

static struct status read_eps(yyjson_val *root, const char *file_name, double *ret) {
    yyjson_val *member = yyjson_obj_get(root, "layer_norm_eps");
    *ret = 1e-12;
    if (!member)
        return status_ok();
    double value = yyjson_is_num(member) ? yyjson_get_num(member) : NAN;
    if (!(value >= (double)FLT_MIN && value <= 1)) { /* less is 0 or subnormal as a float */
        char got[DESCRIPTION_SIZE];
        describe(member, got);
        return status_error(STATUS_INVALID_ARGUMENT, "%s: \"layer_norm_eps\" must be a number from %.6g to 1, got %s",
                            file_name, (double)FLT_MIN, got);
    }
    *ret = value;
    return status_ok();
}

/* NULL: the member is absent, or null, which says as much. */
static struct status find_boolean(yyjson_val *root, const char *file_name, const char *name, yyjson_val **ret) {
    yyjson_val *member = yyjson_obj_get(root, name);
    *ret = yyjson_is_null(member) ? NULL : member;
    if (!*ret || yyjson_is_bool(member))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "%s: \"%s\" must be true or false, got %s", file_name, name,
                        yyjson_get_type_desc(member));
}

/* Of what is not set yet. */
static struct status read_settings(yyjson_val *root, const char *file_name, struct bert_tokenizer *tokenizer) {
    for (size_t i = 0; i < sizeof setting_fields / sizeof setting_fields[0]; i++) {
        enum bert_setting *setting = (enum bert_setting *)(void *)((char *)tokenizer + setting_fields[i].offset);
        yyjson_val *member;
        if (*setting != BERT_NOT_SET)
            continue;
        STATUS_TRY(find_boolean(root, file_name, setting_fields[i].name, &member));
        if (member)
            *setting = yyjson_get_bool(member) ? BERT_ON : BERT_OFF;
    }
    return status_ok();
}

/* A text member that, where it stands, must have the one value that BERT has. */
static struct status expect_text(yyjson_val *root, const char *file_name, const char *name, const char *expected) {
    yyjson_val *member = yyjson_obj_get(root, name);
    if (!member || yyjson_equals_str(member, expected))
        return status_ok();
    const char *got = yyjson_get_str(member);
    return status_error(STATUS_UNSUPPORTED, "%s: \"%s\" is \"%.60s\"; only \"%s\" is supported", file_name, name,
                        got ? got : "(no string)", expected);
}

static bool labels_tokens(yyjson_val *root) {
    yyjson_val *architectures = yyjson_obj_get(root, "architectures"), *name;
    size_t i, count;
    yyjson_arr_foreach(architectures, i, count, name) {
        if (yyjson_equals_str(name, "BertForTokenClassification"))
            return true;
    }
    return false;
}

static struct status read_members(yyjson_val *root, const char *file_name, struct bert_config *config) {
    if (!yyjson_is_obj(root))
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected a JSON object, got %s", file_name,
                            yyjson_get_type_desc(root));
    STATUS_TRY(expect_text(root, file_name, "model_type", "bert"));
    STATUS_TRY(expect_text(root, file_name, "position_embedding_type", "absolute"));
    if (yyjson_is_true(yyjson_obj_get(root, "is_decoder")))
        return status_error(STATUS_UNSUPPORTED, "%s: \"is_decoder\" is true; only encoders are supported", file_name);
    for (size_t i = 0; i < sizeof number_fields / sizeof number_fields[0]; i++)
        STATUS_TRY(read_number(root, &number_fields[i], file_name, config));
    if (config->hidden_size % config->head_count != 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s: \"hidden_size\" (%lld) is not a multiple of \"num_attention_heads\" (%lld)", file_name,
                            (long long)config->hidden_size, (long long)config->head_count);
    config->labels_tokens = labels_tokens(root);
    STATUS_TRY(read_activation(root, file_name, &config->activation));
    STATUS_TRY(read_eps(root, file_name, &config->layer_norm_eps));
    return read_settings(root, file_name, &config->tokenizer);
}

/* Parses JSON; the caller frees *ret_document. */
static struct status parse_json(struct slice json, const char *file_name, yyjson_doc **ret_document) {
    yyjson_read_err error = {0};
    /* Without the in-situ flag the text is not written to. */
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, 0, NULL, &error);
    if (!document && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read %s", file_name);
    if (!document)
        return status_error(STATUS_INVALID_ARGUMENT, "%s is not JSON: byte %zu: %s", file_name, error.pos, error.msg);
    *ret_document = document;
    return status_ok();
}

struct status bert_config_parse(struct slice json, const char *file_name, struct bert_config *ret) {
    yyjson_doc *document;
    STATUS_TRY(parse_json(json, file_name, &document));
    struct bert_config config = {0};
    struct status status = read_members(yyjson_doc_get_root(document), file_name, &config);
    yyjson_doc_free(document);
    if (status_is_ok(&status))
        *ret = config;
    return status;
}

struct status bert_config_read(const char *path, struct bert_config *ret) {
    struct buf text = BUF_EMPTY;
    struct status status = file_read(path, CONFIG_FILE_MAX, &text);
    if (status_is_ok(&status))
        status = bert_config_parse(buf_slice(&text), path, ret);
    buf_free(&text);
    return status;
}

static struct status read_tokenizer(yyjson_val *root, const char *file_name, struct bert_tokenizer *tokenizer) {
    struct bert_tokenizer read = *tokenizer;
    STATUS_TRY(read_settings(root, file_name, &read));
    if (read.strip_accents != BERT_NOT_SET && read.do_lower_case == BERT_NOT_SET)
        read.do_lower_case = BERT_ON;
    *tokenizer = read;
    return status_ok();
}

struct status bert_config_read_tokenizer(const char *path, struct bert_tokenizer *tokenizer) {
    if (!file_exists(path))
        return status_ok();
    struct buf text = BUF_EMPTY;
    yyjson_doc *document = NULL;
    struct status status = file_read(path, TOKENIZER_FILE_MAX, &text);
    if (status_is_ok(&status))
        status = parse_json(buf_slice(&text), path, &document);
    if (status_is_ok(&status))
        status = read_tokenizer(yyjson_doc_get_root(document), path, tokenizer);
    yyjson_doc_free(document);
    buf_free(&text);
    return status;
}

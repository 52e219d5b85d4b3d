#include "backends/bert/question_settings.h"

#include <stdlib.h>

#include "base/file.h"

enum { MAX_WINDOWS = 1 << 12, SEQUENCE = 384 };

const char *const question_settings_names[QUESTION_SETTINGS_NAMES] = {
    "max_seq_length",    "doc_stride",      "max_query_length", "max_windows",   "n_best",
    "max_answer_length", "allow_no_answer", "do_lower_case",    "strip_accents", "tokenize_chinese_chars",
    "vocab_hash"};

/* ---- parameters ---- */

struct number_row {
    const char *name;
    uint32_t fallback, most; /* from 1 on */
    uint32_t *value;
};

static struct status read_numbers(const struct model_config *config, const struct bert_config *bert,
                                  struct question_settings *ret) {
    uint32_t positions = (uint32_t)bert->position_count;
    const struct number_row rows[] = {
        {"max_seq_length", SEQUENCE < positions ? SEQUENCE : positions, positions, &ret->windows.max_seq_length},
        {"doc_stride", 128, SQUAD_MAX_SEQUENCE, &ret->windows.doc_stride},
        {"max_query_length", 64, SQUAD_MAX_SEQUENCE, &ret->windows.max_query_length},
        {"max_windows", 64, MAX_WINDOWS, &ret->windows.max_windows},
        {"n_best", 1, QUESTION_N_BEST, &ret->n_best},
        {"max_answer_length", 30, SQUAD_MAX_SEQUENCE, &ret->answers.max_answer_length},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice text;
        uint64_t number = rows[i].fallback;
        bool given = model_config_parameter(config, rows[i].name, &text);
        if (given && (!slice_to_u64(text, &number) || number < 1 || number > rows[i].most))
            return status_error(STATUS_INVALID_ARGUMENT, "parameter %s must be 1 to %u, got '%.*s'", rows[i].name,
                                rows[i].most, SLICE_ARGS(text));
        *rows[i].value = (uint32_t)number;
    }
    ret->answers.n_best_size = QUESTION_N_BEST;
    return squad_window_config_check(&ret->windows);
}

static struct status read_boolean(const struct model_config *config, const char *name, bool fallback, bool *ret) {
    struct slice text;
    *ret = fallback;
    if (!model_config_parameter(config, name, &text))
        return status_ok();
    *ret = slice_equal_text(text, "true");
    if (!*ret && !slice_equal_text(text, "false"))
        return status_error(STATUS_INVALID_ARGUMENT, "parameter %s must be true or false, got '%.*s'", name,
                            SLICE_ARGS(text));
    return status_ok();
}

/* What the parameters do not tell, the files beside the weights may: those of an export by config.json. */
static struct status read_tokenizer(const struct model_config *config, const struct bert_config *bert,
                                    const char *version_directory, struct question_settings *settings) {
    struct normalizer_options *options = &settings->tokenizer.options;
    struct bert_tokenizer told = bert->tokenizer;
    const char *path = path_join(settings->arena, version_directory, "tokenizer_config.json");
    if (!path)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the tokenizer's path");
    STATUS_TRY(bert_config_read_tokenizer(path, &told));
    STATUS_TRY(read_boolean(config, "do_lower_case", told.do_lower_case != BERT_OFF, &options->lowercase));
    bool accents = told.strip_accents == BERT_NOT_SET ? options->lowercase : told.strip_accents == BERT_ON;
    STATUS_TRY(read_boolean(config, "strip_accents", accents, &options->strip_accents));
    return read_boolean(config, "tokenize_chinese_chars", told.tokenize_chinese_chars != BERT_OFF, &options->split_cjk);
}

/* ---- the vocabulary ---- */

static struct status check_vocab(const struct model_config *config, const struct bert_config *bert,
                                 const struct vocab *vocab, const char *path) {
    struct slice expected;
    char hash[VOCAB_HASH_TEXT_SIZE];
    vocab_hash_text(vocab, hash);
    if (model_config_parameter(config, "vocab_hash", &expected) && !slice_equal_nocase(expected, slice_of(hash)))
        return status_error(STATUS_FAILED_PRECONDITION, "%s has hash %s, but parameter vocab_hash is '%.*s'", path,
                            hash, SLICE_ARGS(expected));
    if ((int64_t)vocab_size(vocab) > bert->vocab_size)
        return status_error(STATUS_FAILED_PRECONDITION, "%s has %zu tokens, but the model has word embeddings for %lld",
                            path, vocab_size(vocab), (long long)bert->vocab_size);
    return status_ok();
}

static struct status open_vocab(const struct model_config *config, const struct bert_config *bert,
                                const char *version_directory, struct question_settings *settings) {
    struct vocab *vocab;
    const char *path = path_join(settings->arena, version_directory, "vocab.txt");
    if (!path)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the vocabulary's path");
    STATUS_TRY(vocab_load(settings->arena, path, &vocab));
    settings->tokenizer.vocab = vocab;
    return check_vocab(config, bert, vocab, path);
}

static struct status fill(const struct model_config *config, const struct bert_config *bert,
                          const char *version_directory, struct question_settings *settings) {
    STATUS_TRY(read_numbers(config, bert, settings));
    STATUS_TRY(read_boolean(config, "allow_no_answer", false, &settings->answers.version_2));
    STATUS_TRY(read_tokenizer(config, bert, version_directory, settings));
    return open_vocab(config, bert, version_directory, settings);
}

struct status question_settings_open(const struct model_config *config, const struct bert_config *bert,
                                     const char *version_directory, struct question_settings **ret) {
    struct question_settings *settings = calloc(1, sizeof *settings);
    if (!settings || !(settings->arena = arena_create(0))) {
        free(settings);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the settings of a model");
    }
    struct status status = fill(config, bert, version_directory, settings);
    if (status_is_ok(&status))
        *ret = settings;
    else
        question_settings_close(settings);
    return status;
}

void question_settings_close(struct question_settings *settings) {
    if (!settings)
        return;
    arena_destroy(settings->arena);
    free(settings);
}

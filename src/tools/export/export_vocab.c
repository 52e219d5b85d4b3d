#include "tools/export/export_vocab.h"

/* Whether a token that is not a special one ("[CLS]") has an ASCII capital letter. */
static bool has_capitals(const struct vocab *vocab) {
    size_t count = vocab_size(vocab);
    for (size_t id = 0; id < count; id++) {
        struct slice token = vocab_token(vocab, (int32_t)id);
        if (token.size > 0 && token.data[0] == '[')
            continue;
        for (size_t i = 0; i < token.size; i++)
            if (token.data[i] >= 'A' && token.data[i] <= 'Z')
                return true;
    }
    return false;
}

static struct status check_size(const struct bert_checkpoint *checkpoint, const struct vocab *vocab, const char *path) {
    int64_t tokens = (int64_t)vocab_size(vocab), rows = bert_checkpoint_config(checkpoint)->vocab_size;
    if (tokens <= rows) /* a model may have more: rows of padding */
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "%s has %lld tokens, but the model has word embeddings for %lld", path,
                        (long long)tokens, (long long)rows);
}

/* Sets *ret to NULL when nothing tells the vocabulary and random weights do not need one. */
static struct status open_vocab(const struct bert_checkpoint *checkpoint, const char *path, struct arena *arena,
                                struct vocab **ret) {
    *ret = NULL;
    if (path) {
        STATUS_TRY(vocab_load(arena, path, ret));
        return check_size(checkpoint, *ret, path);
    }
    if (bert_checkpoint_weight(checkpoint, BERT_WORD_EMBEDDINGS, 0)->origin == BERT_FROM_FILE)
        return status_error(STATUS_NOT_FOUND, "there is no vocab.txt beside the checkpoint; give --vocab FILE");
    struct vocab *embedded;
    STATUS_TRY(vocab_open_embedded(arena, &embedded));
    if ((int64_t)vocab_size(embedded) == bert_checkpoint_config(checkpoint)->vocab_size)
        *ret = embedded;
    return status_ok();
}

/* `vocab`: NULL where it is not known. */
static struct normalizer_options choose_tokenizer(const struct bert_tokenizer *told, const struct vocab *vocab) {
    struct normalizer_options options;
    if (told->do_lower_case == BERT_NOT_SET)
        options.lowercase = !vocab || !has_capitals(vocab);
    else
        options.lowercase = told->do_lower_case == BERT_ON;
    options.strip_accents = told->strip_accents == BERT_NOT_SET ? options.lowercase : told->strip_accents == BERT_ON;
    options.split_cjk = told->tokenize_chinese_chars != BERT_OFF;
    return options;
}

struct status export_vocab_examine(const struct bert_checkpoint *checkpoint, const char *given, struct arena *arena,
                                   struct export_vocab *ret) {
    const char *path = given ? given : bert_checkpoint_vocab_path(checkpoint);
    struct vocab *vocab;
    STATUS_TRY(open_vocab(checkpoint, path, arena, &vocab));
    struct export_vocab facts = {.known = vocab != NULL, .path = path};
    facts.tokenizer = choose_tokenizer(&bert_checkpoint_config(checkpoint)->tokenizer, vocab);
    if (vocab)
        vocab_hash_text(vocab, facts.hash);
    *ret = facts;
    return status_ok();
}

/* The texts beside a checkpoint: with an even first byte config.json, else vocab.txt. Holds: the numbers of a config
 * are within their bounds, whatever other fields say; in a vocabulary each token is found by its text. */
#include "checkpoint/bert_config.h"
#include "fuzz.h"
#include "text/vocab.h"

static void try_config(struct slice text) {
    struct bert_config config;
    struct status status = bert_config_parse(text, "config.json", &config);
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return;
    }
    FUZZ_CHECK(config.vocab_size >= 1 && config.vocab_size <= 1 << 24);
    FUZZ_CHECK(config.head_count >= 1 && config.hidden_size >= 1 && config.hidden_size <= 1 << 16);
    FUZZ_CHECK(config.hidden_size % config.head_count == 0);
    FUZZ_CHECK(config.layer_count >= 1 && config.layer_count <= 256 && config.position_count >= 1);
    FUZZ_CHECK(config.layer_norm_eps > 0 && config.layer_norm_eps <= 1);
}

static void try_vocab(struct slice text) {
    struct arena *arena = fuzz_arena(0);
    struct vocab *vocab;
    struct status status = vocab_parse(arena, text, &vocab);
    if (status_is_ok(&status)) {
        char hash[VOCAB_HASH_TEXT_SIZE];
        vocab_hash_text(vocab, hash);
        struct vocab_special special = vocab_special(vocab);
        FUZZ_CHECK(special.pad >= 0 && special.unk >= 0 && special.cls >= 0 && special.sep >= 0);
        for (size_t i = 0; i < vocab_size(vocab); i++) {
            struct slice token = vocab_token(vocab, (int32_t)i);
            int32_t found = vocab_find(vocab, token);
            FUZZ_CHECK(token.size == 0 || found >= (int32_t)i); /* of equal ones the last */
            FUZZ_CHECK(token.size == 0 || slice_equal(vocab_token(vocab, found), token));
            size_t covered = 0;
            if (vocab_longest_prefix(vocab, false, token, &covered) != VOCAB_NOT_FOUND)
                FUZZ_CHECK(covered >= 1 && covered <= token.size);
        }
    } else {
        fuzz_check_error(&status);
    }
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    bool vocab = fuzz_byte(&input) & 1;
    struct slice rest = fuzz_rest(&input);
    struct slice text = {fuzz_copy(rest), rest.size};
    if (vocab)
        try_vocab(text);
    else
        try_config(text);
    free((void *)(uintptr_t)text.data);
    return 0;
}

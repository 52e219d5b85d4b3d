/* export_vocab.h: what the exported configuration says about the vocabulary and the tokenizer. */
#ifndef INFERD_TOOLS_EXPORT_EXPORT_VOCAB_H
#define INFERD_TOOLS_EXPORT_EXPORT_VOCAB_H

#include "base/arena.h"
#include "checkpoint/bert_checkpoint.h"
#include "text/normalizer_options.h"
#include "text/vocab.h"

struct export_vocab {
    bool known;       /* false only for random weights of an odd vocabulary size */
    const char *path; /* of the file; NULL when it is the compiled-in one (or not known) */
    char hash[VOCAB_HASH_TEXT_SIZE];
    struct normalizer_options tokenizer;
};

/* `given`: the file of --vocab, or NULL for the one beside the checkpoint. Random weights may do without: then the
 * built-in vocabulary is meant where the size fits. What is done to text is told by the checkpoint's files
 * or, where they do not tell of the case, by the vocabulary: one without a capital letter is an uncased one. Errors:
 * those of vocab_load; NOT_FOUND; INVALID_ARGUMENT when the vocabulary has more tokens than the model has rows. */
struct status export_vocab_examine(const struct bert_checkpoint *checkpoint, const char *given, struct arena *arena,
                                   struct export_vocab *ret) STATUS_MUST_CHECK;

#endif

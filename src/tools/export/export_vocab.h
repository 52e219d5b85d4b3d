/* export_vocab.h: what the exported configuration says about the vocabulary: its hash, and whether text is lower-cased.
 */
#ifndef INFERD_TOOLS_EXPORT_EXPORT_VOCAB_H
#define INFERD_TOOLS_EXPORT_EXPORT_VOCAB_H

#include "base/arena.h"
#include "checkpoint/bert_checkpoint.h"
#include "text/vocab.h"

struct export_vocab {
    bool known;       /* false only for random weights of an odd vocabulary size */
    const char *path; /* of the file; NULL when it is the compiled-in one (or not known) */
    char hash[VOCAB_HASH_TEXT_SIZE];
    bool lower_case;
};

/* `given`: the file of --vocab, or NULL for the one beside the checkpoint. Random weights may do without: then the
 * built-in vocabulary is meant where the size fits. Casing comes from the checkpoint's configuration or, where that
 * does not tell, from the vocabulary: one without a capital letter is an uncased one. Errors: those of vocab_load;
 * NOT_FOUND; INVALID_ARGUMENT when the vocabulary has more tokens than the model has embeddings. */
struct status export_vocab_examine(const struct bert_checkpoint *checkpoint, const char *given, struct arena *arena,
                                   struct export_vocab *ret) STATUS_MUST_CHECK;

#endif

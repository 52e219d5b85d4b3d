/* question_folder.h: the version folder of the model NAME-qa, which takes questions as text: links to the weights of
 * model NAME beside it, and the vocabulary. */
#ifndef INFERD_TOOLS_EXPORT_QUESTION_FOLDER_H
#define INFERD_TOOLS_EXPORT_QUESTION_FOLDER_H

#include "tools/export/model_folder.h"

/* Questions have up to 64 tokens; then there are three separators and at least one token of the text. */
enum { QUESTION_FOLDER_SEQUENCE_MIN = 64 + 3 + 1 };

/* What an export of a version of NAME finds at NAME-qa. */
enum question_folder_state {
    QUESTION_FOLDER_FREE,  /* the version is not there, and what is there, if anything, exports of NAME have made */
    QUESTION_FOLDER_OURS,  /* the version is there, and its weights are a link to that version of NAME's */
    QUESTION_FOLDER_OTHER, /* another model, or another's version, has the name */
};

/* "NAME-qa"; NULL when memory is short. */
char *question_folder_name(struct arena *arena, const char *model);
/* `folder`: that of NAME, `model`; `name`: NAME-qa. Changes nothing. Errors: RESOURCE_EXHAUSTED; of listing NAME-qa. */
struct status question_folder_examine(const struct model_folder *folder, const char *model, const char *name,
                                      enum question_folder_state *ret) STATUS_MUST_CHECK;
/* Fills a staged version. The links are relative: they hold when the repository is moved or copied as a whole.
 * `vocab_path`: a vocab.txt, or NULL for the compiled-in vocabulary. Errors: of reading and writing files. */
struct status question_folder_fill(const struct model_folder *folder, const char *model,
                                   const char *vocab_path) STATUS_MUST_CHECK;

#endif

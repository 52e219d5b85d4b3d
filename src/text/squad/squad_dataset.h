/* squad_dataset.h: a SQuAD file (1.1 or 2.0 JSON) in memory: paragraphs and their questions, in the order of the file.
 *
 * {"version", "data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
 * "answer_start"}], "is_impossible", "plausible_answers"}]}]}]}. Members that scoring does not need
 * (answer_start, plausible_answers and any unknown one) are skipped, as the official evaluator does.
 * Owner: everything, strings too, lives in the arena; the JSON bytes may go after parsing. Thread: immutable
 * afterwards. Source: Rajpurkar et al. 2016 (arXiv:1606.05250) and 2018 (arXiv:1806.03822).
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_DATASET_H
#define INFERD_TEXT_SQUAD_SQUAD_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

enum {
    SQUAD_MAX_FILE_BYTES = 1 << 28,
    SQUAD_MAX_CONTEXT_BYTES = 1 << 24,
    SQUAD_MAX_QUESTION_BYTES = 1 << 20,
    SQUAD_MAX_ANSWER_BYTES = 1 << 20,
    SQUAD_MAX_ID_BYTES = 4096,
    SQUAD_MAX_ANSWERS = 4096,      /* of one question */
    SQUAD_MAX_QUESTIONS = 1 << 24, /* of a file */
    SQUAD_NOT_FOUND = -1
};

struct squad_paragraph {
    struct slice title;    /* of its article; empty when the file has none */
    struct slice context;  /* UTF-8 */
    size_t first_question; /* index into questions */
    size_t question_count;
};

struct squad_question {
    struct slice id; /* unique in the file, not empty */
    struct slice text;
    uint32_t paragraph;          /* index into paragraphs */
    bool is_impossible;          /* as the file says; false when it says nothing */
    uint32_t answer_count;       /* may be 0: unanswerable, or a file without references */
    const struct slice *answers; /* reference answer texts */
};

struct squad_dataset {
    struct slice version; /* "1.1", "v2.0"; empty when the file has none */
    bool version_2;       /* 2.0 rules apply: the version says so, or any question has "is_impossible" */
    bool has_references;  /* at least one question has a reference answer */
    const struct squad_paragraph *paragraphs;
    size_t paragraph_count;
    const struct squad_question *questions;
    size_t question_count;
    /* private: open addressing over question ids */
    const uint32_t *id_slots;
    size_t id_slot_mask;
};

/* Errors: INVALID_ARGUMENT with the JSON path ("data[3].paragraphs[0].qas[2].id: expected a string, got a number") or,
 * for bytes that are no JSON, the line and column; TOO_LARGE; RESOURCE_EXHAUSTED. */
struct status squad_dataset_parse(struct arena *arena, struct slice json, struct squad_dataset *ret) STATUS_MUST_CHECK;
/* The same from a file, gzip or plain. Errors name the path. */
struct status squad_dataset_load(struct arena *arena, const char *path, struct squad_dataset *ret) STATUS_MUST_CHECK;
/* Index of the question with this id, or SQUAD_NOT_FOUND. */
int64_t squad_dataset_find(const struct squad_dataset *dataset, struct slice id);

#endif

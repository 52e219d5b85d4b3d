#include "text/squad/squad_dataset.h"

#include <string.h>

#include "base/file.h"
#include "text/squad/squad_json.h"

#define FREE_SLOT UINT32_MAX

/* A walk over the document. The first pass only counts, so that the arrays can be made in one piece. */
struct walk {
    struct arena *arena;
    struct squad_dataset *dataset;
    struct squad_paragraph *paragraphs; /* being filled; dataset's counts say how far */
    struct squad_question *questions;
    uint32_t *id_slots;
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "SQuAD file: out of memory");
}

/* Sizes of well-formed parts; parts of the wrong type count as empty here and fail in the second pass. */
static void count_parts(yyjson_val *data, size_t *ret_paragraphs, size_t *ret_questions) {
    size_t i, j, articles, paragraphs, paragraph_count = 0, question_count = 0;
    yyjson_val *article, *paragraph;
    yyjson_arr_foreach(data, i, articles, article) {
        yyjson_val *list = yyjson_obj_get(article, "paragraphs");
        paragraph_count += yyjson_arr_size(list);
        yyjson_arr_foreach(list, j, paragraphs, paragraph) {
            question_count += yyjson_arr_size(yyjson_obj_get(paragraph, "qas"));
        }
    }
    *ret_paragraphs = paragraph_count;
    *ret_questions = question_count;
}

static size_t id_slot(const struct squad_dataset *dataset, const uint32_t *slots, struct slice id) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < id.size; i++)
        hash = (hash ^ (unsigned char)id.data[i]) * UINT64_C(0x100000001B3);
    size_t slot = (size_t)(hash ^ hash >> 32) & dataset->id_slot_mask;
    while (slots[slot] != FREE_SLOT && !slice_equal(dataset->questions[slots[slot]].id, id))
        slot = (slot + 1) & dataset->id_slot_mask;
    return slot;
}

int64_t squad_dataset_find(const struct squad_dataset *dataset, struct slice id) {
    if (dataset->question_count == 0)
        return SQUAD_NOT_FOUND;
    uint32_t question = dataset->id_slots[id_slot(dataset, dataset->id_slots, id)];
    return question == FREE_SLOT ? SQUAD_NOT_FOUND : (int64_t)question;
}

static struct status read_answers(struct walk *walk, const struct squad_json_place *place, yyjson_val *value,
                                  struct squad_question *question) {
    yyjson_val *list, *answer;
    STATUS_TRY(squad_json_array(place, value, "answers", false, &list));
    size_t i, count = yyjson_arr_size(list);
    if (count > SQUAD_MAX_ANSWERS)
        return squad_json_error(place, "answers", "%zu answers; the most is %d", count, SQUAD_MAX_ANSWERS);
    struct slice *answers = arena_calloc(walk->arena, count, sizeof *answers);
    if (!answers)
        return out_of_memory();
    yyjson_arr_foreach(list, i, count, answer) {
        struct squad_json_place here = {place, "answers", i};
        if (!yyjson_is_obj(answer))
            return squad_json_unexpected(&here, NULL, "an object", answer);
        STATUS_TRY(squad_json_string(walk->arena, &here, answer, "text", true, SQUAD_MAX_ANSWER_BYTES, &answers[i]));
    }
    question->answers = answers;
    question->answer_count = (uint32_t)count;
    walk->dataset->has_references |= count > 0;
    return status_ok();
}

/* Enters the question that was just read; its id must be new. */
static struct status index_question(struct walk *walk, const struct squad_json_place *place, uint32_t question) {
    struct slice id = walk->questions[question].id;
    size_t slot = id_slot(walk->dataset, walk->id_slots, id);
    if (walk->id_slots[slot] != FREE_SLOT)
        return squad_json_error(place, "id", "\"%.*s\" stands in this file twice; ids must differ", SLICE_ARGS(id));
    walk->id_slots[slot] = question;
    return status_ok();
}

static struct status read_question(struct walk *walk, const struct squad_json_place *place, yyjson_val *value) {
    if (!yyjson_is_obj(value))
        return squad_json_unexpected(place, NULL, "an object", value);
    uint32_t index = (uint32_t)walk->dataset->question_count;
    struct squad_question *question = &walk->questions[index];
    question->paragraph = (uint32_t)walk->dataset->paragraph_count;
    STATUS_TRY(squad_json_string(walk->arena, place, value, "id", true, SQUAD_MAX_ID_BYTES, &question->id));
    if (question->id.size == 0)
        return squad_json_error(place, "id", "expected a string that is not empty");
    STATUS_TRY(
        squad_json_string(walk->arena, place, value, "question", true, SQUAD_MAX_QUESTION_BYTES, &question->text));
    yyjson_val *impossible = yyjson_obj_get(value, "is_impossible");
    if (impossible && !yyjson_is_bool(impossible))
        return squad_json_unexpected(place, "is_impossible", "true or false", impossible);
    question->is_impossible = yyjson_is_true(impossible);
    walk->dataset->version_2 |= impossible != NULL;
    STATUS_TRY(read_answers(walk, place, value, question));
    STATUS_TRY(index_question(walk, place, index));
    walk->dataset->question_count++;
    return status_ok();
}

static struct status read_paragraph(struct walk *walk, const struct squad_json_place *place, yyjson_val *value,
                                    struct slice title) {
    if (!yyjson_is_obj(value))
        return squad_json_unexpected(place, NULL, "an object", value);
    struct squad_paragraph *paragraph = &walk->paragraphs[walk->dataset->paragraph_count];
    paragraph->title = title;
    paragraph->first_question = walk->dataset->question_count;
    STATUS_TRY(
        squad_json_string(walk->arena, place, value, "context", true, SQUAD_MAX_CONTEXT_BYTES, &paragraph->context));
    yyjson_val *list, *question;
    STATUS_TRY(squad_json_array(place, value, "qas", true, &list));
    size_t i, count;
    yyjson_arr_foreach(list, i, count, question) {
        STATUS_TRY(read_question(walk, &(struct squad_json_place){place, "qas", i}, question));
    }
    paragraph->question_count = walk->dataset->question_count - paragraph->first_question;
    walk->dataset->paragraph_count++;
    return status_ok();
}

static struct status read_article(struct walk *walk, const struct squad_json_place *place, yyjson_val *value) {
    if (!yyjson_is_obj(value))
        return squad_json_unexpected(place, NULL, "an object", value);
    struct slice title;
    STATUS_TRY(squad_json_string(walk->arena, place, value, "title", false, SQUAD_MAX_QUESTION_BYTES, &title));
    yyjson_val *list, *paragraph;
    STATUS_TRY(squad_json_array(place, value, "paragraphs", true, &list));
    size_t i, count;
    yyjson_arr_foreach(list, i, count, paragraph) {
        STATUS_TRY(read_paragraph(walk, &(struct squad_json_place){place, "paragraphs", i}, paragraph, title));
    }
    return status_ok();
}

/* "v2.0" and "2.0" mean 2.0 rules, even where no question says is_impossible; "2019-05-13" does not. */
static bool is_version_2(struct slice version) {
    size_t at = slice_starts_with(version, SLICE_LITERAL("v")) ? 1 : 0;
    bool ends = at + 1 == version.size;
    return at < version.size && version.data[at] == '2' &&
           (ends || version.data[at + 1] < '0' || version.data[at + 1] > '9');
}

static struct status read_version(struct walk *walk, yyjson_val *root) {
    struct slice version;
    STATUS_TRY(squad_json_string(walk->arena, NULL, root, "version", false, SQUAD_MAX_ID_BYTES, &version));
    walk->dataset->version = version;
    walk->dataset->version_2 = is_version_2(version);
    return status_ok();
}

static struct status make_arrays(struct walk *walk, yyjson_val *data) {
    size_t paragraph_count, question_count, slot_count = 2;
    count_parts(data, &paragraph_count, &question_count);
    if (question_count > SQUAD_MAX_QUESTIONS || paragraph_count > SQUAD_MAX_QUESTIONS)
        return status_error(STATUS_TOO_LARGE, "data: %zu questions in %zu paragraphs; the most is %d of each",
                            question_count, paragraph_count, SQUAD_MAX_QUESTIONS);
    while (slot_count < question_count * 2)
        slot_count *= 2;
    walk->paragraphs = arena_calloc(walk->arena, paragraph_count, sizeof *walk->paragraphs);
    walk->questions = arena_calloc(walk->arena, question_count, sizeof *walk->questions);
    walk->id_slots = arena_alloc(walk->arena, slot_count * sizeof *walk->id_slots);
    if (!walk->paragraphs || !walk->questions || !walk->id_slots)
        return out_of_memory();
    memset(walk->id_slots, 0xFF, slot_count * sizeof *walk->id_slots); /* all FREE_SLOT */
    walk->dataset->paragraphs = walk->paragraphs;
    walk->dataset->questions = walk->questions;
    walk->dataset->id_slots = walk->id_slots;
    walk->dataset->id_slot_mask = slot_count - 1;
    return status_ok();
}

static struct status read_root(struct walk *walk, yyjson_val *root) {
    if (!yyjson_is_obj(root))
        return squad_json_unexpected(NULL, NULL, "an object with the member \"data\"", root);
    yyjson_val *data, *article;
    STATUS_TRY(read_version(walk, root));
    STATUS_TRY(squad_json_array(NULL, root, "data", true, &data));
    STATUS_TRY(make_arrays(walk, data));
    size_t i, count;
    yyjson_arr_foreach(data, i, count, article) {
        STATUS_TRY(read_article(walk, &(struct squad_json_place){NULL, "data", i}, article));
    }
    return status_ok();
}

struct status squad_dataset_parse(struct arena *arena, struct slice json, struct squad_dataset *ret) {
    yyjson_doc *doc;
    STATUS_TRY(squad_json_parse(json, &doc));
    struct squad_dataset dataset = {0};
    struct walk walk = {.arena = arena, .dataset = &dataset};
    struct status status = read_root(&walk, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (status_is_ok(&status))
        *ret = dataset;
    return status;
}

struct status squad_dataset_load(struct arena *arena, const char *path, struct squad_dataset *ret) {
    struct buf file = BUF_EMPTY;
    struct status status = file_read_maybe_gzip(path, SQUAD_MAX_FILE_BYTES, &file);
    if (status_is_ok(&status)) {
        status = squad_dataset_parse(arena, buf_slice(&file), ret);
        if (!status_is_ok(&status))
            status = status_prefix(status, "%s", path);
    }
    buf_free(&file);
    return status;
}

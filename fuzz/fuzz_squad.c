/* SQuAD files. Input: two bytes with the size of a data set, the data set, then predictions or (odd size) null odds.
 * Holds: questions and paragraphs refer to each other, ids are found, and predictions are parallel to the questions. */
#include "fuzz.h"
#include "text/squad/squad_predictions.h"

static void check_dataset(const struct squad_dataset *set) {
    size_t questions = 0;
    for (size_t p = 0; p < set->paragraph_count; p++) {
        const struct squad_paragraph *paragraph = &set->paragraphs[p];
        FUZZ_CHECK(slice_is_utf8(paragraph->context) && paragraph->first_question == questions);
        questions += paragraph->question_count;
        for (size_t q = paragraph->first_question; q < questions; q++)
            FUZZ_CHECK(q < set->question_count && set->questions[q].paragraph == p);
    }
    FUZZ_CHECK(questions == set->question_count);
    for (size_t q = 0; q < set->question_count; q++)
        FUZZ_CHECK(squad_dataset_find(set, set->questions[q].id) == (int64_t)q);
}

static void try_predictions(struct arena *arena, const struct squad_dataset *set, struct slice json) {
    struct squad_predictions predictions;
    struct status status = squad_predictions_parse(arena, set, json, &predictions);
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return;
    }
    for (size_t q = 0; q < set->question_count; q++)
        FUZZ_CHECK(!predictions.present[q] || slice_is_utf8(predictions.texts[q]));
}

static void try_odds(struct arena *arena, const struct squad_dataset *set, struct slice json) {
    struct squad_predictions predictions;
    struct status status = squad_predictions_create(arena, set, false, &predictions);
    FUZZ_CHECK(status_is_ok(&status));
    status = squad_predictions_parse_null_odds(arena, set, json, &predictions);
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    for (size_t q = 0; status_is_ok(&status) && predictions.null_order && q < set->question_count; q++)
        (void)predictions.null_order[q];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    size_t set_size = fuzz_u16(&input);
    struct slice set_json = fuzz_take(&input, set_size), rest = fuzz_rest(&input);
    set_json.data = fuzz_copy(set_json);
    rest.data = fuzz_copy(rest);
    struct arena *arena = fuzz_arena(64 << 20);
    struct squad_dataset set;
    struct status status = squad_dataset_parse(arena, set_json, &set);
    free((void *)(uintptr_t)set_json.data); /* a data set keeps nothing of it */
    if (status_is_ok(&status)) {
        check_dataset(&set);
        (set_size % 2 ? try_odds : try_predictions)(arena, &set, rest);
    } else {
        fuzz_check_error(&status);
    }
    arena_destroy(arena);
    free((void *)(uintptr_t)rest.data);
    return 0;
}

#include "text/squad/squad_predictions.h"

#include "text/squad/squad_json.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "SQuAD predictions: out of memory");
}

struct status squad_predictions_create(struct arena *arena, const struct squad_dataset *dataset, bool with_null_odds,
                                       struct squad_predictions *ret) {
    size_t count = dataset->question_count;
    struct squad_predictions predictions = {
        .texts = arena_calloc(arena, count, sizeof *predictions.texts),
        .present = arena_calloc(arena, count, sizeof *predictions.present),
        .null_odds = with_null_odds ? arena_calloc(arena, count, sizeof *predictions.null_odds) : NULL,
    };
    if (!predictions.texts || !predictions.present || (with_null_odds && !predictions.null_odds))
        return out_of_memory();
    *ret = predictions;
    return status_ok();
}

static struct slice key_slice(yyjson_val *key) {
    return (struct slice){yyjson_get_str(key), yyjson_get_len(key)};
}

/* Enters one {id: text}. */
static struct status read_prediction(struct arena *arena, const struct squad_dataset *dataset, yyjson_val *key,
                                     yyjson_val *value, struct squad_predictions *predictions) {
    struct slice id = key_slice(key);
    if (!yyjson_is_str(value))
        return status_error(STATUS_INVALID_ARGUMENT, "predictions[\"%.*s\"]: expected a string, got %s", SLICE_ARGS(id),
                            yyjson_get_type_desc(value));
    int64_t question = squad_dataset_find(dataset, id);
    if (question == SQUAD_NOT_FOUND) {
        predictions->unknown_count++;
        return status_ok();
    }
    struct slice text = {yyjson_get_str(value), yyjson_get_len(value)};
    struct slice *copy = &predictions->texts[question];
    *copy = text.size > 0 ? arena_copy(arena, text) : (struct slice){"", 0};
    if (!copy->data)
        return out_of_memory();
    predictions->present[question] = true;
    return status_ok();
}

struct status squad_predictions_parse(struct arena *arena, const struct squad_dataset *dataset, struct slice json,
                                      struct squad_predictions *ret) {
    struct squad_predictions predictions;
    STATUS_TRY(squad_predictions_create(arena, dataset, false, &predictions));
    yyjson_doc *doc;
    STATUS_TRY(squad_json_parse(json, &doc));
    yyjson_val *root = yyjson_doc_get_root(doc), *key, *value;
    struct status status = status_ok();
    if (!yyjson_is_obj(root))
        status = squad_json_unexpected(NULL, NULL, "an object {id: text}", root);
    size_t i, count;
    yyjson_obj_foreach(root, i, count, key, value) {
        status = read_prediction(arena, dataset, key, value, &predictions);
        if (!status_is_ok(&status))
            break;
    }
    yyjson_doc_free(doc);
    if (status_is_ok(&status))
        *ret = predictions;
    return status;
}

/* Enters one {id: number}, the next in the file. As in a Python dictionary, a repeated id keeps its first place. */
static struct status read_odds(const struct squad_dataset *dataset, yyjson_val *key, yyjson_val *value, uint32_t place,
                               bool *seen, struct squad_predictions *predictions) {
    struct slice id = key_slice(key);
    if (!yyjson_is_num(value))
        return status_error(STATUS_INVALID_ARGUMENT, "null_odds[\"%.*s\"]: expected a number, got %s", SLICE_ARGS(id),
                            yyjson_get_type_desc(value));
    int64_t question = squad_dataset_find(dataset, id);
    if (question == SQUAD_NOT_FOUND)
        return status_ok();
    predictions->null_odds[question] = yyjson_get_num(value);
    if (!seen[question])
        predictions->null_order[question] = place;
    seen[question] = true;
    return status_ok();
}

static struct status read_all_odds(const struct squad_dataset *dataset, yyjson_val *root, bool *seen,
                                   struct squad_predictions *predictions) {
    if (!yyjson_is_obj(root))
        return squad_json_unexpected(NULL, NULL, "an object {id: number}", root);
    size_t i, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, i, count, key, value) {
        STATUS_TRY(read_odds(dataset, key, value, (uint32_t)i, seen, predictions));
    }
    for (size_t q = 0; q < dataset->question_count; q++)
        if (predictions->present[q] && !seen[q])
            return status_error(STATUS_FAILED_PRECONDITION,
                                "null_odds has no entry for question %.*s, which has a prediction",
                                SLICE_ARGS(dataset->questions[q].id));
    return status_ok();
}

struct status squad_predictions_parse_null_odds(struct arena *arena, const struct squad_dataset *dataset,
                                                struct slice json, struct squad_predictions *predictions) {
    size_t count = dataset->question_count;
    struct squad_predictions changed = *predictions;
    changed.null_odds = arena_calloc(arena, count, sizeof *changed.null_odds);
    changed.null_order = arena_calloc(arena, count, sizeof *changed.null_order);
    bool *seen = arena_calloc(arena, count, sizeof *seen);
    if (!changed.null_odds || !changed.null_order || !seen)
        return out_of_memory();
    yyjson_doc *doc;
    STATUS_TRY(squad_json_parse(json, &doc));
    struct status status = read_all_odds(dataset, yyjson_doc_get_root(doc), seen, &changed);
    yyjson_doc_free(doc);
    if (status_is_ok(&status))
        *predictions = changed;
    return status;
}

/* squad_predictions.h: answers to the questions of a data set, as run_squad writes them to files and scoring reads
 * them.
 *
 * Filled by a run of tools/squad, or from predictions.json and null_odds.json. Owner: the arena. Thread: one owner.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_PREDICTIONS_H
#define INFERD_TEXT_SQUAD_SQUAD_PREDICTIONS_H

#include "text/squad/squad_dataset.h"

/* Predictions, parallel to dataset->questions. */
struct squad_predictions {
    struct slice *texts;
    bool *present;     /* false: no prediction */
    double *null_odds; /* NULL when there are none; else one per question */
    uint32_t
        *null_order; /* place of each question among the null odds (ties are taken in this order); NULL: 0, 1, 2 .. */
    size_t unknown_count; /* ids in the file that the data set does not have */
};

/* All zero (nothing present), from the arena. with_null_odds: also that array. */
struct status squad_predictions_create(struct arena *arena, const struct squad_dataset *dataset, bool with_null_odds,
                                       struct squad_predictions *ret) STATUS_MUST_CHECK;
/* Reads a predictions.json ({id: text}); texts are copied into the arena. Errors: INVALID_ARGUMENT with the JSON path.
 */
struct status squad_predictions_parse(struct arena *arena, const struct squad_dataset *dataset, struct slice json,
                                      struct squad_predictions *ret) STATUS_MUST_CHECK;
/* Adds a null_odds.json ({id: number}) to predictions that have been read. Errors: INVALID_ARGUMENT with the JSON path;
 * FAILED_PRECONDITION naming a question that has a prediction but no odds. */
struct status squad_predictions_parse_null_odds(struct arena *arena, const struct squad_dataset *dataset,
                                                struct slice json,
                                                struct squad_predictions *predictions) STATUS_MUST_CHECK;

#endif

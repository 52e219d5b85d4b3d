/* squad_json.h: reading members of a JSON document with errors that name the place ("data[3].paragraphs[0].context").
 *
 * Internal to text/squad: used by squad_dataset.c and squad_predictions.c. Thread: no shared state.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_JSON_H
#define INFERD_TEXT_SQUAD_SQUAD_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

/* Where a value stands: member `name` of `parent`, element `index` of it. A chain on the stack of who walks the tree.
 */
struct squad_json_place {
    const struct squad_json_place *parent; /* NULL at the top */
    const char *name;
    size_t index;
};

/* Parses; the caller frees *ret with yyjson_doc_free. Errors: INVALID_ARGUMENT with line and column, TOO_LARGE. */
struct status squad_json_parse(struct slice json, yyjson_doc **ret) STATUS_MUST_CHECK;

/* "PLACE.name: expected WHAT, got a number" (or "it is missing", when got is NULL). `name` may be NULL for the place.
 */
struct status squad_json_unexpected(const struct squad_json_place *place, const char *name, const char *expected,
                                    yyjson_val *got);
/* INVALID_ARGUMENT at a place, printf-style. */
struct status squad_json_error(const struct squad_json_place *place, const char *name, const char *format, ...)
    STATUS_PRINTF(3, 4);

/* A string member of at most max_bytes, copied into the arena. Not required: an absent one gives an empty slice. */
struct status squad_json_string(struct arena *arena, const struct squad_json_place *place, yyjson_val *object,
                                const char *name, bool required, size_t max_bytes, struct slice *ret) STATUS_MUST_CHECK;
/* An array member. Not required: an absent one gives NULL, which yyjson takes for an empty array. */
struct status squad_json_array(const struct squad_json_place *place, yyjson_val *object, const char *name,
                               bool required, yyjson_val **ret) STATUS_MUST_CHECK;

#endif

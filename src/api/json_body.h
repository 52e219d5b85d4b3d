/* json_body.h: bodies that are one JSON object, for calls whose request is small. Thread: none of its own. */
#ifndef INFERD_API_JSON_BODY_H
#define INFERD_API_JSON_BODY_H

#include <yyjson.h>

#include "base/slice.h"
#include "base/status.h"

/* The object that a body holds; an empty body is an object without members. *ret_doc, which is NULL after an error, is
 * the caller's to free in any case. INVALID_ARGUMENT tells the byte, or what else it is. */
struct status json_body_read(struct slice body, yyjson_doc **ret_doc, yyjson_val **ret) STATUS_MUST_CHECK;
/* INVALID_ARGUMENT: "member: expected what, got a string". */
struct status json_body_expected(const char *member, const char *what, yyjson_val *got);
/* The text of a string or of a key; memory of the document. */
struct slice json_body_text(yyjson_val *value);

#endif

/* request_json.h: what all readers of a request's JSON share: parsing, and errors that say where in it something is
 * wrong: "inputs[1].shape[0]: expected an integer of 0 or more, got -1". Thread: none of its own. */
#ifndef INFERD_API_REQUEST_JSON_H
#define INFERD_API_REQUEST_JSON_H

#include <yyjson.h>

#include "core/infer_request.h"

/* An object of the document. */
struct json_place {
    const char *list; /* "inputs": one of its elements; NULL: the document itself */
    size_t index;
};

/* Parses; free *ret with yyjson_doc_free. INVALID_ARGUMENT tells the byte where it is broken. */
struct status request_json_read(struct slice json, yyjson_doc **ret) STATUS_MUST_CHECK;
/* INVALID_ARGUMENT: "inputs[1].member: what". */
struct status request_json_error(struct json_place place, const char *member, const char *what) STATUS_MUST_CHECK;
/* The same with "expected ..., got ...". */
struct status request_json_expected(struct json_place place, const char *member, const char *expected,
                                    yyjson_val *got) STATUS_MUST_CHECK;
/* Copies a string into the arena. */
struct status request_json_string(struct json_place place, const char *member, yyjson_val *value, struct arena *arena,
                                  struct slice *ret) STATUS_MUST_CHECK;
/* That no key stands twice in an object, or in it and in `other` (NULL: there is none), which hold keys of one kind:
 * "inputs[1].parameters.x: the member is given twice", where `object` is as below. */
struct status request_json_check_keys(struct json_place place, const char *object, yyjson_val *keys, yyjson_val *other,
                                      struct arena *arena) STATUS_MUST_CHECK;
/* A parameter of any kind, copied into the arena. `object` names the object that it stands in, "parameters"; NULL: the
 * place itself. */
struct status request_json_parameter(struct json_place place, const char *object, yyjson_val *key, yyjson_val *value,
                                     struct arena *arena, struct infer_parameter *ret) STATUS_MUST_CHECK;

#endif

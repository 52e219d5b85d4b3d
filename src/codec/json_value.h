/* json_value.h: what is said of JSON values that are not what they should be. Thread: none of its own. */
#ifndef INFERD_CODEC_JSON_VALUE_H
#define INFERD_CODEC_JSON_VALUE_H

#include <yyjson.h>

enum { JSON_NESTING_MAX = 100 };

/* "300", "the string \"a\"", "an array", ... for messages. */
void json_value_describe(yyjson_val *value, char *text, size_t size);
/* True when arrays and objects are nested deeper than `levels` in the value. */
bool json_nested_deeper(yyjson_val *value, int levels);

#endif

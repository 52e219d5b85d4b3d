#include "codec/json_value.h"

#include <inttypes.h>
#include <stdio.h>

#include "codec/json_write.h"

void json_value_describe(yyjson_val *value, char *text, size_t size) {
    char digits[JSON_NUMBER_MAX];
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        snprintf(text, size, "null");
        break;
    case YYJSON_TYPE_BOOL:
        snprintf(text, size, "%s", yyjson_get_bool(value) ? "true" : "false");
        break;
    case YYJSON_TYPE_NUM:
        if (yyjson_is_uint(value))
            snprintf(text, size, "%" PRIu64, yyjson_get_uint(value));
        else if (yyjson_is_sint(value))
            snprintf(text, size, "%" PRId64, yyjson_get_sint(value));
        else
            snprintf(text, size, "%.*s", (int)json_format_double(digits, yyjson_get_real(value)), digits);
        break;
    case YYJSON_TYPE_RAW:
        snprintf(text, size, "%.60s", yyjson_get_raw(value));
        break;
    case YYJSON_TYPE_STR:
        snprintf(text, size, "the string \"%.60s\"", yyjson_get_str(value));
        break;
    case YYJSON_TYPE_ARR:
        snprintf(text, size, "an array");
        break;
    case YYJSON_TYPE_OBJ:
        snprintf(text, size, "an object");
        break;
    default:
        snprintf(text, size, "nothing");
        break;
    }
}

bool json_nested_deeper(yyjson_val *value, int levels) {
    if (!yyjson_is_ctn(value))
        return false;
    if (levels == 0)
        return true;
    size_t index, count;
    yyjson_val *key, *item;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, index, count, item) if (json_nested_deeper(item, levels - 1)) return true;
    } else {
        yyjson_obj_foreach(value, index, count, key, item) if (json_nested_deeper(item, levels - 1)) return true;
    }
    return false;
}

/* v2_settings_http.c: the HTTP form of the trace and logging extensions: a flat JSON object in place of a map of
 * messages. */
#include <inttypes.h>

#include <yyjson.h>

#include "api/handlers.h"
#include "api/json_body.h"
#include "api/v2_service.h"
#include "codec/inference_messages.h"
#include "codec/json_value.h"
#include "codec/json_write.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the settings");
}

/* ---- logging ---- */

/* A value of a kind that no setting has stays without one, which the call refuses where the name is known. */
static void fill_log_setting(yyjson_val *from, struct pb_log_settings_request_setting_value *ret) {
    if (yyjson_is_bool(from)) {
        ret->which_parameter_choice = pb_log_settings_request_setting_value_bool_param_number;
        ret->bool_param = yyjson_get_bool(from);
    } else if (yyjson_is_uint(from) && yyjson_get_uint(from) <= UINT32_MAX) {
        ret->which_parameter_choice = pb_log_settings_request_setting_value_uint32_param_number;
        ret->uint32_param = (uint32_t)yyjson_get_uint(from);
    } else if (yyjson_is_str(from)) {
        ret->which_parameter_choice = pb_log_settings_request_setting_value_string_param_number;
        ret->string_param = json_body_text(from);
    }
}

/* Members that are null say nothing. */
static struct status read_log_settings(yyjson_val *object, struct arena *arena, struct pb_log_settings_request *ret) {
    size_t at, count, most = yyjson_obj_size(object);
    ret->settings.items = arena_calloc(arena, most, sizeof *ret->settings.items);
    struct pb_log_settings_request_setting_value *values = arena_calloc(arena, most, sizeof *values);
    if (!ret->settings.items || !values)
        return no_memory();
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) {
        if (yyjson_is_null(value))
            continue;
        fill_log_setting(value, &values[at]);
        ret->settings.items[ret->settings.count].key = json_body_text(key);
        ret->settings.items[ret->settings.count++].value = &values[at];
    }
    return status_ok();
}

static void write_log_settings(const struct pb_log_settings_response *from, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    for (size_t i = 0; i < from->settings.count; i++) {
        const struct pb_log_settings_response_setting_value *value = from->settings.items[i].value;
        json_key_slice(&writer, from->settings.items[i].key);
        if (value->which_parameter_choice == pb_log_settings_response_setting_value_bool_param_number)
            json_bool(&writer, value->bool_param);
        else if (value->which_parameter_choice == pb_log_settings_response_setting_value_uint32_param_number)
            json_u64(&writer, value->uint32_param);
        else
            json_string(&writer, value->string_param);
    }
    json_end_object(&writer);
}

static struct status run_logging(struct http_call *call, yyjson_val *object, struct buf *out) {
    struct arena *arena = http_exchange_arena(call->exchange);
    struct pb_log_settings_request request = {0};
    struct pb_log_settings_response response = {0};
    STATUS_TRY(read_log_settings(object, arena, &request));
    STATUS_TRY(v2_call_log_settings(call->context, &request, arena, &response, NULL)); /* it pins no model */
    write_log_settings(&response, out);
    return buf_failed(out) ? no_memory() : status_ok();
}

/* ---- trace ---- */

/* One text of a setting; numbers are taken for their digits. */
static struct status read_trace_value(yyjson_val *key, yyjson_val *from, struct arena *arena, struct slice *ret) {
    if (yyjson_is_str(from)) {
        *ret = json_body_text(from);
        return status_ok();
    }
    if (!yyjson_is_int(from)) {
        char got[96];
        json_value_describe(from, got, sizeof got);
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%.*s: expected a string, a whole number, an array of them or null, got %s",
                            SLICE_ARGS(json_body_text(key)), got);
    }
    const char *digits = yyjson_is_uint(from) ? arena_printf(arena, "%" PRIu64, yyjson_get_uint(from))
                                              : arena_printf(arena, "%" PRId64, yyjson_get_sint(from));
    *ret = slice_of(digits);
    return digits ? status_ok() : no_memory();
}

/* A null is no value at all, which clears the setting. */
static struct status fill_trace_setting(yyjson_val *key, yyjson_val *from, struct arena *arena,
                                        struct pb_trace_setting_request_setting_value *ret) {
    size_t most = yyjson_is_arr(from) ? yyjson_arr_size(from) : 1, at, count;
    ret->value.items = arena_calloc(arena, most, sizeof *ret->value.items);
    if (!ret->value.items)
        return no_memory();
    if (yyjson_is_null(from))
        return status_ok();
    ret->value.count = most;
    if (!yyjson_is_arr(from))
        return read_trace_value(key, from, arena, ret->value.items);
    yyjson_val *item;
    yyjson_arr_foreach(from, at, count, item) STATUS_TRY(read_trace_value(key, item, arena, &ret->value.items[at]));
    return status_ok();
}

static struct status read_trace_settings(yyjson_val *object, struct arena *arena,
                                         struct pb_trace_setting_request *ret) {
    size_t at, count, most = yyjson_obj_size(object);
    ret->settings.items = arena_calloc(arena, most, sizeof *ret->settings.items);
    struct pb_trace_setting_request_setting_value *values = arena_calloc(arena, most, sizeof *values);
    if (!ret->settings.items || !values)
        return no_memory();
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) {
        if (!v2_is_trace_setting(json_body_text(key)))
            continue; /* whatever it holds */
        STATUS_TRY(fill_trace_setting(key, value, arena, &values[at]));
        ret->settings.items[ret->settings.count].key = json_body_text(key);
        ret->settings.items[ret->settings.count++].value = &values[at];
    }
    return status_ok();
}

static void write_trace_settings(const struct pb_trace_setting_response *from, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    for (size_t i = 0; i < from->settings.count; i++) {
        const struct pb_trace_setting_response_setting_value *value = from->settings.items[i].value;
        bool listed = slice_equal_text(from->settings.items[i].key, "trace_level");
        json_key_slice(&writer, from->settings.items[i].key);
        if (listed)
            json_begin_array(&writer);
        for (size_t k = 0; k < value->value.count; k++)
            json_string(&writer, value->value.items[k]);
        if (listed)
            json_end_array(&writer);
    }
    json_end_object(&writer);
}

static struct status run_trace(struct http_call *call, yyjson_val *object, struct buf *out) {
    struct arena *arena = http_exchange_arena(call->exchange);
    struct pb_trace_setting_request request = {.model_name = call->model};
    struct pb_trace_setting_response response = {0};
    struct model *pinned = NULL;
    STATUS_TRY(read_trace_settings(object, arena, &request));
    struct status status = v2_call_trace_setting(call->context, &request, arena, &response, &pinned);
    if (status_is_ok(&status))
        write_trace_settings(&response, out);
    model_release(pinned);
    return status_is_ok(&status) && buf_failed(out) ? no_memory() : status;
}

/* ---- both ---- */

/* A GET asks, a POST changes what its body names; either is answered with all settings. */
static void answer(struct http_call *call,
                   struct status (*run)(struct http_call *call, yyjson_val *object, struct buf *out)) {
    yyjson_doc *doc = NULL;
    yyjson_val *object = NULL;
    struct buf out = BUF_EMPTY;
    struct status status = status_ok();
    if (slice_equal_text(http_exchange_request(call->exchange)->method, "POST"))
        status = json_body_read(http_exchange_body(call->exchange), &doc, &object);
    if (status_is_ok(&status))
        status = run(call, object, &out);
    yyjson_doc_free(doc);
    if (status_is_ok(&status))
        http_call_answer_json(call, &out);
    else
        http_call_answer_error(call, &status);
    buf_free(&out);
}

void v2_trace_setting(struct http_call *call) {
    answer(call, run_trace);
}

void v2_log_settings(struct http_call *call) {
    answer(call, run_logging);
}

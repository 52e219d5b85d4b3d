/* v2_settings_http.c: the HTTP form of the logging extension: a flat JSON object in place of a map of messages. */
#include <yyjson.h>

#include "api/handlers.h"
#include "api/json_body.h"
#include "api/v2_service.h"
#include "codec/inference_messages.h"
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
    struct model *pinned = NULL;
    STATUS_TRY(read_log_settings(object, arena, &request));
    STATUS_TRY(v2_call_log_settings(call->context, &request, arena, &response, &pinned));
    write_log_settings(&response, out);
    return buf_failed(out) ? no_memory() : status_ok();
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

void v2_log_settings(struct http_call *call) {
    answer(call, run_logging);
}

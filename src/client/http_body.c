/* http_body.c: KServe v2 over HTTP/1.1, but for inferences (http_infer.c): questions and their answers. See
 * client_body.h. */
#include "client/client_body.h"

#include <yyjson.h>

#include "client/http_body_priv.h"
#include "client/http_head.h"
#include "client/remote_status.h"
#include "codec/json_write.h"
#include "codec/pb_json.h"

static const char *const query_suffixes[QUERY_KIND_COUNT] = {
    [QUERY_SERVER_READY] = "/v2/health/ready", /* whole paths */
    [QUERY_SERVER_METADATA] = "/v2",
    [QUERY_MODEL_READY] = "/ready",
    [QUERY_MODEL_METADATA] = "",
    [QUERY_MODEL_CONFIG] = "/config",
    [QUERY_MODEL_STATISTICS] = "/stats",
    [QUERY_PAGE] = "",
    [QUERY_TRACE_SETTINGS] = "",
};

/* ---- shared with inferences ---- */

struct status http_body_out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for an HTTP message");
}

void http_body_model_path(struct buf *out, struct slice model, struct slice version) {
    buf_append_text(out, "/v2/models");
    if (model.size > 0)
        buf_append_char(out, '/');
    http_head_segment(out, model);
    if (version.size > 0) {
        buf_append_text(out, "/versions/");
        http_head_segment(out, version);
    }
}

struct status http_body_check(const struct client_call *call) {
    if (!status_is_ok(&call->status))
        return call->status;
    STATUS_TRY(http_head_check(call));
    if (call->http_status != 200)
        return remote_status_http(call->http_status, buf_slice(&call->answer));
    return status_ok();
}

struct status http_body_malformed(const char *expected) {
    return status_error(STATUS_DATA_LOSS, "the server's JSON answer is malformed: expected %s", expected);
}

bool http_body_copy_string(struct arena *arena, yyjson_val *value, struct slice *ret) {
    *ret = arena_copy(arena, (struct slice){yyjson_get_str(value), yyjson_get_len(value)});
    return ret->size == yyjson_get_len(value);
}

/* ---- requests ---- */

/* POST /v2/systemsharedmemory/region/R/register or /unregister. */
static void write_memory_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request, body = BUF_EMPTY;
    struct json_writer json = json_writer_on(&body);
    json_begin_object(&json);
    if (query->kind == QUERY_MEMORY_REGISTER) {
        json_key(&json, "key");
        json_string(&json, query->key);
        json_key(&json, "byte_size");
        json_u64(&json, query->byte_size);
    }
    json_end_object(&json);
    buf_append_text(out, "POST /v2/systemsharedmemory/region/");
    http_head_segment(out, query->region);
    buf_append_text(out, query->kind == QUERY_MEMORY_REGISTER ? "/register" : "/unregister");
    http_head_common(call, authority);
    buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.size);
    buf_append_slice(out, buf_slice(&body));
    out->failed = out->failed || buf_failed(&body);
    buf_free(&body);
}

static void write_setting(struct json_writer *json, const struct infer_setting *setting) {
    bool list = slice_equal_text(setting->name, "trace_level"); /* the others have one value */
    json_key_slice(json, setting->name);
    if (list)
        json_begin_array(json);
    for (size_t i = 0; i < (list ? setting->value_count : 1); i++)
        json_string(json, setting->values[i]);
    if (list)
        json_end_array(json);
}

static void write_trace_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request, body = BUF_EMPTY;
    struct json_writer json = json_writer_on(&body);
    buf_append_text(out, query->change_count > 0 ? "POST /v2/trace/setting" : "GET /v2/trace/setting");
    http_head_common(call, authority);
    json_begin_object(&json);
    for (size_t i = 0; i < query->change_count; i++)
        write_setting(&json, &query->changes[i]);
    json_end_object(&json);
    if (query->change_count > 0)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.size);
    else
        buf_append_text(out, "\r\n");
    if (query->change_count > 0)
        buf_append_slice(out, buf_slice(&body));
    out->failed = out->failed || buf_failed(&body);
    buf_free(&body);
}

static struct status write_query(const struct client_query *query, const char *authority, struct client_call *call) {
    struct buf *out = &call->request;
    if (client_query_is_order(query->kind)) {
        write_memory_query(query, authority, call);
        return buf_failed(out) ? http_body_out_of_memory() : status_ok();
    }
    if (query->kind == QUERY_TRACE_SETTINGS) {
        write_trace_query(query, authority, call);
        return buf_failed(out) ? http_body_out_of_memory() : status_ok();
    }
    buf_append_text(out, "GET ");
    if (query->kind == QUERY_PAGE)
        buf_append_slice(out, query->page);
    else if (query->kind != QUERY_SERVER_READY && query->kind != QUERY_SERVER_METADATA)
        http_body_model_path(out, query->model, query->version);
    buf_append_text(out, query_suffixes[query->kind]);
    http_head_common(call, authority);
    buf_append_text(out, "\r\n");
    return buf_failed(out) ? http_body_out_of_memory() : status_ok();
}

/* ---- answers ---- */

/* Whether the answer to the question for the whole server, 400, means that: with another text something else is wrong;
 * a port that speaks TLS answers so. */
static bool says_unready(const struct client_call *call) {
    yyjson_doc *doc = call->answer.size > 0 ? yyjson_read(call->answer.data, call->answer.size, 0) : NULL;
    bool told = yyjson_is_bool(yyjson_obj_get(yyjson_doc_get_root(doc), "ready"));
    yyjson_doc_free(doc);
    return call->answer.size == 0 || told;
}

static struct status read_ready(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                bool *ret) {
    (void)arena; /* the status line says it */
    if (!status_is_ok(&call->status))
        return call->status;
    int code = call->http_status;
    *ret = code == 200;
    if (client_query_is_order(query->kind))
        return http_body_check(call);
    /* Not ready is 400 (Triton, inferd) or 503; an unknown model is one of these or 404. */
    bool of_model = query->kind == QUERY_MODEL_READY;
    if (code == 200 || code == 503 || (code == 404 && of_model) || (code == 400 && (of_model || says_unready(call))))
        return status_ok();
    return http_body_check(call);
}

static struct status read_message(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                  const struct pb_message *type, void *ret) {
    (void)query; /* the JSON form of a config is the bare message */
    STATUS_TRY(http_body_check(call));
    struct status status = pb_json_parse_lenient(type, buf_slice(&call->answer), arena, ret);
    if (status.code == STATUS_INVALID_ARGUMENT)
        status.code = STATUS_DATA_LOSS;
    return status_is_ok(&status) ? status : status_prefix(status, "the server's answer");
}

/* A string, or an array of strings. */
static struct status read_setting(yyjson_val *name, yyjson_val *value, struct arena *arena, struct infer_setting *ret) {
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;
    struct slice *values = arena_calloc(arena, count, sizeof *values);
    if (values == NULL || !http_body_copy_string(arena, name, &ret->name))
        return http_body_out_of_memory();
    for (size_t i = 0; i < count; i++) {
        yyjson_val *text = yyjson_is_arr(value) ? yyjson_arr_get(value, i) : value;
        if (!yyjson_is_str(text))
            return http_body_malformed("strings as trace settings");
        if (!http_body_copy_string(arena, text, &values[i]))
            return http_body_out_of_memory();
    }
    ret->values = values;
    ret->value_count = count;
    return status_ok();
}

static struct status read_setting_list(yyjson_val *root, struct arena *arena, struct infer_setting **ret,
                                       size_t *ret_count) {
    size_t count = yyjson_obj_size(root), at = 0, i, max;
    struct infer_setting *settings = arena_calloc(arena, count, sizeof *settings);
    yyjson_val *name, *value;
    if (!yyjson_is_obj(root))
        return http_body_malformed("an object of trace settings");
    if (settings == NULL)
        return http_body_out_of_memory();
    yyjson_obj_foreach(root, i, max, name, value) STATUS_TRY(read_setting(name, value, arena, &settings[at++]));
    *ret = settings;
    *ret_count = count;
    return status_ok();
}

static struct status read_settings(const struct client_call *call, struct arena *arena, struct infer_setting **ret,
                                   size_t *ret_count) {
    STATUS_TRY(http_body_check(call));
    yyjson_doc *doc = yyjson_read(call->answer.data != NULL ? call->answer.data : "", call->answer.size, 0);
    struct status status = read_setting_list(yyjson_doc_get_root(doc), arena, ret, ret_count);
    yyjson_doc_free(doc);
    return status;
}

const struct client_body_ops http_body_ops = {
    .write_query = write_query,
    .write_infer = http_body_write_infer,
    .read_infer = http_body_read_infer,
    .read_ready = read_ready,
    .read_message = read_message,
    .read_settings = read_settings,
};

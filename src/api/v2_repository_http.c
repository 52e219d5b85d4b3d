/* v2_repository_http.c: the HTTP form of the calls of v2_repository.c. Parameters are members of a JSON object, in
 * which files stand in base64; the index is an array without what is empty. All of it on a worker's thread. */
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "api/handlers.h"
#include "api/http_blocking.h"
#include "api/json_body.h"
#include "api/v2_service.h"
#include "codec/base64.h"
#include "codec/inference_messages.h"
#include "codec/json_write.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
}

/* ---- requests ---- */

/* Parses a body of which one member counts: its value, or NULL. Others are ignored, as in the bodies of all calls.
 * *ret_doc is the caller's to free in any case. */
static struct status read_body(struct http_blocking *blocking, const char *name, yyjson_doc **ret_doc,
                               yyjson_val **ret_value) {
    yyjson_val *root, *key, *value;
    *ret_value = NULL;
    STATUS_TRY(json_body_read(buf_slice(&blocking->call.body), ret_doc, &root));
    size_t at, count;
    yyjson_obj_foreach(root, at, count, key, value) {
        if (!yyjson_equals_str(key, name))
            continue;
        if (*ret_value)
            return status_error(STATUS_INVALID_ARGUMENT, "%s: the member is given twice", name);
        *ret_value = value;
    }
    return status_ok();
}

/* A parameter as gRPC has it: a file in base64 becomes bytes. */
static struct status read_parameter(yyjson_val *key, yyjson_val *value, struct arena *arena,
                                    struct pb_model_repository_parameter *ret) {
    if (yyjson_is_bool(value)) {
        ret->which_parameter_choice = pb_model_repository_parameter_bool_param_number;
        ret->bool_param = yyjson_get_bool(value);
    } else if (yyjson_is_str(value) && slice_starts_with(json_body_text(key), SLICE_LITERAL(V2_FILE_PREFIX))) {
        ret->which_parameter_choice = pb_model_repository_parameter_bytes_param_number;
        struct status status = base64_decode(json_body_text(value), arena, &ret->bytes_param);
        if (!status_is_ok(&status))
            return status_prefix(status, "parameters.%.*s", SLICE_ARGS(json_body_text(key)));
    } else if (yyjson_is_str(value)) {
        ret->which_parameter_choice = pb_model_repository_parameter_string_param_number;
        ret->string_param = json_body_text(value);
    } else {
        char member[128];
        snprintf(member, sizeof member, "parameters.%.100s", yyjson_get_str(key));
        return json_body_expected(member, "a string, true or false", value);
    }
    return status_ok();
}

/* The requests of load and unload have members of the same names and kinds: they are filled by their tables. */
static void set_member(const struct pb_message *type, void *message, const char *name, const void *value, size_t size) {
    memcpy((char *)message + pb_field_by_name(type, slice_of(name))->offset, value, size);
}

static struct status read_parameters(yyjson_val *object, struct arena *arena, const struct pb_message *type,
                                     void *request) {
    if (!object)
        return status_ok();
    if (!yyjson_is_obj(object))
        return json_body_expected("parameters", "an object", object);
    const struct pb_field *field = pb_field_by_name(type, SLICE_LITERAL("parameters"));
    size_t at, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, count, key, value) {
        struct slice name = json_body_text(key);
        struct pb_model_repository_parameter *parameter = arena_calloc(arena, 1, sizeof *parameter);
        void *entry = pb_append(arena, field, request);
        if (!parameter || !entry)
            return no_memory();
        STATUS_TRY(read_parameter(key, value, arena, parameter));
        set_member(field->message, entry, "key", &name, sizeof name);
        set_member(field->message, entry, "value", &parameter, sizeof(struct pb_model_repository_parameter *));
    }
    return status_ok();
}

/* ---- calls ---- */

/* A load or unload. Its response has nothing to tell. */
static struct status control(struct http_blocking *blocking, v2_call_f *run, const struct pb_message *type,
                             void *request) {
    struct arena *arena = blocking->call.arena;
    yyjson_doc *doc;
    yyjson_val *parameters;
    struct model *pinned = NULL;
    set_member(type, request, "repository_name", &blocking->name, sizeof blocking->name);
    set_member(type, request, "model_name", &blocking->model, sizeof blocking->model);
    struct status status = read_body(blocking, "parameters", &doc, &parameters);
    if (status_is_ok(&status))
        status = read_parameters(parameters, arena, type, request);
    if (status_is_ok(&status))
        status = run(blocking->call.context, request, arena, NULL, &pinned);
    yyjson_doc_free(doc);
    return status;
}

static struct status load(struct http_blocking *blocking) {
    struct pb_repository_model_load_request request = {0};
    return control(blocking, v2_call_repository_model_load, &pb_repository_model_load_request_type, &request);
}

static struct status unload(struct http_blocking *blocking) {
    struct pb_repository_model_unload_request request = {0};
    return control(blocking, v2_call_repository_model_unload, &pb_repository_model_unload_request_type, &request);
}

static void write_text(struct json_writer *writer, const char *name, struct slice text) {
    if (text.size == 0)
        return;
    json_key(writer, name);
    json_string(writer, text);
}

static void write_index(const struct pb_repository_index_response *index, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_array(&writer);
    for (size_t i = 0; i < index->models.count; i++) {
        const struct pb_repository_index_response_model_index *model = &index->models.items[i];
        json_begin_object(&writer);
        write_text(&writer, "name", model->name);
        write_text(&writer, "version", model->version);
        write_text(&writer, "state", model->state);
        write_text(&writer, "reason", model->reason);
        json_end_object(&writer);
    }
    json_end_array(&writer);
}

static struct status index_models(struct http_blocking *blocking) {
    struct pb_repository_index_request request = {.repository_name = blocking->name};
    struct pb_repository_index_response response = {0};
    struct model *pinned = NULL;
    yyjson_doc *doc;
    yyjson_val *ready;
    struct status status = read_body(blocking, "ready", &doc, &ready);
    if (status_is_ok(&status) && ready && !yyjson_is_bool(ready))
        status = json_body_expected("ready", "true or false", ready);
    request.ready = yyjson_get_bool(ready);
    yyjson_doc_free(doc);
    if (!status_is_ok(&status))
        return status;
    STATUS_TRY(v2_call_repository_index(blocking->call.context, &request, blocking->call.arena, &response, &pinned));
    write_index(&response, &blocking->call.answer);
    return buf_failed(&blocking->call.answer) ? no_memory() : status_ok();
}

void v2_repository_index(struct http_call *call) {
    http_blocking_start(call, index_models, "application/json");
}

void v2_repository_model_load(struct http_call *call) {
    http_blocking_start(call, load, NULL);
}

void v2_repository_model_unload(struct http_call *call) {
    http_blocking_start(call, unload, NULL);
}

/* v2_repository.c: the model repository extension: what models there are, and loading and unloading them. Source:
 * Triton's extension_model_repository; there are no ensembles, so that no model has others that depend on it. */
#include <inttypes.h>

#include "api/v2_service.h"
#include "codec/inference_messages.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
}

static struct status check_repository_name(struct slice name) {
    if (name.size == 0)
        return status_ok();
    return status_error(STATUS_UNSUPPORTED, "'repository_name' specification is not supported");
}

/* ---- index ---- */

static const char *state_text(enum model_state state) {
    switch (state) {
    case MODEL_LOADING:
        return "LOADING";
    case MODEL_READY:
        return "READY";
    case MODEL_UNLOADING:
        return "UNLOADING";
    case MODEL_UNAVAILABLE:
        return "UNAVAILABLE";
    case MODEL_UNKNOWN:
        break;
    }
    return ""; /* never loaded: its name is all that is told */
}

/* Names of folders may be any bytes, texts of messages may not. */
static struct slice utf8_of(struct slice text, struct arena *arena) {
    if (slice_is_utf8(text))
        return text;
    char *copy = arena_strdup(arena, text);
    if (!copy)
        return (struct slice){NULL, 0};
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)copy[i] >= 0x80)
            copy[i] = '?';
    return (struct slice){copy, text.size};
}

static struct status fill_row(const struct model_index_row *row, struct arena *arena,
                              struct pb_repository_index_response_model_index *ret) {
    ret->name = utf8_of(row->name, arena);
    ret->state = slice_of(state_text(row->state));
    ret->reason = row->reason;
    if (row->version >= 0)
        ret->version = slice_of(arena_printf(arena, "%" PRId64, row->version));
    return ret->name.data && (row->version < 0 || ret->version.data) ? status_ok() : no_memory();
}

struct status v2_call_repository_index(const struct api_context *context, const void *request, struct arena *arena,
                                       void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    const struct pb_repository_index_request *call = request;
    struct pb_repository_index_response *answer = response;
    struct model_index_row *rows;
    size_t count;
    STATUS_TRY(check_repository_name(call->repository_name));
    STATUS_TRY(inference_server_rescan(context->server));
    STATUS_TRY(inference_server_index(context->server, arena, &rows, &count));
    answer->models.items = arena_calloc(arena, count, sizeof *answer->models.items);
    if (!answer->models.items)
        return no_memory();
    for (size_t i = 0; i < count; i++)
        if (!call->ready || rows[i].state == MODEL_READY)
            STATUS_TRY(fill_row(&rows[i], arena, &answer->models.items[answer->models.count++]));
    return status_ok();
}

/* ---- load ---- */

enum {
    BOOL_PARAM = pb_model_repository_parameter_bool_param_number,
    STRING_PARAM = pb_model_repository_parameter_string_param_number,
    BYTES_PARAM = pb_model_repository_parameter_bytes_param_number
};

static struct status read_config(const struct pb_model_repository_parameter *value, struct model_override *override) {
    if (value->which_parameter_choice != STRING_PARAM)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameter 'config': expected a string, the model's configuration as JSON");
    if (override->has_config)
        return status_error(STATUS_INVALID_ARGUMENT, "parameter 'config' is given twice");
    override->has_config = true;
    override->config = value->string_param;
    return status_ok();
}

static struct status read_load_parameters(const struct pb_repository_model_load_request *call, struct arena *arena,
                                          struct model_override *ret) {
    struct model_file *files = arena_calloc(arena, call->parameters.count, sizeof *files);
    if (!files)
        return no_memory();
    *ret = (struct model_override){.files = files};
    for (size_t i = 0; i < call->parameters.count; i++) {
        struct slice key = call->parameters.items[i].key;
        const struct pb_model_repository_parameter *value = call->parameters.items[i].value;
        if (slice_equal_text(key, "config")) {
            STATUS_TRY(read_config(value, ret));
        } else if (!slice_starts_with(key, SLICE_LITERAL(V2_FILE_PREFIX))) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "unknown parameter '%.*s': expected 'config' or '" V2_FILE_PREFIX "<version>/<file>'",
                                SLICE_ARGS(key));
        } else if (value->which_parameter_choice != BYTES_PARAM) {
            return status_error(STATUS_INVALID_ARGUMENT, "parameter '%.*s': expected bytes, the content of the file",
                                SLICE_ARGS(key));
        } else {
            size_t prefix = sizeof V2_FILE_PREFIX - 1;
            files[ret->file_count].path = (struct slice){key.data + prefix, key.size - prefix};
            files[ret->file_count++].content = value->bytes_param;
        }
    }
    if (ret->file_count > 0 && !ret->has_config)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameter '" V2_FILE_PREFIX "%.*s': files are taken together with 'config' only",
                            SLICE_ARGS(files[0].path));
    return status_ok();
}

struct status v2_call_repository_model_load(const struct api_context *context, const void *request, struct arena *arena,
                                            void *response, struct model **ret_pinned) {
    (void)response, (void)ret_pinned;
    const struct pb_repository_model_load_request *call = request;
    struct model_override override;
    STATUS_TRY(check_repository_name(call->repository_name));
    STATUS_TRY(read_load_parameters(call, arena, &override));
    return inference_server_load_model(context->server, call->model_name, &override);
}

/* ---- unload ---- */

struct status v2_call_repository_model_unload(const struct api_context *context, const void *request,
                                              struct arena *arena, void *response, struct model **ret_pinned) {
    (void)arena, (void)response, (void)ret_pinned;
    const struct pb_repository_model_unload_request *call = request;
    STATUS_TRY(check_repository_name(call->repository_name));
    for (size_t i = 0; i < call->parameters.count; i++) {
        struct slice key = call->parameters.items[i].key;
        if (!slice_equal_text(key, "unload_dependents"))
            return status_error(STATUS_INVALID_ARGUMENT, "unknown parameter '%.*s': expected 'unload_dependents'",
                                SLICE_ARGS(key));
        if (call->parameters.items[i].value->which_parameter_choice != BOOL_PARAM)
            return status_error(STATUS_INVALID_ARGUMENT, "parameter 'unload_dependents': expected true or false");
    }
    return inference_server_unload_model(context->server, call->model_name);
}

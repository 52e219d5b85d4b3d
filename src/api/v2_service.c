#include "api/v2_service.h"

#include <inttypes.h>

#include "codec/health_messages.h"
#include "codec/inference_messages.h"

static bool has_shared_memory(const struct api_context *context) {
    return shared_memory_is_allowed(inference_server_shared_memory(context->server));
}

static bool has_cuda_memory(const struct api_context *context) {
    return shared_memory_has_gpus(inference_server_shared_memory(context->server));
}

/* Names of the protocol's extensions that are implemented, and of those that a server may lack when it can tell. */
static const struct extension_row {
    struct slice name;
    bool (*available)(const struct api_context *context); /* NULL: always */
} extensions[] = {
    {{"classification", 14}, NULL},
    {{"model_repository", 16}, NULL},
    {{"model_repository(unload_dependents)", 35}, NULL},
    {{"model_configuration", 19}, NULL},
    {{"system_shared_memory", 20}, has_shared_memory},
    {{"cuda_shared_memory", 18}, has_cuda_memory},
    {{"binary_tensor_data", 18}, NULL},
    {{"parameters", 10}, NULL},
    {{"statistics", 10}, NULL},
    {{"trace", 5}, NULL},
    {{"logging", 7}, NULL},
};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the answer");
}

struct status v2_parse_version(struct slice text, int64_t *ret) {
    *ret = -1;
    if (text.size == 0)
        return status_ok();
    if (text.data[0] < '0' || text.data[0] > '9' || !slice_to_i64(text, ret))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "model version: expected a number of 0 or more, or nothing for the latest, got '%.*s'",
                            SLICE_ARGS(text));
    return status_ok();
}

/* Pins the model that a request with the members name and version asks for. */
static struct status acquire(const struct api_context *context, struct slice name, struct slice version,
                             int64_t *ret_version, struct model **ret) {
    STATUS_TRY(v2_parse_version(version, ret_version));
    return inference_server_acquire_model(context->server, name, *ret_version, ret);
}

bool v2_server_is_ready(const struct api_context *context) {
    return !atomic_load(context->exiting) && inference_server_is_ready(context->server);
}

struct status v2_call_server_live(const struct api_context *context, const void *request, struct arena *arena,
                                  void *response, struct model **ret_pinned) {
    (void)request, (void)arena, (void)ret_pinned;
    struct pb_server_live_response *answer = response;
    answer->live = inference_server_is_live(context->server);
    return status_ok();
}

struct status v2_call_server_ready(const struct api_context *context, const void *request, struct arena *arena,
                                   void *response, struct model **ret_pinned) {
    (void)request, (void)arena, (void)ret_pinned;
    struct pb_server_ready_response *answer = response;
    answer->ready = v2_server_is_ready(context);
    return status_ok();
}

/* A model that is unknown or not ready is no error here: clients want a plain false. */
struct status v2_call_model_ready(const struct api_context *context, const void *request, struct arena *arena,
                                  void *response, struct model **ret_pinned) {
    (void)arena, (void)ret_pinned;
    const struct pb_model_ready_request *call = request;
    struct pb_model_ready_response *answer = response;
    int64_t version;
    STATUS_TRY(v2_parse_version(call->version, &version));
    struct model *model = NULL;
    struct status status = inference_server_acquire_model(context->server, call->name, version, &model);
    answer->ready = status_is_ok(&status);
    model_release(model);
    return status_ok();
}

struct status v2_call_server_metadata(const struct api_context *context, const void *request, struct arena *arena,
                                      void *response, struct model **ret_pinned) {
    (void)request, (void)ret_pinned;
    enum { EXTENSION_COUNT = sizeof extensions / sizeof extensions[0] };
    struct pb_server_metadata_response *answer = response;
    answer->name = slice_of(context->server_name);
    answer->version = slice_of(context->version);
    answer->extensions.items = arena_calloc(arena, EXTENSION_COUNT, sizeof *answer->extensions.items);
    if (!answer->extensions.items)
        return no_memory();
    for (size_t i = 0; i < EXTENSION_COUNT; i++)
        if (!extensions[i].available || extensions[i].available(context))
            answer->extensions.items[answer->extensions.count++] = extensions[i].name;
    return status_ok();
}

/* One tensor of the metadata; where the model batches, its shape has a leading -1. */
static bool describe_tensor(struct slice name, enum datatype type, const int64_t *dims, int rank, bool batched,
                            struct arena *arena, struct pb_model_metadata_response_tensor_metadata *ret) {
    ret->name = name;
    ret->datatype = slice_of(datatype_name(type));
    size_t extra = batched ? 1 : 0;
    ret->shape.count = (size_t)rank + extra;
    ret->shape.items = arena_calloc(arena, ret->shape.count, sizeof *ret->shape.items);
    if (!ret->shape.items)
        return false;
    if (batched)
        ret->shape.items[0] = -1;
    for (int i = 0; i < rank; i++)
        ret->shape.items[(size_t)i + extra] = dims[i];
    return true;
}

static struct status describe_tensors(const struct model_config *config, struct arena *arena,
                                      struct pb_model_metadata_response *ret) {
    bool batched = config->max_batch_size > 0;
    ret->inputs.count = config->input_count;
    ret->inputs.items = arena_calloc(arena, config->input_count, sizeof *ret->inputs.items);
    ret->outputs.count = config->output_count;
    ret->outputs.items = arena_calloc(arena, config->output_count, sizeof *ret->outputs.items);
    if (!ret->inputs.items || !ret->outputs.items)
        return no_memory();
    for (size_t i = 0; i < config->input_count; i++) {
        const struct model_input *input = &config->inputs[i];
        if (!describe_tensor(input->name, input->type, input->dims, input->rank, batched, arena, &ret->inputs.items[i]))
            return no_memory();
    }
    for (size_t i = 0; i < config->output_count; i++) {
        const struct model_output *output = &config->outputs[i];
        if (!describe_tensor(output->name, output->type, output->dims, output->rank, batched, arena,
                             &ret->outputs.items[i]))
            return no_memory();
    }
    return status_ok();
}

/* All ready versions, or the one that was asked for. */
static struct status describe_versions(const struct api_context *context, struct slice name, int64_t version,
                                       struct arena *arena, struct pb_model_metadata_response *ret) {
    int64_t *versions = &version;
    size_t count = 1;
    if (version < 0)
        STATUS_TRY(inference_server_model_versions(context->server, name, arena, &versions, &count));
    ret->versions.items = arena_calloc(arena, count, sizeof *ret->versions.items);
    if (!ret->versions.items)
        return no_memory();
    ret->versions.count = count;
    for (size_t i = 0; i < count; i++) {
        ret->versions.items[i] = slice_of(arena_printf(arena, "%" PRId64, versions[i]));
        if (!ret->versions.items[i].data)
            return no_memory();
    }
    return status_ok();
}

struct status v2_call_model_metadata(const struct api_context *context, const void *request, struct arena *arena,
                                     void *response, struct model **ret_pinned) {
    const struct pb_model_metadata_request *call = request;
    struct pb_model_metadata_response *answer = response;
    int64_t version;
    STATUS_TRY(acquire(context, call->name, call->version, &version, ret_pinned));
    const struct model_config *config = model_config_of(*ret_pinned);
    answer->name = config->name;
    answer->platform = config->platform.size > 0 ? config->platform : config->backend;
    STATUS_TRY(describe_versions(context, call->name, version, arena, answer));
    return describe_tensors(config, arena, answer);
}

struct status v2_call_model_config(const struct api_context *context, const void *request, struct arena *arena,
                                   void *response, struct model **ret_pinned) {
    (void)arena;
    const struct pb_model_config_request *call = request;
    struct pb_model_config_response *answer = response;
    int64_t version;
    STATUS_TRY(acquire(context, call->name, call->version, &version, ret_pinned));
    answer->config = model_config_of(*ret_pinned)->message;
    return status_ok();
}

int32_t v2_health_status(const struct api_context *context) {
    return v2_server_is_ready(context) ? PB_SERVING : PB_NOT_SERVING;
}

struct status v2_call_health_check(const struct api_context *context, const void *request, struct arena *arena,
                                   void *response, struct model **ret_pinned) {
    (void)request, (void)arena, (void)ret_pinned; /* the service is the server, whatever it is called, as with Triton */
    struct pb_health_check_response *answer = response;
    answer->status = v2_health_status(context);
    return status_ok();
}

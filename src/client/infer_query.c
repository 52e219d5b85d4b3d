/* infer_query.c: the questions that wait for their answer: readiness, model metadata, model config. Used by tools at
 * their start, so they are simple rather than fast. */
#include <string.h>

#include "base/clock.h"
#include "client/infer_client_priv.h"
#include "codec/inference_messages.h"

#define QUERY_TIMEOUT_NS (30 * NS_PER_S) /* where the client's options set no time limit */
#define PATIENCE_TICK_NS (50 * NS_PER_MS)

/* Where the answer goes: read from inside on_done, because the call is recycled behind it. */
struct query_wait {
    struct client_query query;
    bool done;
    struct status status;
    bool *ret_ready;
    struct arena *arena;
    const struct pb_message *type;
    void *ret_message;
    struct infer_setting **ret_settings;
    size_t *ret_count;
};

static void take_answer(struct infer_call *call) {
    struct query_wait *wait = call->user;
    const struct client_body_ops *body = call->client->body;
    wait->done = true;
    if (wait->ret_ready != NULL)
        wait->status = body->read_ready(&call->base, &wait->query, call->arena, wait->ret_ready);
    else if (status_is_ok(&call->base.status) && wait->ret_settings != NULL)
        wait->status = body->read_settings(&call->base, wait->arena, wait->ret_settings, wait->ret_count);
    else if (status_is_ok(&call->base.status))
        wait->status = body->read_message(&call->base, &wait->query, wait->arena, wait->type, wait->ret_message);
    else
        wait->status = call->base.status;
}

struct status infer_client_call_ask(struct infer_call *call, const struct client_query *query) {
    struct infer_client *client = call->client;
    call->base.timing.start_ns = clock_monotonic_ns();
    struct status status = client->body->write_query(query, client->target.authority, &call->base);
    if (status_is_ok(&status))
        infer_client_call_start(call);
    else
        infer_client_call_recycle(call);
    return status;
}

/* Why the answer is not waited for any longer; OK while it is. */
static struct status limit_reached(const struct infer_client *client, const struct client_call *call, uint64_t now_ns) {
    uint64_t asked_ns = call->timing.start_ns;
    if (client->patience != NULL && !client->patience(client->patience_user, asked_ns))
        return status_error(STATUS_CANCELLED, "%s: the answer was not waited for any longer", client->target.authority);
    if (call->deadline_ns == 0 && now_ns >= asked_ns + QUERY_TIMEOUT_NS)
        return status_error(STATUS_DEADLINE_EXCEEDED, "%s: no answer within %llu s", client->target.authority,
                            (unsigned long long)(QUERY_TIMEOUT_NS / NS_PER_S));
    return status_ok();
}

static void await(struct infer_client *client, struct infer_call *call, const struct query_wait *wait) {
    uint64_t end_ns = call->base.timing.start_ns + QUERY_TIMEOUT_NS;
    bool given_up = false;
    while (!wait->done) {
        uint64_t now_ns = clock_monotonic_ns();
        struct status limit = given_up ? status_ok() : limit_reached(client, &call->base, now_ns);
        if (!status_is_ok(&limit)) {
            infer_client_call_abort(call, limit);
            given_up = true;
        }
        uint64_t left_ns = given_up || now_ns >= end_ns ? 0 : end_ns - now_ns;
        infer_client_poll(client, client->patience != NULL && left_ns > PATIENCE_TICK_NS ? PATIENCE_TICK_NS : left_ns);
    }
}

static struct status ask(struct infer_client *client, struct query_wait *wait) {
    struct infer_call *call = infer_client_call_new(client);
    if (call == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
    call->user = wait;
    call->on_done = take_answer;
    STATUS_TRY(infer_client_call_ask(call, &wait->query));
    await(client, call, wait);
    return wait->status;
}

struct status infer_client_server_ready(struct infer_client *client, bool *ret_ready) {
    struct query_wait wait = {.query = {.kind = QUERY_SERVER_READY}, .ret_ready = ret_ready};
    return ask(client, &wait);
}

struct status infer_client_model_ready(struct infer_client *client, struct slice model, struct slice version,
                                       bool *ret_ready) {
    struct query_wait wait = {.query = {.kind = QUERY_MODEL_READY, .model = model, .version = version},
                              .ret_ready = ret_ready};
    return ask(client, &wait);
}

struct status infer_client_memory_register(struct infer_client *client, struct slice region, struct slice key,
                                           uint64_t byte_size) {
    bool done = false;
    struct query_wait wait = {
        .query = {.kind = QUERY_MEMORY_REGISTER, .region = region, .key = key, .byte_size = byte_size},
        .ret_ready = &done};
    return ask(client, &wait);
}

struct status infer_client_memory_unregister(struct infer_client *client, struct slice region) {
    bool done = false;
    struct query_wait wait = {.query = {.kind = QUERY_MEMORY_UNREGISTER, .region = region}, .ret_ready = &done};
    return ask(client, &wait);
}

struct status infer_client_trace_settings(struct infer_client *client, const struct infer_setting *changes,
                                          size_t change_count, struct arena *arena, const struct infer_setting **ret,
                                          size_t *ret_count) {
    struct infer_setting *settings = NULL;
    struct query_wait wait = {.query = {.kind = QUERY_TRACE_SETTINGS, .changes = changes, .change_count = change_count},
                              .arena = arena,
                              .ret_settings = &settings,
                              .ret_count = ret_count};
    if (client->body->read_settings == NULL)
        return status_error(STATUS_UNSUPPORTED, "TRTIS v1 has no trace settings");
    STATUS_TRY(ask(client, &wait));
    *ret = settings;
    return status_ok();
}

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a model's description");
}

struct status infer_client_model_config(struct infer_client *client, struct slice model, struct slice version,
                                        struct arena *arena, struct infer_model_info *ret) {
    struct pb_model_config config = {0};
    struct query_wait wait = {.query = {.kind = QUERY_MODEL_CONFIG, .model = model, .version = version},
                              .arena = arena,
                              .type = &pb_model_config_type,
                              .ret_message = &config};
    STATUS_TRY(ask(client, &wait));
    return infer_model_info_read(&config, arena, ret);
}

typedef struct pb_model_metadata_response_tensor_metadata pb_tensor;

/* NULL when memory is short. */
static struct infer_tensor_info *take_tensors(const pb_tensor *from, size_t count, struct arena *arena) {
    struct infer_tensor_info *tensors = arena_calloc(arena, count, sizeof *tensors);
    for (size_t i = 0; tensors != NULL && i < count; i++)
        tensors[i] =
            (struct infer_tensor_info){from[i].name, from[i].datatype, from[i].shape.items, from[i].shape.count, false};
    return tensors;
}

struct status infer_client_model_metadata(struct infer_client *client, struct slice model, struct slice version,
                                          struct arena *arena, struct infer_model_info *ret) {
    struct pb_model_metadata_response metadata = {0};
    struct query_wait wait = {.query = {.kind = QUERY_MODEL_METADATA, .model = model, .version = version},
                              .arena = arena,
                              .type = &pb_model_metadata_response_type,
                              .ret_message = &metadata};
    STATUS_TRY(ask(client, &wait));
    *ret = (struct infer_model_info){
        .name = metadata.name,
        .platform = metadata.platform,
        .versions = metadata.versions.items,
        .version_count = metadata.versions.count,
        .inputs = take_tensors(metadata.inputs.items, metadata.inputs.count, arena),
        .input_count = metadata.inputs.count,
        .outputs = take_tensors(metadata.outputs.items, metadata.outputs.count, arena),
        .output_count = metadata.outputs.count,
    };
    return ret->inputs == NULL || ret->outputs == NULL ? out_of_memory() : status_ok();
}

struct status infer_client_server_metadata(struct infer_client *client, struct arena *arena,
                                           struct infer_server_info *ret) {
    struct pb_server_metadata_response metadata = {0};
    struct query_wait wait = {.query = {.kind = QUERY_SERVER_METADATA},
                              .arena = arena,
                              .type = &pb_server_metadata_response_type,
                              .ret_message = &metadata};
    STATUS_TRY(ask(client, &wait));
    *ret = (struct infer_server_info){metadata.name, metadata.version, metadata.extensions.items,
                                      metadata.extensions.count};
    return status_ok();
}

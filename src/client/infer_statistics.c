/* infer_statistics.c: asks for a server's statistics without waiting, so that a load generator can do it under load. */
#include "client/infer_client_priv.h"
#include "codec/inference_messages.h"

static struct infer_counter counter_of(const struct pb_statistic_duration *from) {
    return from != NULL ? (struct infer_counter){from->count, from->ns} : (struct infer_counter){0, 0};
}

static struct infer_statistics statistics_of(const struct pb_model_statistics *from) {
    static const struct pb_infer_statistics none;
    const struct pb_infer_statistics *counters = from->inference_stats != NULL ? from->inference_stats : &none;
    return (struct infer_statistics){
        .name = from->name,
        .version = from->version,
        .inference_count = from->inference_count,
        .execution_count = from->execution_count,
        .success = counter_of(counters->success),
        .fail = counter_of(counters->fail),
        .queue = counter_of(counters->queue),
        .compute_input = counter_of(counters->compute_input),
        .compute_infer = counter_of(counters->compute_infer),
        .compute_output = counter_of(counters->compute_output),
        .cache_hit = counter_of(counters->cache_hit),
        .cache_miss = counter_of(counters->cache_miss),
    };
}

static struct status take_statistics(struct infer_call *call, struct infer_statistics **ret, size_t *ret_count) {
    struct pb_model_statistics_response message = {0};
    const struct client_body_ops *body = call->client->body;
    const struct client_query query = {.kind = QUERY_MODEL_STATISTICS};
    if (!status_is_ok(&call->base.status))
        return call->base.status;
    if (body->read_statistics != NULL)
        return body->read_statistics(&call->base, call->arena, ret, ret_count);
    STATUS_TRY(body->read_message(&call->base, &query, call->arena, &pb_model_statistics_response_type, &message));
    struct infer_statistics *items = arena_calloc(call->arena, message.model_stats.count, sizeof *items);
    if (items == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a server's statistics");
    for (size_t i = 0; i < message.model_stats.count; i++)
        items[i] = statistics_of(&message.model_stats.items[i]);
    *ret = items;
    *ret_count = message.model_stats.count;
    return status_ok();
}

static void deliver_statistics(struct infer_call *call) {
    struct infer_statistics *items = NULL;
    size_t count = 0;
    struct status status = take_statistics(call, &items, &count);
    call->on_statistics(call->user, &status, items, count);
}

struct status infer_client_statistics(struct infer_client *client, struct slice model, struct slice version,
                                      infer_statistics_f *callback, void *user) {
    const struct client_query query = {.kind = QUERY_MODEL_STATISTICS, .model = model, .version = version};
    struct infer_call *call = infer_client_call_new(client);
    if (call == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
    call->on_statistics = callback;
    call->user = user;
    call->on_done = deliver_statistics;
    return infer_client_call_ask(call, &query);
}

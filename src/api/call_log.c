#include "api/call_log.h"

#include "base/clock.h"

/* Lies in the exchange's arena, as its note. */
struct names {
    struct slice request_id, model;
};

void call_log_note(const struct log *log, struct http_exchange *exchange, const struct infer_request *request) {
    if (!log_wants(log, LOG_LEVEL_VERBOSE))
        return;
    struct arena *arena = http_exchange_arena(exchange);
    struct names *names = arena_calloc(arena, 1, sizeof *names);
    if (!names)
        return; /* the line tells less */
    names->request_id = arena_copy(arena, request->id);
    names->model = arena_copy(arena, request->model_name);
    http_exchange_set_note(exchange, names);
}

/* An empty text that is not NULL is left out. */
static struct slice optional(struct slice text) {
    return text.size ? text : SLICE_LITERAL("");
}

void call_log_end(const struct log *log, const struct http_exchange *exchange, bool sent) {
    if (!log_wants(log, LOG_LEVEL_VERBOSE))
        return;
    static const struct names unknown;
    const struct http_request *request = http_exchange_request(exchange);
    const struct names *names = http_exchange_note(exchange);
    if (!names)
        names = &unknown;
    char peer[80];
    http_exchange_peer_text(exchange, peer, sizeof peer);
    int inner = http_exchange_inner_status(exchange);
    const char *protocol = inner >= 0 ? "gRPC" : request->version >= 20 ? "HTTP/2" : "HTTP/1.1";
    uint64_t us = (clock_monotonic_ns() - http_exchange_received_ns(exchange)) / NS_PER_US;
    const struct log_field fields[] = {
        {"client", optional(slice_of(peer)), 0},
        {"protocol", slice_of(protocol), 0},
        {"method", optional(request->method), 0},
        {"path", optional(request->path), 0},
        {"status", {NULL, 0}, inner >= 0 ? inner : http_exchange_status(exchange)},
        {"bytes", {NULL, 0}, (int64_t)http_exchange_answer_bytes(exchange)},
        {"duration_us", {NULL, 0}, (int64_t)us},
        {"request_id", optional(names->request_id), 0},
        {"model", optional(names->model), 0},
    };
    LOG_FIELDS(log, LOG_LEVEL_VERBOSE, fields, sizeof fields / sizeof fields[0], "request %s",
               sent ? "answered" : "broken off");
}

/* Kinds of errors that the person who runs the server should hear of. */
static bool is_ours(enum status_code code) {
    return code == STATUS_INTERNAL || code == STATUS_UNKNOWN || code == STATUS_DATA_LOSS ||
           code == STATUS_RESOURCE_EXHAUSTED;
}

void call_log_failure(struct log *log, const struct infer_request *request, const struct status *status) {
    enum log_level level = is_ours(status->code) ? LOG_LEVEL_WARNING : LOG_LEVEL_VERBOSE;
    unsigned left_out = 0;
    if (!log_wants(log, level) || (level == LOG_LEVEL_WARNING && !log_admit(log, &left_out)))
        return;
    if (left_out > 0)
        LOG_WARNING(log, "%u warnings about failed inferences were left out: at most %d a second are written", left_out,
                    LOG_FLOOD_MAX);
    const struct log_field fields[] = {
        {"request_id", request ? optional(request->id) : SLICE_LITERAL(""), 0},
        {"model", request ? optional(request->model_name) : SLICE_LITERAL(""), 0},
        {"error", slice_of(status_code_text(status->code)), 0},
    };
    LOG_FIELDS(log, level, fields, sizeof fields / sizeof fields[0], "inference failed: %s", status->message);
}

#include "tools/serve/port_front.h"

#include "api/call_log.h"
#include "api/grpc_front.h"
#include "api/http_front.h"

static bool is_grpc(struct http_exchange *exchange) {
    return grpc_is_call(http_exchange_request(exchange));
}

/* Other formats than protobuf are gRPC's to refuse. */
static bool wants_grpc(struct http_exchange *exchange) {
    struct slice type;
    return http_request_header(http_exchange_request(exchange), "content-type", &type) &&
           slice_starts_with(type, SLICE_LITERAL("application/grpc"));
}

static void on_head(void *user, struct http_exchange *exchange) {
    struct port_front *front = user;
    if (is_grpc(exchange) || wants_grpc(exchange))
        grpc_on_head(&front->service, front->service_count, exchange);
    else
        http_front_on_head(&front->context, exchange);
}

static size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    (void)user;
    return grpc_on_data(exchange, data, size); /* plain HTTP collects its bodies */
}

static char *on_place(void *user, struct http_exchange *exchange, size_t *ret_room) {
    (void)user;
    return grpc_on_place(exchange, ret_room);
}

static void on_misplaced(void *user, struct http_exchange *exchange, const char *end) {
    (void)user;
    grpc_on_misplaced(exchange, end);
}

static void on_no_room(void *user, struct http_exchange *exchange) {
    (void)user;
    grpc_on_no_room(exchange);
}

static void on_end(void *user, struct http_exchange *exchange) {
    (void)user;
    if (is_grpc(exchange))
        grpc_on_end(exchange);
    else
        http_front_on_end(exchange);
}

static void on_deadline(void *user, struct http_exchange *exchange) {
    (void)user;
    if (is_grpc(exchange))
        grpc_on_deadline(exchange);
    else
        http_front_on_deadline(exchange);
}

static void on_drain(void *user, struct http_exchange *exchange) {
    (void)user;
    if (is_grpc(exchange)) /* others do not ask for it */
        grpc_on_drain(exchange);
}

static void on_shutdown(void *user, struct http_exchange *exchange) {
    (void)user;
    if (is_grpc(exchange))
        grpc_on_shutdown(exchange);
}

static void on_abort(void *user, struct http_exchange *exchange) {
    struct port_front *front = user;
    call_log_end(front->context.log, exchange, false);
    if (is_grpc(exchange))
        grpc_on_abort(exchange);
    else
        http_front_on_abort(exchange);
}

static void on_close(void *user, struct http_exchange *exchange) {
    struct port_front *front = user;
    call_log_end(front->context.log, exchange, true);
    if (is_grpc(exchange))
        grpc_on_close(exchange);
    else
        http_front_on_close(exchange);
}

void port_front_init(struct port_front *front, const struct api_context *context, struct api_loop *loop,
                     const struct http_limits *limits) {
    front->context = *context;
    front->context.loop = loop;
    front->service = grpc_front_service(&front->context, limits->max_body_bytes);
    front->service_count = context->grpc ? 1 : 0;
    front->handler = (struct http_handler){.on_head = on_head,
                                           .on_data = on_data,
                                           .on_place = on_place,
                                           .on_misplaced = on_misplaced,
                                           .on_no_room = on_no_room,
                                           .on_end = on_end,
                                           .on_deadline = on_deadline,
                                           .on_drain = on_drain,
                                           .on_shutdown = on_shutdown,
                                           .on_abort = on_abort,
                                           .on_close = on_close,
                                           .user = front};
}

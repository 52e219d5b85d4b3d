#include "tools/serve/port.h"

#include <stdlib.h>
#include <string.h>

#include "api/call_log.h"
#include "api/grpc_front.h"
#include "api/http_front.h"

/* ---- every exchange is gRPC or plain HTTP; both come by the same handler ---- */

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

/* ---- connections ---- */

/* For a client without TLS on a port that has it. */
static const char text_refusal[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 54\r\n"
    "Connection: close\r\n\r\n{\"error\":\"this port speaks TLS: send https requests\"}\n";

/* HTTP/2 begins with a line that no HTTP/1.1 request can have (RFC 9113, section 3.4). A client that was promised one
 * of the two in the handshake must speak that one. */
static struct status choose_session(void *user, const struct connection_opening *opening,
                                    struct session **ret_session) {
    static const struct slice preface = {"PRI * HTTP/2.0\r\n", 16};
    const struct port *port = user;
    const struct port_front *front = &(opening->crowded ? port->crowd_fronts : port->fronts)[opening->loop_index];
    struct slice bytes = opening->bytes;
    size_t size = bytes.size < preface.size ? bytes.size : preface.size;
    if (size == 0)
        return status_ok();
    bool other = memcmp(bytes.data, preface.data, size) != 0;
    if (!other && size < preface.size)
        return status_ok(); /* more bytes will tell */
    if (opening->protocol.size > 0 && slice_equal_text(opening->protocol, "h2") == other)
        return status_error(STATUS_INVALID_ARGUMENT, "the client does not speak the protocol that was agreed on");
    return other ? h1_session_create(&front->handler, port->limits, ret_session)
                 : h2_session_create(&front->handler, port->limits, ret_session);
}

static void fill_front(struct port_front *front, const struct api_context *context, struct api_loop *loop,
                       const struct http_limits *limits) {
    front->context = *context;
    front->context.loop = loop;
    front->service = grpc_front_service(&front->context, limits->max_body_bytes);
    front->service_count = context->classes & API_INFERENCE ? 1 : 0;
    front->handler = (struct http_handler){.on_head = on_head,
                                           .on_data = on_data,
                                           .on_end = on_end,
                                           .on_deadline = on_deadline,
                                           .on_drain = on_drain,
                                           .on_shutdown = on_shutdown,
                                           .on_abort = on_abort,
                                           .on_close = on_close,
                                           .user = front};
}

struct status port_open(struct port *port, const struct port_options *options, const struct api_context *context,
                        struct loop_thread *threads, size_t thread_count) {
    const struct http_limits *limits = options->limits;
    struct loop **loops = calloc(thread_count, sizeof(struct loop *));
    port->limits = limits;
    port->fronts = calloc(2 * thread_count, sizeof *port->fronts);
    if (!loops || !port->fronts) {
        free(loops);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the %s port", options->name);
    }
    struct api_context crowded = *context;
    crowded.crowded = true;
    port->crowd_fronts = port->fronts + thread_count;
    for (size_t i = 0; i < thread_count; i++) {
        loops[i] = threads[i].loop;
        fill_front(&port->fronts[i], context, &threads[i].api, limits);
        fill_front(&port->crowd_fronts[i], &crowded, &threads[i].api, limits);
    }
    port->policy = (struct connection_policy){.choose_session = choose_session,
                                              .user = port,
                                              .tls = options->tls,
                                              .text_refusal = SLICE_LITERAL(text_refusal),
                                              .max_connections = options->max_connections,
                                              .crowd_connections = PORT_CROWD,
                                              .first_bytes_timeout_ns = limits->head_timeout_ns,
                                              .write_timeout_ns = limits->body_timeout_ns};
    struct status status =
        listener_create(loops, thread_count, options->address, options->number, &port->policy, &port->listener);
    free(loops);
    return status;
}

void port_close(struct port *port) {
    listener_destroy(port->listener);
    port->listener = NULL;
    free(port->fronts);
    port->fronts = NULL;
}

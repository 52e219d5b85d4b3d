#include "grpc/call_head.h"

#include <stdio.h>

#include "grpc/ending.h"

static const struct grpc_method *find_method(const struct grpc_service *services, size_t service_count,
                                             struct slice path, const struct grpc_service **ret_service) {
    for (size_t i = 0; i < service_count; i++) {
        for (size_t k = 0; k < services[i].method_count; k++) {
            if (slice_equal(path, services[i].methods[k].path)) {
                *ret_service = &services[i];
                return &services[i].methods[k];
            }
        }
    }
    return NULL;
}

/* Requests that do not even speak gRPC get an HTTP status. True when this one was answered. */
static bool refuse_other_protocols(struct http_exchange *exchange, const struct http_request *request) {
    if (request->version < 20) {
        static const struct http_header type = {{"content-type", 12}, {"text/plain", 10}};
        struct buf text = BUF_EMPTY;
        buf_append_text(&text, "gRPC needs HTTP/2\n");
        http_respond(exchange, 505, &type, 1, &text);
        return true;
    }
    if (!grpc_is_call(request)) {
        ending_answer(exchange, 415, &(struct ending){GRPC_UNKNOWN, "the content-type is not application/grpc", 0});
        return true;
    }
    if (!slice_equal_text(request->method, "POST")) {
        ending_answer(exchange, 405, &(struct ending){GRPC_INTERNAL, "the HTTP method of a call is POST", 0});
        return true;
    }
    return false;
}

static void refuse_value(struct http_exchange *exchange, enum grpc_code code, const char *what, struct slice value) {
    char text[256];
    snprintf(text, sizeof text, "%s: %.*s", what, SLICE_ARGS(value));
    grpc_refuse(exchange, code, text, 0);
}

/* From grpc-timeout, which is empty where it is not there; 0: none. False: the field is broken. */
static bool find_deadline(const struct http_exchange *exchange, struct slice timeout, uint64_t *ret) {
    uint64_t timeout_ns;
    *ret = 0;
    if (!timeout.data)
        return true;
    if (!grpc_parse_timeout(timeout, &timeout_ns))
        return false;
    if (__builtin_add_overflow(http_exchange_received_ns(exchange), timeout_ns, ret))
        *ret = 0; /* centuries away */
    return true;
}

/* Asks the service; for a path that none has, the first one. */
static bool is_admitted(const struct grpc_service *service, size_t service_count, const struct grpc_method *method,
                        struct http_exchange *exchange) {
    return service_count == 0 || !service->admit || service->admit(service->user, method, exchange);
}

bool call_head_read(const struct grpc_service *services, size_t service_count, struct http_exchange *exchange,
                    struct call_head *ret) {
    const struct http_request *request = http_exchange_request(exchange);
    struct slice encoding_name = SLICE_LITERAL("identity"), timeout = {NULL, 0};
    if (refuse_other_protocols(exchange, request))
        return false;
    http_request_header(request, "grpc-encoding", &encoding_name);
    http_request_header(request, "grpc-timeout", &timeout);
    *ret = (struct call_head){.service = NULL};
    ret->method = find_method(services, service_count, request->path, &ret->service);
    if (!is_admitted(ret->method ? ret->service : services, service_count, ret->method, exchange))
        return false;
    if (!ret->method)
        refuse_value(exchange, GRPC_UNIMPLEMENTED, "unknown method", request->path);
    else if (!grpc_parse_encoding(encoding_name, &ret->encoding))
        refuse_value(exchange, GRPC_UNIMPLEMENTED, "unknown grpc-encoding", encoding_name);
    else if (!find_deadline(exchange, timeout, &ret->deadline_ns))
        refuse_value(exchange, GRPC_INTERNAL, "malformed grpc-timeout", timeout);
    else
        return true;
    return false;
}

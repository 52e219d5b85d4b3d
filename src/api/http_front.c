#include "api/http_front.h"

#include "api/admission.h"
#include "api/blocking_call.h"
#include "api/infer_call.h"
#include "api/router.h"
#include "api/v1_http.h"

enum { LARGE_BODY = 64 << 10 }; /* bytes; it is worth a look whether its request would be refused anyway */

/* Answers a request for which there is no handler, or no permission. */
static void refuse(struct http_exchange *exchange, const struct status *status, const char *allow) {
    bool unknown = status->code == STATUS_NOT_FOUND || status->code == STATUS_METHOD_NOT_ALLOWED;
    if (unknown && v1_http_owns_path(http_exchange_request(exchange)->path)) {
        if (allow)
            v1_http_refuse_method(exchange, allow);
        else
            v1_http_refuse(exchange);
        return;
    }
    const struct http_header allowed = {SLICE_LITERAL("Allow"), slice_of(allow)};
    const struct http_header challenge = {SLICE_LITERAL("WWW-Authenticate"), SLICE_LITERAL("Bearer")};
    bool challenged = status->code == STATUS_UNAUTHENTICATED;
    http_answer_error(exchange, status, challenged ? &challenge : &allowed, challenged || allow ? 1 : 0);
}

void http_front_on_head(const struct api_context *context, struct http_exchange *exchange) {
    const struct http_request *request = http_exchange_request(exchange);
    struct arena *arena = http_exchange_arena(exchange);
    struct route_match match;
    struct status status =
        router_match(api_routes, api_route_count, context->classes, request->method, request->path, arena, &match);
    struct http_call *call = NULL;
    struct status admission = admission_check(context, status_is_ok(&status) ? match.route->class : 0, request);
    if (!status_is_ok(&admission)) {
        status = admission;
        match.allow = NULL;
    }
    if (status_is_ok(&status) && match.route->class == API_INFERENCE && request->content_length > LARGE_BODY)
        status = inference_server_check_room(context->server, match.model, match.version);
    if (status_is_ok(&status)) {
        call = arena_calloc(arena, 1, sizeof *call);
        if (!call)
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the request");
    }
    http_exchange_set_context(exchange, call);
    if (!call) {
        refuse(exchange, &status, match.allow);
        return;
    }
    call->exchange = exchange;
    call->context = context;
    call->route = match.route;
    call->model = match.model;
    call->name = match.name;
    call->version = match.version;
}

/* Only inferences may come compressed, and not all of them: their handlers look at that themselves. */
static struct status check_body(const struct http_call *call) {
    bool has_body = http_exchange_body(call->exchange).size > 0;
    return has_body && call->route->class != API_INFERENCE ? http_call_check_plain(call) : status_ok();
}

void http_front_on_end(struct http_exchange *exchange) {
    struct http_call *call = http_exchange_context(exchange);
    if (!call)
        return;
    struct status status = check_body(call);
    if (status_is_ok(&status))
        call->route->handle(call);
    else
        http_call_answer_error(call, &status);
}

void http_front_on_deadline(struct http_exchange *exchange) {
    struct http_call *call = http_exchange_context(exchange);
    if (call && call->infer)
        infer_call_expire(call->infer);
}

static void leave(struct http_exchange *exchange) {
    struct http_call *call = http_exchange_context(exchange);
    if (!call)
        return;
    infer_call_detach(call->infer);
    call->infer = NULL;
    blocking_call_detach(call->blocking);
    call->blocking = NULL;
}

void http_front_on_abort(struct http_exchange *exchange) {
    leave(exchange);
}

void http_front_on_close(struct http_exchange *exchange) {
    struct http_call *call = http_exchange_context(exchange);
    if (call)
        infer_call_sent(call->infer);
    leave(exchange);
}

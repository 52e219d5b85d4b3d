#include "api/infer_head.h"

#include <string.h>

#include "api/header_pattern.h"
#include "api/infer_parameters.h"
#include "api/infer_trace.h"
#include "http/http_text.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the headers that are forwarded");
}

static struct status read_value(const struct http_request *head, struct slice name, struct arena *arena,
                                struct slice *ret) {
    STATUS_TRY(http_join_values(head, name, arena, ret));
    if (!slice_is_utf8(*ret))
        return status_error(STATUS_INVALID_ARGUMENT, "header '%.*s' is to become a parameter, but it is not UTF-8",
                            SLICE_ARGS(name));
    return status_ok();
}

static bool is_first_of_its_name(const struct http_request *head, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (slice_equal(head->headers[i].name, head->headers[at].name))
            return false;
    return true;
}

/* In place of all of that name: the body must not be able to say what a proxy's header says. There is room. */
static void set_parameter(struct infer_request *request, const struct infer_parameter *parameter) {
    size_t kept = 0;
    for (size_t i = 0; i < request->parameter_count; i++)
        if (!slice_equal(request->parameters[i].name, parameter->name))
            request->parameters[kept++] = request->parameters[i];
    request->parameters[kept] = *parameter;
    request->parameter_count = kept + 1;
}

static struct status make_room(struct infer_request *request, size_t more) {
    struct infer_parameter *wider =
        arena_calloc(request->arena, request->parameter_count + more, sizeof *request->parameters);
    if (!wider)
        return no_memory();
    if (request->parameter_count)
        memcpy(wider, request->parameters, request->parameter_count * sizeof *wider);
    request->parameters = wider;
    return status_ok();
}

static struct status forward_headers(const struct header_pattern *forwarded, struct http_exchange *exchange,
                                     struct infer_request *request) {
    if (!forwarded)
        return status_ok();
    const struct http_request *head = http_exchange_request(exchange);
    STATUS_TRY(make_room(request, head->header_count));
    for (size_t i = 0; i < head->header_count; i++) {
        struct slice name = head->headers[i].name;
        if (infer_parameter_is_reserved(name) || slice_equal_text(name, "authorization") ||
            !header_pattern_matches(forwarded, name) || !is_first_of_its_name(head, i))
            continue;
        struct infer_parameter parameter = {
            .name = arena_copy(request->arena, name), .kind = PARAMETER_STRING, .forwarded = true};
        if (!parameter.name.data)
            return no_memory();
        STATUS_TRY(read_value(head, name, request->arena, &parameter.value.string));
        set_parameter(request, &parameter);
    }
    return status_ok();
}

struct status infer_head_apply(struct infer_call *call, struct http_exchange *exchange, enum trace_protocol protocol) {
    const struct api_context *context = call->context;
    infer_trace_begin(call, exchange, protocol);
    return forward_headers(protocol == TRACE_GRPC ? context->grpc_forwarded : context->http_forwarded, exchange,
                           call->request);
}

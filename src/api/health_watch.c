/* health_watch.c: Watch of grpc.health.v1: the status of the server now, whatever service is asked about, and again
 * whenever it has changed, until the client has enough or the server ends. Source: gRPC's health checking protocol. */
#include "api/grpc_front.h"
#include "api/readiness.h"
#include "api/v2_service.h"
#include "codec/health_messages.h"

/* Lives in the call's arena. */
struct health_watch {
    struct grpc_call *grpc;
    const struct api_context *context;
    struct readiness_watch *readiness;
    bool told; /* `last` is what the client has heard */
    int32_t last;
};

static struct status send(struct health_watch *watch, int32_t status) {
    const struct pb_health_check_response response = {.status = status};
    struct buf message = BUF_EMPTY;
    STATUS_TRY(pb_encode(&pb_health_check_response_type, &response, &message));
    grpc_call_send(watch->grpc, &message);
    watch->told = true;
    watch->last = status;
    return status_ok();
}

/* To a client that has not taken the one before, the next is told when it has: what was in between it never learns. */
static void tell(struct health_watch *watch, int32_t status) {
    if (watch->told && watch->last == status)
        return;
    if (grpc_call_unsent_bytes(watch->grpc) > 0) {
        grpc_call_await_drain(watch->grpc, 0);
        return;
    }
    struct status sent = send(watch, status);
    if (!status_is_ok(&sent))
        grpc_front_fail(watch->grpc, &sent);
}

static void tell_now(void *user) {
    struct health_watch *watch = user;
    if (!grpc_call_is_finished(watch->grpc))
        tell(watch, v2_health_status(watch->context));
}

static struct status start(struct grpc_call *grpc, struct slice message) {
    struct health_watch *watch = arena_calloc(grpc_call_arena(grpc), 1, sizeof *watch);
    struct pb_health_check_request *request = arena_calloc(grpc_call_arena(grpc), 1, sizeof *request);
    if (!watch || !request)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the call");
    STATUS_TRY(pb_decode(&pb_health_check_request_type, message, grpc_call_arena(grpc), request));
    watch->grpc = grpc;
    watch->context = grpc_call_user(grpc);
    /* Before the first look, so that no change is missed. */
    watch->readiness = readiness_watch_create(watch->context->readiness, watch->context->loop, tell_now, watch);
    if (!watch->readiness)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "too many calls of Watch are open; try again later");
    grpc_call_set_context(grpc, watch);
    tell_now(watch);
    return status_ok();
}

void health_watch_on_message(struct grpc_call *grpc, struct slice message) {
    struct status status = start(grpc, message);
    if (!status_is_ok(&status))
        grpc_front_fail(grpc, &status);
}

void health_watch_on_drain(struct grpc_call *grpc) {
    tell_now(grpc_call_context(grpc));
}

void health_watch_on_shutdown(struct grpc_call *grpc) {
    struct health_watch *watch = grpc_call_context(grpc);
    tell(watch, PB_NOT_SERVING);
    grpc_call_finish(grpc, GRPC_UNAVAILABLE, "Server exiting");
}

void health_watch_leave(struct grpc_call *grpc) {
    struct health_watch *watch = grpc_call_context(grpc);
    if (watch)
        readiness_watch_destroy(watch->readiness);
    grpc_call_set_context(grpc, NULL);
}

/* call.h: gRPC on top of an HTTP/2 exchange: length-prefixed messages, deadlines, compression, trailers.
 *
 * Source: PROTOCOL-HTTP2.md of gRPC. Thread: the loop thread of the exchange. Owner: the call belongs to its exchange.
 * Methods are a const table given by api/; unary ones get their single message whole, streaming ones message by
 * message. */
#ifndef INFERD_GRPC_CALL_H
#define INFERD_GRPC_CALL_H

#include "http/exchange.h"

/* Numbers are gRPC's own. */
enum grpc_code {
    GRPC_OK,
    GRPC_CANCELLED,
    GRPC_UNKNOWN,
    GRPC_INVALID_ARGUMENT,
    GRPC_DEADLINE_EXCEEDED,
    GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED,
    GRPC_RESOURCE_EXHAUSTED,
    GRPC_FAILED_PRECONDITION,
    GRPC_ABORTED,
    GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED,
    GRPC_INTERNAL,
    GRPC_UNAVAILABLE,
    GRPC_DATA_LOSS,
    GRPC_UNAUTHENTICATED
};

struct grpc_call;

struct grpc_method {
    struct slice path; /* "/inference.GRPCInferenceService/ModelInfer" */
    unsigned kind;     /* whatever the owner of the table sorts its methods by; nothing here looks at it */
    bool client_streaming;
    /* A message has come (decompressed; valid until the call ends for unary, until return for streaming: see
     * grpc_call_take_message). Of a unary method it is the first callback, and comes once the client half-closed. */
    void (*on_message)(struct grpc_call *call, struct slice message);
    /* Streaming only: the client half-closed. */
    void (*on_half_close)(struct grpc_call *call);
    /* The client went away or cancelled or sent a broken message, or the deadline passed (the call has then been
     * answered). The call's memory goes after this returns; detach from it. Optional. */
    void (*on_cancel)(struct grpc_call *call);
    /* The finished call was written out. Optional. A call that got any callback gets one of on_cancel and on_close,
     * last. */
    void (*on_close)(struct grpc_call *call);
    /* The time of grpc_call_wake_at has come, or the call's deadline: its last chance to say more than that. Optional.
     */
    void (*on_wake)(struct grpc_call *call);
    /* The client has taken what grpc_call_await_drain waited for. Optional. */
    void (*on_drain)(struct grpc_call *call);
    /* Optional: the server is being stopped. Without it, and before its first message, a streaming call ends at once
     * with UNAVAILABLE. */
    void (*on_shutdown)(struct grpc_call *call);
};

/* Work for another thread than the loop's. */
struct grpc_work {
    void (*run)(struct grpc_work *work);  /* any thread */
    void (*done)(struct grpc_work *work); /* afterwards, loop thread of the call. The work is gone when it returns */
};

struct grpc_service {
    const struct grpc_method *methods;
    size_t method_count;
    void *user; /* grpc_call_user */
    size_t max_message_bytes;
    /* Optional. Whether the client may make this call: asked when its head is there, before anything of its body is
     * read. `method` is NULL when there is none of that path. False: grpc_refuse was called. */
    bool (*admit)(void *user, const struct grpc_method *method, struct http_exchange *exchange);
    /* Has another thread call work->run and then, whatever has become of the call, the loop thread that submits it
     * work->done. Never waits. False: no thread can be had, and neither is called. A message that would take long to
     * unpack is unpacked this way, while its call takes no more. Optional: without it the loop
     * unpacks all. */
    bool (*submit)(void *user, struct grpc_work *work);
};

/* True when the head is a gRPC call (content-type application/grpc, application/grpc+proto). */
bool grpc_is_call(const struct http_request *request);
/* Handler functions that the composition root's http_handler calls for such exchanges. An unknown method is answered
 * UNIMPLEMENTED, bad framing INTERNAL, a too large message (or one
 * beyond the budget of http_limits) RESOURCE_EXHAUSTED, a passed deadline DEADLINE_EXCEEDED, and
 * other than one message for a unary method UNIMPLEMENTED. The context of the exchange is theirs. `services` outlive
 * the call. */
void grpc_on_head(const struct grpc_service *services, size_t service_count, struct http_exchange *exchange);
size_t grpc_on_data(struct http_exchange *exchange, const char *data, size_t size);
char *grpc_on_place(struct http_exchange *exchange, size_t *ret_room);
void grpc_on_misplaced(struct http_exchange *exchange, const char *end);
void grpc_on_no_room(struct http_exchange *exchange);
void grpc_on_end(struct http_exchange *exchange);
void grpc_on_abort(struct http_exchange *exchange);
void grpc_on_deadline(struct http_exchange *exchange);
void grpc_on_drain(struct http_exchange *exchange);
void grpc_on_shutdown(struct http_exchange *exchange);
void grpc_on_close(struct http_exchange *exchange);

/* From grpc_service.admit: ends the call with a status. retry_ms: how long the client is asked to wait before it tries
 * again (grpc-retry-pushback-ms, gRPC proposal A6); 0: nothing is said. */
void grpc_refuse(struct http_exchange *exchange, enum grpc_code code, const char *message, uint32_t retry_ms);

void *grpc_call_user(const struct grpc_call *call);
const struct grpc_method *grpc_call_method(const struct grpc_call *call);
struct http_exchange *grpc_call_exchange(struct grpc_call *call);
struct arena *grpc_call_arena(struct grpc_call *call);
uint64_t grpc_call_deadline_ns(const struct grpc_call *call); /* monotonic; 0: none */
void grpc_call_set_context(struct grpc_call *call, void *context);
void *grpc_call_context(const struct grpc_call *call);
/* Moves the memory behind the current message to the caller (buf_free), so that slices into it outlive the call. For
 * unary until the call ends, for streaming from inside on_message. */
struct buf grpc_call_take_message(struct grpc_call *call, struct slice *ret_message);
/* Streaming: no more on_message until grpc_call_resume; the client is made to wait. on_half_close may come, if nothing
 * else has come before it. What has come already is given before grpc_call_resume returns, unless on_message is running
 * or a message is being unpacked. */
void grpc_call_pause(struct grpc_call *call);
void grpc_call_resume(struct grpc_call *call);
/* Books bytes that the method has in memory for this call beside the message that is coming in (messages that it took,
 * answers), in place of those booked before. False when the budget has no room; nothing is changed then. */
bool grpc_call_hold(struct grpc_call *call, size_t bytes);
/* Asks for on_wake at that time (monotonic; 0: not any more) in place of any asked for before. */
void grpc_call_wake_at(struct grpc_call *call, uint64_t time_ns);
/* Bytes of messages that the client has not taken yet, and one call of on_drain when they are no more than so many. */
size_t grpc_call_unsent_bytes(const struct grpc_call *call);
void grpc_call_await_drain(struct grpc_call *call, size_t bytes);
/* True once it is finished, by whatever side. */
bool grpc_call_is_finished(const struct grpc_call *call);
/* Sends a message (taken over), uncompressed. Without effect on a call that is finished. */
void grpc_call_send(struct grpc_call *call, struct buf *message);
/* The same for a message whose last bytes are the tail (taken over). */
void grpc_call_send_with_tail(struct grpc_call *call, struct buf *message, struct http_tail tail);
/* Ends the call with a status; before any message it is sent as trailers only. `message` (UTF-8, copied) may be NULL.
 * Only the first finish counts. on_close or on_cancel follows later, never from inside this function. */
void grpc_call_finish(struct grpc_call *call, enum grpc_code code, const char *message);
/* The same, and asks the client to wait so long before it tries again, as grpc_refuse does. */
void grpc_call_finish_for_now(struct grpc_call *call, enum grpc_code code, const char *message, uint32_t retry_ms);

#endif

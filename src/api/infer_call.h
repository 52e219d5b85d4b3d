/* infer_call.h: the life of one inference between its exchange (a loop thread) and the core (any thread). All adapters
 * use it; what differs between them stands in struct infer_call_ops.
 *
 *   loop thread            infer_call_create -> adapter fills in the body -> infer_call_decode
 *   loop or decoder thread                      ops->decode
 *   copier thread                               inputs from memory of GPUs, where there are any
 *   loop thread                                                              -> infer_call_submit
 *   any thread, the core's                      on_response: ops->encode  (...)   on_release: task posted
 *   loop thread                                              ops->send    (...)                ops->send, the final one
 *   loop thread            infer_call_detach, when the exchange is closed or its client has gone away
 *
 * Decoding that may take long is done by a decoder, and large requests run on their instance's own thread, so that a
 * loop has time for its other clients, and for those who ask whether the server is alive.
 *
 * What comes from within infer_call_submit (of quick models all) is sent before it returns, with no task.
 *
 * A request has as many answers as its model makes, the last marked final; adapters that carry one only leave
 * request->takes_several false and get exactly one. Answers reach ops->send in order.
 *
 * Lifetime: two references, one of the exchange and one of the submitted request; the last one frees the call. The
 * exchange may go first (a lost client: the request is cancelled, its answers dropped) or the request may. What waits
 * for a decoder, and is left, is freed but for the struct; what one has at that time stays booked until it is done. */
#ifndef INFERD_API_INFER_CALL_H
#define INFERD_API_INFER_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/context.h"
#include "base/inflate.h"
#include "core/infer_request.h"
#include "http/exchange.h"
#include "trace/trace.h"

struct infer_call;

enum {
    INFER_WEIGHT_LIGHT = 1 << 20, /* bytes of JSON that a loop decodes itself: some milliseconds */
    INFER_WEIGHT_OF_MESSAGE = 4,  /* bytes of a gRPC message that weigh as much as one of JSON */
    INFER_WEIGHT_OF_PACKED = 256, /* bytes of JSON that one of a compressed body is taken for */
    INFER_INSIDE_BYTES = 1 << 20  /* of inputs: what is larger does not run on the loop */
};

/* What the client is to be told of one response. */
struct infer_answer {
    struct infer_answer *next; /* a list's; once ops->send has the answer, the adapter's own */
    struct buf bytes;          /* in the client's form; freed after ops->send, which may take them over */
    struct status status;      /* an error, which is final: bytes are there only where ops->encode_error made them */
    bool final;                /* no more follow */
    bool empty;                /* final, and without a response: the model had no more to say */
    bool kept;                 /* set by ops->send: it is given back later, by infer_answer_free */
    bool in_send;              /* private to infer_call.c: ops->send has it now */
};

struct infer_call_ops {
    const char *protocol; /* as records name it (docs/record.md); streams tell it in another place (infer_stream.h) */
    enum trace_protocol front; /* what kind of handle call->exchange is: a struct http_call or a struct grpc_call */
    /* Fills call->request from call->body. Any thread, so the exchange must not be looked at. */
    struct status (*decode)(struct infer_call *call);
    /* Tells the client, who is still there, of an error before the submission. Loop thread. Not of streams. */
    void (*refuse)(struct infer_call *call, const struct status *error);
    /* Appends the client's form of a good response to `out`, but for a tail that it may leave to ops->send. Any thread,
     * one response at a time; call->request is valid. For an empty final response too, where request->takes_several. An
     * error ends the call with it. */
    struct status (*encode)(struct infer_call *call, const struct infer_response *response, struct buf *out);
    /* Optional: appends the client's form of an error, with which the call ends. Likewise. */
    void (*encode_error)(struct infer_call *call, const struct status *error, struct buf *out);
    /* Gives an answer to the client, who is still there. Loop thread. After a final one it may detach. */
    void (*send)(struct infer_call *call, struct infer_answer *answer);
};

/* Embedded as the first member of the adapters' own structs. */
struct infer_call {
    const struct infer_call_ops *ops;
    const struct api_context *context;
    void *exchange;                /* the protocol's own handle; NULL once it is gone. Loop thread only */
    struct buf body;               /* memory that the request's slices may point into */
    struct slice message;          /* what to decode, where that is a part of it */
    const char *protocol;          /* of the ops, or what the adapter puts in its place */
    struct infer_request *request; /* the adapter fills it; after infer_call_submit it is only for ops->encode */
    struct trace *trace;           /* owned; NULL where the inference is not traced (infer_trace.h) */
    uint64_t created_ns;           /* clock_monotonic_ns, where traces may be made; else 0 */
    struct slice tail;    /* bytes of the final response that end its client's form, uncopied; of ops->encode */
    uint64_t deadline_ns; /* of the request, once it is submitted: when to call infer_call_expire; 0: never */

    /* Private to infer_call.c and infer_decode.c. */
    atomic_int references;
    void (*decoded)(struct infer_call *call, const struct status *status);
    size_t reserved;     /* of the budget, while it is decoded */
    const char *missing; /* what the budget had no room for, when so many bytes more were wanted */
    size_t missing_bytes;
    size_t body_size;                   /* of what a decoder is to have, or has; else 0. Loop thread */
    bool over;                          /* ops->send has had the final answer. Loop thread */
    struct infer_answer end;            /* the final one; who has the request fills it, then the list has it */
    pthread_mutex_t lock;               /* of `request` after submission, and of what follows */
    bool waits;                         /* for a decoder, which has not begun */
    struct infer_answer *first, **last; /* encoded, not sent yet */
    bool posted;
    struct infer_response *kept_response; /* with the tail; and what its bytes may lie in */
    struct infer_request *kept_request;
    bool submitting; /* infer_call_submit is under way, on the thread `submitter` */
    pthread_t submitter;
    struct api_task task;
};

/* A zeroed call of `size` bytes (a struct that begins with struct infer_call) with an empty request, on behalf of the
 * exchange. body_size, of the request in the client's form, bounds what its decoded form may take: sixteen times that
 * and a little more, so that a small request for very many things does not eat all memory. NULL when memory is short.
 */
void *infer_call_create(const struct infer_call_ops *ops, size_t size, const struct api_context *context,
                        void *exchange, size_t body_size);
/* The same bound, made anew once it turns out how large the body really is. */
void infer_call_set_body_size(struct infer_call *call, size_t body_size);
/* For ops->decode: books memory that the decoding takes, until it is over. RESOURCE_EXHAUSTED when all requests and
 * answers together leave no room for it now, TOO_LARGE when they never could; `what` is said then. */
struct status infer_call_reserve(struct infer_call *call, size_t bytes, const char *what) STATUS_MUST_CHECK;
/* The same for what a body is decompressed to, step by step; what ops->decode says of a closed gate is not told. */
struct inflate_gate infer_call_inflate_gate(struct infer_call *call);
/* The same for what the parser takes for JSON that a loop would not decode: a copy of the text, and a piece a value. */
struct status infer_call_reserve_json(struct infer_call *call, struct slice json) STATUS_MUST_CHECK;
/* Has ops->decode fill the request, and then, if the client is still there, calls `decoded` on the loop with the
 * outcome: before this function returns or, where the weight is beyond INFER_WEIGHT_LIGHT, after a decoder has done it.
 * A request that names memory of a GPU passes a copier too, which books and copies its inputs from there.
 * RESOURCE_EXHAUSTED: no thread can be had. The weight is about what decoding costs, as bytes of JSON. */
void infer_call_decode(struct infer_call *call, size_t weight,
                       void (*decoded)(struct infer_call *call, const struct status *status));
/* What the call holds before it is submitted: its body and what that was decoded to. */
size_t infer_call_held_bytes(const struct infer_call *call);
/* The error that says that there is no room for that. */
struct status infer_call_no_room(const struct infer_call *call);
/* Books it as what the exchange holds, or gives that error. */
struct status infer_call_book(const struct infer_call *call, struct http_exchange *exchange) STATUS_MUST_CHECK;
/* Submits call->request. An error: nothing happened, and the caller answers the client itself. The client may have been
 * answered when it returns, and the call be gone if ops->send has detached it. */
struct status infer_call_submit(struct infer_call *call) STATUS_MUST_CHECK;
/* For a call that has not been submitted: ends it with an error by ops->send. False when there is no memory for that;
 * nothing happens then. */
bool infer_call_refuse(struct infer_call *call, const struct status *error);
/* The request's deadline has passed: unless its final answer is on the way already, the client is told so now by
 * ops->send, and the request is cancelled; whatever still comes of it is dropped. Loop thread, after submission. */
void infer_call_expire(struct infer_call *call);
/* All answers have been written out. Loop thread; infer_call_detach is to follow. Accepts NULL. */
void infer_call_sent(struct infer_call *call);
/* Gives back an answer that ops->send has kept, at the earliest from inside ops->send; before infer_call_detach. */
void infer_answer_free(struct infer_call *call, struct infer_answer *answer);
/* For ops->send of a good final answer: what ends it, as http_respond_with_tail and grpc_call_send_with_tail take it.
 */
struct http_tail infer_call_tail(struct infer_call *call);
/* For ops->encode, or ops->send of a good final answer: appends the tail to the answer's bytes after all; what it lay
 * in is not kept any longer. */
void infer_call_copy_tail(struct infer_call *call, struct buf *out);
/* The exchange is closed or lost, or has had the final answer: gives up its reference, and cancels the request if it
 * still runs. Accepts NULL. */
void infer_call_detach(struct infer_call *call);

#endif

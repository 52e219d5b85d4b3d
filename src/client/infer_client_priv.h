/* infer_client_priv.h: what infer_client.c (calls, connections, poll loop) shares with what is called: inferences
 * (infer_inference.c), questions that wait (infer_query.c) and those that do not (infer_statistics.c, infer_fetch.c).
 */
#ifndef INFERD_CLIENT_INFER_CLIENT_PRIV_H
#define INFERD_CLIENT_INFER_CLIENT_PRIV_H

#include "client/client_body.h"
#include "client/client_connection.h"

struct infer_client {
    struct infer_client_options options;
    struct client_target target;
    struct tls_client_context *tls; /* owned; NULL: plain connections */
    const struct client_body_ops *body;
    int epoll_fd;
    bool closing;
    bool told_partial; /* an on_partial has run: the poll returns */
    struct client_connection **connections;
    size_t connection_count;
    struct call_link waiting; /* by on_wire */
    struct call_link active;  /* by in_client: all that are not complete, oldest first */
    struct call_link done;    /* by in_client */
    size_t in_flight;
    uint64_t stream_number;   /* of the last request on a stream */
    struct infer_call *spare; /* by next: calls to be used again, with their buffers */
    struct buf scratch;
    infer_patience_f *patience; /* of questions that wait; NULL: none */
    void *patience_user;
};

struct infer_call {
    struct client_call base; /* base.owner is this call */
    struct infer_client *client;
    struct infer_call *next; /* in the list of spare calls */
    struct arena *arena;     /* owned; scratch of the request, then what the answer is taken apart into */
    /* Takes a good answer apart as soon as it is there; NULL to leave it to on_done. */
    struct status (*on_answer)(struct infer_call *call);
    /* Called once from the poll loop when the call is complete; the call is recycled behind it. */
    void (*on_done)(struct infer_call *call);
    void *user;
    infer_callback_f *callback;        /* of an inference */
    infer_partial_f *on_partial;       /* of its answers but the last; may be NULL */
    infer_statistics_f *on_statistics; /* of a question for statistics */
    infer_text_f *on_text;             /* of a page */
    struct client_infer_answer answer;
    struct buf responses; /* owned: uint64_t, when each answer on a stream was there */
};

/* A cleared call, or NULL when memory is short. It is recycled by itself after on_done, or by hand if it never starts.
 */
struct infer_call *infer_client_call_new(struct infer_client *client);
void infer_client_call_recycle(struct infer_call *call);
/* Queues a call whose request is written and whose timing.start_ns is set. */
void infer_client_call_start(struct infer_call *call);
/* Writes and starts a question; the call's members say who takes the answer. A failure recycles the call. */
struct status infer_client_call_ask(struct infer_call *call, const struct client_query *query) STATUS_MUST_CHECK;
/* Ends a call that is under way. */
void infer_client_call_abort(struct infer_call *call, struct status why);

#endif

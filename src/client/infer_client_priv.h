/* infer_client_priv.h: what infer_client.c (calls, connections, poll loop) and infer_query.c (questions about server
 * and models) share. */
#ifndef INFERD_CLIENT_INFER_CLIENT_PRIV_H
#define INFERD_CLIENT_INFER_CLIENT_PRIV_H

#include "client/client_body.h"

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
const struct client_body_ops *infer_client_body(const struct infer_client *client);
const char *infer_client_authority(const struct infer_client *client);

#endif

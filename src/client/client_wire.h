/* client_wire.h: what infer_client.c, the connections and the two protocols share: a call, and the vtable of a
 * protocol.
 *
 * A call is one request with its answer, whatever the protocol. infer_client.c creates and owns it; while it is under
 * way it stands in one list of one wire. A wire is a protocol without a socket (bytes in, bytes out): http_wire.c,
 * grpc_wire.c.
 */
#ifndef INFERD_CLIENT_CLIENT_WIRE_H
#define INFERD_CLIENT_CLIENT_WIRE_H

#include "base/buf.h"
#include "client/infer_client.h"

/* Most memory that is set aside on a server's word about the size of its answer. */
enum { CLIENT_RESERVE_MAX = 16 * 1024 * 1024 };

/* An intrusive circular list; `head` points to itself when empty. */
struct call_link {
    struct call_link *prev, *next;
};

struct client_wire;

struct client_call {
    struct call_link on_wire;   /* in a list of its wire; unlinked when it has none */
    struct call_link in_client; /* in infer_client.c's list of calls under way, in the order of their start */
    struct client_wire *wire;   /* NULL: waiting for one, or complete */
    /* The request, ready for the wire: HTTP: head and body; gRPC: path apart, body with its 5-byte prefix. */
    struct buf request;
    const struct infer_header *headers; /* the client's own, for HTTP in `request` already */
    size_t header_count;
    const char *encoding;   /* gRPC: how `request` is compressed, for grpc-encoding; NULL: it is not */
    bool secure;            /* over TLS: gRPC says so in its :scheme */
    bool outputs_in_memory; /* not in the answer */
    bool batched;           /* v1: shapes begin with the batch */
    bool json_inputs;       /* HTTP: tensors are numbers and strings of the JSON, in place of binary data behind it */
    bool json_outputs;      /* the same of the answer's */
    bool on_stream;         /* gRPC: a message of the shared stream rather than a call of its own */
    uint64_t stream_number; /* the id of such a message */
    const char *grpc_path;  /* "/inference.GRPCInferenceService/ModelInfer" */
    uint64_t deadline_ns;   /* 0: none */
    uint64_t timeout_ms;    /* for grpc-timeout; 0: none */
    /* The answer. `status` is the outcome of the call for gRPC, of the exchange alone for HTTP. */
    struct status status;
    bool answered;      /* the outcome was said by the server, not found by the client */
    int http_status;    /* 0: none seen */
    bool plain;         /* HTTP: the body is not encoded */
    bool has_json_size; /* HTTP: how much of the body is JSON */
    uint64_t json_size;
    struct buf answer;               /* the body; for gRPC with its 5-byte prefix */
    struct buf v1_status, v1_header; /* HTTP: NV-Status and NV-InferResponse; empty: not there */
    struct infer_timing timing;
    /* Private to grpc_wire.c. */
    int32_t stream_id;
    size_t request_sent; /* bytes of `request` given to nghttp2 */
    int grpc_status;     /* -1: none seen */
    bool grpc_content;   /* content-type is application/grpc */
    /* Called for each answer but the last of a call on a stream, when `answer` holds it; may be NULL. */
    void (*on_partial)(struct client_call *call);
    bool final_is_empty; /* the last answer of a stream only told the end */
    /* Called once by the wire, which has unlinked the call; `status` is set. */
    void (*on_complete)(struct client_call *call);
    void *owner; /* on_complete's own */
};

struct client_wire_ops {
    /* Another call may be started now. */
    bool (*can_start)(const struct client_wire *wire);
    /* Takes the call. On an error it has not, and the caller keeps it. */
    struct status (*start)(struct client_wire *wire, struct client_call *call);
    /* Takes n bytes from the server. An error means that the connection is of no use any more. */
    struct status (*input)(struct client_wire *wire, const char *data, size_t n);
    /* Appends bytes for the server to `out` until it holds about `target` bytes or there are none. */
    struct status (*output)(struct client_wire *wire, struct buf *out, size_t target);
    /* All that output() and run() gave has been written. */
    void (*sent)(struct client_wire *wire, uint64_t now_ns);
    /* Forgets a call (it ran out of time). */
    void (*drop)(struct client_wire *wire, struct client_call *call);
    /* The connection should be closed: nothing is under way and nothing more can start, or an error was found. */
    bool (*finished)(const struct client_wire *wire);
    /* The connection is gone, `why` unless the peer simply closed (then status is OK): completes every open call. */
    void (*closed)(struct client_wire *wire, const struct status *why);
    void (*destroy)(struct client_wire *wire); /* after closed */
    /* These three save copies of large tensors; NULL: there is nothing to save. */
    /* More bytes for the server, which stand in a call and stay there until sent(), finished() or closed(). */
    struct slice (*run)(struct client_wire *wire);
    /* Where the next bytes from the server may be put, to be told of by filled() in place of input(); NULL: nowhere.
     * *size: the most that one read takes; the wire may lower it. */
    char *(*room)(struct client_wire *wire, size_t *size);
    struct status (*filled)(struct client_wire *wire, size_t n);
};

struct client_wire {
    const struct client_wire_ops *ops;
    size_t call_count; /* calls it holds */
};

/* Frees what a call owns. */
static inline void client_call_free(struct client_call *call) {
    buf_free(&call->request);
    buf_free(&call->answer);
    buf_free(&call->v1_status);
    buf_free(&call->v1_header);
}
/* As a new call, but for the memory of its buffers; it is in no list. */
static inline void client_call_renew(struct client_call *call) {
    *call = (struct client_call){
        .request = call->request, .answer = call->answer, .v1_status = call->v1_status, .v1_header = call->v1_header};
    buf_clear(&call->request);
    buf_clear(&call->answer);
    buf_clear(&call->v1_status);
    buf_clear(&call->v1_header);
}

static inline void call_list_init(struct call_link *head) {
    head->prev = head->next = head;
}
static inline bool call_list_is_empty(const struct call_link *head) {
    return head->next == head;
}
static inline void call_list_append(struct call_link *head, struct call_link *link) {
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}
/* Leaves the link pointing to itself, so that removing twice does no harm. */
static inline void call_list_remove(struct call_link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = link;
}
static inline struct client_call *call_of_wire_link(struct call_link *link) {
    return (struct client_call *)(void *)((char *)link - offsetof(struct client_call, on_wire));
}
static inline struct client_call *call_of_client_link(struct call_link *link) {
    return (struct client_call *)(void *)((char *)link - offsetof(struct client_call, in_client));
}

/* HTTP/1.1: one call at a time. NULL when memory is short. */
struct client_wire *http_wire_create(size_t max_answer_bytes);
/* gRPC over HTTP/2: many calls at a time. `authority` and `form` are borrowed. */
struct grpc_stream_form;
struct client_wire *grpc_wire_create(const char *authority, size_t max_answer_bytes,
                                     const struct grpc_stream_form *form);

#endif

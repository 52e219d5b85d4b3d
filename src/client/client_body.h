/* client_body.h: requests and answers as bytes, once for each protocol: KServe v2 in grpc_body.c (protobuf) and
 * http_body.c (HTTP/1.1 heads, JSON, binary tensors), TRTIS v1 in v1_grpc_body.c and v1_http_body.c. infer_client.c
 * picks one table and knows no format.
 *
 * Writers fill call->request (and grpc_path); readers look at a call that is complete with status OK.
 */
#ifndef INFERD_CLIENT_CLIENT_BODY_H
#define INFERD_CLIENT_CLIENT_BODY_H

#include "client/client_wire.h"
#include "codec/pb.h"

/* What is asked of a server beside inference. */
enum client_query_kind {
    QUERY_SERVER_READY,
    QUERY_SERVER_METADATA,
    QUERY_MODEL_READY,
    QUERY_MODEL_METADATA,
    QUERY_MODEL_CONFIG,
    QUERY_MODEL_STATISTICS,
    QUERY_MEMORY_REGISTER, /* these two: answers without content */
    QUERY_MEMORY_UNREGISTER,
    QUERY_PAGE, /* HTTP only: a page of text */
    QUERY_TRACE_SETTINGS,
    QUERY_KIND_COUNT
};

static inline bool client_query_is_order(enum client_query_kind kind) {
    return kind == QUERY_MEMORY_REGISTER || kind == QUERY_MEMORY_UNREGISTER;
}

struct client_query {
    enum client_query_kind kind;
    struct slice model; /* unused for the server; may be empty for statistics: all models */
    struct slice version;
    struct slice region, key; /* of shared memory */
    uint64_t byte_size;
    struct slice page;                   /* its path, as it goes into the request line */
    const struct infer_setting *changes; /* of trace settings */
    size_t change_count;
};

/* A checked answer to an inference; it points into call->answer and the arena. */
struct client_infer_answer {
    struct infer_tensor *outputs;
    size_t output_count;
    struct slice model_version;
    struct slice id;
};

struct grpc_stream_form;
struct client_body_ops {
    struct status (*write_query)(const struct client_query *query, const char *authority, struct client_call *call);
    /* The request's tensors have been checked. The arena is scratch. */
    struct status (*write_infer)(const struct infer_request_spec *request, const char *authority, struct arena *arena,
                                 struct client_call *call);
    struct status (*read_infer)(const struct client_call *call, struct arena *arena, struct client_infer_answer *ret);
    /* Reads the answer to QUERY_*_READY and QUERY_MEMORY_*. Unlike the others it may see calls that the server has
     * refused. The arena is scratch. */
    struct status (*read_ready)(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                bool *ret);
    /* The answer to another query as a protobuf message struct of KServe v2; for a config it is ModelConfig itself. */
    struct status (*read_message)(const struct client_call *call, const struct client_query *query, struct arena *arena,
                                  const struct pb_message *type, void *ret);
    /* The answer to QUERY_MODEL_STATISTICS where it is no message of KServe v2; NULL: it is. Items may point into the
     * call. */
    struct status (*read_statistics)(const struct client_call *call, struct arena *arena, struct infer_statistics **ret,
                                     size_t *ret_count);
    /* The answer to QUERY_TRACE_SETTINGS, copied into the arena; NULL: there are none in this protocol. */
    struct status (*read_settings)(const struct client_call *call, struct arena *arena, struct infer_setting **ret,
                                   size_t *ret_count);
    const struct grpc_stream_form *stream; /* how inferences share a stream; NULL: they do not */
    bool untyped;                          /* answers do not say the datatypes of outputs */
};

extern const struct client_body_ops grpc_body_ops;
extern const struct client_body_ops http_body_ops;
extern const struct client_body_ops v1_grpc_body_ops;
extern const struct client_body_ops v1_http_body_ops;

static inline const struct client_body_ops *client_body_of(enum infer_api api, enum infer_protocol protocol) {
    bool grpc = protocol == INFER_PROTOCOL_GRPC;
    if (api == INFER_API_V1)
        return grpc ? &v1_grpc_body_ops : &v1_http_body_ops;
    return grpc ? &grpc_body_ops : &http_body_ops;
}

#endif

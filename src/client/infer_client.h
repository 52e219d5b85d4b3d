/* infer_client.h: an asynchronous KServe v2 client for the tools: gRPC or HTTP/1.1 with binary tensors.
 *
 * The caller drives it: requests are queued by infer_client_infer, and infer_client_poll does all I/O and runs the
 * callbacks. There is no thread inside, so a request costs no hand-over. Over gRPC requests share connections (HTTP/2
 * streams); over HTTP each request in flight has a connection of its own, kept alive and reused.
 *
 * Thread: one thread at a time per client; several clients may run in several threads.
 * Errors: whatever the server does (dies, answers late, half, or nonsense) ends in a status of the requests concerned.
 * UNAVAILABLE: no connection, or one lost; DEADLINE_EXCEEDED: the time-out; DATA_LOSS: an answer that breaks the
 * protocol; RESOURCE_EXHAUSTED: over a limit here, or said by the server; other codes: as the server says, with its
 * message. Nothing is retried. The next request after a lost connection makes a new one. Source: KServe v2 inference
 * protocol, Triton's binary tensor data extension, the gRPC over HTTP/2 protocol.
 */
#ifndef INFERD_CLIENT_INFER_CLIENT_H
#define INFERD_CLIENT_INFER_CLIENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

struct infer_client;

enum infer_protocol { INFER_PROTOCOL_GRPC, INFER_PROTOCOL_HTTP };
/* What is spoken over it: KServe v2 with Triton's extensions, or the TensorRT Inference Server's first protocol, in
 * which there is no metadata of models and servers, outputs have no datatype and must be asked for by name. */
enum infer_api { INFER_API_V2, INFER_API_V1 };

/* How messages of gRPC are compressed. */
enum infer_encoding { INFER_ENCODING_NONE, INFER_ENCODING_GZIP, INFER_ENCODING_DEFLATE };

/* A header of HTTP, or of gRPC's metadata, that goes with every request. */
struct infer_header {
    struct slice name;
    struct slice value;
};

/* How connections over TLS are made. All zero: the server's certificate is of an authority of the system, for its host.
 */
struct infer_tls {
    const char *ca_file;          /* PEM: those that the server's certificate may be of, in place of the system's */
    const char *certificate_file; /* the client's own; NULL: none */
    const char *key_file;         /* of that, without a passphrase; not for everybody to read */
    bool certificate_der, key_der;
    bool any_issuer, any_host; /* the server's certificate may be anybody's; for any host */
};

struct infer_client_options {
    enum infer_protocol protocol;
    enum infer_api api;
    uint64_t connect_timeout_ns;        /* for one connection; 0: 5 s */
    uint64_t request_timeout_ns;        /* from infer_client_infer to the end of the answer; 0: none */
    size_t max_connections;             /* 0: 1 for gRPC, 64 for HTTP; at most INFER_CLIENT_CONNECTIONS_MAX */
    size_t max_answer_bytes;            /* of one answer; 0: 256 MiB */
    const struct infer_header *headers; /* borrowed until the client is closed; gRPC wants their names in lower case */
    size_t header_count;                /* at most INFER_CLIENT_HEADERS_MAX */
    enum infer_encoding encoding;       /* gRPC: of requests of inferences; answers come plain */
    const struct infer_tls *tls;        /* borrowed for infer_client_open: NULL: TLS for https:// alone, all zero */
    bool json_inputs, json_outputs;     /* HTTP of v2: tensors go, and come, as JSON in place of binary data */
    bool stream; /* gRPC: inferences are messages of one ModelStreamInfer (v1: StreamInfer) call a connection; their
                    ids are the client's */
};

enum {
    INFER_CLIENT_CONNECTIONS_MAX = 4096,
    INFER_CLIENT_HEADERS_MAX = 32,
    INFER_TENSOR_RANK_MAX = 64,
    INFER_ANSWER_TENSORS_MAX = 4096
};

/* A tensor of a request or an answer. `data` is in wire form: little-endian, row-major, without padding, BYTES elements
 * each behind a 4-byte length. In an answer it may stand at any alignment: copy elements out. */
struct infer_tensor {
    struct slice name;
    struct slice datatype; /* "FP32"; empty in answers of v1, which do not say it */
    const int64_t *shape;  /* full, with the batch dimension */
    size_t rank;
    struct slice data;
};

/* A part of registered shared memory, for an input that is there already or an output that is to be put there. */
struct infer_region {
    struct slice name;
    uint64_t offset;
    uint64_t byte_size;
};

/* A parameter of a request, with the type that the protocol gives it. */
enum infer_value_kind { INFER_VALUE_BOOL, INFER_VALUE_INT, INFER_VALUE_UINT, INFER_VALUE_DOUBLE, INFER_VALUE_TEXT };
struct infer_client_parameter {
    struct slice name;
    enum infer_value_kind kind;
    bool boolean;
    int64_t integer;
    uint64_t natural; /* INFER_VALUE_UINT */
    double number;
    struct slice text;
};

/* Told, with the user of the request's callback, of each of its answers on a stream but the last. It runs in the middle
 * of reading: no function of the client may be called from it. infer_client_poll returns behind it. */
typedef void infer_partial_f(void *user);

/* All of it is borrowed for the call only. */
struct infer_request_spec {
    struct slice model;
    struct slice version; /* empty: the server chooses */
    struct slice id;      /* may be empty */
    const struct infer_tensor *inputs;
    size_t input_count;
    const struct slice *outputs; /* names wanted; none: all, and with v1 none */
    size_t output_count;
    bool batched; /* v1: the first dimension of every shape is the batch, which v1 tells apart */
    /* One for each input and each of `outputs`; NULL: tensors go with the messages. Outputs in regions come without
     * data. */
    const struct infer_region *input_regions;
    const struct infer_region *output_regions;
    const uint32_t *output_classes; /* how many classes are wanted of each output; NULL, or 0: the tensor */
    const struct infer_client_parameter
        *parameters; /* v1: sequence_id, sequence_start, sequence_end, priority, timeout */
    size_t parameter_count;
    infer_partial_f *on_partial; /* may be NULL */
};

/* Points of clock_monotonic_ns; 0 for those not reached. */
struct infer_timing {
    uint64_t start_ns;         /* infer_client_infer was called */
    uint64_t sent_ns;          /* the last byte was handed to the kernel */
    uint64_t receive_start_ns; /* the first byte of the answer was seen */
    uint64_t end_ns;           /* the answer was complete and taken apart, or the request failed */
};

struct infer_result {
    struct status status;
    const struct infer_tensor *outputs; /* checked: datatype, shape and data agree; none unless status is OK */
    size_t output_count;
    struct slice model_version; /* that answered; empty when the server does not say */
    struct slice id;
    struct infer_timing timing;
    /* When each answer was there: one, or, of a decoupled model on a stream, any number. The outputs are the last
     * answer's. */
    const uint64_t *response_ns;
    size_t response_count;
};

/* Called from infer_client_poll (or _close) exactly once for each request that infer_client_infer took. `result` is
 * valid during the call. Allowed inside: infer_client_infer, infer_client_in_flight. */
typedef void infer_callback_f(void *user, const struct infer_result *result);

/* Resolves "HOST:PORT" or "https://HOST:PORT" (may block) and makes ready; connections are made when first needed.
 * Options are copied. Errors: INVALID_ARGUMENT, UNAVAILABLE (unknown host), RESOURCE_EXHAUSTED; of files for TLS:
 * NOT_FOUND, PERMISSION_DENIED. */
struct status infer_client_open(const char *url, const struct infer_client_options *options,
                                struct infer_client **ret) STATUS_MUST_CHECK;
/* Ends all requests under way (their callbacks see CANCELLED) and all connections; the client is as it was opened. Not
 * to be called from a callback. */
void infer_client_cancel(struct infer_client *client);
/* The same, and frees the client. Accepts NULL. */
void infer_client_close(struct infer_client *client);

/* Serialises a request and starts it. Errors: INVALID_ARGUMENT (no model name, tensors whose size and shape disagree),
 * TOO_LARGE, RESOURCE_EXHAUSTED; then the callback is not called. */
struct status infer_client_infer(struct infer_client *client, const struct infer_request_spec *request,
                                 infer_callback_f *callback, void *user) STATUS_MUST_CHECK;
/* Does I/O and runs callbacks until at least one has run, an on_partial too, nothing is in flight, timeout_ns has
 * passed (0: only what is ready now; UINT64_MAX: no bound), or a signal came. Returns the number of callbacks run. */
size_t infer_client_poll(struct infer_client *client, uint64_t timeout_ns);
/* Waits out a pause with nothing in flight, until timeout_ns has passed (0: only what is ready now) or a signal came:
 * connections that the server ends meanwhile are given up, so that no request goes out on one. Returns at once when
 * something is in flight, which is for infer_client_poll. */
void infer_client_wait(struct infer_client *client, uint64_t timeout_ns);
/* Requests whose callback has not run yet. */
size_t infer_client_in_flight(const struct infer_client *client);

/* What a server has counted for one version of a model since it was loaded.
 *
 * v1 counts requests apart by their batch size, and executions for all: a version has an item for each batch size, with
 * one time for all of compute in compute_infer, and an item of batch_size 0 with nothing but executions. */
struct infer_counter {
    uint64_t count;
    uint64_t ns;
};
struct infer_statistics {
    struct slice name;
    struct slice version;
    uint64_t batch_size;      /* of the requests counted here; 0: of all */
    uint64_t inference_count; /* items of batches */
    uint64_t execution_count;
    struct infer_counter success, fail, queue, compute_input, compute_infer, compute_output, cache_hit, cache_miss;
};

/* Called once, as infer_callback_f is. There are no items unless status is OK; they are valid during the call. */
typedef void infer_statistics_f(void *user, const struct status *status, const struct infer_statistics *items,
                                size_t count);
/* Asks for the statistics of a model (of one version, if given), or of all models (an empty name), without waiting.
 * Errors: RESOURCE_EXHAUSTED; then the callback is not called. */
struct status infer_client_statistics(struct infer_client *client, struct slice model, struct slice version,
                                      infer_statistics_f *callback, void *user) STATUS_MUST_CHECK;

/* Called once, as infer_callback_f is. The text is empty unless status is OK, and valid during the call. */
typedef void infer_text_f(void *user, const struct status *status, struct slice text);
/* HTTP: asks for a page by its path ("/metrics"), without waiting. The path has been checked by the caller: no blanks,
 * no control characters. Errors: RESOURCE_EXHAUSTED; then the callback is not called. */
struct status infer_client_fetch(struct infer_client *client, const char *path, infer_text_f *callback,
                                 void *user) STATUS_MUST_CHECK;

/* The calls below wait for their answer (and run callbacks of requests in flight meanwhile), for 30 s where the options
 * set no time limit; or for less, as the patience says. */

/* Asked several times a second while a question waits for its answer, which was asked at that point of
 * clock_monotonic_ns. False: it is given up, and the call fails with CANCELLED. No function of the client may be called
 * from it. */
typedef bool infer_patience_f(void *user, uint64_t asked_ns);
/* NULL: none, as at first. */
void infer_client_set_patience(struct infer_client *client, infer_patience_f *patience, void *user);

/* True when the server (or the model) says that it is ready; false when it says it is not, or knows no such model. An
 * error means that it could not be asked. */
struct status infer_client_server_ready(struct infer_client *client, bool *ret_ready) STATUS_MUST_CHECK;
struct status infer_client_model_ready(struct infer_client *client, struct slice model, struct slice version,
                                       bool *ret_ready) STATUS_MUST_CHECK;

/* Makes an object in /dev/shm known to the server under a name, and forgets it. Errors: what the server says. */
struct status infer_client_memory_register(struct infer_client *client, struct slice region, struct slice key,
                                           uint64_t byte_size) STATUS_MUST_CHECK;
struct status infer_client_memory_unregister(struct infer_client *client, struct slice region) STATUS_MUST_CHECK;

/* A setting of the server: "trace_rate", with one value or more. */
struct infer_setting {
    struct slice name;
    const struct slice *values;
    size_t value_count;
};
/* Changes the server's trace settings that are named (none: changes nothing) and tells all of them as they are then;
 * what it tells lives in the arena. Errors: what the server says; UNSUPPORTED with v1. */
struct status infer_client_trace_settings(struct infer_client *client, const struct infer_setting *changes,
                                          size_t change_count, struct arena *arena, const struct infer_setting **ret,
                                          size_t *ret_count) STATUS_MUST_CHECK;

/* UNSUPPORTED with v1, as infer_client_model_metadata. */
struct infer_server_info {
    struct slice name;
    struct slice version;
    const struct slice *extensions;
    size_t extension_count;
};
struct status infer_client_server_metadata(struct infer_client *client, struct arena *arena,
                                           struct infer_server_info *ret) STATUS_MUST_CHECK;

struct infer_tensor_info {
    struct slice name;
    struct slice datatype; /* "FP32" */
    const int64_t *shape;  /* metadata: with -1 for the batch and variable dims; config: dims without the batch */
    size_t rank;
    bool optional; /* config only */
};

struct infer_model_parameter {
    struct slice key;
    struct slice value;
};

/* What a tool needs of a model's config or metadata; everything lives in the arena given. */
struct infer_model_info {
    struct slice name;
    struct slice platform;
    struct slice backend;         /* config only */
    int64_t max_batch_size;       /* config only; 0: the model does not batch */
    const struct slice *versions; /* metadata only */
    size_t version_count;
    const struct infer_tensor_info *inputs;
    size_t input_count;
    const struct infer_tensor_info *outputs;
    size_t output_count;
    const struct infer_model_parameter *parameters; /* config only */
    size_t parameter_count;
    bool decoupled; /* these four: config only */
    bool has_sequences;
    bool has_response_cache;
    const struct slice *steps; /* names of an ensemble's models */
    size_t step_count;
};

struct pb_model_config; /* codec/model_config_messages.h */
/* Strings and lists of the config are borrowed. DATA_LOSS for a negative max_batch_size. */
struct status infer_model_info_read(const struct pb_model_config *config, struct arena *arena,
                                    struct infer_model_info *ret) STATUS_MUST_CHECK;
struct status infer_client_model_config(struct infer_client *client, struct slice model, struct slice version,
                                        struct arena *arena, struct infer_model_info *ret) STATUS_MUST_CHECK;
struct status infer_client_model_metadata(struct infer_client *client, struct slice model, struct slice version,
                                          struct arena *arena, struct infer_model_info *ret) STATUS_MUST_CHECK;
/* The input or output of this name, or NULL. */
const struct infer_tensor_info *infer_tensor_info_find(const struct infer_tensor_info *items, size_t count,
                                                       struct slice name);
/* The value of a config parameter; an empty slice with NULL data when there is none. */
struct slice infer_model_parameter_find(const struct infer_model_info *info, const char *key);
/* One that is true or false (or 1, or 0); `ret` is left as it is where there is none. FAILED_PRECONDITION. */
struct status infer_model_parameter_boolean(const struct infer_model_info *info, const char *key,
                                            bool *ret) STATUS_MUST_CHECK;

#endif

/* client_setup.c: the client's options with their defaults, and what it needs for TLS. Used by infer_client_open. */
#include "client/client_setup.h"

#include "base/clock.h"

enum { CONNECTIONS_HTTP = 64, CONNECTIONS_GRPC = 1 };
#define CONNECT_TIMEOUT_NS (5 * NS_PER_S)
#define ANSWER_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct status client_setup_options(const struct infer_client_options *given, struct infer_client_options *ret) {
    bool grpc = given->protocol == INFER_PROTOCOL_GRPC;
    *ret = *given;
    if (ret->connect_timeout_ns == 0)
        ret->connect_timeout_ns = CONNECT_TIMEOUT_NS;
    if (ret->max_connections == 0)
        ret->max_connections = grpc ? CONNECTIONS_GRPC : CONNECTIONS_HTTP;
    if (ret->max_answer_bytes == 0)
        ret->max_answer_bytes = ANSWER_BYTES_MAX;
    if (ret->encoding != INFER_ENCODING_NONE && !grpc)
        return status_error(STATUS_INVALID_ARGUMENT, "only messages of gRPC are compressed");
    if (ret->stream && !grpc)
        return status_error(STATUS_INVALID_ARGUMENT, "only gRPC has streams of inferences");
    if ((ret->json_inputs || ret->json_outputs) && (grpc || given->api != INFER_API_V2))
        return status_error(STATUS_INVALID_ARGUMENT, "only HTTP of KServe v2 has tensors in JSON");
    if (ret->header_count > INFER_CLIENT_HEADERS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%zu headers: at most %d", ret->header_count,
                            INFER_CLIENT_HEADERS_MAX);
    if (ret->max_connections > INFER_CLIENT_CONNECTIONS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "%zu connections: at most %d", ret->max_connections,
                            INFER_CLIENT_CONNECTIONS_MAX);
    return status_ok();
}

struct status client_setup_tls(const struct infer_client_options *options, bool secure,
                               struct tls_client_context **ret) {
    static const struct infer_tls usual = {0};
    const struct infer_tls *tls = options->tls != NULL ? options->tls : &usual;
    const struct tls_client_options given = {
        .ca_file = tls->ca_file,
        .certificate_file = tls->certificate_file,
        .key_file = tls->key_file,
        .certificate_form = tls->certificate_der ? TLS_FORM_DER : TLS_FORM_PEM,
        .key_form = tls->key_der ? TLS_FORM_DER : TLS_FORM_PEM,
        .any_issuer = tls->any_issuer,
        .any_host = tls->any_host,
        .protocols = options->protocol == INFER_PROTOCOL_GRPC ? SLICE_LITERAL("\x02h2") : SLICE_LITERAL("\x08http/1.1"),
    };
    *ret = NULL;
    return options->tls != NULL || secure ? tls_client_context_create(&given, ret) : status_ok();
}

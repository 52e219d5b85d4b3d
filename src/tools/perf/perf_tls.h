/* perf_tls.h: perf_analyzer's two families of flags for TLS, as one. */
#ifndef INFERD_TOOLS_PERF_PERF_TLS_H
#define INFERD_TOOLS_PERF_PERF_TLS_H

#include "client/infer_client.h"

struct perf_tls_flags {
    const char *https_ca, *https_certificate, *https_certificate_type, *https_key, *https_key_type;
    int64_t https_verify_peer, https_verify_host;
    bool grpc_use;
    const char *grpc_ca, *grpc_certificate, *grpc_key;
};

struct perf_tls_urls {
    const char *server;
    bool grpc;
    const char *metrics; /* NULL: they are not asked for */
};

struct perf_tls {
    bool used; /* for the server */
    struct infer_tls server;
    struct infer_tls metrics; /* the files of --ssl-https-*, or the server's where there are none */
};

/* Errors: INVALID_ARGUMENT for flags of the other protocol, and for those that unencrypted connections would ignore. */
struct status perf_tls_take(const struct perf_tls_flags *flags, const struct perf_tls_urls *urls,
                            struct perf_tls *ret) STATUS_MUST_CHECK;

#endif

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

/* Errors: INVALID_ARGUMENT for flags of the other protocol, and for those that an unencrypted connection would ignore.
 */
struct status perf_tls_take(const struct perf_tls_flags *flags, const char *url, bool grpc, struct infer_tls *ret,
                            bool *ret_uses_tls) STATUS_MUST_CHECK;

#endif

/* options.h: the flags of `inferd serve`, parsed once into a plain struct. */
#ifndef INFERD_TOOLS_SERVE_OPTIONS_H
#define INFERD_TOOLS_SERVE_OPTIONS_H

#include "base/options.h"

struct serve_options {
    struct option_list repositories;
    const char *backend_directory; /* NULL: beside the executable */
    const char *model_control_mode;
    struct option_list load_models; /* at start, with control mode "explicit" */
    int64_t loader_count;           /* 0: chosen */
    bool exit_on_error, strict_readiness;
    int64_t exit_timeout_secs;

    const char *id; /* NULL: the defaults of the protocols */

    bool allow_http, allow_grpc, allow_metrics; /* false: no port, and not on the others either */
    const char *http_address, *grpc_address, *metrics_address;
    int64_t http_port, grpc_port, metrics_port;
    int64_t thread_count;                                    /* 0: chosen */
    const char *http_forward_pattern, *grpc_forward_pattern; /* NULL: no header is forwarded */

    const char *tls_cert_file, *tls_key_file, *tls_client_ca_file, *tls_min_version;
    bool tls_metrics, grpc_use_ssl, grpc_use_ssl_mutual;
    struct option_list restrictions;
    const char *grpc_server_cert, *grpc_server_key, *grpc_root_cert;

    int64_t max_request_bytes, max_inflight_bytes, max_connections, max_streams, max_stream_requests;
    int64_t max_queue_size;
    bool allow_client_shm;
    int64_t max_shm_regions, max_shm_bytes;
    int64_t idle_timeout_secs, request_timeout_secs;

    struct option_list trace_config;
    const char *record_file; /* NULL: nothing is recorded */
    bool record_bodies;
    int64_t record_max_bytes;

    struct option_list metrics_config;
    int64_t metrics_interval_ms;
    bool allow_cpu_metrics, allow_gpu_metrics;

    int64_t log_verbose;
    bool log_info, log_warning, log_error;
    const char *log_format, *log_file; /* file: NULL for stderr */
};

extern const struct option_table serve_option_table;

#endif

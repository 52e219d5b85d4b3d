/* perf_options.h: the command line of `inferd perf`, parsed and checked for contradictions. Names and meanings are
 * those of perf_analyzer, with the short flags of the perf_client of 2019. */
#ifndef INFERD_TOOLS_PERF_PERF_OPTIONS_H
#define INFERD_TOOLS_PERF_PERF_OPTIONS_H

#include "base/arena.h"
#include "base/options.h"
#include "client/infer_client.h"
#include "tools/perf/perf_tls.h"
#include "tools/perf/workload.h"

enum perf_protocol { PERF_HTTP, PERF_GRPC };
enum perf_service { PERF_TRITON, PERF_TRTIS, PERF_IN_PROCESS };

/* "start:end:step"; end 0: until the latency threshold. */
struct perf_range {
    double start, end, step;
    bool has_end;
};

enum perf_load { PERF_LOAD_CONCURRENCY, PERF_LOAD_RATE, PERF_LOAD_INTERVALS, PERF_LOAD_FIXED };

struct perf_options {
    const char *model;
    const char *model_version; /* "": the server's choice */
    const char *url;           /* [https://]HOST:PORT; filled in from the protocol when not given */
    const char *protocol_name;
    const char *service_kind;
    const char *grpc_compression;
    struct option_list repositories; /* in process */
    const char *backend_directory;   /* NULL: the program's own */
    struct perf_tls_flags tls_flags;
    bool verbose;
    int64_t batch_size;
    const char *input_format, *output_format; /* "binary" or "json" */

    const char *concurrency_text, *periodic_text, *rate_text, *distribution, *intervals_path;
    int64_t request_period;                     /* of the periodic concurrency */
    int64_t v1_concurrency, v1_max_concurrency; /* -t and -c */
    bool v1_dynamic;                            /* -d */
    bool fixed_schedule;
    int64_t sequence_count, sequence_length;
    double sequence_variation;
    const char *sequence_id_text;
    bool serial_sequences;
    uint64_t sequence_first, sequence_end; /* ids; end excluded, 0: none */
    bool sequence_length_given;
    bool wants_sequences; /* one of these flags was given */
    bool streaming;
    const char *replay; /* a file of records; NULL: none */
    double speed;
    int64_t connections; /* 0: by the load */
    double request_timeout_s;
    int64_t seed;

    const char *measurement_mode;
    int64_t interval_ms;
    int64_t window_requests;
    int64_t request_count;
    int64_t warmup_requests;
    int64_t max_trials;
    double stability_percent;
    double percentile; /* -1: the mean */
    double latency_limit_ms;
    double goodput_ms;
    bool binary_search;
    bool saturation_search;

    struct option_list input_data;
    const char *shared_memory;
    int64_t output_memory_bytes;
    const char *text, *vocab, *pad;
    int64_t max_seq_length, doc_stride, max_query_length;
    bool v1_zero;                  /* -z */
    const char *v1_data_directory; /* --data-directory */
    bool fresh_data;
    struct option_list shape_texts;
    int64_t string_length;
    const char *string_data;
    bool strings_given; /* one of the two */
    struct option_list header_texts;
    struct option_list parameter_texts;
    const char *composing_models;

    const char *csv;
    bool verbose_csv, full_csv;
    struct option_list trace_levels;
    int64_t trace_rate, trace_count, log_frequency;
    bool trace_rate_given, trace_count_given, log_frequency_given;
    const char *progress;
    bool collect_metrics;
    const char *metrics_url;
    int64_t metrics_interval_ms;
    const char *profile_export;
    bool profile_values;
    const char *json;
    bool async;          /* these two: what holds anyway */
    int64_t max_threads; /* at least 1 */

    /* From the above. */
    enum perf_service service;
    enum perf_protocol protocol;
    bool json_inputs, json_outputs;
    struct perf_tls tls;
    enum perf_load load;
    bool count_windows;
    struct perf_range range; /* of concurrency or rate */
    bool poisson;
    struct workload_shape *shapes;
    struct infer_header *headers;
    struct infer_client_parameter *parameters;
};

/* Errors: INVALID_ARGUMENT, to be answered with exit code 3. On OPTIONS_HELP the help has been printed. */
struct status perf_options_parse(int argc, char **argv, struct arena *arena, struct perf_options *ret,
                                 enum options_outcome *ret_outcome) STATUS_MUST_CHECK;

/* "HTTP", "gRPC" or "in-process". */
const char *perf_carrier(const struct perf_options *options);

#endif

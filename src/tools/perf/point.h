/* point.h: one load of a search with all that was measured at it, as numbers for the reports. Times are in ns. */
#ifndef INFERD_TOOLS_PERF_POINT_H
#define INFERD_TOOLS_PERF_POINT_H

#include "tools/perf/generator.h"
#include "tools/perf/metrics_watch.h"
#include "tools/perf/perf_options.h"

enum { POINT_PERCENTILES = 6, POINT_REASON_MAX = 160 };

/* The percentiles that every report has: 50, 90, 95, 99, 99.9, 99.99. The first four are perf_analyzer's. */
extern const double point_percentiles[POINT_PERCENTILES];
enum { POINT_CSV_PERCENTILES = 4 };

struct point_failure {
    enum status_code code;
    uint64_t count;
    char message[STATUS_MESSAGE_MAX]; /* of the first */
};

/* Digits of a load, so that each up to the greatest is written whole. */
enum { POINT_LOAD_DIGITS = 8 };

struct point {
    enum perf_load load;
    double value; /* concurrency, or requests a second */
    bool stable;
    bool interrupted; /* that is why it is not stable */
    bool over_limit;  /* of --latency-threshold */
    size_t trials;
    double seconds;
    uint64_t requests, responses, failed;     /* requests: answered well */
    struct generator_tail tail;               /* what was in flight behind them */
    double throughput, throughput_confidence; /* inferences per second; confidences may be NAN */
    double goodput;                           /* those within --goodput-latency */
    double latency, latency_confidence, deviation;
    double percentiles[POINT_PERCENTILES];
    double minimum, maximum;
    double judged;       /* what stability and the threshold looked at */
    double sent_latency; /* mean from the real send */
    double send, receive;
    bool has_server;
    bool server_missed;             /* its statistics were asked for, and cannot be told; filled in by whoever asked */
    bool one_compute;               /* the server tells one time for all of compute; it is in compute_infer_ns */
    struct server_breakdown server; /* of the model */
    size_t model_count;             /* with the composing models behind it */
    struct server_breakdown models[SERVER_MODELS_MAX];
    /* The generator itself. */
    bool valid; /* it was not the bottleneck */
    char reason[POINT_REASON_MAX];
    double delay_mean, delay_p99, delay_max; /* from due to send */
    double cpu_share, starved_share;         /* of one core */
    double cpu_per_request;
    struct metrics_summary metrics; /* filled in by whoever watches them */
    size_t failure_kinds;
    struct point_failure failures[SAMPLE_STATUS_CODES];
};

struct point_scale {
    enum perf_load load;
    double value;
    double percentile; /* below 0: the mean */
    double limit_ns;   /* 0: none */
    bool one_compute;
};

void point_make(const struct point_scale *scale, const struct generator_result *result, struct point *ret);
/* The part of the mean latency that neither the client nor the server's models explain. */
double point_network(const struct point *point);

#endif

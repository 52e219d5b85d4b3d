#include "tools/perf/point.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const double point_percentiles[POINT_PERCENTILES] = {50, 90, 95, 99, 99.9, 99.99};

/* From here on the generator is held to be what limits the result. */
#define BUSY_SHARE 0.95
#define LATE_NS 1e6    /* p99 of the delay of an open loop's sends */
#define LATE_SHARE 0.1 /* and so much of the p99 latency */
#define ACHIEVED 0.99  /* sent of what a rate asks for */

static void judge_generator(const struct point_scale *scale, const struct generator_result *result, struct point *ret) {
    double latency_p99 = ret->percentiles[3];
    bool open = scale->load != PERF_LOAD_CONCURRENCY;
    ret->valid = false;
    if (ret->cpu_share + ret->starved_share > BUSY_SHARE)
        snprintf(ret->reason, sizeof ret->reason,
                 "the generator was busy for %.0f %% of the time (%.0f %% waiting for a CPU)",
                 100 * (ret->cpu_share + ret->starved_share), 100 * ret->starved_share);
    else if (open && ret->delay_p99 > LATE_NS && ret->delay_p99 > LATE_SHARE * latency_p99)
        snprintf(ret->reason, sizeof ret->reason, "1 %% of the requests were sent more than %.1f ms late",
                 ret->delay_p99 / (double)NS_PER_MS);
    else if (scale->load == PERF_LOAD_RATE && result->sum.seconds > 0 &&
             (double)result->sum.sample.send_delay.total >= GENERATOR_IN_FLIGHT_MAX &&
             (double)(ret->requests + ret->failed) < ACHIEVED * scale->value * result->sum.seconds &&
             ret->delay_p99 > LATE_NS)
        snprintf(ret->reason, sizeof ret->reason, "more than %d requests in flight: no more were sent",
                 GENERATOR_IN_FLIGHT_MAX);
    else
        ret->valid = true;
}

static void take_generator(const struct generator_result *result, struct point *ret) {
    const struct window_sum *sum = &result->sum;
    double wall = sum->seconds * (double)NS_PER_S, all = (double)(ret->requests + ret->failed);
    struct histogram_bucket bucket;
    double total = 0;
    size_t at = 0;
    while (histogram_next(&sum->sample.send_delay, &at, &bucket))
        total += (double)bucket.count * (double)(bucket.low_ns + bucket.high_ns) / 2;
    ret->delay_mean = sum->sample.send_delay.total > 0 ? total / (double)sum->sample.send_delay.total : 0;
    ret->delay_p99 = (double)histogram_percentile(&sum->sample.send_delay, 99);
    ret->delay_max = (double)sum->sample.send_delay.max_ns;
    ret->cpu_share = wall > 0 ? (double)sum->usage.cpu_ns / wall : 0;
    ret->starved_share = wall > 0 ? (double)sum->usage.starved_ns / wall : 0;
    ret->cpu_per_request = all > 0 ? (double)sum->usage.cpu_ns / all : 0;
}

static void take_server(const struct window_sum *sum, struct point *ret) {
    ret->has_server = sum->server.valid;
    ret->model_count = ret->has_server ? sum->server.count : 0;
    for (size_t m = 0; m < ret->model_count; m++)
        ret->models[m] = server_breakdown_of(&sum->server.models[m]);
    if (ret->model_count > 0)
        ret->server = ret->models[0];
}

static void take_failures(const struct sample *sample, struct point *ret) {
    for (size_t code = 0; code < SAMPLE_STATUS_CODES; code++) {
        const struct sample_failures *from = &sample->failures[code];
        if (from->count == 0)
            continue;
        struct point_failure *to = &ret->failures[ret->failure_kinds++];
        to->code = (enum status_code)code;
        to->count = from->count;
        memcpy(to->message, from->first.message, sizeof to->message);
    }
}

void point_make(const struct point_scale *scale, const struct generator_result *result, struct point *ret) {
    const struct window_sum *sum = &result->sum;
    const struct sample *sample = &sum->sample;
    double count = (double)sample->latency.total;
    *ret = (struct point){
        .load = scale->load, .value = scale->value, .stable = result->stable, .one_compute = scale->one_compute};
    ret->interrupted = result->stopped;
    ret->trials = result->trials;
    ret->seconds = sum->seconds;
    ret->requests = sample->latency.total;
    ret->responses = sample->responses;
    ret->failed = sample->failed;
    ret->tail = result->tail;
    ret->throughput = sum->seconds > 0 ? (double)sample->inferences / sum->seconds : 0;
    ret->throughput_confidence = sum->throughput_confidence;
    ret->goodput = sum->seconds > 0 ? (double)sample->timely / sum->seconds : 0;
    ret->latency = sample->mean_ns;
    ret->latency_confidence = sum->latency_confidence_ns;
    ret->deviation = sample_deviation_ns(sample);
    for (size_t i = 0; i < POINT_PERCENTILES; i++)
        ret->percentiles[i] = (double)histogram_percentile(&sample->latency, point_percentiles[i]);
    ret->minimum = (double)sample->latency.min_ns;
    ret->maximum = (double)sample->latency.max_ns;
    ret->judged =
        scale->percentile >= 0 ? (double)histogram_percentile(&sample->latency, scale->percentile) : ret->latency;
    ret->over_limit = scale->limit_ns > 0 && ret->judged > scale->limit_ns;
    ret->sent_latency = count > 0 ? sample->sent_latency_ns / count : 0;
    ret->send = count > 0 ? sample->send_ns / count : 0;
    ret->receive = count > 0 ? sample->receive_ns / count : 0;
    take_server(sum, ret);
    take_generator(result, ret);
    take_failures(sample, ret);
    judge_generator(scale, result, ret);
}

double point_network(const struct point *point) {
    const struct server_breakdown *server = &point->server;
    uint64_t known = server->queue_ns + server->compute_input_ns + server->compute_infer_ns +
                     server->compute_output_ns + server->cache_hit_ns + server->cache_miss_ns;
    return fmax(0, point->latency - point->send - point->receive - (double)known);
}

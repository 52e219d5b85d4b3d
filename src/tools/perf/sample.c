#include "tools/perf/sample.h"

#include <math.h>
#include <string.h>

void sample_clear(struct sample *sample) {
    memset(sample, 0, sizeof *sample);
}

static uint64_t span(uint64_t from_ns, uint64_t to_ns) {
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

static void record_failure(struct sample *sample, const struct status *status) {
    struct sample_failures *failures = &sample->failures[status->code];
    if (failures->count++ == 0)
        failures->first = *status;
    sample->failed++;
}

void sample_record(struct sample *sample, const struct sample_request *request) {
    const struct infer_timing *timing = &request->timing;
    histogram_record(&sample->send_delay, span(request->due_ns, timing->start_ns));
    if (!status_is_ok(&request->status)) {
        record_failure(sample, &request->status);
        return;
    }
    uint64_t latency_ns = span(request->due_ns, timing->end_ns);
    histogram_record(&sample->latency, latency_ns);
    double distance = (double)latency_ns - sample->mean_ns;
    sample->mean_ns += distance / (double)sample->latency.total;
    sample->squares_ns += distance * ((double)latency_ns - sample->mean_ns);
    sample->sent_latency_ns += (double)span(timing->start_ns, timing->end_ns);
    sample->send_ns += (double)span(timing->start_ns, timing->sent_ns);
    sample->receive_ns += (double)span(timing->receive_start_ns, timing->end_ns);
    sample->inferences += request->inferences;
    sample->timely += request->goal_ns > 0 && latency_ns <= request->goal_ns ? request->inferences : 0;
    sample->responses += request->responses;
    sample->slices[request->slice].count++;
    sample->slices[request->slice].inferences += request->inferences;
    sample->slices[request->slice].latency_ns += (double)latency_ns;
}

void sample_add(struct sample *sample, const struct sample *from) {
    double a = (double)sample->latency.total, b = (double)from->latency.total;
    if (b > 0) {
        double distance = from->mean_ns - sample->mean_ns;
        sample->mean_ns += distance * b / (a + b);
        sample->squares_ns += from->squares_ns + distance * distance * a * b / (a + b);
    }
    histogram_add(&sample->latency, &from->latency);
    histogram_add(&sample->send_delay, &from->send_delay);
    sample->sent_latency_ns += from->sent_latency_ns;
    sample->send_ns += from->send_ns;
    sample->receive_ns += from->receive_ns;
    sample->inferences += from->inferences;
    sample->timely += from->timely;
    sample->responses += from->responses;
    sample->failed += from->failed;
    for (size_t code = 0; code < SAMPLE_STATUS_CODES; code++) {
        if (sample->failures[code].count == 0)
            sample->failures[code].first = from->failures[code].first;
        sample->failures[code].count += from->failures[code].count;
    }
}

double sample_deviation_ns(const struct sample *sample) {
    uint64_t count = sample->latency.total;
    return count > 1 ? sqrt(sample->squares_ns / (double)(count - 1)) : 0;
}

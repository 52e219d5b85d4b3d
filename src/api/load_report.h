/* load_report.h: how loaded the server is, in a header of the answer to those inferences that ask for it, for load
 * balancers.
 *
 * Source: ORCA (Open Request Cost Aggregation), OrcaLoadReport of the xDS API; the headers' names and forms are the
 * reference server's: endpoint-load-metrics-format: text | json -> endpoint-load-metrics. Thread: any. */
#ifndef INFERD_API_LOAD_REPORT_H
#define INFERD_API_LOAD_REPORT_H

#include "api/context.h"
#include "api/machine_usage.h"
#include "http/exchange.h"

struct load_report {
    double cpu_utilization, mem_utilization; /* of the machine, 0 to 1 */
    double application_utilization;          /* of the instances of the busiest model version: time in execution */
    double rps_fractional, eps;              /* requests, and failed ones, a second */
    uint64_t pending_requests;               /* waiting for an instance now */
};

/* Figures are rates since the reading before, which is at least a second old; who asks more often gets the last ones.
 */
struct load_meter;
/* `machine` is borrowed and may be NULL. NULL when memory is short. */
struct load_meter *load_meter_create(struct machine_usage *machine);
void load_meter_destroy(struct load_meter *meter); /* accepts NULL */
/* `now_ns` is clock_monotonic_ns. False when memory is short. */
bool load_meter_read(struct load_meter *meter, struct inference_server *server, uint64_t now_ns,
                     struct load_report *ret);

/* "TEXT cpu_utilization=0.5, ..., named_metrics.pending_requests=3", or "JSON {...}". NULL for other formats, and when
 * memory is short. */
const char *load_report_format(const struct load_report *report, struct slice format, struct arena *arena);
/* The header that the request of the exchange asks for; false when it asks for none. */
bool load_report_header(const struct api_context *context, struct http_exchange *exchange, struct http_header *ret);

#endif

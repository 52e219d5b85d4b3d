/* squad_report.h: what `inferd squad` says at its end: the summary on stdout and the JSON file. */
#ifndef INFERD_TOOLS_SQUAD_SQUAD_REPORT_H
#define INFERD_TOOLS_SQUAD_SQUAD_REPORT_H

#include <stdio.h>

#include "base/buf.h"
#include "text/squad/squad_evaluate.h"
#include "tools/squad/latency.h"

struct squad_speed {
    size_t questions;
    size_t windows;
    size_t requests;
    uint64_t tokens;        /* of all windows */
    uint64_t padded_tokens; /* as sent */
    double seconds;
    struct latency_summary latency;
};

/* Windows per second; 0 when no time has passed. */
double squad_speed_throughput(const struct squad_speed *speed);
/* Lines about speed. */
void squad_report_speed(FILE *out, const struct squad_speed *speed);
/* The line "exact match: NN.NN  F1: NN.NN", and for 2.0 rules the figures behind it. */
void squad_report_scores(FILE *out, const struct squad_scores *scores);
/* One JSON object. speed: NULL when nothing was run; scores: NULL when the data has no reference answers. */
void squad_report_json(struct buf *out, const struct squad_scores *scores, const struct squad_speed *speed,
                       size_t total);

#endif

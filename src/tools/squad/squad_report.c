/* squad_report.c: see squad_report.h. */
#include "tools/squad/squad_report.h"

double squad_speed_throughput(const struct squad_speed *speed) {
    return speed->seconds > 0 ? (double)speed->windows / speed->seconds : 0.0;
}

void squad_report_speed(FILE *out, const struct squad_speed *speed) {
    fprintf(out, "questions: %zu  windows: %zu  requests: %zu\n", speed->questions, speed->windows, speed->requests);
    fprintf(out, "tokens: %llu, with padding %llu\n", (unsigned long long)speed->tokens,
            (unsigned long long)speed->padded_tokens);
    fprintf(out, "time: %.2f s  throughput: %.2f sentences/s\n", speed->seconds, squad_speed_throughput(speed));
    fprintf(out, "latency of requests: average %.2f ms, 95 %% %.2f ms, 99 %% %.2f ms, 100 %% %.2f ms\n",
            speed->latency.average, speed->latency.p95, speed->latency.p99, speed->latency.max);
}

void squad_report_scores(FILE *out, const struct squad_scores *scores) {
    fprintf(out, "exact match: %.2f  F1: %.2f\n", scores->all.exact, scores->all.f1);
    if (scores->missing > 0)
        fprintf(out, "questions without a prediction, counted as wrong: %zu of %zu\n", scores->missing,
                scores->all.total);
    if (!scores->version_2)
        return;
    fprintf(out, "HasAns: %zu questions, exact match: %.2f  F1: %.2f\n", scores->has_answer.total,
            scores->has_answer.exact, scores->has_answer.f1);
    fprintf(out, "NoAns: %zu questions, exact match: %.2f  F1: %.2f\n", scores->no_answer.total,
            scores->no_answer.exact, scores->no_answer.f1);
    if (scores->best_known)
        fprintf(out, "best exact match: %.2f at threshold %.4f  best F1: %.2f at threshold %.4f\n", scores->best_exact,
                scores->best_exact_threshold, scores->best_f1, scores->best_f1_threshold);
}

static void append_score(struct buf *out, const char *prefix, const struct squad_score *score) {
    buf_printf(out, ",\"%s_exact\":%.6f,\"%s_f1\":%.6f,\"%s_total\":%zu", prefix, score->exact, prefix, score->f1,
               prefix, score->total);
}

/* Members have the names of the official evaluator. */
static void append_version_2(struct buf *out, const struct squad_scores *scores) {
    append_score(out, "HasAns", &scores->has_answer);
    append_score(out, "NoAns", &scores->no_answer);
    if (scores->best_known)
        buf_printf(out, ",\"best_exact\":%.6f,\"best_exact_thresh\":%.6f,\"best_f1\":%.6f,\"best_f1_thresh\":%.6f",
                   scores->best_exact, scores->best_exact_threshold, scores->best_f1, scores->best_f1_threshold);
}

void squad_report_json(struct buf *out, const struct squad_scores *scores, const struct squad_speed *speed,
                       size_t total) {
    if (scores != NULL)
        buf_printf(out, "{\"exact\":%.6f,\"f1\":%.6f", scores->all.exact, scores->all.f1);
    else
        buf_append_text(out, "{\"exact\":null,\"f1\":null");
    buf_printf(out, ",\"total\":%zu", total);
    if (scores != NULL && scores->version_2)
        append_version_2(out, scores);
    if (speed != NULL)
        buf_printf(
            out,
            ",\"throughput\":%.3f,\"latency_ms\":{\"avg\":%.3f,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
            squad_speed_throughput(speed), speed->latency.average, speed->latency.p50, speed->latency.p95,
            speed->latency.p99, speed->latency.max);
    buf_append_text(out, "}\n");
}

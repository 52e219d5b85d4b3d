#include "tools/figures/analysis.h"

#include <math.h>

#include "tools/figures/doubt.h"

/* A point whose windows differ may be recommended, with a warning; these may not. */
enum { OUT_OF_QUESTION = DOUBT_LIMITED | DOUBT_FAILED };

const struct measured_point *analysis_point_at(const struct measured_run *run, double outstanding) {
    for (size_t i = 0; i < run->point_count && !run->is_rate; i++)
        if (fabs(measured_run_outstanding(run, &run->points[i]) - outstanding) < 1e-6)
            return &run->points[i];
    return NULL;
}

const struct measured_point *analysis_peak(const struct measured_run *run) {
    const struct measured_point *peak = &run->points[0];
    for (size_t i = 1; i < run->point_count; i++)
        if (run->points[i].throughput > peak->throughput)
            peak = &run->points[i];
    return peak;
}

const struct measured_point *analysis_saturation(const struct measured_run *run, double tolerance) {
    double enough = analysis_peak(run)->throughput * (1 - tolerance);
    size_t i = 0;
    while (run->points[i].throughput < enough)
        i++;
    return &run->points[i];
}

size_t analysis_queue_dips(const struct measured_run *run, size_t *ret_indices, size_t room) {
    size_t count = 0;
    for (size_t i = 1; i + 1 < run->point_count && count < room; i++) {
        double before = run->points[i - 1].parts_us[PART_SERVER_QUEUE];
        double here = run->points[i].parts_us[PART_SERVER_QUEUE];
        double after = run->points[i + 1].parts_us[PART_SERVER_QUEUE];
        if (here < before && here < after)
            ret_indices[count++] = i;
    }
    return count;
}

double analysis_latency_us(const struct measured_run *run, const struct measured_point *point, double rank) {
    int index = rank > 0 ? measured_run_find_rank(run, rank) : -1;
    return index < 0 ? point->latency_us : point->percentiles_us[index];
}

static bool is_eligible(const struct measured_run *run, bool single_only) {
    return !single_only || run->settings.batch_size <= 1;
}

struct choice analysis_recommend(const struct measured_run *runs, size_t count, double limit_us, double rank,
                                 bool single_only) {
    struct choice choice = {0};
    double best = 0;
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; is_eligible(&runs[r], single_only) && i < runs[r].point_count; i++)
            if (!(runs[r].points[i].doubts & OUT_OF_QUESTION) &&
                analysis_latency_us(&runs[r], &runs[r].points[i], rank) <= limit_us)
                best = fmax(best, runs[r].points[i].throughput);
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; is_eligible(&runs[r], single_only) && i < runs[r].point_count; i++) {
            const struct measured_point *point = &runs[r].points[i];
            double latency = analysis_latency_us(&runs[r], point, rank);
            bool fits = !(point->doubts & OUT_OF_QUESTION) && latency <= limit_us && point->throughput > 0 &&
                        point->throughput >= best * (1 - ANALYSIS_NOISE);
            if (fits && (choice.run == NULL || latency < choice.latency_us))
                choice = (struct choice){&runs[r], point, latency};
        }
    return choice;
}

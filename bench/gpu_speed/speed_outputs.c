#include "speed_outputs.h"

#include <math.h>
#include <string.h>

enum { GUARD = 1024 };
static const uint32_t poison = UINT32_C(0x7fc0dead); /* not a number */

const char *const speed_output_names[SPEED_OUTPUT_COUNT] = {"starts", "ends",   "hidden", "mean",
                                                            "first",  "pooled", "labels"};

struct status speed_outputs_make(struct arena *arena, const struct bert_engine *engine, const struct speed_batch *batch,
                                 struct speed_outputs *ret) {
    const struct bert_config *config = bert_engine_config(engine);
    size_t rows = batch->batch.sequence_count, hidden = (size_t)config->hidden_size;
    size_t span = bert_engine_has(engine, BERT_HEAD_SPAN) ? batch->tokens : 0;
    const size_t counts[SPEED_OUTPUT_COUNT] = {
        span,
        span,
        batch->tokens * hidden,
        rows * hidden,
        rows * hidden,
        bert_engine_has(engine, BERT_HEAD_POOLER) ? rows * hidden : 0,
        bert_engine_has(engine, BERT_HEAD_CLASSIFIER) ? rows * (size_t)config->label_count : 0,
    };
    for (int i = 0; i < SPEED_OUTPUT_COUNT; i++) {
        ret->counts[i] = counts[i];
        ret->values[i] = arena_alloc(arena, (counts[i] + GUARD) * sizeof(float));
        if (!ret->values[i])
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the results of %zu tokens", batch->tokens);
    }
    return status_ok();
}

static bool is_poison(const float *value) {
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits == poison;
}

static struct status check_output(const struct speed_outputs *outputs, int output, bool wanted) {
    const float *values = outputs->values[output];
    size_t count = wanted ? outputs->counts[output] : 0;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return status_error(STATUS_DATA_LOSS, "%s[%zu] of %zu %s", speed_output_names[output], i, count,
                                is_poison(values + i) ? "was not written" : "is not finite");
    for (size_t i = count; i < outputs->counts[output] + GUARD; i++)
        if (!is_poison(values + i))
            return status_error(STATUS_DATA_LOSS, "%s[%zu] was written, behind the %zu that were asked for",
                                speed_output_names[output], i, count);
    return status_ok();
}

struct status speed_outputs_run(struct bert_session *session, const struct speed_batch *batch, unsigned wanted,
                                struct speed_outputs *outputs) {
    float *given[SPEED_OUTPUT_COUNT];
    for (int i = 0; i < SPEED_OUTPUT_COUNT; i++) {
        given[i] = outputs->counts[i] > 0 && wanted & 1U << i ? outputs->values[i] : NULL;
        for (size_t at = 0; at < outputs->counts[i] + GUARD; at++)
            memcpy(outputs->values[i] + at, &poison, sizeof poison);
    }
    const struct bert_results results = {.starts = given[SPEED_STARTS],
                                         .ends = given[SPEED_ENDS],
                                         .hidden = given[SPEED_HIDDEN],
                                         .mean = given[SPEED_MEAN],
                                         .first = given[SPEED_FIRST],
                                         .pooled = given[SPEED_POOLED],
                                         .labels = given[SPEED_LABELS]};
    STATUS_TRY(bert_session_run(session, &batch->batch, &results));
    for (int i = 0; i < SPEED_OUTPUT_COUNT; i++)
        STATUS_TRY(check_output(outputs, i, given[i] != NULL));
    return status_ok();
}

double speed_root_mean_square(const float *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return count > 0 ? sqrt(sum / (double)count) : 0;
}

struct speed_error speed_outputs_compare(const float *values, const float *reference, size_t count, double usual) {
    struct speed_error error = {0, 0};
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)values[i] - (double)reference[i]);
        error.largest = difference > error.largest ? difference : error.largest;
        sum += difference * difference;
    }
    double scale = fmax(speed_root_mean_square(reference, count), usual);
    if (sum > 0)
        error.relative = sqrt(sum / (double)count) / scale; /* scale 0: infinite, which passes no tolerance */
    return error;
}

double speed_tolerance(const struct speed_tolerances *tolerances, enum bert_precision precision) {
    const double all[BERT_PRECISION_COUNT] = {
        [BERT_PRECISION_AUTO] = tolerances->bf16, [BERT_PRECISION_FP32] = tolerances->fp32,
        [BERT_PRECISION_BF16] = tolerances->bf16, [BERT_PRECISION_INT8] = tolerances->int8,
        [BERT_PRECISION_FP16] = tolerances->fp16, [BERT_PRECISION_FP8] = tolerances->fp8};
    return all[precision];
}

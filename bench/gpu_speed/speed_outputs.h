/* speed_outputs.h: the results of one batch, in arrays with room behind them that nobody may write to, and comparing
 * them. All of it is poisoned with numbers that are none before a batch runs, so that what was not written shows. */
#ifndef INFERD_BENCH_SPEED_OUTPUTS_H
#define INFERD_BENCH_SPEED_OUTPUTS_H

#include "speed_model.h"

enum speed_output {
    SPEED_STARTS,
    SPEED_ENDS,
    SPEED_HIDDEN,
    SPEED_MEAN,
    SPEED_FIRST,
    SPEED_POOLED,
    SPEED_LABELS,
    SPEED_OUTPUT_COUNT
};
extern const char *const speed_output_names[SPEED_OUTPUT_COUNT];

struct speed_outputs {
    float *values[SPEED_OUTPUT_COUNT];
    size_t counts[SPEED_OUTPUT_COUNT]; /* 0: the model has no such head */
};

struct status speed_outputs_make(struct arena *arena, const struct bert_engine *engine, const struct speed_batch *batch,
                                 struct speed_outputs *ret) STATUS_MUST_CHECK;

/* Poisons, and runs the batch for the outputs of `wanted` (bits 1 << enum speed_output; starts and ends come together).
 * DATA_LOSS: a wanted number was not written or is not finite, or something else was written; which is told. */
struct status speed_outputs_run(struct bert_session *session, const struct speed_batch *batch, unsigned wanted,
                                struct speed_outputs *outputs) STATUS_MUST_CHECK;

/* Largest relative errors of hidden states, by precision. */
struct speed_tolerances {
    double fp32, bf16, fp16, fp8, int8;
};
/* Rows for the table of options of `owner`, which has them in `field`. */
/* clang-format off */
#define SPEED_TOLERANCE_ROW(owner, field, number, initial)                                                             \
    {.type = OPTION_DOUBLE, .name = "tolerance-" #number, .offset = offsetof(owner, field.number),                     \
     .default_value = initial, .value_name = "E", .help = "Largest relative error of hidden states.", .min = 0, .max = 10}
#define SPEED_TOLERANCE_ROWS(owner, field)                                                                             \
    SPEED_TOLERANCE_ROW(owner, field, fp32, "0.0001"), SPEED_TOLERANCE_ROW(owner, field, bf16, "0.02"),                \
    SPEED_TOLERANCE_ROW(owner, field, fp16, "0.004"), SPEED_TOLERANCE_ROW(owner, field, fp8, "0.12"),                  \
    SPEED_TOLERANCE_ROW(owner, field, int8, "0.12")
/* clang-format on */
double speed_tolerance(const struct speed_tolerances *tolerances, enum bert_precision precision);

struct speed_error {
    double largest;  /* of the absolute differences */
    double relative; /* root mean square of the differences over that of the reference, or over `usual` if greater */
};
struct speed_error speed_outputs_compare(const float *values, const float *reference, size_t count, double usual);
double speed_root_mean_square(const float *values, size_t count);

#endif

/* shape_trial.h: input shapes that do not fit together are found on a model's description, which costs milliseconds and
 * runs nothing, before they reach the engine (compiled_model.h tells why). Shapes of a kind that has run before
 * (shape_guard.h) are not tried again, and neither are those of a model in which they are all fixed.
 *
 * Inside a model shapes may also follow from the inputs' values, which no trial shows.
 *
 * Thread: any; locked inside. */
#ifndef INFERD_BACKENDS_OPENVINO_SHAPE_TRIAL_H
#define INFERD_BACKENDS_OPENVINO_SHAPE_TRIAL_H

#include "backends/openvino/model_ports.h"
#include "backends/openvino/shape_guard.h"

/* The shape of one engine input. */
struct engine_shape {
    int64_t dims[TENSOR_RANK_MAX];
    int rank;
};

struct shape_trial {
    bool is_open;
    pthread_mutex_t lock; /* of what follows */
    ov_model_t *file;     /* owned; a trial changes it for good: the engine rewrites what it is given shapes for */
    bool is_as_read;      /* no trial has been made, and the file is there */
    bool is_needed;       /* not all shapes are fixed; if so: */
    size_t input_count;
    size_t *indexes; /* the arguments of a reshape, one row an input; the arena's */
    ov_partial_shape_t *shapes;
    ov_dimension_t (*dims)[TENSOR_RANK_MAX];
    struct shape_guard guard;
};

/* Takes `file` over, also when it fails. Memory of the arena is used up to the end. */
struct status shape_trial_create(ov_model_t *file, const struct model_ports *ports, struct arena *arena,
                                 struct shape_trial *ret) STATUS_MUST_CHECK;
void shape_trial_destroy(struct shape_trial *trial); /* accepts a zeroed one */
/* All instances have been compiled: a file that no trial needs is given back, with its weights. */
void shape_trial_keep_needed(struct shape_trial *trial);

/* INVALID_ARGUMENT when the model cannot take the shapes, of which there is one for each engine input. scratch holds
 * shape_trial_width numbers, and is kept until shape_trial_learn. */
struct status shape_trial_check(struct shape_trial *trial, const struct engine_shape *shapes,
                                int64_t *scratch) STATUS_MUST_CHECK;
/* They have run. */
void shape_trial_learn(struct shape_trial *trial, const int64_t *scratch);

size_t shape_trial_width(size_t input_count);

#endif

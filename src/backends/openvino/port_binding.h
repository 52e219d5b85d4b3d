/* port_binding.h: which config input feeds which engine input, and which engine output answers which config output.
 *
 * Made once, at load, where every disagreement of config and model file is found and told. Immutable afterwards. */
#ifndef INFERD_BACKENDS_OPENVINO_PORT_BINDING_H
#define INFERD_BACKENDS_OPENVINO_PORT_BINDING_H

#include "backends/openvino/model_ports.h"

/* One engine input, in the engine's order. */
struct input_binding {
    struct slice name; /* as the config and the requests call it */
    enum datatype type;
    bool scalar; /* a shape of [1] outside, none inside: a config cannot say "no dimensions" of a model that does not
                    batch */
    bool optional;
    /* What stands for an optional input that a request leaves out: a tensor of this shape, which has no elements. An
     * input that nothing reads is content with it; one that something reads leads to an error, not to a wrong answer.
     */
    int absent_rank;
    int64_t absent_shape[TENSOR_RANK_MAX];
};

/* One output of the config, in the config's order. */
struct output_binding {
    struct slice name;
    size_t index; /* the engine's */
    enum datatype type;
    bool scalar;                        /* as above */
    int rank;                           /* with the batch dimension, where the model batches */
    int64_t shape[TENSOR_RANK_MAX + 1]; /* what the config promises, as the engine gives it; -1: variable */
};

struct port_binding {
    struct input_binding *inputs; /* the arena's */
    size_t input_count;
    struct output_binding *outputs;
    size_t output_count;
};

/* Names borrow from config and arena. INVALID_ARGUMENT tells the input or output, what the config says and what the
 * model file has. */
struct status port_binding_create(const struct model_config *config, const struct model_ports *ports,
                                  struct arena *arena, struct port_binding *ret) STATUS_MUST_CHECK;

#endif

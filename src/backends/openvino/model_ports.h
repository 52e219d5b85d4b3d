/* model_ports.h: the inputs and outputs that a model file has, and how a config's names map to them.
 *
 * Ports are known by their position, which compiling keeps. A port may answer to several names (a SavedModel's
 * signature name and its tensor's "input_ids:0"): any of them will do in a config. */
#ifndef INFERD_BACKENDS_OPENVINO_MODEL_PORTS_H
#define INFERD_BACKENDS_OPENVINO_MODEL_PORTS_H

#include <openvino/c/openvino.h>

#include "core/model_config.h"

enum { PORT_RANK_UNKNOWN = -1, PORT_DIM_UNBOUNDED = -1 };

/* What the file says of one dimension: fixed when min equals max. */
struct port_dim {
    int64_t min, max; /* max: PORT_DIM_UNBOUNDED for no limit */
};

struct model_port {
    struct slice name; /* one of its names; "input_0", "output_0" when the file gives it none */
    ov_element_type_e element;
    int rank; /* or PORT_RANK_UNKNOWN */
    struct port_dim dims[TENSOR_RANK_MAX];
};

enum port_side { PORT_INPUT, PORT_OUTPUT };

struct model_ports {
    const ov_model_t *model;     /* borrowed */
    struct model_port *ports[2]; /* by enum port_side; the arena's */
    size_t count[2];
};

/* Reads all ports. INVALID_ARGUMENT for a rank above TENSOR_RANK_MAX, and the engine's own errors. */
struct status model_ports_read(const ov_model_t *model, struct arena *arena, struct model_ports *ret) STATUS_MUST_CHECK;

/* The position of the port that answers to `name`, or to `name` with or without ":0"; -1 when none does. */
int model_ports_find(const struct model_ports *ports, enum port_side side, struct slice name, struct arena *arena);

/* True when a tensor may have this size in that dimension. */
bool port_dim_allows(const struct port_dim *dim, int64_t size);

/* "[-1,128]", as config and metadata write shapes; "of unknown rank". */
void model_port_shape_format(const struct model_port *port, char *text, size_t size);
/* "'a', 'b'": the names on one side, for messages. */
void model_ports_names(const struct model_ports *ports, enum port_side side, char *text, size_t size);

#endif

/* onnx_node.h: appends the messages of an ONNX graph, by hand: nodes, constants, declarations of inputs and outputs.
 * Source: onnx/onnx.proto of the ONNX standard (field numbers); IR version 8. */
#ifndef INFERD_TOOLS_EXPORT_ONNX_NODE_H
#define INFERD_TOOLS_EXPORT_ONNX_NODE_H

#include "tools/export/graph.h"

/* TensorProto.DataType */
enum onnx_type { ONNX_FLOAT = 1, ONNX_INT32 = 6, ONNX_INT64 = 7 };

enum { ONNX_INPUTS_MAX = 4, ONNX_INTS_MAX = 4 };

/* An attribute of a node: whole numbers, one or many. */
struct onnx_attribute {
    const char *name;
    bool is_list;
    size_t count;
    int64_t ints[ONNX_INTS_MAX];
    bool is_float; /* then only this: */
    float number;
};

/* A node with one output. Inputs end at the first NULL. `attributes` may be NULL. */
struct onnx_node {
    const char *op;
    graph_value output;
    graph_value inputs[ONNX_INPUTS_MAX];
    const struct onnx_attribute *attributes;
    size_t attribute_count;
    graph_value second_output; /* NULL: none */
};
/* Returns node->output. The node bears its name. */
graph_value onnx_put_node(struct graph *graph, const struct onnx_node *node);

/* A constant of the checkpoint; returns its name. */
graph_value onnx_put_weight(struct graph *graph, const char *name, const struct bert_weight *weight,
                            enum bert_layout layout);
/* A small constant of whole numbers (a vector) or of one float (a scalar); returns its name. */
graph_value onnx_put_ints(struct graph *graph, const char *name, const int64_t *values, size_t count);
graph_value onnx_put_float(struct graph *graph, const char *name, float value);

/* Declares an input or output of shape [batch, sequence]. */
void onnx_put_input(struct graph *graph, const char *name, enum onnx_type type);
void onnx_put_output(struct graph *graph, const char *name, enum onnx_type type);

#endif

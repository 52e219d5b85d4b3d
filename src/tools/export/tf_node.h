/* tf_node.h: appends the nodes of a TensorFlow GraphDef, by hand. Every attribute is written out, defaults too.
 * Source: node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto, types.proto of TensorFlow. */
#ifndef INFERD_TOOLS_EXPORT_TF_NODE_H
#define INFERD_TOOLS_EXPORT_TF_NODE_H

#include "tools/export/graph.h"

/* DataType */
enum tf_type { TF_FLOAT = 1, TF_INT32 = 3 };

enum { TF_INPUTS_MAX = 4, TF_ATTRIBUTES_MAX = 8 };

/* Fields of AttrValue that are used here; the enumerators are their numbers. */
enum tf_attribute_kind { TF_INT_VALUE = 3, TF_BOOL_VALUE = 5, TF_TYPE_VALUE = 6 };

struct tf_attribute {
    const char *name;
    enum tf_attribute_kind kind;
    int64_t value;
};

/* Inputs end at the first NULL, attributes at the first without a name. An input is the name of a node, with ":1"
 * behind it for its second output. */
struct tf_node {
    const char *op;
    graph_value name;
    graph_value inputs[TF_INPUTS_MAX];
    struct tf_attribute attributes[TF_ATTRIBUTES_MAX];
};
/* Returns node->name. */
graph_value tf_put_node(struct graph *graph, const struct tf_node *node);

/* A Const with a weight of the checkpoint; returns its name. */
graph_value tf_put_weight(struct graph *graph, const char *name, const struct bert_weight *weight,
                          enum bert_layout layout);
/* Small Consts: a vector (or, with count 0, a scalar: the first) of whole numbers, a scalar float. */
graph_value tf_put_ints(struct graph *graph, const char *name, const int32_t *values, size_t count);
graph_value tf_put_float(struct graph *graph, const char *name, float value);
/* A Placeholder of INT32 [?, ?]. */
void tf_put_placeholder(struct graph *graph, const char *name);
/* A TensorShapeProto as a field; -1 is an unknown dimension. */
void tf_put_shape(struct buf *out, uint32_t field, const int64_t *dims, size_t rank);

#endif

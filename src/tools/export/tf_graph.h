/* tf_graph.h: the operations of graph.h in nodes of TensorFlow 1. */
#ifndef INFERD_TOOLS_EXPORT_TF_GRAPH_H
#define INFERD_TOOLS_EXPORT_TF_GRAPH_H

#include "tools/export/graph.h"

extern const struct graph_format tf_graph_format;

/* The inputs, and what all operations share; goes first. */
void tf_graph_declare(struct graph *graph);

#endif

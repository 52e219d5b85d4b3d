/* bert_graph.h: the computation of a BERT for question answering, in the operations of graph.h. */
#ifndef INFERD_TOOLS_EXPORT_BERT_GRAPH_H
#define INFERD_TOOLS_EXPORT_BERT_GRAPH_H

#include "checkpoint/bert_checkpoint.h"
#include "tools/export/graph.h"

/* Appends all nodes and weights of the model to the graph; the format declares inputs and outputs itself. */
void bert_graph_build(struct graph *graph, const struct bert_checkpoint *checkpoint);

#endif

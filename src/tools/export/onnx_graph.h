/* onnx_graph.h: the operations of graph.h in nodes of ONNX, opset 17. */
#ifndef INFERD_TOOLS_EXPORT_ONNX_GRAPH_H
#define INFERD_TOOLS_EXPORT_ONNX_GRAPH_H

#include "tools/export/graph.h"

enum { ONNX_OPSET = 17, ONNX_IR_VERSION = 8 };

extern const struct graph_format onnx_graph_format;

#endif

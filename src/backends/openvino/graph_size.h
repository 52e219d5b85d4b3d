/* graph_size.h: how many nodes does a model file have? A look at the file's outline, before the engine reads it.
 *
 * The engine walks graphs by recursion: one of 100,000 nodes in a row runs its threads out of stack and ends the
 * process. */
#ifndef INFERD_BACKENDS_OPENVINO_GRAPH_SIZE_H
#define INFERD_BACKENDS_OPENVINO_GRAPH_SIZE_H

#include "base/slice.h"
#include "base/status.h"

/* The largest models that are served on CPUs have a few thousand. */
enum { GRAPH_NODES_MAX = 30000 };

enum graph_form { GRAPH_ONNX, GRAPH_SAVED_MODEL, GRAPH_IR };

/* Nodes of the graphs in `file`. What is malformed is not counted: the engine's reader will refuse it. */
size_t graph_size_count(enum graph_form form, struct slice file);

/* UNSUPPORTED above GRAPH_NODES_MAX. Maps the file at `path`. */
struct status graph_size_check(enum graph_form form, const char *path) STATUS_MUST_CHECK;

#endif

/* graph.h: what a graph format must be able to say so that a BERT can be written in it.
 *
 * bert_graph.c describes the model once, in these operations; onnx_graph.c and tf_graph.c put each of them into
 * nodes of their format. A value is a tensor in the graph under construction, known by its name.
 * Errors: a format that runs out of memory sets `failed` and goes on with empty names; its writer checks at the end.
 */
#ifndef INFERD_TOOLS_EXPORT_GRAPH_H
#define INFERD_TOOLS_EXPORT_GRAPH_H

#include "base/arena.h"
#include "checkpoint/bert_config.h"
#include "checkpoint/bert_weight.h"
#include "tools/export/weight_stream.h"

typedef const char *graph_value; /* the arena's */

/* The inputs: INT32 of shape [batch, sequence]. The outputs: FP32 of the same shape. */
#define GRAPH_INPUT_IDS "input_ids"
#define GRAPH_SEGMENT_IDS "segment_ids"
#define GRAPH_INPUT_MASK "input_mask"
#define GRAPH_START_LOGITS "start_logits"
#define GRAPH_END_LOGITS "end_logits"

/* Added to the attention scores of masked positions, as BERT does: their weight becomes exactly 0 in float. */
#define GRAPH_MASKED_SCORE (-10000.0f)

struct graph;

/* B batch, S sequence, H hidden. `name` begins the names of all nodes that an operation makes. */
struct graph_format {
    const char *op_add, *op_divide; /* what the formats call differently; Mul, Pow, Erf and Tanh have one name */
    /* A node on floats, called name + suffix, without attributes but their type; b may be NULL. */
    graph_value (*node)(struct graph *graph, const char *name, const char *suffix, const char *op, graph_value a,
                        graph_value b);
    /* A constant number, called name + suffix. */
    graph_value (*number)(struct graph *graph, const char *name, const char *suffix, double value);
    /* A weight of the checkpoint as a constant, laid out as asked. */
    graph_value (*weight)(struct graph *graph, const char *name, const struct bert_weight *weight,
                          enum bert_layout layout);
    /* Rows of table [n, H] picked by ids [B, S] -> [B, S, H]. */
    graph_value (*embed)(struct graph *graph, const char *name, graph_value table, graph_value ids);
    /* The first S rows of table [n, H] -> [S, H]. */
    graph_value (*positions)(struct graph *graph, const char *name, graph_value table);
    /* mask [B, S] of 1 and 0 -> [B, 1, 1, S] of 0 and GRAPH_MASKED_SCORE. */
    graph_value (*mask_bias)(struct graph *graph, const char *name, graph_value mask);
    /* x [B, S, in], kernel [in, out], bias [out] -> [B, S, out]. */
    graph_value (*dense)(struct graph *graph, const char *name, graph_value x, graph_value kernel, graph_value bias);
    /* query, key, value [B, S, H] and the bias of the mask -> [B, S, H]. */
    graph_value (*attention)(struct graph *graph, const char *name, graph_value query, graph_value key,
                             graph_value value, graph_value mask_bias);
    graph_value (*layer_norm)(struct graph *graph, const char *name, graph_value x, graph_value gamma,
                              graph_value beta);
    /* both [B, S, 2] -> the outputs start_logits and end_logits [B, S]. */
    void (*span_logits)(struct graph *graph, const char *name, graph_value both);
};

struct graph {
    const struct graph_format *format;
    const struct bert_config *config; /* borrowed */
    struct arena *arena;              /* owned; names */
    struct weight_stream stream;      /* owned; the graph message's content */
    bool failed;
};

struct status graph_init(struct graph *ret, const struct graph_format *format,
                         const struct bert_config *config) STATUS_MUST_CHECK;
void graph_free(struct graph *graph);

/* Writes a whole model file: head, the graph's content, tail (what the format puts around the graph).
 * RESOURCE_EXHAUSTED when building failed; TOO_LARGE when the file would pass protobuf's 2 GiB; the errors of
 * weight_stream_write. */
struct status graph_write(const struct graph *graph, const struct buf *head, const struct buf *tail,
                          const char *path) STATUS_MUST_CHECK;

/* prefix + suffix in the arena; "" and graph->failed when memory is short. */
graph_value graph_name(struct graph *graph, const char *prefix, const char *suffix);

#endif

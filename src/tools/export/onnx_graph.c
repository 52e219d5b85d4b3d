#include "tools/export/onnx_graph.h"

#include <math.h>

#include "tools/export/onnx_node.h"

/* A node without attributes, called name + suffix. */
static graph_value node(struct graph *graph, const char *name, const char *suffix, const char *op, graph_value a,
                        graph_value b) {
    return onnx_put_node(graph,
                         &(struct onnx_node){.op = op, .output = graph_name(graph, name, suffix), .inputs = {a, b}});
}

static graph_value number(struct graph *graph, const char *name, const char *suffix, double value) {
    return onnx_put_float(graph, graph_name(graph, name, suffix), (float)value);
}

static graph_value ints(struct graph *graph, const char *name, const char *suffix, const int64_t *values,
                        size_t count) {
    return onnx_put_ints(graph, graph_name(graph, name, suffix), values, count);
}

static graph_value embed(struct graph *graph, const char *name, graph_value table, graph_value ids) {
    return node(graph, name, "/Gather", "Gather", table, ids);
}

static graph_value positions(struct graph *graph, const char *name, graph_value table) {
    const struct onnx_attribute second[] = {{"start", false, 1, {1}, false, 0}, {"end", false, 1, {2}, false, 0}};
    graph_value length = onnx_put_node(graph, &(struct onnx_node){.op = "Shape",
                                                                  .output = graph_name(graph, name, "/length"),
                                                                  .inputs = {GRAPH_INPUT_IDS},
                                                                  .attributes = second,
                                                                  .attribute_count = 2});
    graph_value zero = ints(graph, name, "/zero", (int64_t[]){0}, 1);
    graph_value axis = ints(graph, name, "/axis", (int64_t[]){0}, 1);
    return onnx_put_node(graph, &(struct onnx_node){.op = "Slice",
                                                    .output = graph_name(graph, name, "/Slice"),
                                                    .inputs = {table, zero, length, axis}});
}

static graph_value mask_bias(struct graph *graph, const char *name, graph_value mask) {
    const struct onnx_attribute to_float = {"to", false, 1, {ONNX_FLOAT}, false, 0};
    graph_value axes = ints(graph, name, "/axes", (int64_t[]){1, 2}, 2);
    graph_value spread = node(graph, name, "/Unsqueeze", "Unsqueeze", mask, axes);
    graph_value kept = onnx_put_node(graph, &(struct onnx_node){.op = "Cast",
                                                                .output = graph_name(graph, name, "/Cast"),
                                                                .inputs = {spread},
                                                                .attributes = &to_float,
                                                                .attribute_count = 1});
    graph_value masked = node(graph, name, "/Sub", "Sub", number(graph, name, "/one", 1), kept);
    return node(graph, name, "/Mul", "Mul", masked, number(graph, name, "/score", (double)GRAPH_MASKED_SCORE));
}

static graph_value dense(struct graph *graph, const char *name, graph_value x, graph_value kernel, graph_value bias) {
    graph_value product = node(graph, name, "/MatMul", "MatMul", x, kernel);
    return node(graph, name, "/BiasAdd", "Add", product, bias);
}

static graph_value transpose(struct graph *graph, graph_value output, graph_value x, const int64_t order[4]) {
    const struct onnx_attribute perm = {"perm", true, 4, {order[0], order[1], order[2], order[3]}, false, 0};
    return onnx_put_node(
        graph, &(struct onnx_node){
                   .op = "Transpose", .output = output, .inputs = {x}, .attributes = &perm, .attribute_count = 1});
}

/* [B, S, H] -> [B, heads, S, size], or [B, heads, size, S] with order 0, 2, 3, 1. */
static graph_value split_heads(struct graph *graph, const char *name, const char *part, graph_value x,
                               graph_value shape, const int64_t order[4]) {
    graph_value heads = node(graph, graph_name(graph, name, part), "/Reshape", "Reshape", x, shape);
    return transpose(graph, graph_name(graph, name, graph_name(graph, part, "/Transpose")), heads, order);
}

static graph_value attention(struct graph *graph, const char *name, graph_value query, graph_value key,
                             graph_value value, graph_value bias) {
    static const int64_t heads_first[4] = {0, 2, 1, 3}, keys_last[4] = {0, 2, 3, 1};
    const struct onnx_attribute last_axis = {"axis", false, 1, {-1}, false, 0};
    int64_t heads = graph->config->head_count, size = graph->config->hidden_size / heads;
    /* 0 in a target shape: the dimension stays */
    graph_value split = ints(graph, name, "/heads_shape", (int64_t[]){0, 0, heads, size}, 4);
    graph_value merged = ints(graph, name, "/hidden_shape", (int64_t[]){0, 0, graph->config->hidden_size}, 3);
    graph_value q = split_heads(graph, name, "/query_heads", query, split, heads_first);
    graph_value k = split_heads(graph, name, "/key_heads", key, split, keys_last);
    graph_value v = split_heads(graph, name, "/value_heads", value, split, heads_first);
    graph_value scores = node(graph, name, "/scores", "MatMul", q, k);
    scores = node(graph, name, "/scaled", "Div", scores, number(graph, name, "/sqrt_size", sqrt((double)size)));
    scores = node(graph, name, "/masked", "Add", scores, bias);
    graph_value weights = onnx_put_node(graph, &(struct onnx_node){.op = "Softmax",
                                                                   .output = graph_name(graph, name, "/Softmax"),
                                                                   .inputs = {scores},
                                                                   .attributes = &last_axis,
                                                                   .attribute_count = 1});
    graph_value context = node(graph, name, "/context", "MatMul", weights, v);
    context = transpose(graph, graph_name(graph, name, "/context_Transpose"), context, heads_first);
    return node(graph, name, "/context_Reshape", "Reshape", context, merged);
}

static graph_value layer_norm(struct graph *graph, const char *name, graph_value x, graph_value gamma,
                              graph_value beta) {
    const struct onnx_attribute attributes[] = {
        {.name = "axis", .count = 1, .ints = {-1}},
        {.name = "epsilon", .is_float = true, .number = (float)graph->config->layer_norm_eps},
    };
    return onnx_put_node(graph, &(struct onnx_node){.op = "LayerNormalization",
                                                    .output = graph_name(graph, name, "/LayerNormalization"),
                                                    .inputs = {x, gamma, beta},
                                                    .attributes = attributes,
                                                    .attribute_count = 2});
}

static void span_logits(struct graph *graph, const char *name, graph_value both) {
    const struct onnx_attribute last_axis = {"axis", false, 1, {-1}, false, 0};
    graph_value axes = ints(graph, name, "/last_axis", (int64_t[]){-1}, 1);
    struct onnx_node split = {.op = "Split",
                              .output = graph_name(graph, name, "/start"),
                              .second_output = graph_name(graph, name, "/end"),
                              .inputs = {both},
                              .attributes = &last_axis,
                              .attribute_count = 1};
    onnx_put_node(graph, &split);
    node(graph, GRAPH_START_LOGITS, "", "Squeeze", split.output, axes);
    node(graph, GRAPH_END_LOGITS, "", "Squeeze", split.second_output, axes);
}

const struct graph_format onnx_graph_format = {
    .op_add = "Add",
    .op_divide = "Div",
    .node = node,
    .number = number,
    .weight = onnx_put_weight,
    .embed = embed,
    .positions = positions,
    .mask_bias = mask_bias,
    .dense = dense,
    .attention = attention,
    .layer_norm = layer_norm,
    .span_logits = span_logits,
};

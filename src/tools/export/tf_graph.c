#include "tools/export/tf_graph.h"

#include <math.h>

#include "tools/export/tf_node.h"

/* Nodes that tf_graph_declare makes: the shape [B, S] of the inputs and small constants. */
#define BATCH_AND_LENGTH "bert/batch_and_length"
#define LAST_AXIS "bert/last_axis"
#define ZERO "bert/zero"
#define HEADS_FIRST "bert/heads_first"
#define HEADS_SHAPE "bert/heads_shape"
#define HIDDEN_SHAPE "bert/hidden_shape"

#define TYPE(name, type)                                                                                               \
    { name, TF_TYPE_VALUE, type }
#define INT(name, value)                                                                                               \
    { name, TF_INT_VALUE, value }
#define BOOL(name, value)                                                                                              \
    { name, TF_BOOL_VALUE, value }

/* A node on floats with no attribute but their type, called name + suffix. */
static graph_value node(struct graph *graph, const char *name, const char *suffix, const char *op, graph_value a,
                        graph_value b) {
    return tf_put_node(graph, &(struct tf_node){op, graph_name(graph, name, suffix), {a, b}, {TYPE("T", TF_FLOAT)}});
}

static graph_value number(struct graph *graph, const char *name, const char *suffix, double value) {
    return tf_put_float(graph, graph_name(graph, name, suffix), (float)value);
}

/* The node `name`: [B, S] with `count` more dimensions behind, as the target of a Reshape. */
static void put_target_shape(struct graph *graph, const char *name, const int32_t *dims, size_t count) {
    graph_value rest = tf_put_ints(graph, graph_name(graph, name, "/rest"), dims, count);
    tf_put_node(graph, &(struct tf_node){"ConcatV2",
                                         name,
                                         {BATCH_AND_LENGTH, rest, ZERO},
                                         {INT("N", 2), TYPE("T", TF_INT32), TYPE("Tidx", TF_INT32)}});
}

void tf_graph_declare(struct graph *graph) {
    int64_t hidden = graph->config->hidden_size, heads = graph->config->head_count;
    tf_put_placeholder(graph, GRAPH_INPUT_IDS);
    tf_put_placeholder(graph, GRAPH_SEGMENT_IDS);
    tf_put_placeholder(graph, GRAPH_INPUT_MASK);
    tf_put_node(graph,
                &(struct tf_node){
                    "Shape", BATCH_AND_LENGTH, {GRAPH_INPUT_IDS}, {TYPE("T", TF_INT32), TYPE("out_type", TF_INT32)}});
    tf_put_ints(graph, LAST_AXIS, (int32_t[]){-1}, 1);
    tf_put_ints(graph, ZERO, (int32_t[]){0}, 0);
    tf_put_ints(graph, HEADS_FIRST, (int32_t[]){0, 2, 1, 3}, 4);
    put_target_shape(graph, HEADS_SHAPE, (int32_t[]){(int32_t)heads, (int32_t)(hidden / heads)}, 2);
    put_target_shape(graph, HIDDEN_SHAPE, (int32_t[]){(int32_t)hidden}, 1);
}

static graph_value embed(struct graph *graph, const char *name, graph_value table, graph_value ids) {
    return tf_put_node(graph, &(struct tf_node){"GatherV2",
                                                graph_name(graph, name, "/GatherV2"),
                                                {table, ids, ZERO},
                                                {TYPE("Tparams", TF_FLOAT), TYPE("Tindices", TF_INT32),
                                                 TYPE("Taxis", TF_INT32), INT("batch_dims", 0)}});
}

static graph_value strided_slice(struct graph *graph, graph_value name, enum tf_type type, graph_value x,
                                 graph_value begin, graph_value end, graph_value step) {
    return tf_put_node(
        graph, &(struct tf_node){"StridedSlice",
                                 name,
                                 {x, begin, end, step},
                                 {TYPE("T", type), TYPE("Index", TF_INT32), INT("begin_mask", 0), INT("end_mask", 0),
                                  INT("ellipsis_mask", 0), INT("new_axis_mask", 0), INT("shrink_axis_mask", 0)}});
}

static graph_value positions(struct graph *graph, const char *name, graph_value table) {
    graph_value zero = tf_put_ints(graph, graph_name(graph, name, "/zero"), (int32_t[]){0}, 1);
    graph_value one = tf_put_ints(graph, graph_name(graph, name, "/one"), (int32_t[]){1}, 1);
    graph_value two = tf_put_ints(graph, graph_name(graph, name, "/two"), (int32_t[]){2}, 1);
    graph_value length =
        strided_slice(graph, graph_name(graph, name, "/length"), TF_INT32, BATCH_AND_LENGTH, one, two, one);
    return strided_slice(graph, graph_name(graph, name, "/StridedSlice"), TF_FLOAT, table, zero, length, one);
}

static graph_value expand(struct graph *graph, graph_value name, graph_value x, graph_value axis) {
    return tf_put_node(graph,
                       &(struct tf_node){"ExpandDims", name, {x, axis}, {TYPE("T", TF_INT32), TYPE("Tdim", TF_INT32)}});
}

static graph_value mask_bias(struct graph *graph, const char *name, graph_value mask) {
    graph_value axis = tf_put_ints(graph, graph_name(graph, name, "/axis"), (int32_t[]){1}, 0);
    graph_value spread = expand(graph, graph_name(graph, name, "/ExpandDims"), mask, axis);
    spread = expand(graph, graph_name(graph, name, "/ExpandDims_1"), spread, axis);
    graph_value kept = tf_put_node(
        graph, &(struct tf_node){"Cast",
                                 graph_name(graph, name, "/Cast"),
                                 {spread},
                                 {TYPE("SrcT", TF_INT32), TYPE("DstT", TF_FLOAT), BOOL("Truncate", false)}});
    graph_value masked = node(graph, name, "/Sub", "Sub", number(graph, name, "/one", 1), kept);
    return node(graph, name, "/Mul", "Mul", masked, number(graph, name, "/score", (double)GRAPH_MASKED_SCORE));
}

static graph_value multiply(struct graph *graph, graph_value name, graph_value a, graph_value b, bool transpose_b) {
    return tf_put_node(
        graph,
        &(struct tf_node){
            "BatchMatMulV2", name, {a, b}, {TYPE("T", TF_FLOAT), BOOL("adj_x", false), BOOL("adj_y", transpose_b)}});
}

static graph_value dense(struct graph *graph, const char *name, graph_value x, graph_value kernel, graph_value bias) {
    return node(graph, name, "/BiasAdd", "AddV2", multiply(graph, graph_name(graph, name, "/MatMul"), x, kernel, false),
                bias);
}

static graph_value reshape(struct graph *graph, graph_value name, graph_value x, graph_value shape) {
    return tf_put_node(graph,
                       &(struct tf_node){"Reshape", name, {x, shape}, {TYPE("T", TF_FLOAT), TYPE("Tshape", TF_INT32)}});
}

static graph_value swap_heads(struct graph *graph, graph_value name, graph_value x) {
    return tf_put_node(
        graph, &(struct tf_node){"Transpose", name, {x, HEADS_FIRST}, {TYPE("T", TF_FLOAT), TYPE("Tperm", TF_INT32)}});
}

/* [B, S, H] -> [B, heads, S, size] */
static graph_value split_heads(struct graph *graph, const char *name, const char *part, graph_value x) {
    const char *scope = graph_name(graph, name, part);
    return swap_heads(graph, graph_name(graph, scope, "/Transpose"),
                      reshape(graph, graph_name(graph, scope, "/Reshape"), x, HEADS_SHAPE));
}

static graph_value attention(struct graph *graph, const char *name, graph_value query, graph_value key,
                             graph_value value, graph_value bias) {
    int64_t size = graph->config->hidden_size / graph->config->head_count;
    graph_value q = split_heads(graph, name, "/query_heads", query);
    graph_value k = split_heads(graph, name, "/key_heads", key);
    graph_value v = split_heads(graph, name, "/value_heads", value);
    graph_value scores = multiply(graph, graph_name(graph, name, "/scores"), q, k, true);
    scores = node(graph, name, "/scaled", "Mul", scores, number(graph, name, "/scale", 1 / sqrt((double)size)));
    scores = node(graph, name, "/masked", "AddV2", scores, bias);
    graph_value weights = node(graph, name, "/Softmax", "Softmax", scores, NULL);
    graph_value context = multiply(graph, graph_name(graph, name, "/context"), weights, v, false);
    context = swap_heads(graph, graph_name(graph, name, "/context_Transpose"), context);
    return reshape(graph, graph_name(graph, name, "/context_Reshape"), context, HIDDEN_SHAPE);
}

/* Over the last axis, which stays with size 1. */
static graph_value mean_of(struct graph *graph, graph_value name, graph_value x) {
    return tf_put_node(
        graph,
        &(struct tf_node){
            "Mean", name, {x, LAST_AXIS}, {TYPE("T", TF_FLOAT), TYPE("Tidx", TF_INT32), BOOL("keep_dims", true)}});
}

static graph_value layer_norm(struct graph *graph, const char *name, graph_value x, graph_value gamma,
                              graph_value beta) {
    graph_value mean = mean_of(graph, graph_name(graph, name, "/mean"), x);
    graph_value centred = node(graph, name, "/Sub", "Sub", x, mean);
    graph_value squares = node(graph, name, "/Square", "Square", centred, NULL);
    graph_value variance = mean_of(graph, graph_name(graph, name, "/variance"), squares);
    graph_value epsilon = number(graph, name, "/epsilon", graph->config->layer_norm_eps);
    graph_value deviation =
        node(graph, name, "/Sqrt", "Sqrt", node(graph, name, "/Add", "AddV2", variance, epsilon), NULL);
    graph_value y = node(graph, name, "/RealDiv", "RealDiv", centred, deviation);
    y = node(graph, name, "/Mul_gamma", "Mul", y, gamma);
    return node(graph, name, "/Add_beta", "AddV2", y, beta);
}

static void span_logits(struct graph *graph, const char *name, graph_value both) {
    graph_value split = tf_put_node(graph, &(struct tf_node){"Unpack",
                                                             graph_name(graph, name, "/Unpack"),
                                                             {both},
                                                             {TYPE("T", TF_FLOAT), INT("num", 2), INT("axis", -1)}});
    node(graph, GRAPH_START_LOGITS, "", "Identity", split, NULL);
    node(graph, GRAPH_END_LOGITS, "", "Identity", graph_name(graph, split, ":1"), NULL);
}

const struct graph_format tf_graph_format = {
    .op_add = "AddV2",
    .op_divide = "RealDiv",
    .node = node,
    .number = number,
    .weight = tf_put_weight,
    .embed = embed,
    .positions = positions,
    .mask_bias = mask_bias,
    .dense = dense,
    .attention = attention,
    .layer_norm = layer_norm,
    .span_logits = span_logits,
};

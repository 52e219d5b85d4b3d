#include "tools/export/bert_graph.h"

#include <math.h>
#include <stdio.h>

#include "checkpoint/bert_names.h"

/* What the functions below share. */
struct builder {
    struct graph *graph;
    const struct graph_format *format;
    const struct bert_checkpoint *checkpoint;
    int64_t layer;
    graph_value mask_bias;
};

/* The name of something in the layer at hand: "bert/encoder/layer_3/" + suffix. */
static const char *layer_name(const struct builder *b, const char *suffix) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "bert/encoder/layer_%lld/", (long long)b->layer);
    return graph_name(b->graph, prefix, suffix);
}

/* A weight under its TensorFlow name, matrices with one row per input: what a product x * W takes. */
static graph_value weight(const struct builder *b, enum bert_part part) {
    int64_t layer = bert_part_is_per_layer(part) ? b->layer : 0;
    const struct bert_weight *found = bert_checkpoint_weight(b->checkpoint, part, layer);
    struct bert_names names = bert_names_of(BERT_TENSORFLOW, part, layer);
    return b->format->weight(b->graph, graph_name(b->graph, names.items[0], ""), found,
                             found->is_matrix ? BERT_IN_OUT : BERT_OUT_IN);
}

static graph_value dense(const struct builder *b, const char *name, graph_value x, enum bert_part kernel,
                         enum bert_part bias) {
    return b->format->dense(b->graph, name, x, weight(b, kernel), weight(b, bias));
}

static graph_value add(const struct builder *b, const char *name, graph_value x, graph_value y) {
    return b->format->node(b->graph, name, "/Add", b->format->op_add, x, y);
}

static graph_value add_and_norm(const struct builder *b, const char *scope, graph_value x, graph_value y,
                                enum bert_part gamma, enum bert_part beta) {
    graph_value sum = add(b, graph_name(b->graph, scope, "/residual"), x, y);
    return b->format->layer_norm(b->graph, graph_name(b->graph, scope, "/LayerNorm"), sum, weight(b, gamma),
                                 weight(b, beta));
}

static graph_value embeddings(const struct builder *b) {
    struct graph *graph = b->graph;
    const struct graph_format *format = b->format;
    graph_value words = format->embed(graph, "bert/embeddings/words", weight(b, BERT_WORD_EMBEDDINGS), GRAPH_INPUT_IDS);
    graph_value types =
        format->embed(graph, "bert/embeddings/types", weight(b, BERT_TYPE_EMBEDDINGS), GRAPH_SEGMENT_IDS);
    graph_value positions = format->positions(graph, "bert/embeddings/positions", weight(b, BERT_POSITION_EMBEDDINGS));
    graph_value tokens = add(b, "bert/embeddings/words_and_types", words, types);
    return add_and_norm(b, "bert/embeddings", tokens, positions, BERT_EMBEDDINGS_GAMMA, BERT_EMBEDDINGS_BETA);
}

/* x * (1 + erf(x / sqrt 2)) / 2 */
static graph_value gelu_erf(const struct builder *b, const char *name, graph_value x) {
    struct graph *graph = b->graph;
    const struct graph_format *format = b->format;
    graph_value y =
        format->node(graph, name, "/Div", format->op_divide, x, format->number(graph, name, "/sqrt_two", sqrt(2)));
    y = format->node(graph, name, "/Erf", "Erf", y, NULL);
    y = format->node(graph, name, "/Add", format->op_add, y, format->number(graph, name, "/one", 1));
    y = format->node(graph, name, "/Mul", "Mul", x, y);
    return format->node(graph, name, "/Mul_half", "Mul", y, format->number(graph, name, "/half", 0.5));
}

/* x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2 */
static graph_value gelu_tanh(const struct builder *b, const char *name, graph_value x) {
    struct graph *graph = b->graph;
    const struct graph_format *format = b->format;
    graph_value y = format->node(graph, name, "/Pow", "Pow", x, format->number(graph, name, "/three", 3));
    y = format->node(graph, name, "/Mul_cubic", "Mul", y, format->number(graph, name, "/cubic", 0.044715));
    y = format->node(graph, name, "/Add_cubic", format->op_add, x, y);
    y = format->node(graph, name, "/Mul_scale", "Mul", y, format->number(graph, name, "/scale", sqrt(2 / acos(-1))));
    y = format->node(graph, name, "/Tanh", "Tanh", y, NULL);
    y = format->node(graph, name, "/Add_one", format->op_add, y, format->number(graph, name, "/one", 1));
    graph_value half = format->node(graph, name, "/Mul_half", "Mul", x, format->number(graph, name, "/half", 0.5));
    return format->node(graph, name, "/Mul", "Mul", half, y);
}

static graph_value gelu(const struct builder *b, const char *name, graph_value x) {
    return b->graph->config->activation == BERT_GELU_ERF ? gelu_erf(b, name, x) : gelu_tanh(b, name, x);
}

static graph_value encoder_layer(const struct builder *b, graph_value x) {
    graph_value query = dense(b, layer_name(b, "attention/self/query"), x, BERT_QUERY_KERNEL, BERT_QUERY_BIAS);
    graph_value key = dense(b, layer_name(b, "attention/self/key"), x, BERT_KEY_KERNEL, BERT_KEY_BIAS);
    graph_value value = dense(b, layer_name(b, "attention/self/value"), x, BERT_VALUE_KERNEL, BERT_VALUE_BIAS);
    graph_value context =
        b->format->attention(b->graph, layer_name(b, "attention/self"), query, key, value, b->mask_bias);
    graph_value attended =
        dense(b, layer_name(b, "attention/output/dense"), context, BERT_ATTENTION_KERNEL, BERT_ATTENTION_BIAS);
    x = add_and_norm(b, layer_name(b, "attention/output"), attended, x, BERT_ATTENTION_GAMMA, BERT_ATTENTION_BETA);
    graph_value inner =
        dense(b, layer_name(b, "intermediate/dense"), x, BERT_INTERMEDIATE_KERNEL, BERT_INTERMEDIATE_BIAS);
    inner = gelu(b, layer_name(b, "intermediate/gelu"), inner);
    graph_value output = dense(b, layer_name(b, "output/dense"), inner, BERT_OUTPUT_KERNEL, BERT_OUTPUT_BIAS);
    return add_and_norm(b, layer_name(b, "output"), output, x, BERT_OUTPUT_GAMMA, BERT_OUTPUT_BETA);
}

void bert_graph_build(struct graph *graph, const struct bert_checkpoint *checkpoint) {
    struct builder b = {.graph = graph, .format = graph->format, .checkpoint = checkpoint};
    graph_value x = embeddings(&b);
    b.mask_bias = b.format->mask_bias(graph, "bert/encoder/mask", GRAPH_INPUT_MASK);
    for (b.layer = 0; b.layer < graph->config->layer_count; b.layer++)
        x = encoder_layer(&b, x);
    graph_value both = dense(&b, "cls/squad/output", x, BERT_SPAN_KERNEL, BERT_SPAN_BIAS);
    b.format->span_logits(graph, "cls/squad", both);
}

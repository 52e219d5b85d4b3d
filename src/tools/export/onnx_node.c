#include "tools/export/onnx_node.h"

#include "codec/pb_wire.h"

/* Field numbers of onnx.proto. */
enum graph_field { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum node_field { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum attribute_field { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum attribute_type { ATTRIBUTE_IS_FLOAT = 1, ATTRIBUTE_IS_INT = 2, ATTRIBUTE_IS_INTS = 7 };
enum tensor_field { TENSOR_DIMS = 1, TENSOR_DATA_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW_DATA = 9 };
enum value_field { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEM_TYPE = 1, TENSOR_SHAPE = 2 };
enum shape_field { SHAPE_DIM = 1, DIM_PARAM = 2 };

static void put_attribute(struct buf *out, const struct onnx_attribute *attribute) {
    size_t mark = pb_write_begin(out, NODE_ATTRIBUTE);
    pb_write_text(out, ATTRIBUTE_NAME, attribute->name);
    if (attribute->is_float) {
        pb_write_float(out, ATTRIBUTE_F, attribute->number);
        pb_write_uint64(out, ATTRIBUTE_TYPE, ATTRIBUTE_IS_FLOAT);
    } else if (attribute->is_list) {
        pb_write_packed_int64(out, ATTRIBUTE_INTS, attribute->ints, attribute->count);
        pb_write_uint64(out, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INTS);
    } else {
        pb_write_int64(out, ATTRIBUTE_I, attribute->ints[0]);
        pb_write_uint64(out, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INT);
    }
    pb_write_end(out, mark);
}

graph_value onnx_put_node(struct graph *graph, const struct onnx_node *node) {
    struct buf *out = &graph->stream.bytes;
    size_t mark = pb_write_begin(out, GRAPH_NODE);
    for (size_t i = 0; i < ONNX_INPUTS_MAX && node->inputs[i]; i++)
        pb_write_text(out, NODE_INPUT, node->inputs[i]);
    pb_write_text(out, NODE_OUTPUT, node->output);
    if (node->second_output)
        pb_write_text(out, NODE_OUTPUT, node->second_output);
    pb_write_text(out, NODE_NAME, node->output);
    pb_write_text(out, NODE_OP_TYPE, node->op);
    for (size_t i = 0; i < node->attribute_count; i++)
        put_attribute(out, &node->attributes[i]);
    pb_write_end(out, mark);
    return node->output;
}

/* The fields of a TensorProto before its data. */
static void put_tensor_head(struct buf *out, const char *name, enum onnx_type type, const int64_t *dims, size_t rank) {
    if (rank > 0)
        pb_write_packed_int64(out, TENSOR_DIMS, dims, rank);
    pb_write_uint64(out, TENSOR_DATA_TYPE, type);
    pb_write_text(out, TENSOR_NAME, name);
}

graph_value onnx_put_weight(struct graph *graph, const char *name, const struct bert_weight *weight,
                            enum bert_layout layout) {
    struct buf *out = &graph->stream.bytes, head = BUF_EMPTY;
    const int64_t dims[] = {bert_weight_rows(weight, layout), bert_weight_columns(weight, layout)};
    size_t data_size = (size_t)weight_stream_weight_size(weight);
    put_tensor_head(&head, name, ONNX_FLOAT, dims, (size_t)weight->rank);
    pb_write_bytes_head(&head, TENSOR_RAW_DATA, data_size);
    pb_write_bytes_head(out, GRAPH_INITIALIZER, head.size + data_size);
    buf_append_slice(out, buf_slice(&head));
    weight_stream_add(&graph->stream, weight, layout);
    graph->failed = graph->failed || buf_failed(&head);
    buf_free(&head);
    return name;
}

static graph_value put_constant(struct graph *graph, const char *name, enum onnx_type type, const int64_t *dims,
                                size_t rank, struct slice data) {
    struct buf *out = &graph->stream.bytes;
    size_t mark = pb_write_begin(out, GRAPH_INITIALIZER);
    put_tensor_head(out, name, type, dims, rank);
    pb_write_bytes(out, TENSOR_RAW_DATA, data);
    pb_write_end(out, mark);
    return name;
}

graph_value onnx_put_ints(struct graph *graph, const char *name, const int64_t *values, size_t count) {
    const int64_t dims[] = {(int64_t)count};
    struct slice data = {(const char *)values, count * sizeof *values};
    return put_constant(graph, name, ONNX_INT64, dims, 1, data);
}

graph_value onnx_put_float(struct graph *graph, const char *name, float value) {
    return put_constant(graph, name, ONNX_FLOAT, NULL, 0, (struct slice){(const char *)&value, sizeof value});
}

/* A ValueInfoProto. */
static void put_declaration(struct graph *graph, uint32_t field, const char *name, enum onnx_type type) {
    static const char *const dimensions[] = {"batch", "sequence"};
    struct buf *out = &graph->stream.bytes;
    size_t value = pb_write_begin(out, field);
    pb_write_text(out, VALUE_NAME, name);
    size_t value_type = pb_write_begin(out, VALUE_TYPE);
    size_t tensor = pb_write_begin(out, TYPE_TENSOR);
    pb_write_uint64(out, TENSOR_ELEM_TYPE, type);
    size_t shape = pb_write_begin(out, TENSOR_SHAPE);
    for (size_t i = 0; i < 2; i++) {
        size_t dimension = pb_write_begin(out, SHAPE_DIM);
        pb_write_text(out, DIM_PARAM, dimensions[i]);
        pb_write_end(out, dimension);
    }
    pb_write_end(out, shape);
    pb_write_end(out, tensor);
    pb_write_end(out, value_type);
    pb_write_end(out, value);
}

void onnx_put_input(struct graph *graph, const char *name, enum onnx_type type) {
    put_declaration(graph, GRAPH_INPUT, name, type);
}

void onnx_put_output(struct graph *graph, const char *name, enum onnx_type type) {
    put_declaration(graph, GRAPH_OUTPUT, name, type);
}

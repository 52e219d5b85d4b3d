#include "tools/export/tf_node.h"

#include "codec/pb_wire.h"

enum graph_field { GRAPH_NODE = 1 };
enum node_field { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum map_field { MAP_KEY = 1, MAP_VALUE = 2 };
enum attr_field { ATTR_SHAPE = 7, ATTR_TENSOR = 8 };
enum tensor_field { TENSOR_DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4 };
enum shape_field { SHAPE_DIM = 2, DIM_SIZE = 1 };

void tf_put_shape(struct buf *out, uint32_t field, const int64_t *dims, size_t rank) {
    size_t shape = pb_write_begin(out, field);
    for (size_t i = 0; i < rank; i++) {
        size_t dim = pb_write_begin(out, SHAPE_DIM);
        pb_write_int64(out, DIM_SIZE, dims[i]);
        pb_write_end(out, dim);
    }
    pb_write_end(out, shape);
}

static void put_attribute(struct buf *out, const struct tf_attribute *attribute) {
    size_t entry = pb_write_begin(out, NODE_ATTR);
    pb_write_text(out, MAP_KEY, attribute->name);
    size_t value = pb_write_begin(out, MAP_VALUE);
    pb_write_int64(out, (uint32_t)attribute->kind, attribute->value);
    pb_write_end(out, value);
    pb_write_end(out, entry);
}

static void put_name_and_op(struct buf *out, const char *name, const char *op) {
    pb_write_text(out, NODE_NAME, name);
    pb_write_text(out, NODE_OP, op);
}

graph_value tf_put_node(struct graph *graph, const struct tf_node *node) {
    struct buf *out = &graph->stream.bytes;
    size_t mark = pb_write_begin(out, GRAPH_NODE);
    put_name_and_op(out, node->name, node->op);
    for (size_t i = 0; i < TF_INPUTS_MAX && node->inputs[i]; i++)
        pb_write_text(out, NODE_INPUT, node->inputs[i]);
    for (size_t i = 0; i < TF_ATTRIBUTES_MAX && node->attributes[i].name; i++)
        put_attribute(out, &node->attributes[i]);
    pb_write_end(out, mark);
    return node->name;
}

/* The fields of a Const node up to, but without, the `data_size` bytes of its content, which end the node: from the
 * inside out, since each message begins with its length. */
static void put_const_head(struct buf *out, const char *name, enum tf_type type, const int64_t *dims, size_t rank,
                           size_t data_size) {
    struct buf node = BUF_EMPTY, tensor = BUF_EMPTY;
    pb_write_uint64(&tensor, TENSOR_DTYPE, type);
    tf_put_shape(&tensor, TENSOR_SHAPE, dims, rank);
    pb_write_bytes_head(&tensor, TENSOR_CONTENT, data_size);
    size_t tensor_size = tensor.size + data_size;
    size_t value_size = pb_bytes_field_size(ATTR_TENSOR, tensor_size);
    size_t entry_size = pb_bytes_field_size(MAP_KEY, sizeof "value" - 1) + pb_bytes_field_size(MAP_VALUE, value_size);
    put_name_and_op(&node, name, "Const");
    put_attribute(&node, &(struct tf_attribute){"dtype", TF_TYPE_VALUE, type});
    pb_write_bytes_head(&node, NODE_ATTR, entry_size);
    pb_write_text(&node, MAP_KEY, "value");
    pb_write_bytes_head(&node, MAP_VALUE, value_size);
    pb_write_bytes_head(&node, ATTR_TENSOR, tensor_size);
    buf_append_slice(&node, buf_slice(&tensor));
    pb_write_bytes_head(out, GRAPH_NODE, node.size + data_size);
    buf_append_slice(out, buf_slice(&node));
    out->failed = out->failed || buf_failed(&node) || buf_failed(&tensor);
    buf_free(&node);
    buf_free(&tensor);
}

graph_value tf_put_weight(struct graph *graph, const char *name, const struct bert_weight *weight,
                          enum bert_layout layout) {
    const int64_t dims[] = {bert_weight_rows(weight, layout), bert_weight_columns(weight, layout)};
    put_const_head(&graph->stream.bytes, name, TF_FLOAT, dims, (size_t)weight->rank,
                   (size_t)weight_stream_weight_size(weight));
    weight_stream_add(&graph->stream, weight, layout);
    return name;
}

graph_value tf_put_ints(struct graph *graph, const char *name, const int32_t *values, size_t count) {
    const int64_t dims[] = {(int64_t)count};
    size_t size = (count ? count : 1) * sizeof *values;
    put_const_head(&graph->stream.bytes, name, TF_INT32, dims, count ? 1 : 0, size);
    buf_append(&graph->stream.bytes, values, size);
    return name;
}

graph_value tf_put_float(struct graph *graph, const char *name, float value) {
    put_const_head(&graph->stream.bytes, name, TF_FLOAT, NULL, 0, sizeof value);
    buf_append(&graph->stream.bytes, &value, sizeof value);
    return name;
}

void tf_put_placeholder(struct graph *graph, const char *name) {
    static const int64_t unknown[] = {-1, -1};
    struct buf *out = &graph->stream.bytes;
    size_t mark = pb_write_begin(out, GRAPH_NODE);
    put_name_and_op(out, name, "Placeholder");
    put_attribute(out, &(struct tf_attribute){"dtype", TF_TYPE_VALUE, TF_INT32});
    size_t entry = pb_write_begin(out, NODE_ATTR);
    pb_write_text(out, MAP_KEY, "shape");
    size_t value = pb_write_begin(out, MAP_VALUE);
    tf_put_shape(out, ATTR_SHAPE, unknown, 2);
    pb_write_end(out, value);
    pb_write_end(out, entry);
    pb_write_end(out, mark);
}

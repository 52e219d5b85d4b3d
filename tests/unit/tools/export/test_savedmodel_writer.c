/* saved_model.pb as a reader sees it: signature, graph in order, Const nodes whose nested lengths add up. */
#include "tools/export/savedmodel_writer.h"

#include "wire_tree.h"

#define TF "tests/fixtures/tf_checkpoint"
#define HF "tests/fixtures/hf_checkpoint"

/* Numbers of saved_model.proto, meta_graph.proto, node_def.proto, attr_value.proto and tensor.proto. */
enum { SAVED_VERSION = 1, SAVED_META = 2, META_INFO = 1, META_GRAPH = 2, META_SIGNATURE = 5, INFO_TAGS = 4 };
enum { GRAPH_NODE = 1, GRAPH_VERSIONS = 4, NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum { KEY = 1, VALUE = 2, ATTR_TENSOR = 8, TENSOR_DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4 };
enum { DT_FLOAT = 1, DT_INT32 = 3 };

struct written {
    struct scratch scratch;
    struct bert_checkpoint *checkpoint;
    struct buf file;
    struct slice meta, graph;
};

static struct written write_model(const char *path) {
    struct written w = {.scratch = scratch_create(), .file = BUF_EMPTY};
    expect_ok(bert_checkpoint_open(path, NULL, &w.checkpoint));
    const char *model = scratch_path(&w.scratch, "saved_model.pb");
    expect_ok(savedmodel_write(w.checkpoint, model));
    expect_ok(file_read(model, 1 << 24, &w.file));
    w.meta = field_bytes(buf_slice(&w.file), SAVED_META);
    w.graph = field_bytes(w.meta, META_GRAPH);
    return w;
}

static void drop_model(struct written *w) {
    buf_free(&w->file);
    bert_checkpoint_close(w->checkpoint);
    scratch_remove(&w->scratch);
}

static struct slice map_value(struct slice message, uint32_t field, const char *key) {
    struct slice entry;
    while (next_field(&message, field, &entry, NULL))
        if (slice_equal_text(field_bytes(entry, KEY), key))
            return field_bytes(entry, VALUE);
    fail_msg("no entry %s", key);
    return (struct slice){NULL, 0};
}

static void signature(void **state) {
    (void)state;
    static const char *const names[] = {"input_ids", "segment_ids", "input_mask", "start_logits", "end_logits"};
    struct written w = write_model(TF);
    assert_int_equal(field_value(buf_slice(&w.file), SAVED_VERSION), 1);
    assert_true(slice_equal_text(field_bytes(field_bytes(w.meta, META_INFO), INFO_TAGS), "serve"));
    assert_true(field_value(field_bytes(w.graph, GRAPH_VERSIONS), 1) > 0);
    struct slice signature = map_value(w.meta, META_SIGNATURE, "serving_default");
    assert_true(slice_equal_text(field_bytes(signature, 3), "tensorflow/serving/predict"));
    for (uint32_t i = 0; i < 5; i++) {
        struct slice info = map_value(signature, i < 3 ? 1 : 2, names[i]), name = field_bytes(info, 1);
        assert_int_equal(name.size, strlen(names[i]) + 2);
        assert_memory_equal(name.data, names[i], strlen(names[i]));
        assert_true(slice_ends_with(name, SLICE_LITERAL(":0")));
        assert_int_equal(field_value(info, 2), i < 3 ? DT_INT32 : DT_FLOAT);
        struct slice shape = field_bytes(info, 3), dimension;
        for (int k = 0; k < 2; k++) {
            assert_true(next_field(&shape, 2, &dimension, NULL));
            assert_int_equal((int64_t)field_value(dimension, 1), -1);
        }
        assert_int_equal(shape.size, 0);
    }
    drop_model(&w);
}

/* The shape in a TensorProto has as many elements as its content has numbers. */
static void check_const(struct slice node) {
    struct slice tensor = field_bytes(map_value(node, NODE_ATTR, "value"), ATTR_TENSOR);
    struct slice shape = field_bytes(tensor, TENSOR_SHAPE), dimension;
    uint64_t elements = 1;
    while (next_field(&shape, 2, &dimension, NULL))
        elements *= field_value(dimension, 1);
    assert_int_equal(field_bytes(tensor, TENSOR_CONTENT).size, elements * 4);
    assert_int_equal(field_value(map_value(node, NODE_ATTR, "dtype"), 6), field_value(tensor, TENSOR_DTYPE));
}

static void nodes_are_in_order(void **state) {
    (void)state;
    static const char *const paths[] = {TF, HF};
    for (size_t i = 0; i < 2; i++) {
        struct written w = write_model(paths[i]);
        struct names *defined = calloc(1, sizeof *defined);
        struct slice rest = w.graph, node, name;
        assert_non_null(defined);
        while (next_field(&rest, GRAPH_NODE, &node, NULL)) {
            struct slice op = field_bytes(node, NODE_OP);
            if (slice_equal_text(op, "Const"))
                check_const(node);
            for (struct slice in = node; next_field(&in, NODE_INPUT, &name, NULL);) {
                struct slice producer, port;
                slice_split(name, ':', &producer, &port);
                assert_true(names_has(defined, producer));
                assert_true(port.size == 0 || slice_equal_text(port, "1"));
            }
            names_add(defined, field_bytes(node, NODE_NAME));
        }
        assert_true(names_has(defined, SLICE_LITERAL("start_logits")));
        assert_true(names_has(defined, SLICE_LITERAL("end_logits")));
        free(defined);
        drop_model(&w);
    }
}

static struct slice find_node(struct slice graph, const char *name) {
    struct slice node;
    while (next_field(&graph, GRAPH_NODE, &node, NULL))
        if (slice_equal_text(field_bytes(node, NODE_NAME), name))
            return node;
    fail_msg("no node %s", name);
    return (struct slice){NULL, 0};
}

static void weights_are_the_checkpoints(void **state) {
    (void)state;
    struct written w = write_model(HF);
    struct slice node = find_node(w.graph, "bert/encoder/layer_0/intermediate/dense/kernel");
    struct slice tensor = field_bytes(map_value(node, NODE_ATTR, "value"), ATTR_TENSOR);
    struct slice content = field_bytes(tensor, TENSOR_CONTENT);
    float expected[32 * 64];
    bert_weight_read(bert_checkpoint_weight(w.checkpoint, BERT_INTERMEDIATE_KERNEL, 0), BERT_IN_OUT, 0, 32, expected);
    assert_int_equal(content.size, sizeof expected);
    assert_memory_equal(content.data, expected, sizeof expected);
    drop_model(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature),
        cmocka_unit_test(nodes_are_in_order),
        cmocka_unit_test(weights_are_the_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* model.onnx as a reader of the standard sees it: whole, in order, of the right shapes, with the checkpoint's numbers.
 */
#include "tools/export/onnx_writer.h"

#include "wire_tree.h"

#define TF "tests/fixtures/tf_checkpoint"
#define HF "tests/fixtures/hf_checkpoint"

/* Numbers of onnx.proto. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSETS = 8, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { TYPE_FLOAT = 1, TYPE_INT32 = 6, TYPE_INT64 = 7 };

struct written {
    struct scratch scratch;
    struct bert_checkpoint *checkpoint;
    struct buf file;
    struct slice graph;
};

static struct written write_model(const char *path) {
    struct written w = {.scratch = scratch_create(), .file = BUF_EMPTY};
    expect_ok(bert_checkpoint_open(path, NULL, &w.checkpoint));
    const char *model = scratch_path(&w.scratch, "model.onnx");
    expect_ok(onnx_write(w.checkpoint, model));
    expect_ok(file_read(model, 1 << 24, &w.file));
    w.graph = field_bytes(buf_slice(&w.file), MODEL_GRAPH);
    return w;
}

static void drop_model(struct written *w) {
    buf_free(&w->file);
    bert_checkpoint_close(w->checkpoint);
    scratch_remove(&w->scratch);
}

static void model_fields(void **state) {
    (void)state;
    struct written w = write_model(TF);
    struct slice model = buf_slice(&w.file);
    assert_int_equal(field_value(model, MODEL_IR), 8);
    assert_true(slice_equal_text(field_bytes(model, MODEL_PRODUCER), "inferd"));
    assert_int_equal(field_value(field_bytes(model, MODEL_OPSETS), OPSET_VERSION), 17);
    assert_true(w.graph.data + w.graph.size == w.file.data + w.file.size);
    assert_true(field_bytes(w.graph, GRAPH_NAME).size > 0);
    drop_model(&w);
}

static void inputs_and_outputs(void **state) {
    (void)state;
    static const char *const expected[] = {"input_ids", "segment_ids", "input_mask", "start_logits", "end_logits"};
    struct written w = write_model(TF);
    struct slice rest = w.graph, value;
    for (size_t i = 0; i < 5; i++) {
        if (i == 3)
            rest = w.graph;
        assert_true(next_field(&rest, i < 3 ? GRAPH_INPUT : GRAPH_OUTPUT, &value, NULL));
        assert_true(slice_equal_text(field_bytes(value, 1), expected[i]));
        struct slice tensor = field_bytes(field_bytes(value, 2), 1); /* type, tensor_type */
        struct slice shape = field_bytes(tensor, 2), dimension;
        assert_int_equal(field_value(tensor, 1), i < 3 ? TYPE_INT32 : TYPE_FLOAT);
        assert_true(next_field(&shape, 1, &dimension, NULL));
        assert_true(slice_equal_text(field_bytes(dimension, 2), "batch"));
        assert_true(next_field(&shape, 1, &dimension, NULL));
        assert_true(slice_equal_text(field_bytes(dimension, 2), "sequence"));
        assert_false(next_field(&shape, 1, &dimension, NULL));
    }
    assert_false(next_field(&rest, GRAPH_OUTPUT, &value, NULL));
    drop_model(&w);
}

static void add_initializers(struct slice graph, struct names *defined) {
    static const size_t sizes[] = {[TYPE_FLOAT] = 4, [TYPE_INT64] = 8};
    struct slice tensor;
    while (next_field(&graph, GRAPH_INITIALIZER, &tensor, NULL)) {
        uint64_t type = field_value(tensor, TENSOR_TYPE), elements = 1, dim;
        struct slice packed = {NULL, 0}, head = tensor;
        assert_true(type == TYPE_FLOAT || type == TYPE_INT64);
        if (next_field(&head, TENSOR_DIMS, &packed, NULL))
            for (struct pb_reader reader = pb_reader_on(packed); !pb_reader_done(&reader); elements *= dim)
                assert_true(pb_read_varint(&reader, &dim));
        assert_int_equal(field_bytes(tensor, TENSOR_RAW).size, elements * sizes[type]);
        names_add(defined, field_bytes(tensor, TENSOR_NAME));
    }
}

/* Every input of a node is a graph input, a constant, or the output of a node before it; every output is defined once
 * and, but for the graph's, used. */
static void nodes_are_in_order(void **state) {
    (void)state;
    static const char *const paths[] = {TF, HF};
    for (size_t i = 0; i < 2; i++) {
        struct written w = write_model(paths[i]);
        struct names *defined = calloc(1, sizeof *defined), *used = calloc(1, sizeof *used);
        struct slice rest = w.graph, node, name;
        assert_true(defined && used);
        while (next_field(&rest, GRAPH_INPUT, &node, NULL))
            names_add(defined, field_bytes(node, 1));
        add_initializers(w.graph, defined);
        for (rest = w.graph; next_field(&rest, GRAPH_NODE, &node, NULL);) {
            assert_true(field_bytes(node, NODE_OP).size > 0);
            for (struct slice in = node; next_field(&in, NODE_INPUT, &name, NULL);) {
                assert_true(names_has(defined, name));
                if (!names_has(used, name))
                    names_add(used, name);
            }
            for (struct slice out = node; next_field(&out, NODE_OUTPUT, &name, NULL);)
                names_add(defined, name);
        }
        for (size_t k = 0; k < defined->count; k++)
            assert_true(names_has(used, defined->items[k]) ||
                        slice_ends_with(defined->items[k], SLICE_LITERAL("_logits")));
        free(defined);
        free(used);
        drop_model(&w);
    }
}

static struct slice initializer(struct slice graph, const char *name) {
    struct slice tensor;
    while (next_field(&graph, GRAPH_INITIALIZER, &tensor, NULL))
        if (slice_equal_text(field_bytes(tensor, TENSOR_NAME), name))
            return field_bytes(tensor, TENSOR_RAW);
    fail_msg("no initializer %s", name);
    return (struct slice){NULL, 0};
}

/* Both families end up with the same layout: one row per input. */
static void weights_are_the_checkpoints(void **state) {
    (void)state;
    static const char *const paths[] = {TF, HF};
    for (size_t i = 0; i < 2; i++) {
        struct written w = write_model(paths[i]);
        const struct bert_weight *kernel = bert_checkpoint_weight(w.checkpoint, BERT_OUTPUT_KERNEL, 1);
        struct slice raw = initializer(w.graph, "bert/encoder/layer_1/output/dense/kernel");
        float expected[64 * 32];
        bert_weight_read(kernel, BERT_IN_OUT, 0, 64, expected);
        assert_int_equal(raw.size, sizeof expected);
        assert_memory_equal(raw.data, expected, sizeof expected);
        raw = initializer(w.graph, "bert/embeddings/LayerNorm/gamma");
        bert_weight_read(bert_checkpoint_weight(w.checkpoint, BERT_EMBEDDINGS_GAMMA, 0), BERT_OUT_IN, 0, 32, expected);
        assert_memory_equal(raw.data, expected, 32 * sizeof(float));
        drop_model(&w);
    }
}

static size_t count_nodes(struct slice graph, const char *op) {
    struct slice node;
    size_t count = 0;
    while (next_field(&graph, GRAPH_NODE, &node, NULL))
        count += slice_equal_text(field_bytes(node, NODE_OP), op);
    return count;
}

static void activation_follows_the_configuration(void **state) {
    (void)state;
    struct written erf = write_model(TF), tanh = write_model(HF);
    assert_int_equal(count_nodes(erf.graph, "Erf"), 2);
    assert_int_equal(count_nodes(erf.graph, "Tanh"), 0);
    assert_int_equal(count_nodes(tanh.graph, "Erf"), 0);
    assert_int_equal(count_nodes(tanh.graph, "Tanh"), 2);
    assert_int_equal(count_nodes(erf.graph, "LayerNormalization"), 5);
    drop_model(&erf);
    drop_model(&tanh);
}

static void too_large_for_the_format(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct bert_checkpoint *checkpoint;
    const char *config =
        scratch_write(&scratch, "config.json",
                      SLICE_LITERAL("{\"vocab_size\":1000000,\"hidden_size\":1024,\"num_hidden_layers\":1,"
                                    "\"num_attention_heads\":16,\"intermediate_size\":4096}"));
    expect_ok(bert_checkpoint_open("random:1", config, &checkpoint));
    const char *model = scratch_path(&scratch, "model.onnx");
    expect_error(onnx_write(checkpoint, model), STATUS_TOO_LARGE, "holds at most 2147483647");
    assert_false(file_exists(model));
    bert_checkpoint_close(checkpoint);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_fields),
        cmocka_unit_test(inputs_and_outputs),
        cmocka_unit_test(nodes_are_in_order),
        cmocka_unit_test(weights_are_the_checkpoints),
        cmocka_unit_test(activation_follows_the_configuration),
        cmocka_unit_test(too_large_for_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

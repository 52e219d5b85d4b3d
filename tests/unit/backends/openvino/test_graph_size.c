/* Counting nodes from a file's outline. */
#include "backends/openvino/graph_size.h"
#include "codec/pb_wire.h"
#include "engine_fixture.h"

static size_t count_file(enum graph_form form, const char *path) {
    struct buf content = BUF_EMPTY;
    assert_good(file_read(path, 1 << 20, &content));
    size_t count = graph_size_count(form, buf_slice(&content));
    /* Cut off anywhere, it counts no more than that, and reads nothing behind the end. */
    for (size_t size = 0; size < content.size; size += content.size / 97 + 1) {
        char *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, content.data, size);
        assert_true(graph_size_count(form, (struct slice){copy, size}) <= count);
        free(copy);
    }
    buf_free(&content);
    return count;
}

/* The numbers are those that the frameworks' own readers give. */
static void test_models_of_frameworks(void **state) {
    (void)state;
    assert_int_equal(count_file(GRAPH_ONNX, FOREIGN "repository/torch_mlp/1/model.onnx"), 4);
    assert_int_equal(count_file(GRAPH_ONNX, FOREIGN "repository/torch_cnn/1/model.onnx"), 5);
    assert_int_equal(count_file(GRAPH_IR, FOREIGN "repository/openvino_types/1/model.xml"), 55);
    assert_int_equal(
        count_file(GRAPH_SAVED_MODEL, FOREIGN "repository/tf_bert_frozen/1/model.savedmodel/saved_model.pb"), 322);
}

static void test_nodes_of_functions_count(void **state) {
    (void)state;
    struct buf file = BUF_EMPTY;
    size_t meta = pb_write_begin(&file, 2), graph = pb_write_begin(&file, 2);
    pb_write_bytes(&file, 1, slice_of("")); /* two nodes */
    pb_write_bytes(&file, 1, slice_of(""));
    size_t library = pb_write_begin(&file, 2), function = pb_write_begin(&file, 1);
    pb_write_bytes(&file, 3, slice_of("")); /* and one in a function */
    pb_write_end(&file, function);
    pb_write_end(&file, library);
    pb_write_end(&file, graph);
    pb_write_end(&file, meta);
    assert_int_equal(graph_size_count(GRAPH_SAVED_MODEL, buf_slice(&file)), 3);
    buf_free(&file);
}

static void test_other_things_have_none(void **state) {
    (void)state;
    static const char text[] = "neither protobuf nor XML";
    for (enum graph_form form = GRAPH_ONNX; form <= GRAPH_IR; form++) {
        assert_int_equal(graph_size_count(form, (struct slice){NULL, 0}), 0);
        assert_int_equal(graph_size_count(form, slice_of(text)), 0);
    }
    assert_error(graph_size_check(GRAPH_ONNX, "/no/such/file"), STATUS_NOT_FOUND, "/no/such/file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_of_frameworks),
        cmocka_unit_test(test_nodes_of_functions_count),
        cmocka_unit_test(test_other_things_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

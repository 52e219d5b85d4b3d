/* Model files that are damaged, cut off or made to harm: a load error that tells, and an engine that goes on. */
#include "codec/pb_wire.h"
#include "foreign_cases.h"

static struct engine engine;
static char scratch[64];

static int setup(void **state) {
    (void)state;
    engine_open(&engine);
    snprintf(scratch, sizeof scratch, "/tmp/inferd-openvino-test-XXXXXX");
    assert_non_null(mkdtemp(scratch));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    assert_good(file_remove_tree(scratch));
    engine_close(&engine);
    return 0;
}

static void put(const char *name, const void *data, size_t size) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    assert_good(file_make_directories(path));
}

static void clear(void) {
    assert_good(file_remove_tree(scratch));
    assert_good(file_make_directories(scratch));
}

static void assert_engine_lives(void) {
    struct loaded loaded;
    yyjson_doc *doc = cases_open("torch_mlp");
    struct batch batch = {.loaded = &loaded};
    assert_good(load_foreign(&engine, "torch_mlp", "onnxruntime", &loaded));
    add_case(&batch, cases_at(doc, 1, "inputs"), true);
    assert_good(execute(&batch));
    assert_case(&batch, 0, cases_at(doc, 1, "outputs"));
    batch_close(&batch);
    loaded_close(&loaded);
    yyjson_doc_free(doc);
}

/* Loads what lies in the scratch folder; says whether that worked. An error must tell something. */
static bool loads(const char *backend) {
    char config[64];
    struct loaded loaded;
    snprintf(config, sizeof config, "backend: \"%s\"", backend);
    struct status status = load(&engine, scratch, config, &loaded);
    if (!status_is_ok(&status)) {
        assert_true(strlen(status.message) > 20);
        assert_null(strstr(status.message, "src/"));
        return false;
    }
    loaded_close(&loaded);
    return true;
}

/* The files of each form of model, and the one that is damaged: the first. */
static const struct form {
    const char *backend, *folder, *files[4];
} forms[] = {
    {"onnxruntime", "torch_mlp/1", {"model.onnx"}},
    {"onnxruntime", "torch_bert_dynamo/1", {"model.onnx", "model.onnx.data"}},
    {"onnxruntime", "torch_bert_dynamo/1", {"model.onnx.data", "model.onnx"}},
    {"tensorflow", "tf_bert_frozen/1", {"model.savedmodel/saved_model.pb"}},
    {"tensorflow",
     "tf_bert_variables/1",
     {"model.savedmodel/saved_model.pb", "model.savedmodel/variables/variables.index",
      "model.savedmodel/variables/variables.data-00000-of-00001"}},
    {"tensorflow",
     "tf_bert_variables/1",
     {"model.savedmodel/variables/variables.index", "model.savedmodel/saved_model.pb",
      "model.savedmodel/variables/variables.data-00000-of-00001"}},
    {"tensorflow",
     "tf_bert_variables/1",
     {"model.savedmodel/variables/variables.data-00000-of-00001", "model.savedmodel/saved_model.pb",
      "model.savedmodel/variables/variables.index"}},
    {"openvino", "openvino_types/1", {"model.xml", "model.bin"}},
};
enum { FORM_COUNT = sizeof forms / sizeof *forms };

/* Copies the form's files into the scratch folder; gives the content of the one to damage. */
static struct buf copy_form(const struct form *form) {
    struct buf damaged = BUF_EMPTY;
    clear();
    if (strcmp(form->backend, "tensorflow") == 0)
        make_folder("model.savedmodel/variables");
    for (size_t i = 0; i < 4 && form->files[i]; i++) {
        char path[256];
        struct buf content = BUF_EMPTY;
        snprintf(path, sizeof path, FOREIGN "repository/%s/%s", form->folder, form->files[i]);
        assert_good(file_read(path, 1 << 20, &content));
        put(form->files[i], content.data, content.size);
        if (i == 0)
            damaged = content;
        else
            buf_free(&content);
    }
    return damaged;
}

static void test_the_copies_load(void **state) {
    (void)state;
    for (size_t f = 0; f < FORM_COUNT; f++) {
        struct buf content = copy_form(&forms[f]);
        assert_true(loads(forms[f].backend));
        buf_free(&content);
    }
}

static void test_cut_off_files(void **state) {
    (void)state;
    enum { CUTS = 16 };
    for (size_t f = 0; f < FORM_COUNT; f++) {
        struct buf content = copy_form(&forms[f]);
        for (size_t i = 0; i <= CUTS; i++) {
            size_t size = i == CUTS ? content.size - 8 : content.size * i / CUTS; /* a line end may be missing */
            put(forms[f].files[0], content.data, size);
            if (loads(forms[f].backend))
                fail_msg("%s cut off at %zu of %zu bytes was accepted", forms[f].files[0], size, content.size);
        }
        buf_free(&content);
        assert_engine_lives();
    }
}

static void test_files_with_wrong_bytes(void **state) {
    (void)state;
    enum { ROUNDS = 24, BYTES = 4 };
    uint64_t random = 88172645463325252u; /* xorshift */
    for (size_t f = 0; f < FORM_COUNT; f++) {
        struct buf content = copy_form(&forms[f]);
        size_t refused = 0;
        for (size_t i = 0; i < ROUNDS; i++) {
            char kept[BYTES];
            size_t places[BYTES];
            for (size_t b = 0; b < BYTES; b++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                places[b] = (size_t)(random >> 8) % content.size;
                kept[b] = content.data[places[b]];
                content.data[places[b]] = (char)random;
            }
            put(forms[f].files[0], content.data, content.size);
            refused += !loads(forms[f].backend);
            for (size_t b = BYTES; b-- > 0;)
                content.data[places[b]] = kept[b];
        }
        print_message("%s of %s: %zu of %d refused\n", forms[f].files[0], forms[f].folder, refused, ROUNDS);
        buf_free(&content);
        assert_engine_lives();
    }
}

/* The engine's own reader of this file runs off its memory; ours goes before it. */
static void test_bytes_all_over_the_variables_index(void **state) {
    (void)state;
    struct buf content = copy_form(&forms[5]);
    size_t refused = 0, tried = 0;
    for (size_t i = 0; i < content.size; i += 5, tried++) {
        content.data[i] = (char)(content.data[i] ^ 0x55);
        put(forms[5].files[0], content.data, content.size);
        content.data[i] = (char)(content.data[i] ^ 0x55);
        struct loaded loaded;
        struct status status = load(&engine, scratch, "backend: \"tensorflow\"", &loaded);
        refused += !status_is_ok(&status);
        loaded_close(&loaded);
    }
    print_message("%zu of %zu refused\n", refused, tried);
    assert_true(refused * 10 > tried * 9); /* the footer has unused bytes */
    buf_free(&content);
    assert_engine_lives();
}

static void test_things_that_are_no_models(void **state) {
    (void)state;
    static const char text[] = "not a model at all, but long enough to look at: 0123456789 0123456789 0123456789\n";
    static const char bomb[] = "<?xml version=\"1.0\"?><!DOCTYPE net [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
                               "\"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]><net name=\"&b;\" version=\"11\"><layers>";
    clear();
    put("model.onnx", text, sizeof text);
    assert_false(loads("onnxruntime"));
    put("model.onnx", "", 0);
    assert_false(loads("onnxruntime"));
    clear();
    make_folder("model.onnx");
    assert_false(loads("onnxruntime"));
    clear();
    make_folder("model.savedmodel");
    assert_false(loads("tensorflow"));
    make_folder("model.savedmodel/saved_model.pb");
    assert_false(loads("tensorflow"));
    clear();
    put("model.savedmodel", text, sizeof text);
    assert_false(loads("tensorflow"));
    clear();
    put("model.xml", bomb, sizeof bomb - 1);
    assert_false(loads("openvino"));
    assert_engine_lives();
}

/* ---- an ONNX file that promises more than it holds ---- */

/* ValueInfoProto of a tensor of FP32 and shape [1,4]. Field numbers here and below: onnx.proto. */
static void write_value_info(struct buf *to, uint32_t field, const char *name) {
    size_t value = pb_write_begin(to, field), type, tensor, shape;
    pb_write_text(to, 1, name);
    type = pb_write_begin(to, 2);
    tensor = pb_write_begin(to, 1);
    pb_write_uint64(to, 1, 1); /* FLOAT */
    shape = pb_write_begin(to, 2);
    for (uint64_t size = 1; size <= 4; size += 3) {
        size_t dimension = pb_write_begin(to, 1);
        pb_write_uint64(to, 1, size);
        pb_write_end(to, dimension);
    }
    pb_write_end(to, shape);
    pb_write_end(to, tensor);
    pb_write_end(to, type);
    pb_write_end(to, value);
}

static void write_node(struct buf *to, const char *operation, const char *a, const char *b, const char *result) {
    size_t node = pb_write_begin(to, 1);
    pb_write_text(to, 1, a);
    if (b)
        pb_write_text(to, 1, b);
    pb_write_text(to, 2, result);
    pb_write_text(to, 4, operation);
    pb_write_end(to, node);
}

static void finish_model(struct buf *graph) {
    struct buf model = BUF_EMPTY;
    pb_write_text(graph, 2, "graph");
    write_value_info(graph, 11, "x");
    write_value_info(graph, 12, "y");
    pb_write_uint64(&model, 1, 8);
    pb_write_bytes(&model, 7, buf_slice(graph));
    size_t opset = pb_write_begin(&model, 8);
    pb_write_uint64(&model, 2, 17);
    pb_write_end(&model, opset);
    assert_false(buf_failed(&model));
    put("model.onnx", model.data, model.size);
    buf_free(&model);
    buf_free(graph);
}

/* y = x + b, where b is an initializer of these dims with 16 bytes of data. */
static void put_adder(uint64_t rows, uint64_t columns) {
    static const char zeros[16];
    struct buf graph = BUF_EMPTY;
    write_node(&graph, "Add", "x", "b", "y");
    size_t tensor = pb_write_begin(&graph, 5);
    pb_write_uint64(&graph, 1, rows);
    pb_write_uint64(&graph, 1, columns);
    pb_write_uint64(&graph, 2, 1); /* FLOAT */
    pb_write_text(&graph, 8, "b");
    pb_write_bytes(&graph, 9, (struct slice){zeros, sizeof zeros});
    pb_write_end(&graph, tensor);
    finish_model(&graph);
}

/* y = relu(relu(... x)): the engine would follow such a chain by recursion until its stack ends. */
static void put_chain(size_t nodes) {
    struct buf graph = BUF_EMPTY;
    char from[24] = "x", to[24];
    for (size_t i = 1; i <= nodes; i++) {
        snprintf(to, sizeof to, i == nodes ? "y" : "n%zu", i);
        write_node(&graph, "Relu", from, NULL, to);
        memcpy(from, to, sizeof from);
    }
    finish_model(&graph);
}

static const char adder_config[] = "backend: \"onnxruntime\" input { name: \"x\" data_type: TYPE_FP32 dims: [1, 4] } "
                                   "output { name: \"y\" data_type: TYPE_FP32 dims: [1, 4] }";

static void test_tensors_that_promise_too_much(void **state) {
    (void)state;
    static const uint64_t dims[][2] = {{1, 5},
                                       {1, (uint64_t)1 << 31},
                                       {(uint64_t)1 << 40, 1 << 20},
                                       {1, UINT64_MAX},
                                       {(uint64_t)1 << 63, 4},
                                       {(uint64_t)1 << 62, 16},
                                       {UINT64_MAX, UINT64_MAX}};
    struct loaded loaded;
    clear();
    put_adder(1, 4);
    assert_good(load(&engine, scratch, adder_config, &loaded)); /* so that what follows fails for its size alone */
    loaded_close(&loaded);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        put_adder(dims[i][0], dims[i][1]);
        assert_error(load(&engine, scratch, adder_config, &loaded), STATUS_INVALID_ARGUMENT, "cannot read /tmp/inferd");
    }
    assert_engine_lives();
}

static void test_graphs_that_are_too_deep(void **state) {
    (void)state;
    struct loaded loaded;
    clear();
    put_chain(100);
    assert_good(load(&engine, scratch, adder_config, &loaded));
    loaded_close(&loaded);
    put_chain(100000);
    assert_error(load(&engine, scratch, adder_config, &loaded), STATUS_UNSUPPORTED,
                 "a graph of 100000 nodes; the engine takes at most 30000");
    assert_engine_lives();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_copies_load),           cmocka_unit_test(test_cut_off_files),
        cmocka_unit_test(test_files_with_wrong_bytes),    cmocka_unit_test(test_bytes_all_over_the_variables_index),
        cmocka_unit_test(test_things_that_are_no_models), cmocka_unit_test(test_tensors_that_promise_too_much),
        cmocka_unit_test(test_graphs_that_are_too_deep),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

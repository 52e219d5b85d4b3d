/* Model files that are damaged, cut off or made to harm: a load error that tells, and an engine that goes on. */
#include <sys/stat.h>

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

static void put_varint(struct buf *to, uint64_t value) {
    for (; value > 127; value >>= 7)
        buf_append_char(to, (char)(value | 128));
    buf_append_char(to, (char)value);
}

static void put_number(struct buf *to, uint32_t field, uint64_t value) {
    put_varint(to, field << 3);
    put_varint(to, value);
}

static void put_bytes(struct buf *to, uint32_t field, struct slice bytes) {
    put_varint(to, field << 3 | 2);
    put_varint(to, bytes.size);
    buf_append_slice(to, bytes);
}

/* y = x + b, where b is an initializer of these dims with 16 bytes of data. Field numbers: onnx.proto. */
static void put_adder(uint64_t rows, uint64_t columns) {
    struct buf node = BUF_EMPTY, tensor = BUF_EMPTY, graph = BUF_EMPTY, model = BUF_EMPTY, opset = BUF_EMPTY;
    static const char zeros[16];
    /* ValueInfoProto: name, then a type of FP32 and shape [1,4]. */
#define FLOATS_1_4 "\x12\x0e\x0a\x0c\x08\x01\x12\x08\x0a\x02\x08\x01\x0a\x02\x08\x04"
    static const char x[] = "\x0a\x01x" FLOATS_1_4, y[] = "\x0a\x01y" FLOATS_1_4;
    put_bytes(&node, 1, slice_of("x"));
    put_bytes(&node, 1, slice_of("b"));
    put_bytes(&node, 2, slice_of("y"));
    put_bytes(&node, 4, slice_of("Add"));
    put_number(&tensor, 1, rows);
    put_number(&tensor, 1, columns);
    put_number(&tensor, 2, 1); /* FLOAT */
    put_bytes(&tensor, 8, slice_of("b"));
    put_bytes(&tensor, 9, (struct slice){zeros, sizeof zeros});
    put_bytes(&graph, 1, buf_slice(&node));
    put_bytes(&graph, 2, slice_of("g"));
    put_bytes(&graph, 5, buf_slice(&tensor));
    put_bytes(&graph, 11, (struct slice){x, sizeof x - 1});
    put_bytes(&graph, 12, (struct slice){y, sizeof y - 1});
    put_number(&opset, 2, 17);
    put_number(&model, 1, 8);
    put_bytes(&model, 7, buf_slice(&graph));
    put_bytes(&model, 8, buf_slice(&opset));
    assert_false(buf_failed(&model));
    put("model.onnx", model.data, model.size);
    buf_free(&node);
    buf_free(&tensor);
    buf_free(&graph);
    buf_free(&opset);
    buf_free(&model);
}

static void test_tensors_that_promise_too_much(void **state) {
    (void)state;
    static const char config[] = "backend: \"onnxruntime\" input { name: \"x\" data_type: TYPE_FP32 dims: [1, 4] } "
                                 "output { name: \"y\" data_type: TYPE_FP32 dims: [1, 4] }";
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
    assert_good(load(&engine, scratch, config, &loaded)); /* so that what follows fails for its size alone */
    loaded_close(&loaded);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        put_adder(dims[i][0], dims[i][1]);
        assert_error(load(&engine, scratch, config, &loaded), STATUS_INVALID_ARGUMENT, "cannot read /tmp/inferd");
    }
    assert_engine_lives();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_copies_load),           cmocka_unit_test(test_cut_off_files),
        cmocka_unit_test(test_files_with_wrong_bytes),    cmocka_unit_test(test_bytes_all_over_the_variables_index),
        cmocka_unit_test(test_things_that_are_no_models), cmocka_unit_test(test_tensors_that_promise_too_much),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* The one interface over all forms: detection, names, layouts, conversion, and the errors a user meets. */
#include "checkpoint/bert_checkpoint.h"

#include <math.h>
#include <signal.h>
#include <yyjson.h>

#include "scratch.h"

#define TF "tests/fixtures/tf_checkpoint"
#define HF "tests/fixtures/hf_checkpoint"
#define CLASSIFIER "tests/fixtures/hf_classifier"

static yyjson_doc *read_expected(const char *folder) {
    char path[128];
    snprintf(path, sizeof path, "%s/expected.json", folder);
    yyjson_doc *document = yyjson_read_file(path, 0, NULL, NULL);
    assert_non_null(document);
    return document;
}

/* Compares the first numbers of each weight, in stored order, with those that the framework wrote down. */
static void check_first_numbers(const struct bert_checkpoint *checkpoint, const char *folder) {
    yyjson_doc *document = read_expected(folder);
    yyjson_val *numbers = yyjson_obj_get(yyjson_doc_get_root(document), "first_numbers");
    size_t checked = 0;
    for (int64_t layer = 0; layer < 2; layer++)
        for (int part = 0; part < BERT_PART_COUNT; part++) {
            const struct bert_weight *weight = bert_checkpoint_weight(checkpoint, (enum bert_part)part, layer);
            if (weight->outputs == 0)
                continue;
            char name[128];
            float row[64];
            snprintf(name, sizeof name, "%.*s", SLICE_ARGS(weight->name));
            yyjson_val *expected = yyjson_obj_get(numbers, name);
            assert_non_null(expected);
            int64_t rows = weight->rank == 1 ? 2 : 1;
            bert_weight_read(weight, weight->layout, 0, rows, row);
            for (size_t i = 0; i < (weight->rank == 1 ? 2 : 4); i++)
                assert_true(row[i] == (float)yyjson_get_num(yyjson_arr_get(expected, i)));
            checked++;
        }
    assert_int_equal(checked, 39);
    yyjson_doc_free(document);
}

static void opens_the_tensorflow_form(void **state) {
    (void)state;
    static const char *const paths[] = {TF, TF "/", TF "/model.ckpt", TF "/model.ckpt.index"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct bert_checkpoint *checkpoint;
        expect_ok(bert_checkpoint_open(paths[i], NULL, &checkpoint));
        assert_string_equal(bert_checkpoint_form(checkpoint), "TensorFlow checkpoint, DT_FLOAT");
        assert_non_null(strstr(bert_checkpoint_vocab_path(checkpoint), TF));
        assert_int_equal(bert_checkpoint_config(checkpoint)->tokenizer.do_lower_case, BERT_NOT_SET);
        assert_int_equal(bert_checkpoint_parameter_count(checkpoint), 20866);
        check_first_numbers(checkpoint, TF);
        bert_checkpoint_close(checkpoint);
    }
}

static void opens_the_hugging_face_form(void **state) {
    (void)state;
    static const char *const paths[] = {HF, HF "/model.safetensors"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct bert_checkpoint *checkpoint;
        expect_ok(bert_checkpoint_open(paths[i], NULL, &checkpoint));
        assert_string_equal(bert_checkpoint_form(checkpoint), "Hugging Face safetensors, BF16");
        /* from tokenizer_config.json */
        assert_int_equal(bert_checkpoint_config(checkpoint)->tokenizer.do_lower_case, BERT_OFF);
        check_first_numbers(checkpoint, HF);
        bert_checkpoint_close(checkpoint);
    }
}

/* Reads a whole matrix in a layout, in blocks of rows. */
static float *read_matrix(const struct bert_weight *weight, enum bert_layout layout, int64_t block) {
    int64_t rows = bert_weight_rows(weight, layout), columns = bert_weight_columns(weight, layout);
    float *numbers = malloc((size_t)(rows * columns) * sizeof *numbers);
    assert_non_null(numbers);
    for (int64_t row = 0; row < rows; row += block)
        bert_weight_read(weight, layout, row, rows - row < block ? rows - row : block, numbers + row * columns);
    return numbers;
}

static void check_transposition(const struct bert_weight *weight, int64_t block) {
    float *out_in = read_matrix(weight, BERT_OUT_IN, block), *in_out = read_matrix(weight, BERT_IN_OUT, block);
    for (int64_t out = 0; out < weight->outputs; out++)
        for (int64_t in = 0; in < weight->inputs; in++)
            assert_true(out_in[out * weight->inputs + in] == in_out[in * weight->outputs + out]);
    free(out_in);
    free(in_out);
}

static void both_layouts_of_every_form(void **state) {
    (void)state;
    static const char *const paths[] = {TF, HF, "random:5"};
    static const enum bert_part parts[] = {BERT_QUERY_KERNEL, BERT_INTERMEDIATE_KERNEL, BERT_OUTPUT_KERNEL,
                                           BERT_SPAN_KERNEL};
    for (size_t i = 0; i < 3; i++) {
        struct bert_checkpoint *checkpoint;
        expect_ok(bert_checkpoint_open(paths[i], TF "/bert_config.json", &checkpoint));
        for (size_t k = 0; k < 4; k++) {
            const struct bert_weight *weight = bert_checkpoint_weight(checkpoint, parts[k], 0);
            assert_true(weight->is_matrix);
            for (int64_t block = 1; block <= 64; block += 7)
                check_transposition(weight, block);
        }
        bert_checkpoint_close(checkpoint);
    }
}

/* More columns than one step of the transposition reads. */
static void wide_transposition(void **state) {
    (void)state;
    struct bert_weight weight = {.outputs = 3, .inputs = 700, .is_matrix = true, .origin = BERT_FROM_RANDOM, .key = 9};
    check_transposition(&weight, 700);
    check_transposition(&weight, 333);
}

static void views_only_where_no_copy_is_needed(void **state) {
    (void)state;
    struct bert_checkpoint *checkpoint;
    expect_ok(bert_checkpoint_open(TF, NULL, &checkpoint));
    const struct bert_weight *kernel = bert_checkpoint_weight(checkpoint, BERT_QUERY_KERNEL, 1);
    const float *view = bert_weight_view(kernel, BERT_IN_OUT);
    float row[32];
    assert_non_null(view);
    bert_weight_read(kernel, BERT_IN_OUT, 5, 1, row);
    assert_memory_equal(row, view + 5 * 32, sizeof row);
    assert_null(bert_weight_view(kernel, BERT_OUT_IN));
    bert_checkpoint_close(checkpoint);
    expect_ok(bert_checkpoint_open(HF, NULL, &checkpoint));
    assert_null(bert_weight_view(bert_checkpoint_weight(checkpoint, BERT_QUERY_KERNEL, 1), BERT_OUT_IN));
    bert_checkpoint_close(checkpoint);
}

static void random_models(void **state) {
    (void)state;
    struct bert_checkpoint *checkpoint;
    float numbers[64];
    expect_ok(bert_checkpoint_open("random:42", TF "/bert_config.json", &checkpoint));
    assert_string_equal(bert_checkpoint_form(checkpoint), "random weights");
    assert_string_equal(bert_checkpoint_vocab_path(checkpoint), TF "/vocab.txt");
    assert_int_equal(bert_checkpoint_parameter_count(checkpoint), 20866);
    bert_weight_read(bert_checkpoint_weight(checkpoint, BERT_OUTPUT_GAMMA, 1), BERT_OUT_IN, 0, 32, numbers);
    assert_true(numbers[0] == 1 && numbers[31] == 1);
    bert_weight_read(bert_checkpoint_weight(checkpoint, BERT_OUTPUT_BIAS, 1), BERT_OUT_IN, 0, 32, numbers);
    assert_true(numbers[0] == 0 && numbers[31] == 0);
    bert_weight_read(bert_checkpoint_weight(checkpoint, BERT_QUERY_KERNEL, 0), BERT_OUT_IN, 0, 1, numbers);
    bert_weight_read(bert_checkpoint_weight(checkpoint, BERT_QUERY_KERNEL, 1), BERT_OUT_IN, 0, 1, numbers + 32);
    assert_memory_not_equal(numbers, numbers + 32, 32 * sizeof numbers[0]);
    bert_checkpoint_close(checkpoint);
    expect_error(bert_checkpoint_open("random:42", NULL, &checkpoint), STATUS_INVALID_ARGUMENT,
                 "needs a bert_config.json");
    expect_error(bert_checkpoint_open("random:x", TF "/bert_config.json", &checkpoint), STATUS_INVALID_ARGUMENT,
                 "\"x\"");
    expect_error(bert_checkpoint_open("random:-1", TF "/bert_config.json", &checkpoint), STATUS_INVALID_ARGUMENT,
                 "\"-1\"");
}

static void what_was_looked_for(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct bert_checkpoint *checkpoint;
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_NOT_FOUND,
                 "looked for model.safetensors");
    expect_error(bert_checkpoint_open(scratch_path(&scratch, "none"), NULL, &checkpoint), STATUS_NOT_FOUND,
                 "none.index");
    expect_error(bert_checkpoint_open(scratch_path(&scratch, "a.safetensors"), NULL, &checkpoint), STATUS_NOT_FOUND,
                 "there is no file");
    expect_error(bert_checkpoint_open(TF, scratch_path(&scratch, "c.json"), &checkpoint), STATUS_NOT_FOUND, "c.json");
    scratch_write(&scratch, "pytorch_model.bin", SLICE_LITERAL("x"));
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_UNSUPPORTED, "safe_serialization");
    scratch_write(&scratch, "model.safetensors.index.json", SLICE_LITERAL("{}"));
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_UNSUPPORTED, "as one file");
    scratch_copy(&scratch, "a.index", TF "/model.ckpt.index");
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_NOT_FOUND,
                 "looked for bert_config.json");
    scratch_copy(&scratch, "bert_config.json", TF "/bert_config.json");
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_NOT_FOUND, "a.data-00000-of-00002");
    scratch_copy(&scratch, "b.index", TF "/model.ckpt.index");
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_INVALID_ARGUMENT,
                 "several checkpoints");
    scratch_remove(&scratch);
}

/* Opens the HF fixture with another configuration, made by one replacement in its text. */
static struct status open_with_config(struct scratch *scratch, const char *folder, const char *config, const char *from,
                                      const char *to) {
    struct buf text = BUF_EMPTY, changed = BUF_EMPTY;
    struct bert_checkpoint *checkpoint = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, config);
    expect_ok(file_read(path, 1 << 20, &text));
    buf_append_char(&text, '\0');
    const char *at = strstr(text.data, from);
    assert_non_null(at);
    buf_append(&changed, text.data, (size_t)(at - text.data));
    buf_append_text(&changed, to);
    buf_append_text(&changed, at + strlen(from));
    const char *written = scratch_write(scratch, "changed.json", buf_slice(&changed));
    struct status status = bert_checkpoint_open(folder, written, &checkpoint);
    assert_null(checkpoint);
    buf_free(&text);
    buf_free(&changed);
    return status;
}

static void config_and_weights_must_agree(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    const char *hf = "config.json", *tf = "bert_config.json";
    expect_error(open_with_config(&s, HF, hf, "\"vocab_size\": 64", "\"vocab_size\": 65"), STATUS_INVALID_ARGUMENT,
                 "its shape must be [65, 32], got [64, 32]");
    expect_error(open_with_config(&s, HF, hf, "\"intermediate_size\": 64", "\"intermediate_size\": 128"),
                 STATUS_INVALID_ARGUMENT, "its shape must be [128, 32], got [64, 32]");
    expect_error(open_with_config(&s, TF, tf, "\"intermediate_size\": 64", "\"intermediate_size\": 128"),
                 STATUS_INVALID_ARGUMENT, "its shape must be [32, 128], got [32, 64]");
    expect_error(open_with_config(&s, HF, hf, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
                 STATUS_INVALID_ARGUMENT, "lacks 16 of 53 tensors: bert.encoder.layer.2.attention.self.query.weight, ");
    expect_error(open_with_config(&s, HF, hf, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
                 STATUS_INVALID_ARGUMENT, "has the tensor \"bert.encoder.layer.1.attention.self.query.weight\", but");
    expect_error(open_with_config(&s, TF, tf, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
                 STATUS_INVALID_ARGUMENT, "the model has only 1 layers");
    scratch_remove(&s);
}

/* Replaces every occurrence in a .safetensors header; the JSON text may shrink, blanks fill it up (the format allows
 * it). */
static void rename_tensors(struct scratch *scratch, const char *from, const char *to) {
    struct buf file = BUF_EMPTY, header = BUF_EMPTY, out = BUF_EMPTY;
    uint64_t length;
    expect_ok(file_read(HF "/model.safetensors", 1 << 20, &file));
    memcpy(&length, file.data, sizeof length);
    for (size_t i = 8; i < 8 + length;) {
        bool here = strncmp(file.data + i, from, strlen(from)) == 0;
        if (here)
            buf_append_text(&header, to);
        else
            buf_append_char(&header, file.data[i]);
        i += here ? strlen(from) : 1;
    }
    assert_true(header.size <= length);
    while (header.size < length)
        buf_append_char(&header, ' ');
    buf_append(&out, file.data, 8);
    buf_append_slice(&out, buf_slice(&header));
    buf_append(&out, file.data + 8 + length, file.size - 8 - length);
    scratch_write(scratch, "model.safetensors", buf_slice(&out));
    scratch_copy(scratch, "config.json", HF "/config.json");
    buf_free(&file);
    buf_free(&header);
    buf_free(&out);
}

static void other_names(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct bert_checkpoint *checkpoint;
    rename_tensors(&scratch, "\"bert.", "\"");
    expect_ok(bert_checkpoint_open(scratch.folder, NULL, &checkpoint));
    assert_true(slice_equal_text(bert_checkpoint_weight(checkpoint, BERT_TYPE_EMBEDDINGS, 0)->name,
                                 "embeddings.token_type_embeddings.weight"));
    bert_checkpoint_close(checkpoint);
    rename_tensors(&scratch, "LayerNorm.weight", "LayerNorm.gamma");
    expect_ok(bert_checkpoint_open(scratch.folder, NULL, &checkpoint));
    bert_checkpoint_close(checkpoint);
    rename_tensors(&scratch, "LayerNorm.bias", "LayerNorm.beta");
    expect_ok(bert_checkpoint_open(scratch.folder, NULL, &checkpoint));
    bert_checkpoint_close(checkpoint);
    rename_tensors(&scratch, "qa_outputs", "classifier"); /* without a pooler it is none of sequences */
    expect_ok(bert_checkpoint_open(scratch.folder, NULL, &checkpoint));
    assert_false(bert_checkpoint_has(checkpoint, BERT_HEAD_CLASSIFIER));
    expect_error(bert_checkpoint_require(checkpoint, BERT_HEAD_SPAN), STATUS_INVALID_ARGUMENT,
                 "lacks the tensor qa_outputs.weight; this model has no question-answering head");
    bert_checkpoint_close(checkpoint);
    rename_tensors(&scratch, "qa_outputs.bias", "qa_outputs.bi");
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_INVALID_ARGUMENT,
                 "lacks 1 of 2 tensors: qa_outputs.bias");
    rename_tensors(&scratch, "\"BF16\"", "\"I16\"");
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_UNSUPPORTED, "has type I16; expected");
    scratch_remove(&scratch);
}

static void finds_the_heads(void **state) {
    (void)state;
    struct bert_checkpoint *checkpoint;
    expect_ok(bert_checkpoint_open(CLASSIFIER, NULL, &checkpoint));
    assert_false(bert_checkpoint_has(checkpoint, BERT_HEAD_SPAN));
    assert_true(bert_checkpoint_has(checkpoint, BERT_HEAD_POOLER));
    expect_ok(bert_checkpoint_require(checkpoint, BERT_HEAD_CLASSIFIER));
    assert_int_equal(bert_checkpoint_config(checkpoint)->label_count, 3);
    assert_int_equal(bert_checkpoint_weight(checkpoint, BERT_CLASSIFIER_KERNEL, 0)->outputs, 3);
    assert_int_equal(bert_checkpoint_weight(checkpoint, BERT_SPAN_KERNEL, 0)->outputs, 0);
    bert_checkpoint_close(checkpoint);
}

/* The same tensors, said to label tokens. */
static void a_classifier_of_tokens_is_none(void **state) {
    (void)state;
    static const char config[] = "{\"architectures\": [\"BertForTokenClassification\"], \"vocab_size\": 64, "
                                 "\"hidden_size\": 32, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
                                 "\"intermediate_size\": 64, \"max_position_embeddings\": 48}";
    struct scratch scratch = scratch_create();
    struct bert_checkpoint *checkpoint;
    const char *path = scratch_write(&scratch, "config.json", slice_of(config));
    expect_ok(bert_checkpoint_open(CLASSIFIER, path, &checkpoint));
    expect_error(bert_checkpoint_require(checkpoint, BERT_HEAD_CLASSIFIER), STATUS_INVALID_ARGUMENT,
                 "this model has no classifier of sequences");
    bert_checkpoint_close(checkpoint);
    scratch_remove(&scratch);
}

static void damage_is_found_on_opening(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct bert_checkpoint *checkpoint;
    struct buf data = BUF_EMPTY;
    scratch_copy(&scratch, "model.ckpt.index", TF "/model.ckpt.index");
    scratch_copy(&scratch, "bert_config.json", TF "/bert_config.json");
    scratch_copy(&scratch, "model.ckpt.data-00001-of-00002", TF "/model.ckpt.data-00001-of-00002");
    expect_ok(file_read(TF "/model.ckpt.data-00000-of-00002", 1 << 20, &data));
    data.data[77] = (char)((unsigned char)data.data[77] ^ 1u);
    scratch_write(&scratch, "model.ckpt.data-00000-of-00002", buf_slice(&data));
    expect_error(bert_checkpoint_open(scratch.folder, NULL, &checkpoint), STATUS_DATA_LOSS, "its checksum is wrong");
    buf_free(&data);
    scratch_remove(&scratch);
}

/* Of the small checkpoint, whose numbers are bfloat16, with `bits` in place of one. */
static struct status open_with_number(const char *tensor, size_t at, uint16_t bits) {
    struct scratch scratch = scratch_create();
    struct bert_checkpoint *checkpoint = NULL;
    struct buf file = BUF_EMPTY;
    uint64_t length;
    char name[128];
    expect_ok(file_read(HF "/model.safetensors", 1 << 20, &file));
    memcpy(&length, file.data, sizeof length);
    snprintf(name, sizeof name, "\"%s\"", tensor);
    const char *header = file.data + 8, *offsets = strstr(strstr(header, name), "data_offsets\":[");
    assert_true(offsets && offsets < header + length);
    size_t begin = strtoul(offsets + strlen("data_offsets\":["), NULL, 10);
    memcpy(file.data + 8 + length + begin + at * sizeof bits, &bits, sizeof bits);
    scratch_write(&scratch, "model.safetensors", buf_slice(&file));
    scratch_copy(&scratch, "config.json", HF "/config.json");
    struct status status = bert_checkpoint_open(scratch.folder, NULL, &checkpoint);
    bert_checkpoint_close(checkpoint);
    buf_free(&file);
    scratch_remove(&scratch);
    return status;
}

static void numbers_must_be_finite(void **state) {
    (void)state;
    static const struct {
        const char *tensor;
        size_t at;
        uint16_t bits;
        const char *text; /* "": it is opened */
    } rows[] = {
        {"bert.encoder.layer.0.output.dense.weight", 3 * 64 + 5, 0x7fc0,
         "tensor \"bert.encoder.layer.0.output.dense.weight\" holds a number that is not finite: row 3, column 5"},
        {"bert.encoder.layer.1.attention.self.query.bias", 31, 0xff80, "not finite: row 31, column 0"},
        {"bert.embeddings.word_embeddings.weight", 63 * 32 + 31, 0x7f80, "not finite: row 63, column 31"},
        {"qa_outputs.bias", 1, 0x7f81, "tensor \"qa_outputs.bias\" holds a number that is not finite: row 1, column 0"},
        {"bert.encoder.layer.0.output.dense.weight", 3 * 64 + 5, 0x7f7f, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = open_with_number(rows[i].tensor, rows[i].at, rows[i].bits);
        if (rows[i].text[0])
            expect_error(status, STATUS_INVALID_ARGUMENT, rows[i].text);
        else
            expect_ok(status);
    }
}

/* cmocka puts a handler of its own in the place of the guard's, for each test. */
static struct sigaction guard;

static void install_guard(void) {
    struct bert_checkpoint *checkpoint;
    expect_ok(bert_checkpoint_open(HF, NULL, &checkpoint));
    bert_checkpoint_close(checkpoint);
    assert_int_equal(sigaction(SIGBUS, NULL, &guard), 0);
}

static void read_everything(const struct bert_checkpoint *checkpoint) {
    float row[64];
    for (int64_t layer = 0; layer < 2; layer++)
        for (int part = 0; part < BERT_PART_COUNT; part++) {
            const struct bert_weight *weight = bert_checkpoint_weight(checkpoint, (enum bert_part)part, layer);
            for (int64_t i = 0; weight->outputs > 0 && i < bert_weight_rows(weight, weight->layout); i++)
                bert_weight_read(weight, weight->layout, i, 1, row);
        }
}

/* A file that is cut short while it is read ends neither the process nor in a model of zeros. */
static void a_cut_is_told(void **state) {
    (void)state;
    static const char *const folders[] = {HF, TF};
    static const char *const files[][5] = {
        {"config.json", "model.safetensors", NULL},
        {"bert_config.json", "model.ckpt.index", "model.ckpt.data-00001-of-00002", "model.ckpt.data-00000-of-00002",
         NULL},
    };
    for (size_t form = 0; form < 2; form++) {
        struct scratch scratch = scratch_create();
        struct bert_checkpoint *checkpoint;
        const char *weights = NULL;
        for (size_t i = 0; files[form][i]; i++) {
            char from[128];
            snprintf(from, sizeof from, "%s/%s", folders[form], files[form][i]);
            scratch_copy(&scratch, files[form][i], from);
            weights = scratch_path(&scratch, files[form][i]);
        }
        assert_int_equal(sigaction(SIGBUS, &guard, NULL), 0);
        expect_ok(bert_checkpoint_open(scratch.folder, NULL, &checkpoint));
        read_everything(checkpoint);
        expect_ok(bert_checkpoint_check(checkpoint));
        assert_int_equal(truncate(weights, 5000), 0);
        read_everything(checkpoint);
        expect_error(bert_checkpoint_check(checkpoint), STATUS_DATA_LOSS, "was cut short while it was read");
        bert_checkpoint_close(checkpoint);
        scratch_remove(&scratch);
    }
}

static void first_layers_alone(void **state) {
    (void)state;
    struct bert_checkpoint *checkpoint;
    int64_t second = 0;
    float before[64], after[64];
    expect_ok(bert_checkpoint_open(TF, NULL, &checkpoint));
    const int64_t all = bert_checkpoint_parameter_count(checkpoint);
    for (int part = 0; part < BERT_PART_COUNT; part++) {
        const struct bert_weight *weight = bert_checkpoint_weight(checkpoint, (enum bert_part)part, 1);
        second += weight->outputs * weight->inputs;
    }
    bert_weight_read(bert_checkpoint_weight(checkpoint, BERT_SPAN_KERNEL, 0), BERT_OUT_IN, 0, 1, before);
    bert_checkpoint_keep_layers(checkpoint, 1);
    bert_weight_read(bert_checkpoint_weight(checkpoint, BERT_SPAN_KERNEL, 0), BERT_OUT_IN, 0, 1, after);
    assert_int_equal(bert_checkpoint_config(checkpoint)->layer_count, 1);
    assert_true(second > 0);
    assert_int_equal(bert_checkpoint_parameter_count(checkpoint), all - second);
    assert_memory_equal(before, after, 32 * sizeof *before);
    bert_checkpoint_close(checkpoint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_tensorflow_form),
        cmocka_unit_test(opens_the_hugging_face_form),
        cmocka_unit_test(both_layouts_of_every_form),
        cmocka_unit_test(wide_transposition),
        cmocka_unit_test(views_only_where_no_copy_is_needed),
        cmocka_unit_test(random_models),
        cmocka_unit_test(what_was_looked_for),
        cmocka_unit_test(config_and_weights_must_agree),
        cmocka_unit_test(other_names),
        cmocka_unit_test(finds_the_heads),
        cmocka_unit_test(a_classifier_of_tokens_is_none),
        cmocka_unit_test(damage_is_found_on_opening),
        cmocka_unit_test(numbers_must_be_finite),
        cmocka_unit_test(a_cut_is_told),
        cmocka_unit_test(first_layers_alone),
    };
    install_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

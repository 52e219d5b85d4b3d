/* The config and the model file: what is completed, and what is told when they disagree. */
#include "engine_fixture.h"

static struct engine engine;

static int setup(void **state) {
    (void)state;
    engine_open(&engine);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    engine_close(&engine);
    return 0;
}

#define BERT FOREIGN "repository/torch_bert/1"
#define MLP FOREIGN "repository/torch_mlp/1"
#define CNN FOREIGN "repository/torch_cnn/1"
#define FROZEN FOREIGN "repository/tf_bert_frozen/1"
#define TYPES FOREIGN "repository/openvino_types/1"

static void test_completion(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, BERT, "backend: \"onnxruntime\"", &loaded));
    assert_int_equal(loaded.config->max_batch_size, 8);
    assert_int_equal(loaded.config->input_count, 3);
    const struct model_input *input = model_config_input(loaded.config, slice_of("attention_mask"));
    assert_non_null(input);
    assert_int_equal(input->type, DATATYPE_INT64);
    assert_int_equal(input->rank, 1);
    assert_int_equal(input->dims[0], -1);
    const struct model_output *output = model_config_output(loaded.config, slice_of("end_logits"));
    assert_non_null(output);
    assert_int_equal(output->type, DATATYPE_FP32);
    loaded_close(&loaded);
}

static void test_completion_of_fixed_shapes_does_not_batch(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, CNN, "backend: \"onnxruntime\"", &loaded));
    assert_int_equal(loaded.config->max_batch_size, 0);
    const struct model_input *input = model_config_input(loaded.config, slice_of("image"));
    assert_non_null(input);
    assert_int_equal(input->rank, 4);
    assert_int_equal(input->dims[0], 1);
    assert_int_equal(input->dims[3], 12);
    loaded_close(&loaded);
}

static void test_completion_keeps_what_is_there(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, MLP,
                     "backend: \"onnxruntime\" max_batch_size: 3 "
                     "input { name: \"features\" data_type: TYPE_FP32 dims: [8] }",
                     &loaded));
    assert_int_equal(loaded.config->max_batch_size, 3);
    assert_int_equal(loaded.config->input_count, 1);
    assert_int_equal(loaded.config->output_count, 1);
    assert_int_equal(loaded.config->outputs[0].dims[0], 3);
    loaded_close(&loaded);
}

/* A SavedModel's ports answer to their signature's names; a config may write a tensor's ":0" behind one. */
static void test_names_with_a_tensor_suffix(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, MLP,
                     "backend: \"onnxruntime\" max_batch_size: 3 "
                     "input { name: \"features:0\" data_type: TYPE_FP32 dims: [8] } "
                     "output { name: \"scores\" data_type: TYPE_FP32 dims: [3] }",
                     &loaded));
    static const float features[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int64_t shape[] = {1, 8};
    struct batch batch = {.loaded = &loaded};
    add_input(add_request(&batch, 1, 1), "features:0", DATATYPE_FP32, shape, 2, features);
    assert_good(execute(&batch));
    assert_non_null(output(&batch, 0, "scores"));
    batch_close(&batch);
    loaded_close(&loaded);
}

/* dims [1] with an empty reshape is the engine's [batch], as in the question-answering recipe. */
static void test_an_optional_input_that_the_file_lacks(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(
        load(&engine, MLP,
             "backend: \"onnxruntime\" max_batch_size: 3 "
             "input { name: \"unique_ids\" data_type: TYPE_INT32 dims: [1] reshape { shape: [] } optional: true } "
             "input { name: \"features\" data_type: TYPE_FP32 dims: [8] } "
             "output { name: \"scores\" data_type: TYPE_FP32 dims: [3] }",
             &loaded));
    static const float features[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int32_t ids[1] = {7};
    static const int64_t shape[] = {1, 8};
    struct batch batch = {.loaded = &loaded};
    struct infer_request *request = add_request(&batch, 1, 2);
    add_input(request, "unique_ids", DATATYPE_INT32, shape, 1, ids);
    add_input(request, "features", DATATYPE_FP32, shape, 2, features);
    assert_good(execute(&batch));
    assert_non_null(output(&batch, 0, "scores"));
    batch_close(&batch);
    loaded_close(&loaded);
}

#define MLP_INPUT "input { name: \"features\" data_type: TYPE_FP32 dims: [8] } "
#define MLP_OUTPUT "output { name: \"scores\" data_type: TYPE_FP32 dims: [3] } "
#define ONNX "backend: \"onnxruntime\" "

static void test_disagreements(void **state) {
    (void)state;
    static const struct {
        const char *directory, *config;
        enum status_code code;
        const char *text;
    } rows[] = {
        {MLP, ONNX "input { name: \"feature\" data_type: TYPE_FP32 dims: [8] } max_batch_size: 2 " MLP_OUTPUT,
         STATUS_INVALID_ARGUMENT, "the model file has no input 'feature'; its inputs are 'features'"},
        {MLP, ONNX MLP_INPUT "max_batch_size: 2 output { name: \"score\" data_type: TYPE_FP32 dims: [3] }",
         STATUS_INVALID_ARGUMENT, "the model file has no output 'score'; its outputs are 'scores'"},
        {MLP, ONNX "max_batch_size: 2 input { name: \"features\" data_type: TYPE_INT32 dims: [8] } " MLP_OUTPUT,
         STATUS_INVALID_ARGUMENT, "input 'features': the config says TYPE_INT32, the model file has TYPE_FP32"},
        {MLP, ONNX "max_batch_size: 2 " MLP_INPUT "output { name: \"scores\" data_type: TYPE_FP64 dims: [3] }",
         STATUS_INVALID_ARGUMENT, "output 'scores': the config says TYPE_FP64, the model file has TYPE_FP32"},
        {MLP, ONNX "max_batch_size: 2 input { name: \"features\" data_type: TYPE_FP32 dims: [9] } " MLP_OUTPUT,
         STATUS_INVALID_ARGUMENT,
         "input 'features': the config gives the shape [-1,9] (its batch dimension first), the model file has [-1,8]"},
        {MLP, ONNX "max_batch_size: 2 input { name: \"features\" data_type: TYPE_FP32 dims: [-1] } " MLP_OUTPUT,
         STATUS_INVALID_ARGUMENT, "gives the shape [-1,-1] (its batch dimension first), the model file has [-1,8]"},
        {MLP, ONNX "max_batch_size: 2 input { name: \"features\" data_type: TYPE_FP32 dims: [8, 1] } " MLP_OUTPUT,
         STATUS_INVALID_ARGUMENT, "gives the shape [-1,8,1] (its batch dimension first), the model file has [-1,8]"},
        {MLP, ONNX MLP_INPUT MLP_OUTPUT, STATUS_INVALID_ARGUMENT, "gives the shape [8], the model file has [-1,8]"},
        {MLP, ONNX "max_batch_size: 2 " MLP_INPUT "output { name: \"scores\" data_type: TYPE_FP32 dims: [4] }",
         STATUS_INVALID_ARGUMENT, "output 'scores': the config gives the shape [-1,4]"},
        {CNN,
         ONNX "max_batch_size: 2 input { name: \"image\" data_type: TYPE_FP32 dims: [3,12,12] } "
              "output { name: \"classes\" data_type: TYPE_FP32 dims: [5] }",
         STATUS_INVALID_ARGUMENT,
         "max_batch_size 2 needs a first dimension that may be 1 to 2, the model file has the shape [1,3,12,12]"},
        {BERT, ONNX "max_batch_size: 2 input { name: \"input_ids\" data_type: TYPE_INT64 dims: [-1] }",
         STATUS_INVALID_ARGUMENT, "the model file has an input 'attention_mask' that the config does not list"},
        {CNN,
         ONNX "input { name: \"image\" data_type: TYPE_FP32 dims: [1,3,12,12] optional: true } "
              "output { name: \"classes\" data_type: TYPE_FP32 dims: [1,5] }",
         STATUS_INVALID_ARGUMENT,
         "input 'image' is optional in the config, but the model file has it with the fixed shape"},
        {MLP, ONNX "max_batch_size: 2 parameters { key: \"inference_precision\" value { string_value: \"fp16\" } }",
         STATUS_INVALID_ARGUMENT, "parameter inference_precision: expected fp32 or bf16, got 'fp16'"},
        {MLP, ONNX "parameters { key: \"max_variable_dim\" value { string_value: \"-3\" } }", STATUS_INVALID_ARGUMENT,
         "parameter max_variable_dim: expected a whole number above 0, got '-3'"},
        {MLP, "backend: \"tensorflow\"", STATUS_NOT_FOUND,
         "expected the model file " MLP "/model.savedmodel, got nothing"},
        {MLP, ONNX "default_model_filename: \"other.onnx\"", STATUS_NOT_FOUND,
         "expected the model file " MLP "/other.onnx, got nothing"},
        {MLP, ONNX "default_model_filename: \"../1/model.onnx\"", STATUS_INVALID_ARGUMENT, "../1/model.onnx"},
        {"tests", "backend: \"openvino\"", STATUS_NOT_FOUND,
         "expected model.onnx, model.savedmodel/ or model.xml in tests, got none of them"},
        {TYPES, "backend: \"openvino\" max_batch_size: 4", STATUS_INVALID_ARGUMENT,
         "'rows' is a scalar in the model file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct loaded loaded;
        assert_error(load(&engine, rows[i].directory, rows[i].config, &loaded), rows[i].code, rows[i].text);
    }
}

/* The engine's own backend name finds whatever kind of model is there. */
static void test_the_engine_by_its_own_name(void **state) {
    (void)state;
    static const char *const directories[] = {MLP, FROZEN, TYPES};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        struct loaded loaded;
        assert_good(load(&engine, directories[i], "backend: \"openvino\"", &loaded));
        loaded_close(&loaded);
    }
}

static void test_parameters_of_others_are_left_alone(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(
        load(&engine, MLP, ONNX "parameters { key: \"vocabulary_sha256\" value { string_value: \"abc\" } }", &loaded));
    loaded_close(&loaded);
}

/* Every instance of a model, and models beside each other, answer. */
static void test_several_instances(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, MLP, ONNX "instance_group { count: 4 kind: KIND_CPU }", &loaded));
    assert_int_equal(loaded.instance_count, 4);
    static const float features[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int64_t shape[] = {1, 8};
    for (int i = 0; i < 4; i++) {
        struct batch batch = {.loaded = &loaded};
        struct backend_times times = {0};
        add_input(add_request(&batch, 1, 1), "features", DATATYPE_FP32, shape, 2, features);
        const struct backend_batch view = {batch.requests, 1, 1};
        assert_good(engine.ops->execute(loaded.instances[i], &view, &times));
        assert_true(times.compute_start > 0);
        assert_true(times.input_end >= times.compute_start);
        assert_true(times.output_start > times.input_end);
        assert_true(times.compute_end >= times.output_start);
        batch_close(&batch);
    }
    loaded_close(&loaded);
}

static void test_start_and_stop_again(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        void *backend;
        assert_good(engine.ops->initialize(&backend));
        engine.ops->finalize(backend);
    }
    assert_non_null(strstr(engine.ops->description, "OpenVINO 20"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_completion_of_fixed_shapes_does_not_batch),
        cmocka_unit_test(test_completion_keeps_what_is_there),
        cmocka_unit_test(test_names_with_a_tensor_suffix),
        cmocka_unit_test(test_an_optional_input_that_the_file_lacks),
        cmocka_unit_test(test_disagreements),
        cmocka_unit_test(test_the_engine_by_its_own_name),
        cmocka_unit_test(test_parameters_of_others_are_left_alone),
        cmocka_unit_test(test_several_instances),
        cmocka_unit_test(test_start_and_stop_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Requests against a config: what fits, every text of what does not, and reshape both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/request_state.h"
#include "core/request_validation.h"

static char data[4096];

/* Model 'm': max_batch_size 8; ids INT32 [-1], mask INT32 [4], text BYTES [1] (optional); out FP32 [-1], half FP16 [2].
 */
static struct model_input inputs[] = {
    {.name = {"ids", 3}, .type = DATATYPE_INT32, .rank = 1, .dims = {-1}},
    {.name = {"mask", 4}, .type = DATATYPE_INT32, .rank = 1, .dims = {4}},
    {.name = {"text", 4}, .type = DATATYPE_BYTES, .rank = 1, .dims = {1}, .optional = true},
};
static struct model_output outputs[] = {
    {.name = {"out", 3}, .type = DATATYPE_FP32, .rank = 1, .dims = {-1}},
    {.name = {"half", 4}, .type = DATATYPE_FP16, .rank = 1, .dims = {2}},
};

static struct model_config config_m(void) {
    return (struct model_config){.name = SLICE_LITERAL("m"),
                                 .max_batch_size = 8,
                                 .inputs = inputs,
                                 .input_count = 3,
                                 .outputs = outputs,
                                 .output_count = 2};
}

static struct tensor int32_tensor(const char *name, int64_t batch, int64_t length) {
    struct tensor tensor = {.name = slice_of(name), .type = DATATYPE_INT32, .rank = 2, .shape = {batch, length}};
    tensor.data = (struct slice){data, (size_t)(batch * length) * 4};
    return tensor;
}

struct fixture {
    struct model_config config;
    struct tensor tensors[8];
    struct requested_output wanted[4];
    struct infer_request request;
};

/* A good request of `batch` rows of 6 ids. */
static void make(struct fixture *f, int64_t batch) {
    *f = (struct fixture){.config = config_m()};
    f->tensors[0] = int32_tensor("ids", batch, 6);
    f->tensors[1] = int32_tensor("mask", batch, 4);
    f->request.inputs = f->tensors;
    f->request.input_count = 2;
    f->request.outputs = f->wanted;
}

static void expect_error(struct fixture *f, const char *text) {
    uint32_t items = 77;
    struct status status = request_validate(&f->config, &f->request, &items);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, text);
}

static uint32_t expect_good(struct fixture *f) {
    uint32_t items = 77;
    struct status status = request_validate(&f->config, &f->request, &items);
    assert_string_equal(status.message, "");
    assert_int_equal(status.code, STATUS_OK);
    return items;
}

static void good_requests_pass(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 3);
    assert_int_equal(expect_good(&f), 3);
    make(&f, 8);
    f.wanted[0].name = SLICE_LITERAL("half");
    f.request.output_count = 1;
    assert_int_equal(expect_good(&f), 8);
    make(&f, 1);
    f.tensors[0].shape[1] = 0; /* an empty sequence is a shape as any */
    f.tensors[0].data.size = 0;
    assert_int_equal(expect_good(&f), 1);
}

static void an_optional_input_may_be_there(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 2);
    static char text[] = "\2\0\0\0hi\0\0\0";
    f.tensors[2] = (struct tensor){.name = SLICE_LITERAL("text"), .type = DATATYPE_BYTES, .rank = 2, .shape = {2, 1}};
    f.tensors[2].data = (struct slice){text, sizeof text};
    f.request.input_count = 3;
    assert_int_equal(expect_good(&f), 2);
    f.tensors[2].data.size--;
    expect_error(&f, "input 'text' for model 'm': expected 2 string elements in tensor 'text', got 1 and 3 bytes where "
                     "the 4-byte length of the next one must stand");
}

static void inputs_must_be_those_of_the_model(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    f.request.input_count = 1;
    expect_error(&f,
                 "expected number of inputs between 2 and 3 but got 1 inputs for model 'm'. Got input(s) ['ids'], but "
                 "missing required input(s) ['mask']. Please provide all required input(s).");
    f.config.input_count = 2; /* without the optional one */
    expect_error(&f, "expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['ids'], but missing required "
                     "input(s) ['mask']. Please provide all required input(s).");
    f.request.input_count = 0;
    expect_error(&f, "expected 2 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing required input(s) "
                     "['ids','mask']. Please provide all required input(s).");
    make(&f, 1);
    f.tensors[1].name = SLICE_LITERAL("masque");
    expect_error(&f, "unexpected inference input 'masque' for model 'm'");
    f.tensors[1].name = SLICE_LITERAL("ids");
    expect_error(&f, "inference input 'ids' is given more than once for model 'm'");
}

static void datatypes_must_agree(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    f.tensors[0].type = DATATYPE_INT64;
    expect_error(&f, "inference input 'ids' data-type is 'INT64', but model 'm' expects 'INT32'");
    f.tensors[0].type = DATATYPE_INVALID;
    expect_error(&f, "inference input 'ids' data-type is '', but model 'm' expects 'INT32'");
}

static void shapes_must_agree(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    f.tensors[1].shape[1] = 5;
    expect_error(&f, "unexpected shape for input 'mask' for model 'm'. Expected [-1,4], got [1,5]. NOTE: a model with "
                     "max_batch_size above 0 takes a batch dimension in front of each shape");
    f.tensors[1].rank = 1;
    expect_error(&f, "unexpected shape for input 'mask' for model 'm'. Expected [-1,4], got [1]. NOTE: a model with "
                     "max_batch_size above 0 takes a batch dimension in front of each shape");
    make(&f, 1);
    f.tensors[0].shape[1] = -1;
    expect_error(&f, "unexpected shape for input 'ids' for model 'm'. Expected [-1,-1], got [1,-1]. NOTE: a model with "
                     "max_batch_size above 0 takes a batch dimension in front of each shape");
    make(&f, 1);
    f.config.max_batch_size = 0;
    f.tensors[0].rank = 1;
    f.tensors[0].shape[0] = 6;
    f.tensors[1].rank = 1;
    f.tensors[1].shape[0] = 4;
    assert_int_equal(expect_good(&f), 1);
    f.tensors[1].shape[0] = 3;
    expect_error(&f, "unexpected shape for input 'mask' for model 'm'. Expected [4], got [3]");
}

static void byte_sizes_must_agree(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 2);
    f.tensors[0].data.size -= 4;
    expect_error(&f, "input byte size mismatch for input 'ids' for model 'm'. Expected 48, got 44");
    make(&f, 1);
    f.tensors[0].shape[1] = INT64_MAX;
    expect_error(&f, "input 'ids' for model 'm': a shape has more bytes than memory can hold");
    f.tensors[0].shape[0] = 2;
    expect_error(&f, "input 'ids' for model 'm': a shape has more elements than 64 bits can count");
}

static void batches_must_agree_and_fit(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 2);
    f.tensors[1] = int32_tensor("mask", 3, 4);
    expect_error(&f, "input 'mask' batch size does not match other inputs for 'm': expected 2 as for 'ids', got 3");
    make(&f, 9);
    expect_error(&f, "inference request batch-size must be <= 8 for 'm', got 9");
    make(&f, 0);
    expect_error(&f, "inference request batch-size must be >= 1 for 'm', got 0");
}

static void outputs_must_be_those_of_the_model(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    f.request.output_count = 2;
    f.wanted[0].name = SLICE_LITERAL("out");
    f.wanted[1].name = SLICE_LITERAL("logits");
    expect_error(&f, "unexpected inference output 'logits' for model 'm'");
    f.wanted[1].name = SLICE_LITERAL("half");
    assert_int_equal(expect_good(&f), 1);
    f.wanted[0].classification = 3;
    assert_int_equal(expect_good(&f), 1);
    f.wanted[1].classification = 3;
    expect_error(&f, "class result not available for output 'half' of model 'm' due to unsupported type 'FP16'");
}

static void the_first_of_repeated_outputs_is_kept(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    static const char *const names[] = {"half", "out", "half", "out"};
    for (size_t i = 0; i < 4; i++)
        f.wanted[i] = (struct requested_output){.name = slice_of(names[i]), .classification = (uint32_t)i};
    f.request.output_count = 4;
    request_drop_repeated_outputs(&f.config, &f.request);
    assert_int_equal(f.request.output_count, 2);
    assert_true(slice_equal_text(f.wanted[0].name, "half"));
    assert_true(slice_equal_text(f.wanted[1].name, "out"));
    assert_int_equal(f.wanted[0].classification, 0);
    assert_int_equal(f.wanted[1].classification, 1);
    static const char *const foreign[] = {"out", "a", "half", "b"}; /* more names than the model has outputs */
    for (size_t i = 0; i < 4; i++)
        f.wanted[i] = (struct requested_output){.name = slice_of(foreign[i])};
    f.request.output_count = 4;
    request_drop_repeated_outputs(&f.config, &f.request);
    expect_error(&f, "unexpected inference output 'a' for model 'm'");
    static const char *const one_more[] = {"out", "half", "a"}; /* behind all that it has */
    for (size_t i = 0; i < 3; i++)
        f.wanted[i] = (struct requested_output){.name = slice_of(one_more[i])};
    f.request.output_count = 3;
    request_drop_repeated_outputs(&f.config, &f.request);
    expect_error(&f, "unexpected inference output 'a' for model 'm'");
}

static void sequence_flags_need_an_id(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    f.request.sequence_flags = SEQUENCE_START;
    expect_error(&f,
                 "inference request to model 'm' starts or ends a sequence, so it must specify a non-zero or non-empty "
                 "correlation ID");
    f.request.sequence.kind = SEQUENCE_NUMBER;
    f.request.sequence.number = 5;
    assert_int_equal(expect_good(&f), 1);
    f.request.sequence_flags = 4;
    expect_error(&f, "sequence flags for model 'm' may be START (1) and END (2), got 4");
}

static uint64_t key_of(struct fixture *f) {
    return request_shape_key(&f->config, &f->request, 99);
}

static void keys_tell_which_requests_may_be_joined(void **state) {
    (void)state;
    struct fixture a, b;
    make(&a, 1);
    make(&b, 5);
    assert_true(key_of(&a) == key_of(&b)); /* the batch dimension is what is joined */
    b.tensors[0].shape[1] = 7;
    assert_true(key_of(&a) != key_of(&b));
    make(&b, 1);
    struct tensor first = b.tensors[0];
    b.tensors[0] = b.tensors[1];
    b.tensors[1] = first;
    assert_true(key_of(&a) == key_of(&b)); /* whatever order the client writes them in */
    make(&b, 1);
    b.tensors[2] = (struct tensor){.name = SLICE_LITERAL("text"), .type = DATATYPE_BYTES, .rank = 2, .shape = {1, 1}};
    b.request.input_count = 3;
    assert_true(key_of(&a) != key_of(&b)); /* another set of optional inputs */
    make(&b, 1);
    assert_true(key_of(&a) != request_shape_key(&b.config, &b.request, 100));
}

static void inputs_are_reshaped_and_restored(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 3);
    struct model_input own[2] = {inputs[0], inputs[1]};
    own[0].reshaped = true; /* [-1] -> [1,-1,1] */
    own[0].reshape_rank = 3;
    own[0].reshape_dims[0] = 1;
    own[0].reshape_dims[1] = -1;
    own[0].reshape_dims[2] = 1;
    own[1].reshaped = true; /* [4] -> [2,2] */
    own[1].reshape_rank = 2;
    own[1].reshape_dims[0] = own[1].reshape_dims[1] = 2;
    f.config.inputs = own;
    f.config.input_count = 2;
    request_reshape_inputs(&f.config, &f.request);
    char text[64];
    shape_format(f.tensors[0].shape, f.tensors[0].rank, text, sizeof text);
    assert_string_equal(text, "[3,1,6,1]");
    shape_format(f.tensors[1].shape, f.tensors[1].rank, text, sizeof text);
    assert_string_equal(text, "[3,2,2]");
    request_restore_inputs(&f.config, &f.request);
    shape_format(f.tensors[0].shape, f.tensors[0].rank, text, sizeof text);
    assert_string_equal(text, "[3,6]");
    shape_format(f.tensors[1].shape, f.tensors[1].rank, text, sizeof text);
    assert_string_equal(text, "[3,4]");
}

/* dims [1] with reshape { shape: [] }, as Triton's users write it for engines that want plain vectors. */
static void outputs_are_reshaped_back(void **state) {
    (void)state;
    struct fixture f;
    make(&f, 1);
    struct model_output own = {
        .name = SLICE_LITERAL("out"), .type = DATATYPE_FP32, .rank = 1, .dims = {1}, .reshaped = true};
    f.config.outputs = &own;
    f.config.output_count = 1;
    struct infer_request *request = infer_request_create(0);
    struct infer_response *response = infer_response_create(request, 1);
    char *memory;
    struct status status =
        infer_response_add_output(response, slice_of("out"), DATATYPE_FP32, (const int64_t[]){3}, 1, 12, &memory);
    assert_true(status_is_ok(&status));
    status = response_reshape_outputs(&f.config, response);
    assert_true(status_is_ok(&status));
    assert_int_equal(response->outputs[0].rank, 2);
    assert_int_equal(response->outputs[0].shape[0], 3);
    assert_int_equal(response->outputs[0].shape[1], 1);
    response->outputs[0].rank = 3; /* not what the config says any more */
    status = response_reshape_outputs(&f.config, response);
    assert_int_equal(status.code, STATUS_INTERNAL);
    assert_string_equal(status.message, "the engine of model 'm' gave output 'out' the shape [3,1,0], but the config's "
                                        "reshape says [] behind the batch dimension");
    own.reshape_rank = 1;
    own.reshape_dims[0] = 2; /* and the dimension is another one */
    response->outputs[0].rank = 2;
    status = response_reshape_outputs(&f.config, response);
    assert_int_equal(status.code, STATUS_INTERNAL);
    assert_string_equal(status.message, "the engine of model 'm' gave output 'out' the shape [3,1], but the config's "
                                        "reshape says [2] behind the batch dimension");
    infer_response_destroy(response);
    infer_request_destroy(request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_repeated_outputs_is_kept),
        cmocka_unit_test(good_requests_pass),
        cmocka_unit_test(an_optional_input_may_be_there),
        cmocka_unit_test(inputs_must_be_those_of_the_model),
        cmocka_unit_test(datatypes_must_agree),
        cmocka_unit_test(shapes_must_agree),
        cmocka_unit_test(byte_sizes_must_agree),
        cmocka_unit_test(batches_must_agree_and_fit),
        cmocka_unit_test(outputs_must_be_those_of_the_model),
        cmocka_unit_test(sequence_flags_need_an_id),
        cmocka_unit_test(keys_tell_which_requests_may_be_joined),
        cmocka_unit_test(inputs_are_reshaped_and_restored),
        cmocka_unit_test(outputs_are_reshaped_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

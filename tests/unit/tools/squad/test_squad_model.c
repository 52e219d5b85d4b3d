/* Tests of squad_model: what a config settles, and what it makes impossible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/squad/squad_model.h"

struct fixture {
    struct arena *arena;
    struct vocab *vocab;
    char hash[VOCAB_HASH_TEXT_SIZE];
    struct infer_tensor_info inputs[5];
    struct infer_tensor_info outputs[2];
    struct infer_model_parameter parameters[5];
    struct infer_model_info info;
    struct squad_options options;
    struct squad_model model;
};

static const int64_t any[] = {-1}, one[] = {1}, fixed[] = {128}, two[] = {-1, -1};

static int set_up(void **state) {
    struct fixture *f = test_calloc(1, sizeof *f);
    static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n";
    f->arena = arena_create(0);
    struct status status = vocab_parse(f->arena, SLICE_LITERAL(vocab), &f->vocab);
    assert_string_equal(status.message, "");
    vocab_hash_text(f->vocab, f->hash);
    f->inputs[0] = (struct infer_tensor_info){SLICE_LITERAL("unique_ids"), SLICE_LITERAL("INT32"), one, 1, true};
    f->inputs[1] = (struct infer_tensor_info){SLICE_LITERAL("segment_ids"), SLICE_LITERAL("INT32"), any, 1, false};
    f->inputs[2] = (struct infer_tensor_info){SLICE_LITERAL("input_ids"), SLICE_LITERAL("INT32"), any, 1, false};
    f->inputs[3] = (struct infer_tensor_info){SLICE_LITERAL("input_mask"), SLICE_LITERAL("INT32"), any, 1, false};
    f->outputs[0] = (struct infer_tensor_info){SLICE_LITERAL("end_logits"), SLICE_LITERAL("FP32"), any, 1, false};
    f->outputs[1] = (struct infer_tensor_info){SLICE_LITERAL("start_logits"), SLICE_LITERAL("FP32"), any, 1, false};
    f->parameters[0] = (struct infer_model_parameter){SLICE_LITERAL("max_seq_length"), SLICE_LITERAL("320")};
    f->parameters[1] = (struct infer_model_parameter){SLICE_LITERAL("do_lower_case"), SLICE_LITERAL("false")};
    f->parameters[2] = (struct infer_model_parameter){SLICE_LITERAL("vocab_hash"), slice_of(f->hash)};
    f->info = (struct infer_model_info){.max_batch_size = 8,
                                        .inputs = f->inputs,
                                        .input_count = 4,
                                        .outputs = f->outputs,
                                        .output_count = 2,
                                        .parameters = f->parameters,
                                        .parameter_count = 3};
    f->options = (struct squad_options){
        .model = "bert", .pad = "longest", .padding = SQUAD_PAD_LONGEST, .batch_size = 8, .max_query_length = 64};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    arena_destroy(f->arena);
    test_free(f);
    return 0;
}

static void expect_good(struct fixture *f) {
    struct status status = squad_model_settle(&f->info, &f->options, f->vocab, &f->model);
    assert_string_equal(status.message, "");
}

/* Refused with each of the two texts in the message. */
static void expect_refusal(struct fixture *f, const char *text, const char *other) {
    struct status status = squad_model_settle(&f->info, &f->options, f->vocab, &f->model);
    assert_int_equal(status.code, STATUS_FAILED_PRECONDITION);
    if (strstr(status.message, text) == NULL || strstr(status.message, other) == NULL)
        print_error("%s\n", status.message);
    assert_non_null(strstr(status.message, text));
    assert_non_null(strstr(status.message, other));
}

static void expect_tokenizer(const struct fixture *f, struct normalizer_options want) {
    assert_int_equal(f->model.tokenizer.lowercase, want.lowercase);
    assert_int_equal(f->model.tokenizer.strip_accents, want.strip_accents);
    assert_int_equal(f->model.tokenizer.split_cjk, want.split_cjk);
}

static void test_config_gives_the_defaults(void **state) {
    struct fixture *f = *state;
    expect_good(f);
    assert_int_equal(f->model.max_seq_length, 320);
    expect_tokenizer(f, NORMALIZER_CASED);
    assert_true(f->model.takes_unique_ids);
    assert_int_equal(f->model.padding, SQUAD_PAD_LONGEST);
    assert_string_equal(f->model.notes, "");
}

static void test_options_win(void **state) {
    struct fixture *f = *state;
    f->options.max_seq_length = 512;
    f->options.do_lower_case = f->options.do_lower_case_given = true;
    expect_good(f);
    assert_int_equal(f->model.max_seq_length, 512);
    expect_tokenizer(f, NORMALIZER_UNCASED);
}

/* What a config tells of accents and CJK ideographs stands whatever the case, which the option may decide. */
static void test_accents_and_ideographs(void **state) {
    struct fixture *f = *state;
    f->parameters[3] = (struct infer_model_parameter){SLICE_LITERAL("strip_accents"), SLICE_LITERAL("true")};
    f->parameters[4] = (struct infer_model_parameter){SLICE_LITERAL("tokenize_chinese_chars"), SLICE_LITERAL("true")};
    f->info.parameter_count = 5;
    expect_good(f);
    expect_tokenizer(f, (struct normalizer_options){false, true, true});
    f->parameters[3].value = SLICE_LITERAL("0");
    f->parameters[4].value = SLICE_LITERAL("False");
    expect_good(f);
    expect_tokenizer(f, (struct normalizer_options){false, false, false});
    f->options.do_lower_case = f->options.do_lower_case_given = true;
    expect_good(f);
    expect_tokenizer(f, (struct normalizer_options){true, false, false});
    f->parameters[3].value = SLICE_LITERAL("maybe");
    expect_refusal(f, "strip_accents 'maybe'", "expected true or false");
    f->parameters[3].value = SLICE_LITERAL("true");
    f->parameters[4].value = SLICE_LITERAL("");
    expect_refusal(f, "tokenize_chinese_chars ''", "expected true or false");
}

static void test_silent_config_is_noted(void **state) {
    struct fixture *f = *state;
    f->info.parameter_count = 0;
    f->info.inputs++; /* without unique_ids */
    f->info.input_count--;
    expect_good(f);
    assert_int_equal(f->model.max_seq_length, 384);
    expect_tokenizer(f, NORMALIZER_UNCASED);
    assert_false(f->model.takes_unique_ids);
    assert_non_null(strstr(f->model.notes, "max_seq_length"));
    assert_non_null(strstr(f->model.notes, "do_lower_case"));
}

static void test_vocabulary(void **state) {
    struct fixture *f = *state;
    f->parameters[2].value = SLICE_LITERAL("0123456789abcdef");
    expect_refusal(f, "0123456789abcdef", f->hash);
}

static void test_batches(void **state) {
    struct fixture *f = *state;
    f->options.batch_size = 9;
    expect_refusal(f, "--batch-size 9", "max_batch_size 8");
    f->info.max_batch_size = 0;
    expect_refusal(f, "max_batch_size 0", "bert");
}

static void test_tensors(void **state) {
    struct fixture *f = *state;
    f->inputs[2].name = SLICE_LITERAL("ids");
    expect_refusal(f, "input_ids", "INT32");
    f->inputs[2].name = SLICE_LITERAL("input_ids");
    f->inputs[2].datatype = SLICE_LITERAL("INT64");
    expect_refusal(f, "input_ids", "INT32");
    f->inputs[2].datatype = SLICE_LITERAL("INT32");
    f->inputs[3].shape = two;
    f->inputs[3].rank = 2;
    expect_refusal(f, "input_mask", "one dim");
    f->inputs[3].rank = 1;
    f->inputs[3].shape = any;
    f->outputs[0].datatype = SLICE_LITERAL("FP16");
    expect_refusal(f, "end_logits", "FP32");
    f->outputs[0].datatype = SLICE_LITERAL("FP32");
    f->inputs[4] = (struct infer_tensor_info){SLICE_LITERAL("extra"), SLICE_LITERAL("FP32"), any, 1, false};
    f->info.input_count = 5;
    expect_refusal(f, "extra", "not known");
    f->inputs[4].optional = true;
    expect_good(f);
    f->inputs[0].datatype = SLICE_LITERAL("INT64");
    expect_refusal(f, "unique_ids", "INT32");
}

static void test_fixed_length(void **state) {
    struct fixture *f = *state;
    for (size_t i = 1; i < 4; i++)
        f->inputs[i].shape = fixed;
    expect_good(f);
    assert_int_equal(f->model.max_seq_length, 128);
    assert_int_equal(f->model.padding, SQUAD_PAD_MAX);
    assert_non_null(strstr(f->model.notes, "--pad max"));
    f->options.padding_given = true;
    expect_refusal(f, "--pad max", "--pad longest");
    f->options.padding = SQUAD_PAD_MAX;
    expect_good(f);
    assert_string_equal(f->model.notes, "");
    f->options.max_seq_length = 256;
    expect_refusal(f, "128", "256");
}

static void test_bad_parameters(void **state) {
    struct fixture *f = *state;
    static const char *const lengths[] = {"", "abc", "-5", "67", "65537", "99999999999999999999"};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        f->parameters[0].value = slice_of(lengths[i]);
        expect_refusal(f, "max_seq_length", lengths[i]);
    }
    f->parameters[0].value = SLICE_LITERAL("68");
    expect_good(f);
    f->parameters[1].value = SLICE_LITERAL("maybe");
    expect_refusal(f, "do_lower_case", "maybe");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_config_gives_the_defaults),
        WITH_FIXTURE(test_options_win),
        WITH_FIXTURE(test_accents_and_ideographs),
        WITH_FIXTURE(test_silent_config_is_noted),
        WITH_FIXTURE(test_vocabulary),
        WITH_FIXTURE(test_batches),
        WITH_FIXTURE(test_tensors),
        WITH_FIXTURE(test_fixed_length),
        WITH_FIXTURE(test_bad_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Configurations: both families' files, defaults, and what is refused. */
#include "checkpoint/bert_config.h"

#include "scratch.h"

#define SIZES                                                                                                          \
    "\"vocab_size\":100,\"hidden_size\":12,\"num_hidden_layers\":2,\"num_attention_heads\":3,\"intermediate_size\":48"

static struct status parse(const char *json, struct bert_config *ret) {
    return bert_config_parse(slice_of(json), "config.json", ret);
}

static void both_families_files(void **state) {
    (void)state;
    struct bert_config config;
    expect_ok(bert_config_read("tests/fixtures/tf_checkpoint/bert_config.json", &config));
    assert_int_equal(config.vocab_size, 64);
    assert_int_equal(config.hidden_size, 32);
    assert_int_equal(config.layer_count, 2);
    assert_int_equal(config.head_count, 4);
    assert_int_equal(config.intermediate_size, 64);
    assert_int_equal(config.position_count, 48);
    assert_int_equal(config.activation, BERT_GELU_ERF);
    assert_int_equal(config.tokenizer.do_lower_case, BERT_NOT_SET);
    expect_ok(bert_config_read("tests/fixtures/hf_checkpoint/config.json", &config));
    assert_int_equal(config.activation, BERT_GELU_TANH);
    assert_true(config.layer_norm_eps == 1e-12);
}

static void defaults(void **state) {
    (void)state;
    struct bert_config config;
    expect_ok(parse("{" SIZES "}", &config));
    assert_int_equal(config.position_count, 512);
    assert_int_equal(config.type_count, 2);
    assert_int_equal(config.activation, BERT_GELU_ERF);
    assert_true(config.layer_norm_eps == 1e-12);
    expect_ok(parse("{" SIZES ",\"do_lower_case\":false,\"layer_norm_eps\":1e-5,\"type_vocab_size\":1}", &config));
    assert_int_equal(config.tokenizer.do_lower_case, BERT_OFF);
    assert_int_equal(config.tokenizer.strip_accents, BERT_NOT_SET);
    assert_int_equal(config.type_count, 1);
    assert_true(config.layer_norm_eps == 1e-5);
    expect_ok(parse("{" SIZES ",\"layer_norm_eps\":1.2e-38}", &config));
    assert_true(config.layer_norm_eps == 1.2e-38);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *json;
        enum status_code code;
        const char *part;
    } rows[] = {
        {"", STATUS_INVALID_ARGUMENT, "not JSON"},
        {"{", STATUS_INVALID_ARGUMENT, "not JSON: byte"},
        {"[]", STATUS_INVALID_ARGUMENT, "expected a JSON object"},
        {"{}", STATUS_INVALID_ARGUMENT, "lacks \"vocab_size\""},
        {"{\"vocab_size\":0}", STATUS_INVALID_ARGUMENT, "from 1 to 16777216, got uint 0"},
        {"{\"vocab_size\":-5}", STATUS_INVALID_ARGUMENT, "got sint -5"},
        {"{\"vocab_size\":18446744073709551615}", STATUS_INVALID_ARGUMENT, "\"vocab_size\" must be"},
        {"{\"vocab_size\":1e3}", STATUS_INVALID_ARGUMENT, "got real 1000"},
        {"{\"vocab_size\":\"100\"}", STATUS_INVALID_ARGUMENT, "to 16777216, got string"},
        {"{\"vocab_size\":100,\"hidden_size\":65537}", STATUS_INVALID_ARGUMENT, "from 1 to 65536"},
        {"{\"vocab_size\":100,\"hidden_size\":12,\"num_hidden_layers\":257}", STATUS_INVALID_ARGUMENT, "from 1 to 256"},
        {"{\"vocab_size\":100,\"hidden_size\":13,\"num_hidden_layers\":2,\"num_attention_heads\":3,\"intermediate_"
         "size\":48}",
         STATUS_INVALID_ARGUMENT, "\"hidden_size\" (13) is not a multiple of \"num_attention_heads\" (3)"},
        {"{" SIZES ",\"hidden_act\":\"relu\"}", STATUS_UNSUPPORTED, "\"hidden_act\" is \"relu\""},
        {"{" SIZES ",\"hidden_act\":7}", STATUS_INVALID_ARGUMENT, "must be a string, got uint"},
        {"{" SIZES ",\"layer_norm_eps\":0}", STATUS_INVALID_ARGUMENT, "to 1, got uint 0"},
        {"{" SIZES ",\"layer_norm_eps\":1e-300}", STATUS_INVALID_ARGUMENT, "from 1.17549e-38 to 1, got real 1"},
        {"{" SIZES ",\"layer_norm_eps\":1e-38}", STATUS_INVALID_ARGUMENT, "from 1.17549e-38 to 1, got real 9.9"},
        {"{" SIZES ",\"layer_norm_eps\":1.0001}", STATUS_INVALID_ARGUMENT, "to 1, got real 1.0001"},
        {"{" SIZES ",\"layer_norm_eps\":\"x\"}", STATUS_INVALID_ARGUMENT, "to 1, got string"},
        {"{" SIZES ",\"model_type\":\"roberta\"}", STATUS_UNSUPPORTED, "\"model_type\" is \"roberta\"; only \"bert\""},
        {"{" SIZES ",\"position_embedding_type\":\"relative_key\"}", STATUS_UNSUPPORTED, "relative_key"},
        {"{" SIZES ",\"is_decoder\":true}", STATUS_UNSUPPORTED, "encoders"},
        {"{" SIZES ",\"do_lower_case\":1}", STATUS_INVALID_ARGUMENT, "do_lower_case"},
        {"{" SIZES ",\"strip_accents\":[]}", STATUS_INVALID_ARGUMENT,
         "\"strip_accents\" must be true or false, got array"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bert_config config = {.vocab_size = -7};
        expect_error(parse(rows[i].json, &config), rows[i].code, rows[i].part);
        assert_int_equal(config.vocab_size, -7); /* untouched */
    }
}

static void cut_at_every_byte(void **state) {
    (void)state;
    const char json[] = "{" SIZES ",\"hidden_act\":\"gelu\"}";
    for (size_t size = 0; size < sizeof json - 1; size++) {
        struct bert_config config;
        char *exact = malloc(size ? size : 1); /* so that reading on is seen */
        assert_non_null(exact);
        memcpy(exact, json, size);
        expect_error(bert_config_parse((struct slice){exact, size}, "c", &config), STATUS_INVALID_ARGUMENT, "not JSON");
        free(exact);
    }
}

static struct status read_tokenizer(struct scratch *scratch, const char *json, struct bert_tokenizer *tokenizer) {
    return bert_config_read_tokenizer(scratch_write(scratch, "t", slice_of(json)), tokenizer);
}

static void expect_tokenizer(struct bert_tokenizer got, struct bert_tokenizer want) {
    assert_int_equal(got.do_lower_case, want.do_lower_case);
    assert_int_equal(got.strip_accents, want.strip_accents);
    assert_int_equal(got.tokenize_chinese_chars, want.tokenize_chinese_chars);
}

/* What the configuration set comes first; the rest is the file's. */
static void what_a_tokenizer_does(void **state) {
    (void)state;
    static const struct {
        const char *json;
        struct bert_tokenizer before, after;
    } rows[] = {
        {"{}", {0}, {0}},
        {"{\"do_lower_case\":null,\"strip_accents\":null,\"tokenize_chinese_chars\":null}", {0}, {0}},
        {"{\"do_lower_case\":true,\"strip_accents\":null,\"tokenize_chinese_chars\":true}",
         {0},
         {BERT_ON, BERT_NOT_SET, BERT_ON}},
        {"{\"do_lower_case\":true,\"strip_accents\":false,\"tokenize_chinese_chars\":false}",
         {0},
         {BERT_ON, BERT_OFF, BERT_OFF}},
        {"{\"do_lower_case\":false,\"strip_accents\":true}", {0}, {BERT_OFF, BERT_ON, BERT_NOT_SET}},
        {"{\"do_lower_case\":true,\"strip_accents\":true}",
         {BERT_OFF, BERT_OFF, BERT_ON},
         {BERT_OFF, BERT_OFF, BERT_ON}},
        {"{\"do_lower_case\":true,\"strip_accents\":true}",
         {BERT_OFF, BERT_NOT_SET, BERT_NOT_SET},
         {BERT_OFF, BERT_ON, BERT_NOT_SET}},
        {"{\"strip_accents\":true}", {0}, {BERT_ON, BERT_ON, BERT_NOT_SET}},
        {"{\"strip_accents\":false}", {0}, {BERT_ON, BERT_OFF, BERT_NOT_SET}},
        {"{\"strip_accents\":false}", {BERT_OFF, BERT_NOT_SET, BERT_NOT_SET}, {BERT_OFF, BERT_OFF, BERT_NOT_SET}},
        {"{\"tokenize_chinese_chars\":false}", {0}, {BERT_NOT_SET, BERT_NOT_SET, BERT_OFF}},
    };
    struct scratch scratch = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bert_tokenizer tokenizer = rows[i].before;
        expect_ok(read_tokenizer(&scratch, rows[i].json, &tokenizer));
        expect_tokenizer(tokenizer, rows[i].after);
    }
    struct bert_tokenizer tokenizer = {BERT_ON, BERT_NOT_SET, BERT_NOT_SET};
    expect_ok(bert_config_read_tokenizer(scratch_path(&scratch, "none.json"), &tokenizer));
    expect_tokenizer(tokenizer, (struct bert_tokenizer){BERT_ON, BERT_NOT_SET, BERT_NOT_SET});
    scratch_remove(&scratch);
}

static void what_is_no_boolean_is_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"{\"do_lower_case\":\"yes\"}", "/t: \"do_lower_case\" must be true or false, got string"},
        {"{\"strip_accents\":\"no\"}", "/t: \"strip_accents\" must be true or false, got string"},
        {"{\"do_lower_case\":true,\"strip_accents\":0}", "/t: \"strip_accents\" must be true or false, got uint"},
        {"{\"tokenize_chinese_chars\":{}}", "/t: \"tokenize_chinese_chars\" must be true or false, got object"},
        {"{\"strip_accents\":true", "/t is not JSON"},
    };
    struct scratch scratch = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bert_tokenizer tokenizer = {0};
        expect_error(read_tokenizer(&scratch, rows[i][0], &tokenizer), STATUS_INVALID_ARGUMENT, rows[i][1]);
        expect_tokenizer(tokenizer, (struct bert_tokenizer){0});
    }
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_files),
        cmocka_unit_test(defaults),
        cmocka_unit_test(refused),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(what_a_tokenizer_does),
        cmocka_unit_test(what_is_no_boolean_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

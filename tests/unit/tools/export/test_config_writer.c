/* The text of config.pbtxt, and that it is what the parser of the server reads. */
#include "tools/export/config_writer.h"

#include "../../checkpoint/scratch.h"
#include "codec/model_config_messages.h"
#include "codec/pb_text.h"

static const struct config_facts plain = {
    .name = "bert",
    .platform = "onnxruntime_onnx",
    .max_batch_size = 8,
    .precision = "fp32",
    .max_seq_length = 384,
    .tokenizer = {true, true, true},
    .vocab_hash = "0123456789abcdef",
};

static char *write_text(const struct config_facts *facts) {
    struct buf out = BUF_EMPTY;
    config_write(facts, &out);
    buf_append_char(&out, '\0');
    assert_false(buf_failed(&out));
    size_t size;
    return buf_detach(&out, &size);
}

static struct pb_model_config parse(const struct config_facts *facts, struct arena *arena) {
    struct pb_model_config config;
    char *text = write_text(facts);
    expect_ok(pb_text_parse(&pb_model_config_type, slice_of(text), "config.pbtxt", arena, &config, NULL));
    free(text);
    return config;
}

static void whole_text(void **state) {
    (void)state;
    struct config_facts facts = plain;
    facts.kind = "KIND_CPU";
    facts.instances = 2;
    facts.delay_us = 2500;
    char *text = write_text(&facts);
    assert_string_equal(text, "name: \"bert\"\n"
                              "platform: \"onnxruntime_onnx\"\n"
                              "max_batch_size: 8\n"
                              "input [\n"
                              "  {\n    name: \"unique_ids\"\n    data_type: TYPE_INT32\n    dims: [ 1 ]\n"
                              "    reshape { shape: [ ] }\n    optional: true\n  },\n"
                              "  {\n    name: \"segment_ids\"\n    data_type: TYPE_INT32\n    dims: [ -1 ]\n  },\n"
                              "  {\n    name: \"input_ids\"\n    data_type: TYPE_INT32\n    dims: [ -1 ]\n  },\n"
                              "  {\n    name: \"input_mask\"\n    data_type: TYPE_INT32\n    dims: [ -1 ]\n  }\n"
                              "]\n"
                              "output [\n"
                              "  {\n    name: \"end_logits\"\n    data_type: TYPE_FP32\n    dims: [ -1 ]\n  },\n"
                              "  {\n    name: \"start_logits\"\n    data_type: TYPE_FP32\n    dims: [ -1 ]\n  }\n"
                              "]\n"
                              "instance_group [\n  {\n    count: 2\n    kind: KIND_CPU\n  }\n]\n"
                              "dynamic_batching {\n  preferred_batch_size: [ 4, 8 ]\n"
                              "  max_queue_delay_microseconds: 2500\n}\n"
                              "parameters { key: \"inference_precision\" value { string_value: \"fp32\" } }\n"
                              "parameters { key: \"max_seq_length\" value { string_value: \"384\" } }\n"
                              "parameters { key: \"do_lower_case\" value { string_value: \"true\" } }\n"
                              "parameters { key: \"vocab_hash\" value { string_value: \"0123456789abcdef\" } }\n");
    free(text);
}

static void server_reads_it(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct config_facts facts = plain;
    facts.kind = "KIND_CPU";
    facts.instances = 3;
    facts.delay_us = 1;
    facts.max_batch_size = 1;
    struct pb_model_config config = parse(&facts, arena);
    assert_true(slice_equal_text(config.name, "bert"));
    assert_int_equal(config.max_batch_size, 1);
    assert_int_equal(config.input.count, 4);
    assert_true(slice_equal_text(config.input.items[0].name, "unique_ids"));
    assert_true(config.input.items[0].optional);
    assert_int_equal(config.input.items[0].reshape->shape.count, 0);
    assert_int_equal(config.input.items[3].dims.items[0], -1);
    assert_int_equal(config.output.count, 2);
    assert_int_equal(config.instance_group.items[0].count, 3);
    assert_int_equal(config.dynamic_batching->preferred_batch_size.count, 1); /* half of 1 is no batch */
    assert_int_equal(config.dynamic_batching->preferred_batch_size.items[0], 1);
    assert_int_equal(config.dynamic_batching->max_queue_delay_microseconds, 1);
    assert_int_equal(config.parameters.count, 4);
    arena_destroy(arena);
}

static void what_is_left_out(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct config_facts facts = plain;
    facts.vocab_hash = NULL;
    facts.tokenizer = NORMALIZER_CASED;
    facts.precision = "bf16";
    struct pb_model_config config = parse(&facts, arena);
    assert_int_equal(config.instance_group.count, 0);
    assert_null(config.dynamic_batching);
    assert_int_equal(config.parameters.count, 3);
    assert_true(slice_equal_text(config.parameters.items[0].value->string_value, "bf16"));
    assert_true(slice_equal_text(config.parameters.items[2].value->string_value, "false"));
    arena_destroy(arena);
}

static void a_tokenizer_that_is_not_usual(void **state) {
    (void)state;
    struct config_facts facts = plain;
    facts.tokenizer = (struct normalizer_options){.lowercase = true, .split_cjk = true};
    char *text = write_text(&facts);
    assert_non_null(strstr(text, "parameters { key: \"do_lower_case\" value { string_value: \"true\" } }\n"
                                 "parameters { key: \"strip_accents\" value { string_value: \"false\" } }\n"
                                 "parameters { key: \"vocab_hash\""));
    free(text);
    facts.tokenizer = (struct normalizer_options){.strip_accents = true};
    text = write_text(&facts);
    assert_non_null(strstr(text, "parameters { key: \"do_lower_case\" value { string_value: \"false\" } }\n"
                                 "parameters { key: \"strip_accents\" value { string_value: \"true\" } }\n"
                                 "parameters { key: \"tokenize_chinese_chars\" value { string_value: \"false\" } }\n"
                                 "parameters { key: \"vocab_hash\""));
    free(text);
}

static void instances_may_have_a_kind_alone(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct config_facts facts = plain;
    facts.kind = "KIND_GPU";
    struct pb_model_config config = parse(&facts, arena);
    assert_int_equal(config.instance_group.items[0].kind, PB_KIND_GPU);
    assert_int_equal(config.instance_group.items[0].count, 0);
    arena_destroy(arena);
}

static void questions_have_their_tensors(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct config_facts facts = plain;
    facts.task = CONFIG_QUESTIONS;
    struct pb_model_config config = parse(&facts, arena);
    assert_int_equal(config.input.count, 2);
    assert_int_equal(config.output.count, 4);
    assert_true(slice_equal_text(config.input.items[1].name, "context"));
    assert_int_equal(config.input.items[1].dims.items[0], 1);
    assert_null(config.input.items[1].reshape);
    assert_true(slice_equal_text(config.output.items[0].name, "answer"));
    assert_int_equal(config.output.items[0].dims.items[0], -1);
    assert_true(slice_equal_text(config.parameters.items[0].value->string_value, "question_answering"));
    arena_destroy(arena);
}

static void names_are_quoted(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    struct config_facts facts = plain;
    facts.name = "a\"b\\c \xc3\xa9";
    struct pb_model_config config = parse(&facts, arena);
    assert_true(slice_equal_text(config.name, facts.name));
    arena_destroy(arena);
}

static void one_vector(void **state) {
    (void)state;
    static const struct {
        enum config_task task;
        const char *parameter, *output;
    } rows[] = {{CONFIG_CLASSES, "classification", "logits"}, {CONFIG_EMBEDDING, "embedding", "sentence_embedding"}};
    for (size_t i = 0; i < 2; i++) {
        struct arena *arena = arena_create(0);
        struct config_facts facts = plain;
        facts.task = rows[i].task;
        facts.platform = "bert";
        facts.vector_size = 5;
        char *text = write_text(&facts);
        assert_non_null(strstr(text, rows[i].parameter));
        free(text);
        struct pb_model_config config = parse(&facts, arena);
        assert_int_equal(config.input.count, 3);
        assert_int_equal(config.output.count, 1);
        arena_destroy(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_text),
        cmocka_unit_test(one_vector),
        cmocka_unit_test(server_reads_it),
        cmocka_unit_test(what_is_left_out),
        cmocka_unit_test(a_tokenizer_that_is_not_usual),
        cmocka_unit_test(instances_may_have_a_kind_alone),
        cmocka_unit_test(questions_have_their_tensors),
        cmocka_unit_test(names_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

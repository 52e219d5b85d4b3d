/* The JSON files: exact shape, escapes, and numbers that survive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <yyjson.h>

#include "text/squad/squad_output.h"

static void assert_buf(const struct buf *got, const char *want) {
    assert_int_equal(got->size, strlen(want));
    assert_memory_equal(got->data, want, got->size);
}

static struct squad_answer one_entry(struct slice text, struct squad_answer_entry *entry) {
    *entry = (struct squad_answer_entry){.text = text, .probability = 0.5, .start_logit = 1.25f, .end_logit = -3};
    return (struct squad_answer){.prediction = text, .null_odds = -0.75, .entries = entry, .entry_count = 1};
}

static void test_shape(void **state) {
    (void)state;
    struct squad_output output;
    struct squad_answer_entry entry;
    squad_output_begin(&output, true);
    struct squad_answer answer = one_entry(SLICE_LITERAL("caf\xc3\xa9"), &entry);
    squad_output_add(&output, SLICE_LITERAL("a"), &answer);
    squad_output_add(&output, SLICE_LITERAL("b"), &answer);
    struct status status = squad_output_end(&output);
    assert_true(status_is_ok(&status));
    assert_buf(&output.predictions, "{\n    \"a\": \"caf\xc3\xa9\",\n    \"b\": \"caf\xc3\xa9\"\n}\n");
    assert_buf(&output.null_odds, "{\n    \"a\": -0.75,\n    \"b\": -0.75\n}\n");
#define ENTRY                                                                                                          \
    "        {\n            \"text\": \"caf\xc3\xa9\",\n            \"probability\": 0.5,\n"                           \
    "            \"start_logit\": 1.25,\n            \"end_logit\": -3\n        }\n    ]"
    assert_buf(&output.nbest, "{\n    \"a\": [\n" ENTRY ",\n    \"b\": [\n" ENTRY "\n}\n");
    squad_output_free(&output);
}

static void test_without_null_odds(void **state) {
    (void)state;
    struct squad_output output;
    struct squad_answer_entry entry;
    squad_output_begin(&output, false);
    struct squad_answer answer = one_entry(SLICE_LITERAL("x"), &entry);
    squad_output_add(&output, SLICE_LITERAL("a"), &answer);
    struct status status = squad_output_end(&output);
    assert_true(status_is_ok(&status));
    assert_buf(&output.null_odds, "{}\n");
    squad_output_free(&output);
    squad_output_begin(&output, true);
    status = squad_output_end(&output);
    assert_true(status_is_ok(&status));
    assert_buf(&output.predictions, "{}\n");
    assert_buf(&output.nbest, "{}\n");
    squad_output_free(&output);
}

/* Every byte below 0x80, and a character of each length, read back by a parser of JSON. */
static void test_strings_read_back(void **state) {
    (void)state;
    char text[128 + 9];
    for (size_t i = 0; i < 128; i++)
        text[i] = (char)i;
    memcpy(text + 128, "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", 9);
    struct slice all = {text, sizeof text};
    struct squad_output output;
    struct squad_answer_entry entry;
    squad_output_begin(&output, true);
    struct squad_answer answer = one_entry(all, &entry);
    squad_output_add(&output, all, &answer);
    struct status status = squad_output_end(&output);
    assert_true(status_is_ok(&status));
    const struct buf *const files[] = {&output.predictions, &output.nbest, &output.null_odds};
    for (size_t i = 0; i < 3; i++) {
        yyjson_doc *doc = yyjson_read(files[i]->data, files[i]->size, 0);
        assert_non_null(doc);
        yyjson_val *value = yyjson_obj_getn(yyjson_doc_get_root(doc), text, sizeof text);
        assert_non_null(value);
        yyjson_val *string = i == 0 ? value : yyjson_obj_get(yyjson_arr_get_first(value), "text");
        if (i < 2) {
            assert_int_equal(yyjson_get_len(string), sizeof text);
            assert_memory_equal(yyjson_get_str(string), text, sizeof text);
        }
        yyjson_doc_free(doc);
    }
    squad_output_free(&output);
}

static void test_numbers_read_back(void **state) {
    (void)state;
    const float values[] = {0.1f, 1e-30f, 3.4028235e38f, -3.4028235e38f, 16777217.f, 1.17549435e-38f, -0.f};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct squad_answer_entry entry = {
            .text = {"", 0}, .probability = 1, .start_logit = values[i], .end_logit = values[i]};
        double odds = (double)values[i] * (1 + 1e-15);
        struct squad_answer answer = {.prediction = {"", 0}, .null_odds = odds, .entries = &entry, .entry_count = 1};
        struct squad_output output;
        squad_output_begin(&output, true);
        squad_output_add(&output, SLICE_LITERAL("a"), &answer);
        struct status status = squad_output_end(&output);
        assert_true(status_is_ok(&status));
        yyjson_doc *nbest = yyjson_read(output.nbest.data, output.nbest.size, 0);
        yyjson_doc *null_odds = yyjson_read(output.null_odds.data, output.null_odds.size, 0);
        yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(nbest), "a");
        double start = yyjson_get_num(yyjson_obj_get(yyjson_arr_get_first(list), "start_logit"));
        assert_true((float)start == values[i]);
        assert_true(yyjson_get_num(yyjson_obj_get(yyjson_doc_get_root(null_odds), "a")) == odds);
        yyjson_doc_free(nbest);
        yyjson_doc_free(null_odds);
        squad_output_free(&output);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_without_null_odds),
        cmocka_unit_test(test_strings_read_back),
        cmocka_unit_test(test_numbers_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* JSON text: numbers that read back as themselves, strings that any parser takes, commas in the right places. */
#include "codec_test.h"

#include <math.h>
#include <stdio.h>

#include "codec/json_write.h"

#define FORMAT(function, value) (text[function(text, value)] = '\0', text)

static void floats_are_short(void **state) {
    (void)state;
    char text[JSON_NUMBER_MAX + 1];
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0.0f, "0.0"},
        {-0.0f, "-0.0"},
        {1.0f, "1.0"},
        {-1.5f, "-1.5"},
        {0.1f, "0.1"},
        {0.9f, "0.9"},
        {1e-7f, "1e-7"},
        {0.0001f, "0.0001"},
        {16777216.0f, "16777216.0"},
        {1.5e10f, "15000000000.0"},
        {1e16f, "1e16"},
        {3.4028235e38f, "3.4028235e38"},
        {1e-45f, "1e-45"},
        {1.17549435e-38f, "1.1754944e-38"},
        {0.333333343f, "0.33333334"},
        {123456.789f, "123456.79"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(FORMAT(json_format_float, cases[i].value), cases[i].text);
}

static void doubles_are_short(void **state) {
    (void)state;
    char text[JSON_NUMBER_MAX + 1];
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e22, "1e22"},
        {-1e300, "-1e300"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {9007199254740993.0, "9007199254740992.0"},
        {123456789012345680.0, "1.2345678901234568e17"},
        {100, "100.0"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(FORMAT(json_format_double, cases[i].value), cases[i].text);
}

static size_t digit_count(const char *text) {
    size_t count = 0, trailing = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        count++;
        trailing = *text == '0' ? trailing + 1 : 0;
    }
    return count - trailing;
}

static void check_float(uint32_t bits) {
    char text[JSON_NUMBER_MAX + 1], wanted[32];
    float value;
    memcpy(&value, &bits, sizeof value);
    if (isnan(value) || isinf(value))
        return;
    size_t size = json_format_float(text, value);
    assert_in_range(size, 1, JSON_NUMBER_MAX);
    text[size] = '\0';
    float back = strtof(text, NULL);
    assert_memory_equal(&back, &value, sizeof back);
    size_t digits = 1;
    for (; digits < 9; digits++) { /* the fewest with which printf's text reads back */
        snprintf(wanted, sizeof wanted, "%.*e", (int)digits - 1, (double)value);
        if (strtof(wanted, NULL) == value)
            break;
    }
    assert_true(digit_count(text) <= digits);
}

static void every_kind_of_float_reads_back(void **state) {
    (void)state;
    uint64_t random = 99;
    for (uint32_t exponent = 0; exponent < 255; exponent++) /* powers of two and their neighbours */
        for (uint32_t step = 0; step < 5; step++)
            check_float((exponent << 23) + step - (exponent ? 2 : 0));
    for (uint32_t bits = 1; bits < 2000; bits++) /* subnormal */
        check_float(bits);
    for (int i = 0; i < 50000; i++)
        check_float((uint32_t)next_random(&random));
}

static void every_kind_of_double_reads_back(void **state) {
    (void)state;
    uint64_t random = 5;
    char text[JSON_NUMBER_MAX + 1];
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random(&random);
        double value, back;
        memcpy(&value, &bits, sizeof value);
        if (i % 2)
            value = (double)(int64_t)(bits >> 30) / (i % 4 == 1 ? 1e4 : 1e9);
        if (isnan(value) || isinf(value))
            continue;
        size_t size = json_format_double(text, value);
        assert_in_range(size, 1, JSON_NUMBER_MAX);
        text[size] = '\0';
        back = strtod(text, NULL);
        assert_memory_equal(&back, &value, sizeof back);
    }
}

static void integers_are_exact(void **state) {
    (void)state;
    char text[JSON_NUMBER_MAX + 1];
    assert_string_equal(FORMAT(json_format_i64, 0), "0");
    assert_string_equal(FORMAT(json_format_i64, -1), "-1");
    assert_string_equal(FORMAT(json_format_i64, INT64_MIN), "-9223372036854775808");
    assert_string_equal(FORMAT(json_format_i64, INT64_MAX), "9223372036854775807");
    assert_string_equal(FORMAT(json_format_u64, UINT64_MAX), "18446744073709551615");
    assert_string_equal(FORMAT(json_format_u64, 1000), "1000");
}

static void strings_are_escaped(void **state) {
    (void)state;
    static const struct {
        struct slice text;
        const char *json;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\x00\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\""},
        {{"\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x98\x80", 9}, "\"\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x98\x80\""},
        {{"a\xFF\"z", 4}, "\"a\xEF\xBF\xBD\\\"z\""},
        {{"\xE2\x82", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {{"\xED\xA0\x80\xC3\xA4", 5}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA4\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_EMPTY;
        struct slice text = exact_copy(cases[i].text);
        json_append_string(&out, text);
        assert_slice(buf_slice(&out), cases[i].json);
        free_copy(text);
        buf_free(&out);
    }
}

static void arrays_of_numbers_are_written(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY, wanted = BUF_EMPTY;
    char bytes[1 + 1000 * sizeof(float)]; /* unaligned on purpose */
    for (int i = 0; i < 1000; i++) {
        float value = (float)i * 0.25f - 7;
        memcpy(bytes + 1 + (size_t)i * sizeof value, &value, sizeof value);
        buf_append_char(&wanted, i ? ',' : '[');
        json_append_float(&wanted, value);
    }
    buf_append_char(&wanted, ']');
    json_append_float_array(&out, bytes + 1, 1000);
    assert_int_equal(out.size, wanted.size);
    assert_memory_equal(out.data, wanted.data, out.size);
    buf_clear(&out);
    json_append_float_array(&out, NULL, 0);
    assert_slice(buf_slice(&out), "[]");
    buf_clear(&out);
    json_append_double_array(&out, (double[]){1, 0.5}, 2);
    assert_slice(buf_slice(&out), "[1.0,0.5]");
    buf_free(&out);
    buf_free(&wanted);
}

static void the_writer_places_commas(void **state) {
    (void)state;
    struct buf out = BUF_EMPTY;
    struct json_writer writer = json_writer_on(&out);
    json_begin_object(&writer);
    json_key(&writer, "a");
    json_i64(&writer, -1);
    json_key(&writer, "b");
    json_begin_array(&writer);
    json_bool(&writer, true);
    json_begin_object(&writer);
    json_end_object(&writer);
    json_begin_array(&writer);
    json_end_array(&writer);
    json_text(&writer, "x");
    json_null(&writer);
    json_u64(&writer, 7);
    json_end_array(&writer);
    json_key_slice(&writer, SLICE_LITERAL("c"));
    json_float(&writer, 0.5f);
    json_key(&writer, "d");
    json_raw(&writer, SLICE_LITERAL("[1, 2]"));
    json_key(&writer, "e");
    json_double(&writer, 1e100);
    json_end_object(&writer);
    assert_slice(buf_slice(&out), "{\"a\":-1,\"b\":[true,{},[],\"x\",null,7],\"c\":0.5,\"d\":[1, 2],\"e\":1e100}");
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_short),
        cmocka_unit_test(doubles_are_short),
        cmocka_unit_test(every_kind_of_float_reads_back),
        cmocka_unit_test(every_kind_of_double_reads_back),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(arrays_of_numbers_are_written),
        cmocka_unit_test(the_writer_places_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

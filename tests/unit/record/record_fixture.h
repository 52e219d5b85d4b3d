/* record_fixture.h: what the tests of records share. */
#ifndef INFERD_TESTS_RECORD_FIXTURE_H
#define INFERD_TESTS_RECORD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record/record.h"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
        assert_int_equal(good_.code, STATUS_OK);                                                                       \
    } while (0)

#define assert_slice(slice, text) assert_true(slice_equal_text((slice), (text)))

/* A record with everything in it. */
static const int64_t full_shape[] = {2, 2};
static const struct record_tensor full_inputs[] = {
    {.name = {"A", 1},
     .datatype = {"UINT8", 5},
     .shape = full_shape,
     .rank = 2,
     .size = 4,
     .has_data = true,
     .data = {"\x00\xff\n\"", 4}},
    {.name = {"B", 1}, .datatype = {"FP32", 4}, .shape = full_shape, .rank = 0, .size = 4, .shared = true},
    {.name = {"C", 1}, .datatype = {"BYTES", 5}, .shape = full_shape, .rank = 1, .size = 0, .has_data = true},
};
static const struct record_output full_outputs[] = {
    {.name = {"X", 1}, .classification = 3},
    {.name = {"Y", 1}, .shared = true},
};
static const struct record_parameter full_parameters[] = {
    {.name = {"yes", 3}, .kind = RECORD_BOOL, .value.boolean = true},
    {.name = {"low", 3}, .kind = RECORD_INT, .value.integer = INT64_MIN},
    {.name = {"high", 4}, .kind = RECORD_UINT, .value.unsigned_integer = UINT64_MAX},
    {.name = {"real", 4}, .kind = RECORD_DOUBLE, .value.real = 2.0},
    {.name = {"text", 4}, .kind = RECORD_STRING, .value.string = {"a\n\"b\"\xc3\xa9", 7}},
};
static const struct record full_record = {
    .at_ns = 1234567890123456789u,
    .protocol = {"v2-grpc", 7},
    .model = {"m", 1},
    .version = {"2", 1},
    .id = {"id-1", 4},
    .inputs = full_inputs,
    .input_count = 3,
    .outputs = full_outputs,
    .output_count = 2,
    .parameters = full_parameters,
    .parameter_count = 5,
    .priority = 7,
    .timeout_us = UINT64_MAX,
    .sequence = {.number = 9, .start = true},
};
static const struct record small_record = {.protocol = {"v1-http", 7}, .model = {"m", 1}};

#endif

/* Request parameters: the well-known, the reserved and the model's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/infer_parameters.h"
#include "base/clock.h"

enum { NOW = 1000000 };

static struct infer_request *request;

static int set_up(void **state) {
    (void)state;
    request = infer_request_create(0);
    if (!request)
        return -1;
    struct status status = infer_parameters_reserve(request, 8);
    return status_is_ok(&status) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    infer_request_destroy(request);
    return 0;
}

static struct infer_parameter integer(const char *name, int64_t value) {
    return (struct infer_parameter){.name = slice_of(name), .kind = PARAMETER_INT, .value.integer = value};
}

static struct infer_parameter boolean(const char *name, bool value) {
    return (struct infer_parameter){.name = slice_of(name), .kind = PARAMETER_BOOL, .value.boolean = value};
}

static struct infer_parameter string(const char *name, const char *value) {
    return (struct infer_parameter){.name = slice_of(name), .kind = PARAMETER_STRING, .value.string = slice_of(value)};
}

static void apply(struct infer_parameter parameter) {
    struct status status = infer_parameters_apply(request, &parameter, NOW);
    assert_string_equal(status.message, "");
}

static void refuse(struct infer_parameter parameter, const char *part) {
    struct status status = infer_parameters_apply(request, &parameter, NOW);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, part));
    assert_true(memmem(status.message, strlen(status.message), parameter.name.data, parameter.name.size) != NULL);
}

static void sequences_are_read(void **state) {
    (void)state;
    apply(integer("sequence_id", 42));
    apply(boolean("sequence_start", true));
    apply(boolean("sequence_end", false));
    assert_int_equal(request->sequence.kind, SEQUENCE_NUMBER);
    assert_int_equal(request->sequence.number, 42);
    assert_int_equal(request->sequence_flags, SEQUENCE_START);
    apply(string("sequence_id", "abc"));
    apply(boolean("sequence_end", true));
    assert_int_equal(request->sequence.kind, SEQUENCE_STRING);
    assert_true(slice_equal_text(request->sequence.string, "abc"));
    assert_int_equal(request->sequence_flags, SEQUENCE_START | SEQUENCE_END);
    assert_int_equal(request->parameter_count, 0);
}

static void zero_and_empty_are_no_sequence(void **state) {
    (void)state;
    apply(integer("sequence_id", 0));
    apply(string("sequence_id", ""));
    assert_int_equal(request->sequence.kind, SEQUENCE_NONE);
}

static void a_negative_sequence_is_its_bits(void **state) {
    (void)state;
    apply(integer("sequence_id", -1));
    assert_int_equal(request->sequence.kind, SEQUENCE_NUMBER);
    assert_true(request->sequence.number == UINT64_MAX);
}

static void long_sequence_texts_are_refused(void **state) {
    (void)state;
    char text[130];
    memset(text, 'x', sizeof text - 1);
    text[128] = '\0';
    apply(string("sequence_id", text));
    assert_int_equal(request->sequence.string.size, 128);
    text[128] = 'x';
    text[129] = '\0';
    const struct infer_parameter longer = string("sequence_id", text);
    struct status status = infer_parameters_apply(request, &longer, NOW);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_string_equal(status.message, "string correlation ID cannot be longer than 128 characters, got 129");
}

static void a_negative_timeout_is_none(void **state) {
    (void)state;
    apply(integer("timeout", -1));
    apply(integer("timeout", INT64_MIN));
    assert_int_equal(request->deadline_ns, 0);
    assert_int_equal(request->timeout_us, 0);
}

static void timeout_becomes_a_deadline(void **state) {
    (void)state;
    apply(integer("timeout", 0));
    assert_int_equal(request->deadline_ns, 0);
    apply(integer("timeout", 1500));
    assert_int_equal(request->deadline_ns, NOW + 1500 * NS_PER_US);
    apply(integer("timeout", 9000)); /* the earlier one holds: a gRPC deadline is no later than its call */
    assert_int_equal(request->deadline_ns, NOW + 1500 * NS_PER_US);
}

static void timeout_beyond_the_clock_is_none(void **state) {
    (void)state;
    apply(integer("timeout", INT64_MAX));
    struct infer_parameter huge = {
        .name = slice_of("timeout"), .kind = PARAMETER_UINT, .value.unsigned_integer = UINT64_MAX / NS_PER_US};
    apply(huge);
    assert_int_equal(request->deadline_ns, 0);
}

static void priority_is_read(void **state) {
    (void)state;
    apply(integer("priority", 3));
    assert_int_equal(request->priority, 3);
}

static void wrong_kinds_tell_expected_and_got(void **state) {
    (void)state;
    refuse(integer("priority", -1), "got the integer -1");
    refuse(string("priority", "high"), "got the string 'high'");
    refuse(string("timeout", "soon"), "microseconds");
    refuse(integer("sequence_start", 1), "expected true or false");
    refuse(boolean("sequence_id", true), "got the bool true");
    const struct infer_parameter whole = {.name = slice_of("sequence_id"), .kind = PARAMETER_DOUBLE, .value.real = 1};
    refuse(whole, "expected a string or an integer, got the number 1.0");
}

static void reserved_names_are_refused(void **state) {
    (void)state;
    refuse(boolean("triton_enable_empty_final_response", true), "reserved");
    refuse(string("triton_", ""), "reserved");
    refuse(string("headers", "x"), "reserved");
}

static void others_are_the_models_own(void **state) {
    (void)state;
    apply(string("temperature", "warm"));
    apply(integer("triton", 1));
    assert_int_equal(request->parameter_count, 2);
    assert_true(slice_equal_text(request->parameters[0].name, "temperature"));
    assert_true(slice_equal_text(request->parameters[0].value.string, "warm"));
    assert_int_equal(request->parameters[1].value.integer, 1);
}

static void tensor_parameters_are_read(void **state) {
    (void)state;
    struct tensor_parameters parameters = {.of_output = true};
    struct infer_parameter p = integer("classification", 5);
    struct status status = tensor_parameters_apply(&parameters, &p, 2);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(parameters.classification, 5);
    p = integer("classification", 0);
    status = tensor_parameters_apply(&parameters, &p, 2);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "outputs[2].parameters.classification"));
    p = integer("classification", INT64_C(1) << 32); /* which is 0 in 32 bits */
    status = tensor_parameters_apply(&parameters, &p, 2);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    p = string("color", "red");
    status = tensor_parameters_apply(&parameters, &p, 0);
    assert_int_equal(status.code, STATUS_OK);
}

static void classification_means_nothing_to_inputs(void **state) {
    (void)state;
    const struct tensor_parameters input = {.of_output = false}, output = {.of_output = true};
    const struct slice classification = SLICE_LITERAL("classification"), region = SLICE_LITERAL("shared_memory_region");
    assert_false(tensor_parameter_is_known(&input, classification));
    assert_true(tensor_parameter_is_known(&output, classification));
    assert_true(tensor_parameter_is_known(&input, region));
    assert_true(tensor_parameter_is_known(&output, region));
    struct tensor_parameters parameters = input;
    struct infer_parameter p = integer("classification", 0);
    assert_int_equal(tensor_parameters_apply(&parameters, &p, 0).code, STATUS_OK);
    assert_int_equal(parameters.classification, 0);
}

static void shared_memory_parameters_are_read(void **state) {
    (void)state;
    struct tensor_parameters parameters = {0};
    const struct infer_parameter good[] = {string("shared_memory_region", "r"), integer("shared_memory_offset", 12),
                                           integer("shared_memory_byte_size", 0)};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tensor_parameters_apply(&parameters, &good[i], 0).code, STATUS_OK);
    assert_int_equal(tensor_parameters_check(&parameters, 0).code, STATUS_OK);
    assert_true(slice_equal_text(parameters.part.region, "r"));
    assert_int_equal(parameters.part.offset, 12);
    assert_int_equal(parameters.part.size, 0);
    const struct infer_parameter bad[] = {string("shared_memory_region", ""), integer("shared_memory_region", 1),
                                          integer("shared_memory_offset", -1), string("shared_memory_offset", "1"),
                                          integer("shared_memory_byte_size", -1)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct status status = tensor_parameters_apply(&parameters, &bad[i], 3);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "inputs[3].parameters.shared_memory_"));
    }
}

static void shared_memory_parameters_go_together(void **state) {
    (void)state;
    const struct {
        struct tensor_parameters parameters;
        const char *message;
    } rows[] = {
        {{.part = {.region = {"r", 1}}},
         "outputs[1].parameters.shared_memory_region: expected shared_memory_byte_size with it, got none"},
        {{.has_size = true},
         "outputs[1].parameters.shared_memory_byte_size: expected shared_memory_region with it, got none"},
        {{.has_offset = true},
         "outputs[1].parameters.shared_memory_offset: expected shared_memory_region with it, got none"},
        {{.part = {.region = {"r", 1}}, .has_size = true, .classification = 1},
         "outputs[1].parameters: classification and shared_memory_region exclude each other"},
        {{.classification = 1}, ""},
        {{.classification = 0}, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tensor_parameters parameters = rows[i].parameters;
        parameters.of_output = true;
        assert_string_equal(tensor_parameters_check(&parameters, 1).message, rows[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sequences_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zero_and_empty_are_no_sequence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_negative_sequence_is_its_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_sequence_texts_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_negative_timeout_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timeout_becomes_a_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timeout_beyond_the_clock_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(priority_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_kinds_tell_expected_and_got, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reserved_names_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_are_the_models_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tensor_parameters_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(classification_means_nothing_to_inputs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shared_memory_parameters_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shared_memory_parameters_go_together, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

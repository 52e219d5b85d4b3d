/* What the .proto files declare, and their descriptors. tests/clients/test_reflection.py compares those with protoc's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/pb_file.h"
#include "codec/pb_wire.h"

static void files_are_found_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < pb_file_count; i++)
        assert_ptr_equal(pb_file_by_name(slice_of(pb_files[i]->name)), pb_files[i]);
    assert_null(pb_file_by_name(slice_of("")));
    assert_null(pb_file_by_name(slice_of("grpc_service.proto.")));
}

static void every_declaration_is_found(void **state) {
    (void)state;
    char name[256];
    for (size_t i = 0; i < pb_file_count; i++) {
        const struct pb_file *file = pb_files[i];
        for (size_t m = 0; m < file->message_count; m++) {
            const struct pb_message *message = file->messages[m];
            snprintf(name, sizeof name, "%s.%s", file->package, message->name);
            assert_ptr_equal(pb_file_by_symbol(slice_of(name)), file);
            assert_ptr_equal(pb_file_message(slice_of(name)), message);
            for (size_t f = 0; f < message->field_count; f++) {
                snprintf(name, sizeof name, "%s.%s.%s", file->package, message->name, message->fields[f].name);
                assert_ptr_equal(pb_file_by_symbol(slice_of(name)), file);
                assert_null(pb_file_message(slice_of(name)));
            }
        }
        for (size_t e = 0; e < file->enum_count; e++) {
            snprintf(name, sizeof name, "%s.%s", file->package, file->enums[e]->name);
            assert_ptr_equal(pb_file_by_symbol(slice_of(name)), file);
        }
        for (size_t m = 0; m < file->method_count; m++) {
            snprintf(name, sizeof name, "%s.%s.%s", file->package, file->service, file->methods[m].name);
            assert_ptr_equal(pb_file_by_symbol(slice_of(name)), file);
        }
    }
}

static void enum_values_are_siblings_of_their_enum(void **state) {
    (void)state;
    assert_non_null(pb_file_by_symbol(slice_of("inference.TYPE_BF16")));
    assert_non_null(pb_file_by_symbol(slice_of("inference.ModelInstanceGroup.KIND_GPU")));
    assert_null(pb_file_by_symbol(slice_of("inference.DataType.TYPE_BF16")));
    assert_null(pb_file_by_symbol(slice_of("inference.ModelInstanceGroup.Kind.KIND_GPU")));
    assert_null(pb_file_by_symbol(slice_of("inference.KIND_GPU")));
}

static void parts_of_names_are_not_found(void **state) {
    (void)state;
    static const char *const names[] = {"",
                                        "inference",
                                        "inference.",
                                        "inference.ModelInferReques",
                                        "inference.ModelInferRequest.",
                                        "inferenceModelInferRequest",
                                        "grpc.reflection.v1alpha",
                                        "grpc.reflection.v1.ErrorResponse.nothing",
                                        "inference.GRPCInferenceService."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(pb_file_by_symbol(slice_of(names[i])));
}

static size_t count_top(const struct pb_file *file) {
    size_t count = 0;
    for (size_t i = 0; i < file->message_count; i++)
        count += strchr(file->messages[i]->name, '.') == NULL;
    return count;
}

/* The length-delimited fields of a FileDescriptorProto: 1 name, 2 package, 3 import, 4 message, 5 enum, 6 service, 12
 * syntax. */
static void descriptors_have_every_part(void **state) {
    (void)state;
    for (size_t i = 0; i < pb_file_count; i++) {
        struct buf bytes = BUF_EMPTY;
        assert_int_equal(pb_file_describe(pb_files[i], &bytes).code, STATUS_OK);
        size_t counts[13] = {0};
        struct slice values[13] = {{NULL, 0}};
        struct pb_reader reader = pb_reader_on(buf_slice(&bytes));
        while (!pb_reader_done(&reader)) {
            uint32_t number;
            enum pb_wire_type wire;
            assert_true(pb_read_tag(&reader, &number, &wire));
            assert_int_equal(wire, PB_WIRE_BYTES);
            assert_in_range(number, 1, 12);
            assert_true(pb_read_bytes(&reader, &values[number]));
            counts[number]++;
        }
        assert_true(slice_equal_text(values[1], pb_files[i]->name));
        assert_true(slice_equal_text(values[2], pb_files[i]->package));
        assert_true(slice_equal_text(values[12], "proto3"));
        assert_int_equal(counts[3], pb_files[i]->import_count);
        assert_int_equal(counts[4], count_top(pb_files[i]));
        assert_int_equal(counts[6], pb_files[i]->service != NULL);
        buf_free(&bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_found_by_name),
        cmocka_unit_test(every_declaration_is_found),
        cmocka_unit_test(enum_values_are_siblings_of_their_enum),
        cmocka_unit_test(parts_of_names_are_not_found),
        cmocka_unit_test(descriptors_have_every_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

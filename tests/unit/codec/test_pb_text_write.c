/* The text form as it is written, and that it reads back as the same message. */
#include "codec_test.h"

#include <math.h>

#include "codec/pb_text.h"
#include "codec/pb_text_write.h"
#include "codec/trtis_v1_messages.h"

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

#define ASSERT_TEXT(type, message, form, expected)                                                                     \
    do {                                                                                                               \
        struct buf text_ = BUF_EMPTY;                                                                                  \
        assert_ok(pb_text_write(&pb_##type##_type, (message), (form), &text_));                                        \
        assert_slice(buf_slice(&text_), (expected));                                                                   \
        buf_free(&text_);                                                                                              \
    } while (0)

static void one_line(void **state) {
    (void)state;
    struct pb_v1_request_status status = {
        .code = PB_V1_SUCCESS, .server_id = SLICE_LITERAL("inference:0"), .request_id = 7};
    ASSERT_TEXT(v1_request_status, &status, PB_TEXT_ONE_LINE, "code: SUCCESS server_id: \"inference:0\" request_id: 7");
    int64_t dims[] = {4, -1};
    struct pb_v1_infer_response_header_output_raw raw = {.dims = {.items = dims, .count = 2}, .batch_byte_size = 16};
    struct pb_v1_infer_response_header_output output = {.name = SLICE_LITERAL("o"), .raw = &raw};
    struct pb_v1_infer_response_header header = {
        .model_name = SLICE_LITERAL("m"), .batch_size = 1, .output = {.items = &output, .count = 1}, .id = 3};
    ASSERT_TEXT(v1_infer_response_header, &header, PB_TEXT_ONE_LINE,
                "model_name: \"m\" batch_size: 1 output { name: \"o\" raw { dims: 4 dims: -1 batch_byte_size: 16 } } "
                "id: 3");
}

static void lines(void **state) {
    (void)state;
    struct pb_v1_infer_request_stats stats = {.success = &(struct pb_v1_stat_duration){.count = 2}};
    struct pb_v1_model_version_status_infer_stats_entry entry = {.key = 0, .value = &stats};
    struct pb_v1_model_version_status status = {.ready_state = PB_V1_MODEL_READY,
                                                .infer_stats = {.items = &entry, .count = 1}};
    ASSERT_TEXT(v1_model_version_status, &status, PB_TEXT_LINES,
                "ready_state: MODEL_READY\n"
                "infer_stats {\n"
                "  key: 0\n"
                "  value {\n"
                "    success {\n"
                "      count: 2\n"
                "    }\n"
                "  }\n"
                "}\n");
}

static void nothing_set(void **state) {
    (void)state;
    struct pb_v1_request_status status = {0};
    ASSERT_TEXT(v1_request_status, &status, PB_TEXT_ONE_LINE, "");
    ASSERT_TEXT(v1_request_status, &status, PB_TEXT_LINES, "");
}

static void oneof_without_its_message(void **state) {
    (void)state;
    struct pb_v1_shared_memory_control_request request = {
        .which_shared_memory_control = pb_v1_shared_memory_control_request_unregister_all_number};
    ASSERT_TEXT(v1_shared_memory_control_request, &request, PB_TEXT_ONE_LINE, "unregister_all { }");
}

static void strings_are_escaped(void **state) {
    (void)state;
    struct pb_v1_request_status status = {.msg = SLICE_LITERAL("a\"b'\\\n\r\t\x01\xff"
                                                               "9\xc3\xa4")};
    ASSERT_TEXT(v1_request_status, &status, PB_TEXT_ONE_LINE, "msg: \"a\\\"b\\'\\\\\\n\\r\\t\\001\\3779\\303\\244\"");
}

static void numbers_without_a_name(void **state) {
    (void)state;
    struct pb_v1_request_status status = {.code = 77};
    ASSERT_TEXT(v1_request_status, &status, PB_TEXT_ONE_LINE, "code: 77");
    struct pb_v1_infer_response_header_output_class class = {.idx = -3, .value = INFINITY};
    ASSERT_TEXT(v1_infer_response_header_output_class, &class, PB_TEXT_ONE_LINE, "idx: -3 value: inf");
}

/* Random messages of the widest type: written, read, written again. */
static void reads_back(void **state) {
    struct arena *arena = *state;
    uint64_t random = 42;
    for (int round = 0; round < 200; round++) {
        char bytes[24];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(next_random(&random) % 0x7f + 1);
        int64_t dims[3];
        for (int i = 0; i < 3; i++)
            dims[i] = (int64_t)next_random(&random);
        struct pb_v1_infer_request_header_input inputs[2] = {
            {.name = {bytes, sizeof bytes},
             .dims = {.items = dims, .count = 3},
             .batch_byte_size = next_random(&random)},
            {.name = {bytes, 3}},
        };
        struct pb_v1_infer_request_header header = {.batch_size = (uint32_t)next_random(&random),
                                                    .input = {.items = inputs, .count = 2},
                                                    .id = next_random(&random)};
        struct buf first = BUF_EMPTY, second = BUF_EMPTY;
        struct pb_v1_infer_request_header again;
        enum pb_text_form form = round % 2 ? PB_TEXT_LINES : PB_TEXT_ONE_LINE;
        assert_ok(pb_text_write(&pb_v1_infer_request_header_type, &header, form, &first));
        assert_ok(pb_text_parse(&pb_v1_infer_request_header_type, buf_slice(&first), "header", arena, &again, NULL));
        assert_ok(pb_text_write(&pb_v1_infer_request_header_type, &again, form, &second));
        assert_true(slice_equal(buf_slice(&first), buf_slice(&second)));
        assert_int_equal(again.input.items[0].dims.items[2], dims[2]);
        buf_free(&first);
        buf_free(&second);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),
        cmocka_unit_test(lines),
        cmocka_unit_test(nothing_set),
        cmocka_unit_test(oneof_without_its_message),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(numbers_without_a_name),
        cmocka_unit_test_setup_teardown(reads_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

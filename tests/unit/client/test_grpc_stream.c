/* Tests of grpc_stream: messages out of any pieces, whose they are, and what is no message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/grpc_stream.h"
#include "codec/pb_wire.h"

/* A ModelStreamInferResponse with an id, an output or none, and triton_final_response (-1: not there). */
static void write_answer(struct buf *out, const char *id, bool output, int final) {
    buf_append(out, "\0\0\0\0\0", 5);
    size_t start = out->size, response = pb_write_begin(out, 2);
    pb_write_text(out, 1, "model");
    pb_write_text(out, 3, id);
    if (final >= 0) {
        size_t entry = pb_write_begin(out, 4);
        pb_write_text(out, 1, "triton_final_response");
        size_t value = pb_write_begin(out, 2);
        if (final > 0)
            pb_write_uint64(out, 1, 1);
        pb_write_end(out, value);
        pb_write_end(out, entry);
    }
    if (output) {
        size_t tensor = pb_write_begin(out, 5);
        pb_write_text(out, 1, "OUT");
        pb_write_end(out, tensor);
    }
    pb_write_end(out, response);
    out->data[start - 1] = (char)(out->size - start);
}

static void test_answers(void **state) {
    (void)state;
    static const struct {
        const char *id;
        uint64_t number;
        bool output;
        int final;
    } cases[] = {{"7", 7, true, -1}, {"8", 8, true, 0}, {"9", 9, false, 1}, {"10", 10, true, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf bytes = BUF_EMPTY;
        struct grpc_stream_answer answer;
        write_answer(&bytes, cases[i].id, cases[i].output, cases[i].final);
        struct status status = grpc_stream_v2.read((struct slice){bytes.data + 5, bytes.size - 5}, &answer);
        assert_string_equal(status.message, "");
        assert_true(answer.named && answer.number == cases[i].number);
        assert_int_equal(answer.empty, !cases[i].output);
        assert_int_equal(answer.final, cases[i].final != 0);
        assert_int_equal(answer.error.size, 0);
        buf_free(&bytes);
    }
}

static void test_errors(void **state) {
    (void)state;
    struct buf bytes = BUF_EMPTY;
    struct grpc_stream_answer answer;
    pb_write_text(&bytes, 1, "it failed");
    struct status status = grpc_stream_v2.read(buf_slice(&bytes), &answer);
    assert_string_equal(status.message, "");
    assert_true(slice_equal_text(answer.error, "it failed") && !answer.named);
    for (size_t n = 1; n < bytes.size; n++) /* cut short */
        assert_int_equal(grpc_stream_v2.read((struct slice){bytes.data, n}, &answer).code, STATUS_DATA_LOSS);
    buf_free(&bytes);
}

/* An InferResponse of v1: the id is a number in its header, failures stand inside. */
static void test_v1_answers(void **state) {
    (void)state;
    struct buf bytes = BUF_EMPTY;
    struct grpc_stream_answer answer;
    size_t status = pb_write_begin(&bytes, 1);
    pb_write_uint64(&bytes, 1, 6);
    pb_write_end(&bytes, status);
    size_t header = pb_write_begin(&bytes, 2);
    pb_write_text(&bytes, 1, "model");
    pb_write_uint64(&bytes, 5, 300);
    pb_write_end(&bytes, header);
    assert_int_equal(grpc_stream_v1.read(buf_slice(&bytes), &answer).code, STATUS_OK);
    assert_true(answer.named && answer.number == 300 && answer.final && !answer.empty);
    assert_true(answer.error.size == 0 && slice_equal(answer.response, buf_slice(&bytes)));
    for (size_t n = 0; n < bytes.size; n++) { /* cut short: read or refused, never misread */
        struct status cut = grpc_stream_v1.read((struct slice){bytes.data, n}, &answer);
        assert_true(cut.code == STATUS_DATA_LOSS || !answer.named);
    }
    buf_free(&bytes);
}

/* Three messages, given in pieces of every size. */
static void test_pieces(void **state) {
    (void)state;
    struct buf bytes = BUF_EMPTY;
    write_answer(&bytes, "1", true, 0);
    write_answer(&bytes, "2", true, 1);
    write_answer(&bytes, "3", false, 1);
    for (size_t piece = 1; piece <= bytes.size; piece++) {
        struct grpc_stream stream;
        size_t found = 0;
        grpc_stream_init(&stream);
        for (size_t at = 0; at < bytes.size; at += piece) {
            size_t n = bytes.size - at < piece ? bytes.size - at : piece;
            struct slice message;
            struct status status = grpc_stream_take(&stream, bytes.data + at, n, 1000, &message);
            while (status_is_ok(&status) && message.data != NULL) {
                struct grpc_stream_answer answer;
                status = grpc_stream_v2.read(message, &answer);
                assert_true(status_is_ok(&status));
                found++;
                assert_true(answer.number == found);
                status = grpc_stream_take(&stream, NULL, 0, 1000, &message);
            }
            assert_true(status_is_ok(&status));
        }
        assert_int_equal(found, 3);
        grpc_stream_free(&stream);
    }
    buf_free(&bytes);
}

static void test_what_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        enum status_code code;
    } cases[] = {{"\1\0\0\0\1x", STATUS_DATA_LOSS}, {"\0\0\1\0\0x", STATUS_RESOURCE_EXHAUSTED}};
    for (size_t i = 0; i < 2; i++) {
        struct grpc_stream stream;
        struct slice message;
        grpc_stream_init(&stream);
        assert_int_equal(grpc_stream_take(&stream, cases[i].bytes, 6, 1000, &message).code, cases[i].code);
        grpc_stream_free(&stream);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_errors),          cmocka_unit_test(test_v1_answers),
        cmocka_unit_test(test_pieces),  cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files with holes: bytes land where they belong, in both layouts, whatever the origin and however big the matrix. */
#include "tools/export/weight_stream.h"

#include <signal.h>
#include <sys/resource.h>

#include "../../checkpoint/scratch.h"

static void bytes_and_weights_in_order(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct weight_stream stream = WEIGHT_STREAM_EMPTY;
    const float stored[] = {1, 2, 3, 4, 5, 6};
    const float out_in[] = {1, 2, 3, 4, 5, 6}, in_out[] = {1, 4, 2, 5, 3, 6};
    const struct bert_weight weight = {.outputs = 2,
                                       .inputs = 3,
                                       .is_matrix = true,
                                       .layout = BERT_OUT_IN,
                                       .type = WEIGHT_F32,
                                       .bytes = {(const char *)stored, sizeof stored}};
    struct buf expected = BUF_EMPTY, got = BUF_EMPTY;
    weight_stream_add(&stream, &weight, BERT_OUT_IN);
    buf_append_text(&stream.bytes, "between");
    weight_stream_add(&stream, &weight, BERT_IN_OUT);
    weight_stream_add(&stream, &weight, BERT_OUT_IN);
    buf_append_text(&stream.bytes, "end");
    assert_int_equal(weight_stream_size(&stream), 3 * sizeof stored + 10);
    const char *path = scratch_path(&scratch, "x");
    expect_ok(weight_stream_write(&stream, SLICE_LITERAL("head"), SLICE_LITERAL("tail"), path));
    buf_append_text(&expected, "head");
    buf_append(&expected, out_in, sizeof out_in);
    buf_append_text(&expected, "between");
    buf_append(&expected, in_out, sizeof in_out);
    buf_append(&expected, out_in, sizeof out_in);
    buf_append_text(&expected, "endtail");
    expect_ok(file_read(path, 1000, &got));
    assert_true(slice_equal(buf_slice(&got), buf_slice(&expected)));
    expect_error(weight_stream_write(&stream, SLICE_LITERAL(""), SLICE_LITERAL(""), path), STATUS_ALREADY_EXISTS, "/x");
    buf_free(&expected);
    buf_free(&got);
    weight_stream_free(&stream);
    scratch_remove(&scratch);
}

/* Bigger than the writer's block of 2^18 floats, so that it is read in several steps. */
static void large_matrix(void **state) {
    (void)state;
    enum { OUTPUTS = 700, INPUTS = 900 };
    struct scratch scratch = scratch_create();
    struct weight_stream stream = WEIGHT_STREAM_EMPTY;
    const struct bert_weight weight = {
        .outputs = OUTPUTS, .inputs = INPUTS, .is_matrix = true, .origin = BERT_FROM_RANDOM, .key = 77};
    struct buf got = BUF_EMPTY;
    float *whole = malloc(sizeof(float) * OUTPUTS * INPUTS);
    assert_non_null(whole);
    bert_weight_read(&weight, BERT_OUT_IN, 0, OUTPUTS, whole);
    weight_stream_add(&stream, &weight, BERT_IN_OUT);
    const char *path = scratch_path(&scratch, "x");
    expect_ok(weight_stream_write(&stream, SLICE_LITERAL(""), SLICE_LITERAL(""), path));
    expect_ok(file_read(path, 1 << 24, &got));
    assert_int_equal(got.size, sizeof(float) * OUTPUTS * INPUTS);
    for (size_t in = 0; in < INPUTS; in++)
        for (size_t out = 0; out < OUTPUTS; out++)
            assert_memory_equal(got.data + (in * OUTPUTS + out) * sizeof(float), &whole[out * INPUTS + in],
                                sizeof(float));
    free(whole);
    buf_free(&got);
    weight_stream_free(&stream);
    scratch_remove(&scratch);
}

static void failures_are_reported(void **state) {
    (void)state;
    struct weight_stream stream = WEIGHT_STREAM_EMPTY;
    const struct bert_weight weight = {.outputs = 1000, .inputs = 1000, .origin = BERT_FROM_CONSTANT};
    const struct bert_weight too_wide = {.outputs = 1, .inputs = (1 << 18) + 1, .origin = BERT_FROM_CONSTANT};
    weight_stream_add(&stream, &weight, BERT_OUT_IN);
    expect_error(weight_stream_write(&stream, SLICE_LITERAL(""), SLICE_LITERAL(""), "/nowhere/x"), STATUS_INTERNAL,
                 "cannot write /nowhere/x: No such file");
    stream.bytes.failed = true; /* as after an append without memory */
    expect_error(weight_stream_write(&stream, SLICE_LITERAL(""), SLICE_LITERAL(""), "/nowhere/x"),
                 STATUS_RESOURCE_EXHAUSTED, "no memory");
    stream.bytes.failed = false;
    weight_stream_add(&stream, &too_wide, BERT_OUT_IN);
    expect_error(weight_stream_write(&stream, SLICE_LITERAL(""), SLICE_LITERAL(""), "/nowhere/x"), STATUS_UNSUPPORTED,
                 "wider than");
    weight_stream_free(&stream);
}

/* A file that may not grow to its size: what a full disk does. */
static void full_disk(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct weight_stream stream = WEIGHT_STREAM_EMPTY;
    const struct bert_weight weight = {.outputs = 1000, .inputs = 1000, .origin = BERT_FROM_CONSTANT};
    struct rlimit kept, small;
    weight_stream_add(&stream, &weight, BERT_OUT_IN);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    small = (struct rlimit){1 << 20, kept.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct status status =
        weight_stream_write(&stream, SLICE_LITERAL(""), SLICE_LITERAL(""), scratch_path(&scratch, "x"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    expect_error(status, STATUS_INTERNAL, "File too large");
    weight_stream_free(&stream);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_weights_in_order),
        cmocka_unit_test(large_matrix),
        cmocka_unit_test(failures_are_reported),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

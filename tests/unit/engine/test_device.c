/* The interface of the devices, by a second implementation: what a device is asked, and what an engine makes of that.
 */
#include "fake_cuda_device.h"
#include "models.h"

#define HF "tests/fixtures/hf_checkpoint"

enum { TOKENS = 5 };

static const int32_t ids[TOKENS] = {2, 9, 4, 33, 3};
static const uint32_t offsets[] = {0, 3, TOKENS};
static const struct bert_batch batch = {.sequence_count = 2, .offsets = offsets, .token_ids = ids};

static struct bert_engine_options on(int index, enum bert_precision precision) {
    return (struct bert_engine_options){.precision = precision, .device = {BERT_DEVICE_CUDA, index}};
}

static struct status open_engine(const struct bert_engine_options *options, struct model *ret) {
    *ret = (struct model){0};
    expect_ok(bert_checkpoint_open(HF, NULL, &ret->checkpoint));
    expect_ok(bert_pool_create(1, &ret->pool));
    struct status status = bert_engine_create(ret->checkpoint, options, ret->pool, &ret->engine);
    bert_checkpoint_close(ret->checkpoint);
    if (status_is_ok(&status))
        expect_ok(bert_session_create(ret->engine, TOKENS, &ret->session));
    else
        bert_pool_destroy(ret->pool);
    return status;
}

static void an_engine_is_on_its_device(void **state) {
    (void)state;
    float starts[3][TOKENS], ends[3][TOKENS];
    const struct bert_engine_options rows[] = {
        {.precision = BERT_PRECISION_FP32, .isa = BERT_ISA_REFERENCE},
        on(0, BERT_PRECISION_FP8),
        on(1, BERT_PRECISION_AUTO),
    };
    struct model models[3];
    for (size_t i = 0; i < 3; i++) {
        expect_ok(open_engine(&rows[i], &models[i]));
        expect_ok(
            bert_session_run(models[i].session, &batch, &(struct bert_results){.starts = starts[i], .ends = ends[i]}));
        assert_memory_equal(starts[i], starts[0], sizeof starts[0]);
        assert_memory_equal(ends[i], ends[0], sizeof ends[0]);
        assert_true(bert_engine_has(models[i].engine, BERT_HEAD_SPAN));
        assert_int_equal(bert_engine_config(models[i].engine)->position_count, 48);
        assert_int_equal(bert_engine_device(models[i].engine).kind, rows[i].device.kind);
        assert_int_equal(bert_engine_device(models[i].engine).index, rows[i].device.index);
    }
    assert_int_equal(bert_engine_precision(models[1].engine), BERT_PRECISION_FP8);
    assert_int_equal(bert_engine_precision(models[2].engine), BERT_PRECISION_FP16);
    assert_string_equal(bert_engine_kernels(models[2].engine), "fake");
    assert_int_equal(bert_engine_memory(models[1].engine), bert_engine_memory(models[0].engine) + 1);
    for (size_t i = 0; i < FAKE_DEVICES; i++) {
        assert_int_equal(fake_uses[i].engines, 1);
        assert_int_equal(fake_uses[i].sessions, 1);
        assert_int_equal(fake_uses[i].runs, 1);
    }
    for (size_t i = 0; i < 3; i++)
        close_model(&models[i]);
    assert_int_equal(fake_uses[0].engines + fake_uses[1].engines + fake_uses[0].sessions + fake_uses[1].sessions, 0);
}

static void a_device_has_its_precisions(void **state) {
    (void)state;
    struct model model;
    const struct {
        struct bert_engine_options options;
        const char *text;
    } rows[] = {
        {on(1, BERT_PRECISION_FP8), "CUDA device 1 does not compute in fp8: it has fp32, bf16, fp16"},
        {on(0, BERT_PRECISION_INT8), "CUDA device 0 does not compute in int8: it has fp32, bf16, fp16, fp8"},
        {{.precision = BERT_PRECISION_FP16}, "the CPU does not compute in fp16: it has fp32, bf16, int8"},
        {{.precision = BERT_PRECISION_FP8}, "the CPU does not compute in fp8: it has fp32, bf16, int8"},
        {on(2, BERT_PRECISION_FP32), "this machine has no CUDA device 2: it has 2, from 0 on"},
        {on(-1, BERT_PRECISION_FP32), "this machine has no CUDA device -1"},
        {{.device = {BERT_DEVICE_CPU, 1}}, "there is no CPU 1: all CPUs are one"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_error(open_engine(&rows[i].options, &model), STATUS_UNSUPPORTED, rows[i].text);
    struct bert_engine_options forced = on(0, BERT_PRECISION_FP32);
    forced.isa = BERT_ISA_AVX2;
    expect_error(open_engine(&forced, &model), STATUS_INVALID_ARGUMENT, "no instruction set 'avx2'");
}

static void a_batch_may_fail_on_a_device(void **state) {
    (void)state;
    float starts[TOKENS], ends[TOKENS];
    const struct bert_engine_options options = on(0, BERT_PRECISION_AUTO);
    const struct bert_results results = {.starts = starts, .ends = ends};
    struct model model;
    expect_ok(open_engine(&options, &model));
    fake_uses[0].fails = true;
    expect_error(bert_session_run(model.session, &batch, &results), STATUS_INTERNAL, "fallen off the bus");
    fake_uses[0].fails = false;
    expect_ok(bert_session_run(model.session, &batch, &results));
    close_model(&model);
}

/* Batches that no model can run never reach a device. */
static void wrong_batches_reach_no_device(void **state) {
    (void)state;
    float starts[TOKENS], ends[TOKENS];
    const struct bert_engine_options options = on(1, BERT_PRECISION_AUTO);
    const int32_t wrong[TOKENS] = {2, 64};
    const struct bert_batch bad = {.sequence_count = 2, .offsets = offsets, .token_ids = wrong};
    struct model model;
    expect_ok(open_engine(&options, &model));
    int runs = fake_uses[1].runs;
    expect_error(bert_session_run(model.session, &bad, &(struct bert_results){.starts = starts, .ends = ends}),
                 STATUS_INVALID_ARGUMENT, "expected a word of 0..63, got 64");
    assert_int_equal(fake_uses[1].runs, runs);
    close_model(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_is_on_its_device),
        cmocka_unit_test(a_device_has_its_precisions),
        cmocka_unit_test(a_batch_may_fail_on_a_device),
        cmocka_unit_test(wrong_batches_reach_no_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

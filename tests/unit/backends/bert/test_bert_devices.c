/* Instances on the devices that their groups name, each with the engine of that device; by a table of devices that
 * stands for CUDA's. */
#include "../../engine/fake_cuda_device.h"
#include "bert_fixture.h"

#define BERT "backend: \"bert\" max_batch_size: 8 "
#define PRECISION(text) "parameters { key: \"inference_precision\" value { string_value: \"" text "\" } } "

static void instances_have_the_engine_of_their_device(void **state) {
    (void)state;
    const struct backend_ops *ops = bert_backend();
    static const struct instance_place gpu0 = {true, 0}, gpu1 = {true, 1}, cpu = {false, 0};
    struct loaded loaded;
    void *instances[5];
    assert_good(
        load(BERT "instance_group [ { kind: KIND_GPU gpus: [ 1, 0 ] count: 2 }, { kind: KIND_CPU } ]", &loaded));
    assert_int_equal(loaded.config->instance_count, 5);
    assert_int_equal(fake_uses[0].engines, 1);
    assert_int_equal(fake_uses[1].engines, 1);
    assert_int_equal(fake_uses[1].sessions, 1); /* of the first instance, which the fixture made */
    for (int i = 1; i < 5; i++)
        assert_good(ops->instance_create(loaded.model, i, &instances[i]));
    assert_int_equal(fake_uses[0].sessions, 2);
    assert_int_equal(fake_uses[1].sessions, 2);
    assert_true(ops->memory(loaded.model, &gpu0) == ops->memory(loaded.model, &gpu1));
    assert_true(ops->memory(loaded.model, &cpu) > 0);
    for (int i = 1; i < 5; i++)
        ops->instance_destroy(instances[i]);
    unload(&loaded);
    assert_int_equal(fake_uses[0].engines + fake_uses[1].engines, 0);
}

static void automatic_groups_take_all_gpus(void **state) {
    (void)state;
    struct loaded loaded;
    struct call call;
    assert_good(load(BERT, &loaded));
    assert_int_equal(loaded.config->instance_count, FAKE_DEVICES);
    assert_int_equal(fake_uses[0].engines + fake_uses[1].engines, FAKE_DEVICES);
    int runs = fake_uses[0].runs;
    call_begin(&call, 3);
    static const char *const names[] = {"input_ids", "input_mask", "segment_ids"};
    const int32_t *numbers[] = {call.ids, call.mask, call.segments};
    for (size_t i = 0; i < 3; i++) {
        struct tensor *tensor = &call.request->inputs[call.request->input_count++];
        *tensor = (struct tensor){.name = slice_of(names[i]), .type = DATATYPE_INT32, .rank = 2, .shape = {1, 4}};
        tensor->data = (struct slice){(const char *)numbers[i], 4 * sizeof(int32_t)};
    }
    for (int i = 0; i < 4; i++)
        call.mask[i] = 1;
    execute(&loaded, &call, 1);
    assert_good(call.response->status);
    assert_int_equal(fake_uses[0].runs, runs + 1);
    call_close(&call);
    unload(&loaded);
}

static void wrong_groups_are_refused(void **state) {
    (void)state;
    struct loaded loaded;
    assert_error(load(BERT "instance_group { kind: KIND_GPU gpus: [ 0, 2 ] }", &loaded),
                 "instance_group[0].gpus: this machine has no CUDA device 2: it has 2, from 0 on");
    assert_error(load(BERT "instance_group { gpus: 7 }", &loaded),
                 "this machine has no CUDA device 7: it has 2, from 0 on; KIND_AUTO took the CPU: remove 'gpus'");
    assert_error(load(BERT "instance_group { kind: KIND_CPU gpus: 0 }", &loaded), "KIND_CPU has no GPUs");
    assert_error(load(BERT "parameters { key: \"instruction_set\" value { string_value: \"avx2\" } }", &loaded),
                 "a GPU has no instruction set 'avx2'");
}

/* The precision has to be one of every device on which the model has instances. */
static void each_device_needs_the_precision(void **state) {
    (void)state;
    static const struct {
        const char *config, *text;
    } rows[] = {
        {PRECISION("fp8"), "CUDA device 1 does not compute in fp8: it has fp32, bf16, fp16"},
        {PRECISION("int8") "instance_group { gpus: 0 }",
         "CUDA device 0 does not compute in int8: it has fp32, bf16, fp16, fp8"},
        {PRECISION("fp16") "instance_group { kind: KIND_CPU }", "the CPU does not compute in fp16: it has fp32, bf16"},
    };
    struct loaded loaded;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char config[256];
        snprintf(config, sizeof config, BERT "%s", rows[i].config);
        struct status status = load(config, &loaded);
        assert_int_equal(status.code, STATUS_UNSUPPORTED);
        if (!strstr(status.message, rows[i].text))
            fail_msg("expected '%s' in '%s'", rows[i].text, status.message);
        assert_int_equal(fake_uses[0].engines + fake_uses[1].engines, 0);
    }
    assert_good(load(BERT PRECISION("fp8") "instance_group { gpus: 0 }", &loaded));
    unload(&loaded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_have_the_engine_of_their_device),
        cmocka_unit_test(automatic_groups_take_all_gpus),
        cmocka_unit_test(wrong_groups_are_refused),
        cmocka_unit_test(each_device_needs_the_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

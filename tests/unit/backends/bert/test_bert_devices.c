/* Instances on the devices that their groups name, each with the engine of that device; by a table of devices that
 * stands for CUDA's. */
#include "../../engine/fake_cuda_device.h"
#include "bert_fixture.h"

#define BERT "backend: \"bert\" max_batch_size: 8 "
#define PARAMETER(key, text) "parameters { key: \"" key "\" value { string_value: \"" text "\" } } "
#define PRECISION(text) PARAMETER("inference_precision", text)

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

/* A call of so many tokens, whose inputs lie in it. */
static void ask(struct call *call, int64_t length) {
    static const char *const names[] = {"input_ids", "input_mask", "segment_ids"};
    call_begin(call, 3);
    const int32_t *numbers[] = {call->ids, call->mask, call->segments};
    for (size_t i = 0; i < 3; i++) {
        struct tensor *tensor = &call->request->inputs[call->request->input_count++];
        *tensor = (struct tensor){.name = slice_of(names[i]), .type = DATATYPE_INT32, .rank = 2, .shape = {1, length}};
        tensor->data = (struct slice){(const char *)numbers[i], (size_t)length * sizeof(int32_t)};
    }
    for (int i = 0; i < length; i++)
        call->mask[i] = 1;
}

static void automatic_groups_take_all_gpus(void **state) {
    (void)state;
    struct loaded loaded;
    struct call call;
    assert_good(load(BERT, &loaded));
    assert_int_equal(loaded.config->instance_count, 2 * FAKE_DEVICES);
    assert_int_equal(fake_uses[0].engines + fake_uses[1].engines, FAKE_DEVICES);
    int runs = fake_uses[0].runs;
    ask(&call, 4);
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
    assert_error(load(BERT "parameters { key: \"instruction_set\" value { string_value: \"avx2\" } }"
                           "instance_group { kind: KIND_GPU }",
                      &loaded),
                 "a GPU has no instruction set 'avx2'");
}

/* The precision has to be one of every device on which the model has instances. */
static void each_device_needs_the_precision(void **state) {
    (void)state;
    static const struct {
        const char *config, *text;
    } rows[] = {
        {PRECISION("fp8") "instance_group { kind: KIND_GPU }",
         "CUDA device 1 does not compute in fp8: it has fp32, bf16, fp16"},
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

/* KIND_AUTO leaves out the GPUs that cannot do what the config asks for, and takes the CPU when none can. */
static void automatic_groups_take_what_suits(void **state) {
    (void)state;
    static const struct instance_place gpu0 = {true, 0}, cpu = {false, 0};
    struct loaded loaded;
    char text[64];
    assert_good(load(BERT PRECISION("fp8"), &loaded));
    assert_int_equal(fake_uses[0].engines, 1);
    assert_int_equal(fake_uses[1].engines, 0);
    bert_backend()->describe(loaded.model, &gpu0, text, sizeof text);
    assert_string_equal(text, "fp8, fake");
    unload(&loaded);
    assert_good(load(BERT PRECISION("fp8") PARAMETER("bf16_layers", "1"), &loaded));
    assert_int_equal(fake_uses[0].bf16_layers, 1);
    bert_backend()->describe(loaded.model, &gpu0, text, sizeof text);
    assert_string_equal(text, "fp8 after 1 layer of bf16, fake");
    unload(&loaded);
    for (int i = 0; i < 2; i++) {
        assert_good(load(i ? BERT : BERT PARAMETER("short_batches", "graphs"), &loaded));
        assert_int_equal(fake_uses[0].short_batches, i ? BERT_SHORT_AUTO : BERT_SHORT_GRAPHS);
        unload(&loaded);
    }
    assert_good(
        load(BERT PARAMETER("short_batches", "auto") "instance_group [ { kind: KIND_CPU }, { gpus: 0 } ]", &loaded));
    unload(&loaded);
    assert_good(load(BERT PRECISION("int8") PARAMETER("instruction_set", "reference"), &loaded));
    assert_int_equal(fake_uses[0].engines + fake_uses[1].engines, 0);
    bert_backend()->describe(loaded.model, &cpu, text, sizeof text);
    assert_string_equal(text, "int8, reference");
    unload(&loaded);
    fake_heads_max = 1; /* the model has more */
    assert_good(load(BERT, &loaded));
    fake_heads_max = 1000;
    assert_int_equal(fake_uses[0].engines + fake_uses[1].engines, 0);
    unload(&loaded);
}

/* Each kind of device has its own size of batches, unless the config says one for all. */
static void batches_are_as_large_as_the_device_wants(void **state) {
    (void)state;
    static const struct instance_place gpu = {true, 0}, cpu = {false, 0};
    struct loaded loaded;
    assert_good(load(BERT "instance_group [ { kind: KIND_GPU gpus: 0 }, { kind: KIND_CPU } ]", &loaded));
    assert_int_equal(bert_backend()->token_budget(loaded.model, &gpu), 16384);
    assert_int_equal(bert_backend()->token_budget(loaded.model, &cpu), 1024);
    assert_int_equal(fake_uses[0].session_tokens, 16384);
    unload(&loaded);
    assert_good(load(BERT PARAMETER("max_batch_tokens", "2000"), &loaded));
    assert_int_equal(bert_backend()->token_budget(loaded.model, &gpu), 2000);
    assert_int_equal(bert_backend()->token_budget(loaded.model, &cpu), 2000);
    assert_int_equal(fake_uses[0].session_tokens, 2000);
    unload(&loaded);
}

static void a_bare_config_is_completed_for_its_device(void **state) {
    (void)state;
    static const struct {
        const char *config;
        int32_t size;
        bool batching;
    } rows[] = {
        {"backend: \"bert\"", 256, true},
        {"backend: \"bert\" max_batch_size: 7", 7, true},
        {"backend: \"bert\" instance_group { kind: KIND_CPU }", 8, false},
        {"backend: \"bert\"" PRECISION("int8"), 8, false}, /* which these GPUs do not have */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct loaded loaded;
        assert_good(load(rows[i].config, &loaded));
        assert_int_equal(loaded.config->max_batch_size, rows[i].size);
        assert_int_equal(loaded.config->batching.enabled, rows[i].batching);
        unload(&loaded);
    }
}

static void a_batch_is_cut_evenly(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[8];
    assert_good(load(BERT PARAMETER("max_batch_tokens", "48") "instance_group { gpus: 0 }", &loaded));
    for (int i = 0; i < 8; i++)
        ask(&calls[i], 7);
    int runs = fake_uses[0].runs;
    execute(&loaded, calls, 8);
    assert_int_equal(fake_uses[0].runs, runs + 2);
    assert_int_equal(fake_uses[0].batch_tokens, 4 * 7); /* of 56 tokens, where a first piece of 42 would fit */
    for (int i = 0; i < 8; i++) {
        assert_good(calls[i].response->status);
        call_close(&calls[i]);
    }
    unload(&loaded);
}

/* A device that fails takes the batch with it and nothing else. */
static void a_failed_run_fails_its_batch_alone(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[2];
    assert_good(load(BERT "instance_group { gpus: 0 }", &loaded));
    for (int round = 0; round < 3; round++) {
        fake_uses[0].fails = round == 1;
        ask(&calls[0], 4);
        ask(&calls[1], 5);
        execute(&loaded, calls, 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(calls[i].response->status.code, round == 1 ? STATUS_INTERNAL : STATUS_OK);
            assert_string_equal(calls[i].response->status.message, round == 1 ? "the GPU has fallen off the bus" : "");
            call_close(&calls[i]);
        }
    }
    unload(&loaded);
}

/* One of its devices is enough. */
static void a_model_tells_that_a_device_is_lost(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(BERT "instance_group [ { kind: KIND_CPU }, { kind: KIND_GPU gpus: [ 0, 1 ] } ]", &loaded));
    assert_false(bert_backend()->is_lost(loaded.model));
    fake_uses[1].is_lost = true;
    assert_true(bert_backend()->is_lost(loaded.model));
    fake_uses[1].is_lost = false;
    assert_true(bert_backend()->is_lost(loaded.model)); /* for good */
    unload(&loaded);
}

static void a_session_without_memory_fails_the_load(void **state) {
    (void)state;
    struct loaded loaded;
    void *second;
    fake_uses[0].sessions_max = 1;
    assert_good(load(BERT "instance_group { gpus: 0 }", &loaded));
    struct status status = bert_backend()->instance_create(loaded.model, 1, &second);
    fake_uses[0].sessions_max = 0;
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(status.message, "a session for batches of 16384 tokens in CUDA device 0: no memory on the GPU; "
                                        "parameter max_batch_tokens, and fewer instances, take less");
    unload(&loaded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_have_the_engine_of_their_device),
        cmocka_unit_test(automatic_groups_take_all_gpus),
        cmocka_unit_test(wrong_groups_are_refused),
        cmocka_unit_test(each_device_needs_the_precision),
        cmocka_unit_test(automatic_groups_take_what_suits),
        cmocka_unit_test(batches_are_as_large_as_the_device_wants),
        cmocka_unit_test(a_bare_config_is_completed_for_its_device),
        cmocka_unit_test(a_batch_is_cut_evenly),
        cmocka_unit_test(a_failed_run_fails_its_batch_alone),
        cmocka_unit_test(a_model_tells_that_a_device_is_lost),
        cmocka_unit_test(a_session_without_memory_fails_the_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which GPUs there are, asked of a fake driver library, and what is said of those that cannot be used. */
#include <dlfcn.h>
#include <unistd.h>

#include "engine/cuda/cuda_driver.h"
#include "models.h"

#define FAKE INFERD_FAKES "/" CUDA_DRIVER_LIBRARY

static char answers[64] = "/tmp/inferd-fake-cuda-XXXXXX";

static void answer(const char *text) {
    FILE *file = fopen(answers, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Whoever opens the driver library by its name finds the fake from here on: it has that name, and is loaded. */
static int set_up(void **state) {
    (void)state;
    int fd = mkstemp(answers);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(setenv("FAKE_CUDA", answers, 1), 0);
    assert_non_null(dlopen(FAKE, RTLD_NOW | RTLD_LOCAL));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return unlink(answers);
}

static void devices_are_described(void **state) {
    (void)state;
    int count;
    struct cuda_device_facts device = {.name = "untouched"};
    answer("0 3");
    expect_ok(cuda_driver_ask(FAKE, 2, &count, &device));
    assert_int_equal(count, 3);
    assert_string_equal(device.name, "NVIDIA Fake 2");
    assert_int_equal(device.major, 9);
    assert_int_equal(device.minor, 2);
    assert_int_equal(device.memory_bytes, (uint64_t)60 << 30);
    for (int index = -1; index <= 3; index += 4) {
        snprintf(device.name, sizeof device.name, "untouched");
        expect_ok(cuda_driver_ask(FAKE, index, &count, &device));
        assert_int_equal(count, 3);
        assert_string_equal(device.name, "untouched");
    }
    answer("100 3"); /* CUDA_ERROR_NO_DEVICE */
    expect_ok(cuda_driver_ask(FAKE, 0, &count, &device));
    assert_int_equal(count, 0);
}

static void faults_are_told(void **state) {
    (void)state;
    int count = -7;
    struct cuda_device_facts device;
    expect_error(cuda_driver_ask("/nowhere/libcuda.so.1", 0, &count, &device), STATUS_UNAVAILABLE,
                 "/nowhere/libcuda.so.1: cannot open shared object file");
    expect_error(cuda_driver_ask("libm.so.6", 0, &count, &device), STATUS_UNAVAILABLE,
                 "libm.so.6 has no function cuInit");
    answer("803 2");
    expect_error(cuda_driver_ask(FAKE, 0, &count, &device), STATUS_UNAVAILABLE,
                 "cuInit: error 803, system has unsupported display driver / cuda driver combination");
    answer("4711 2");
    expect_error(cuda_driver_ask(FAKE, 0, &count, &device), STATUS_UNAVAILABLE, "cuInit: error 4711, unknown error");
    assert_int_equal(count, -7);
}

static void what_is_missing_is_told(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int index;
        const char *text;
    } rows[] = {
        {"803 2", 0, "no GPU can be found here (cuInit: error 803"},
        {"0 0", 0, "this machine has no CUDA device"},
        {"0 2", 2, "this machine has no CUDA device 2: it has 2, from 0 on"},
        {"0 2", -1, "this machine has no CUDA device -1"},
        {"0 2", 1, "CUDA device 1, NVIDIA Fake 1 (compute capability 9.1, 40.0 GiB), cannot be used: "},
    };
    assert_int_equal(bert_device_count(BERT_DEVICE_CPU), 1);
    assert_int_equal(bert_device_count(BERT_DEVICE_CUDA), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bert_engine_options options = {.device = {BERT_DEVICE_CUDA, rows[i].index}};
        answer(rows[i].answer);
        expect_error(bert_device_check(&options.device), STATUS_UNSUPPORTED, rows[i].text);
        expect_error(bert_engine_resolve(&options), STATUS_UNSUPPORTED, rows[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_described),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(what_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

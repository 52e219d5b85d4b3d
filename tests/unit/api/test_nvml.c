/* Figures of GPUs by a fake library: those that are told, those that are not, GPUs that are lost, and libraries that
 * are none. */
#include "fake_nvml.h"

#include <math.h>

static struct nvml *open_fake(void) {
    struct nvml *nvml = NULL;
    struct status status = nvml_open(FAKE_NVML_PATH, &nvml);
    assert_string_equal(status.message, "");
    return nvml;
}

static size_t read_fake(struct nvml *nvml, struct gpu_figures *figures) {
    size_t count = 99;
    struct status status = nvml_read(nvml, figures, &count);
    assert_string_equal(status.message, "");
    return count;
}

static void assert_near(double value, double expected) {
    assert_true(fabs(value - expected) < 1e-9);
}

static void figures_have_their_units(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("gpu GPU-a 37 85899345920 1073741824 123456 700000 5000\ngpu GPU-b 0 1 1 1 1 9007199254740993000\n");
    struct nvml *nvml = open_fake();
    assert_int_equal(read_fake(nvml, figures), 2);
    assert_string_equal(figures[0].uuid, "GPU-a");
    assert_near(figures[0].utilization, 0.37);
    assert_near(figures[0].memory_total, 85899345920.0);
    assert_near(figures[0].memory_used, 1073741824.0);
    assert_near(figures[0].power, 123.456);
    assert_near(figures[0].power_limit, 700);
    assert_near(figures[0].energy, 5);
    assert_string_equal(figures[1].uuid, "GPU-b");
    assert_true(figures[1].utilization == 0);
    assert_true(figures[1].energy > 9e15);
    nvml_close(nvml);
}

static void what_a_gpu_does_not_tell_is_no_number(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("gpu GPU-a -1 -1 5 -1 -1 -1\nfail nvmlDeviceGetPowerUsage 999\n");
    struct nvml *nvml = open_fake();
    assert_int_equal(read_fake(nvml, figures), 1);
    assert_true(isnan(figures[0].utilization) && isnan(figures[0].memory_total) && isnan(figures[0].memory_used));
    assert_true(isnan(figures[0].power) && isnan(figures[0].power_limit) && isnan(figures[0].energy));
    nvml_close(nvml);
}

static void lost_gpus_are_left_out(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("gpu GPU-a 1 2 1 1 1 1\nlost GPU-b 1 2 1 1 1 1\ngpu GPU-c 1 2 1 1 1 1\n");
    struct nvml *nvml = open_fake();
    assert_int_equal(read_fake(nvml, figures), 2);
    assert_string_equal(figures[1].uuid, "GPU-c");
    fake_does("gpu GPU-a 1 2 1 1 1 1\nfail nvmlDeviceGetHandleByIndex_v2 15\n");
    assert_int_equal(read_fake(nvml, figures), 0);
    fake_does("");
    assert_int_equal(read_fake(nvml, figures), 0);
    nvml_close(nvml);
}

static void a_name_that_is_too_long_is_left_out(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    char lines[512], uuid[NVML_UUID_MAX + 1];
    memset(uuid, 'x', NVML_UUID_MAX);
    uuid[NVML_UUID_MAX] = '\0';
    snprintf(lines, sizeof lines, "gpu %s 1 2 1 1 1 1\ngpu %s 1 2 1 1 1 1\n", uuid, uuid + 1);
    fake_does(lines);
    struct nvml *nvml = open_fake();
    assert_int_equal(read_fake(nvml, figures), 1);
    assert_string_equal(figures[0].uuid, uuid + 1);
    nvml_close(nvml);
}

static void gpus_have_a_bound(void **state) {
    (void)state;
    static struct gpu_figures figures[NVML_GPUS_MAX];
    char lines[4096] = "";
    for (int i = 0; i < NVML_GPUS_MAX + 3; i++)
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "gpu GPU-%d 1 2 1 1 1 1\n", i);
    fake_does(lines);
    struct nvml *nvml = open_fake();
    assert_int_equal(read_fake(nvml, figures), NVML_GPUS_MAX);
    assert_string_equal(figures[NVML_GPUS_MAX - 1].uuid, "GPU-63");
    nvml_close(nvml);
}

static void faults_are_told(void **state) {
    (void)state;
    struct nvml *nvml = NULL;
    struct gpu_figures figures[NVML_GPUS_MAX];
    size_t count = 99;
    fake_does("fail nvmlInit_v2 9\n");
    assert_string_equal(nvml_open(FAKE_NVML_PATH, &nvml).message, "nvmlInit_v2: error 9, Driver Not Loaded");
    assert_string_equal(nvml_open("libm.so.6", &nvml).message, "libm.so.6 has no function nvmlInit_v2");
    struct status status = nvml_open("/nowhere/" NVML_LIBRARY, &nvml);
    assert_int_equal(status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(status.message, "cannot open shared object file"));
    assert_null(nvml);
    fake_does("fail nvmlDeviceGetCount_v2 999\n");
    nvml = open_fake();
    assert_string_equal(nvml_read(nvml, figures, &count).message, "nvmlDeviceGetCount_v2: error 999, unknown");
    assert_int_equal(count, 99);
    nvml_close(nvml);
    nvml_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_have_their_units), cmocka_unit_test(what_a_gpu_does_not_tell_is_no_number),
        cmocka_unit_test(lost_gpus_are_left_out),   cmocka_unit_test(a_name_that_is_too_long_is_left_out),
        cmocka_unit_test(gpus_have_a_bound),        cmocka_unit_test(faults_are_told),
    };
    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}

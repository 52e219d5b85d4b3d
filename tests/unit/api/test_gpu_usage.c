/* The thread that asks the GPUs: figures that change, GPUs that go and come, a library that fails or hangs. */
#include "api/gpu_usage.h"
#include "fake_nvml.h"

#include <fcntl.h>
#include <sched.h>

#include "base/clock.h"

static struct gpu_usage *open_usage(uint64_t patience_ns, const struct log *log) {
    const struct gpu_usage_options options = {FAKE_NVML_PATH, NS_PER_MS, patience_ns, log};
    struct gpu_usage *usage = gpu_usage_create(&options);
    assert_non_null(usage);
    return usage;
}

/* Waits until so many GPUs are told, and the first has so much power. */
static void wait_for(struct gpu_usage *usage, size_t count, double power, struct gpu_figures *figures) {
    size_t told;
    do {
        sched_yield();
        told = gpu_usage_read(usage, figures);
    } while (told != count || (count > 0 && figures[0].power != power));
}

static void figures_follow_the_gpus(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("gpu GPU-a 10 100 50 1000 1 5000\ngpu GPU-b 20 100 50 1000 1 7000\n");
    struct gpu_usage *usage = open_usage(3600 * NS_PER_S, NULL);
    wait_for(usage, 2, 1, figures);
    assert_string_equal(figures[1].uuid, "GPU-b");
    assert_true(figures[0].energy == 0);
    fake_does("lost GPU-a 10 100 50 1000 1 5000\ngpu GPU-b 20 100 50 2000 1 8500\n");
    wait_for(usage, 1, 2, figures);
    assert_string_equal(figures[0].uuid, "GPU-b");
    assert_true(figures[0].energy == 1.5);
    fake_does("gpu GPU-a 10 100 50 3000 1 6000\ngpu GPU-b 20 100 50 2000 1 8500\n");
    wait_for(usage, 2, 3, figures);
    assert_true(figures[0].energy == 1);
    fake_does("");
    wait_for(usage, 0, 0, figures);
    gpu_usage_destroy(usage);
}

/* The driver's count begins anew; ours goes on. */
static void energy_never_goes_back(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("gpu GPU-a 10 100 50 1000 1 5000\n");
    struct gpu_usage *usage = open_usage(3600 * NS_PER_S, NULL);
    wait_for(usage, 1, 1, figures);
    fake_does("gpu GPU-a 10 100 50 2000 1 9000\n");
    wait_for(usage, 1, 2, figures);
    assert_true(figures[0].energy == 4);
    fake_does("gpu GPU-a 10 100 50 3000 1 500\n");
    wait_for(usage, 1, 3, figures);
    assert_true(figures[0].energy == 4.5);
    gpu_usage_destroy(usage);
}

static size_t count_lines(const char *path, const char *text) {
    struct buf content = BUF_EMPTY;
    struct status status = file_read(path, 1 << 20, &content);
    assert_string_equal(status.message, "");
    buf_append_char(&content, '\0');
    size_t count = 0;
    for (const char *at = content.data; (at = strstr(at, text)); at++)
        count++;
    buf_free(&content);
    return count;
}

static void failures_are_logged_once(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    char path[80];
    struct log log = log_default();
    snprintf(path, sizeof path, "%s.log", fake_script);
    log.fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC | O_APPEND, 0600);
    assert_true(log.fd >= 0);

    fake_does("fail nvmlInit_v2 9\n");
    struct gpu_usage *usage = open_usage(NS_PER_S, &log);
    while (count_lines(path, "no metrics of GPUs: nvmlInit_v2: error 9, Driver Not Loaded") == 0)
        sched_yield();
    assert_int_equal(gpu_usage_read(usage, figures), 0);
    gpu_usage_destroy(usage);

    fake_does("gpu GPU-a 10 100 50 1000 1 5000\n");
    usage = open_usage(3600 * NS_PER_S, &log);
    wait_for(usage, 1, 1, figures);
    fake_does("gpu GPU-a 10 100 50 1000 1 5000\nfail nvmlDeviceGetCount_v2 15\n");
    wait_for(usage, 0, 0, figures);
    fake_does("gpu GPU-a 10 100 50 2000 1 5000\n");
    wait_for(usage, 1, 2, figures);
    gpu_usage_destroy(usage);
    assert_int_equal(count_lines(path, "no metrics of GPUs: nvmlDeviceGetCount_v2: error 15, GPU is lost"), 1);
    assert_int_equal(count_lines(path, "no metrics of GPUs"), 2);
    close(log.fd);
    assert_int_equal(unlink(path), 0);
}

/* Figures of a driver that hangs are told no more once they are late; nobody waits for it but its own thread, which
 * ends by itself when the driver goes on. */
static void a_driver_that_hangs_costs_its_figures(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("gpu GPU-a 10 100 50 1000 1 5000\n");
    struct gpu_usage *usage = open_usage(NS_PER_S / 5, NULL);
    wait_for(usage, 1, 1, figures);
    fake_does("gpu GPU-a 10 100 50 1000 1 5000\nhang nvmlDeviceGetMemoryInfo\n");
    wait_for(usage, 0, 0, figures);
    fake_does("gpu GPU-a 10 100 50 2000 1 5000\n");
    wait_for(usage, 1, 2, figures);
    fake_does("hang nvmlDeviceGetCount_v2\n");
    wait_for(usage, 0, 0, figures);
    gpu_usage_destroy(usage);
    fake_does("");
}

static void a_library_that_hangs_when_it_starts_is_left_behind(void **state) {
    (void)state;
    struct gpu_figures figures[NVML_GPUS_MAX];
    fake_does("hang nvmlInit_v2\n");
    struct gpu_usage *usage = open_usage(NS_PER_S, NULL);
    assert_int_equal(gpu_usage_read(usage, figures), 0);
    gpu_usage_destroy(usage);
    fake_does("");
    gpu_usage_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_follow_the_gpus),
        cmocka_unit_test(energy_never_goes_back),
        cmocka_unit_test(failures_are_logged_once),
        cmocka_unit_test(a_driver_that_hangs_costs_its_figures),
        cmocka_unit_test(a_library_that_hangs_when_it_starts_is_left_behind),
    };
    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}

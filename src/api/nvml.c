#include "api/nvml.h"

#include <math.h>
#include <stdlib.h>

#include "base/shared_library.h"

/* As nvml.h of the driver has them; every function gives an int, whose 0 is success. */
struct utilization {
    unsigned gpu, memory; /* percent */
};
struct memory {
    unsigned long long total, free, used;
};

struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int error);
    int (*get_count)(unsigned *ret);
    int (*get_handle)(unsigned index, void **ret);
    int (*get_uuid)(void *gpu, char *ret, unsigned size);
    /* These may be NULL: older libraries have not all of them. */
    int (*get_utilization)(void *gpu, struct utilization *ret);
    int (*get_memory)(void *gpu, struct memory *ret);
    int (*get_power)(void *gpu, unsigned *ret_mw);
    int (*get_power_limit)(void *gpu, unsigned *ret_mw);
    int (*get_energy)(void *gpu, unsigned long long *ret_mj);
    bool started;
};

/* ---- the library ---- */

static const struct library_function functions[] = {
    {"nvmlInit_v2", offsetof(struct nvml, init), true},
    {"nvmlShutdown", offsetof(struct nvml, shutdown), true},
    {"nvmlErrorString", offsetof(struct nvml, error_string), true},
    {"nvmlDeviceGetCount_v2", offsetof(struct nvml, get_count), true},
    {"nvmlDeviceGetHandleByIndex_v2", offsetof(struct nvml, get_handle), true},
    {"nvmlDeviceGetUUID", offsetof(struct nvml, get_uuid), true},
    {"nvmlDeviceGetUtilizationRates", offsetof(struct nvml, get_utilization), false},
    {"nvmlDeviceGetMemoryInfo", offsetof(struct nvml, get_memory), false},
    {"nvmlDeviceGetPowerUsage", offsetof(struct nvml, get_power), false},
    {"nvmlDeviceGetPowerManagementLimit", offsetof(struct nvml, get_power_limit), false},
    {"nvmlDeviceGetTotalEnergyConsumption", offsetof(struct nvml, get_energy), false},
};

static struct status check(const struct nvml *nvml, const char *function, int error) {
    if (error == 0)
        return status_ok();
    const char *text = nvml->error_string(error);
    return status_error(STATUS_UNAVAILABLE, "%s: error %d, %s", function, error, text ? text : "unknown");
}

static struct status start(struct nvml *nvml, const char *path) {
    STATUS_TRY(shared_library_open(path, functions, sizeof functions / sizeof functions[0], nvml));
    STATUS_TRY(check(nvml, "nvmlInit_v2", nvml->init()));
    nvml->started = true;
    return status_ok();
}

struct status nvml_open(const char *library, struct nvml **ret) {
    struct nvml *nvml = calloc(1, sizeof *nvml);
    if (!nvml)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for NVML");
    struct status status = start(nvml, library);
    if (status_is_ok(&status))
        *ret = nvml;
    else
        nvml_close(nvml);
    return status;
}

void nvml_close(struct nvml *nvml) {
    if (!nvml)
        return;
    if (nvml->started)
        (void)nvml->shutdown();
    free(nvml);
}

/* ---- figures ---- */

static double milli(int error, double value) {
    return error == 0 ? value / 1000 : (double)NAN;
}

static void read_figures(const struct nvml *nvml, void *gpu, struct gpu_figures *ret) {
    struct utilization utilization = {0, 0};
    struct memory memory = {0, 0, 0};
    unsigned power = 0, limit = 0;
    unsigned long long energy = 0;
    ret->utilization = ret->memory_total = ret->memory_used = (double)NAN;
    if (nvml->get_utilization && nvml->get_utilization(gpu, &utilization) == 0)
        ret->utilization = (double)utilization.gpu / 100;
    if (nvml->get_memory && nvml->get_memory(gpu, &memory) == 0) {
        ret->memory_total = (double)memory.total;
        ret->memory_used = (double)memory.used;
    }
    int error = nvml->get_power ? nvml->get_power(gpu, &power) : -1;
    ret->power = milli(error, power);
    error = nvml->get_power_limit ? nvml->get_power_limit(gpu, &limit) : -1;
    ret->power_limit = milli(error, limit);
    error = nvml->get_energy ? nvml->get_energy(gpu, &energy) : -1;
    ret->energy = milli(error, (double)energy);
}

struct status nvml_read(struct nvml *nvml, struct gpu_figures *ret_figures, size_t *ret_count) {
    unsigned total;
    size_t count = 0;
    STATUS_TRY(check(nvml, "nvmlDeviceGetCount_v2", nvml->get_count(&total)));
    for (unsigned i = 0; i < total && count < NVML_GPUS_MAX; i++) {
        struct gpu_figures *figures = &ret_figures[count];
        void *gpu;
        if (nvml->get_handle(i, &gpu) != 0 || nvml->get_uuid(gpu, figures->uuid, sizeof figures->uuid) != 0)
            continue; /* it has fallen off the bus, or is not for this user */
        figures->uuid[sizeof figures->uuid - 1] = '\0';
        read_figures(nvml, gpu, figures);
        count++;
    }
    *ret_count = count;
    return status_ok();
}

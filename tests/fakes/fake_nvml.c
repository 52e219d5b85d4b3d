/* fake_nvml.c: NVIDIA's management library for tests, as libnvidia-ml.so.1. At every call it reads the file that the
 * environment variable FAKE_NVML names, whose lines say what it does:
 *   gpu UUID utilization total used power limit energy   a GPU; a figure below 0 is not supported
 *   lost UUID utilization total used power limit energy  one that has fallen off the bus
 *   fail FUNCTION ERROR                                  that function gives an error
 *   hang FUNCTION                                        it returns only when this line is gone */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GPUS_MAX = 80, FIGURES = 6, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, IS_LOST = 15 };

struct gpu {
    char uuid[128];
    long long figures[FIGURES]; /* percent, bytes, bytes, mW, mW, mJ */
    int lost;
};

struct script {
    struct gpu gpus[GPUS_MAX];
    unsigned count;
    int error, hangs; /* of the function that asks */
};

static void take_line(struct script *script, const char *line, const char *function) {
    struct gpu gpu = {.lost = strncmp(line, "lost ", 5) == 0};
    char name[64] = "";
    int error = 0;
    if (sscanf(line, "%*s %127s %lld %lld %lld %lld %lld %lld", gpu.uuid, &gpu.figures[0], &gpu.figures[1],
               &gpu.figures[2], &gpu.figures[3], &gpu.figures[4], &gpu.figures[5]) == 7 &&
        script->count < GPUS_MAX)
        script->gpus[script->count++] = gpu;
    else if (sscanf(line, "fail %63s %d", name, &error) == 2 && strcmp(name, function) == 0)
        script->error = error;
    else if (sscanf(line, "hang %63s", name) == 1 && strcmp(name, function) == 0)
        script->hangs = 1;
}

static struct script read_script(const char *function) {
    struct script script = {.count = 0};
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[512];
    while (file && fgets(line, sizeof line, file))
        take_line(&script, line, function);
    if (file)
        fclose(file);
    return script;
}

static struct script enter(const char *function) {
    struct script script = read_script(function);
    while (script.hangs) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        script = read_script(function);
    }
    return script;
}

/* A handle is 1 + the index. */
static int find(const struct script *script, const void *handle, struct gpu *ret) {
    size_t index = (size_t)handle - 1;
    if (script->error)
        return script->error;
    if (index >= script->count)
        return NOT_FOUND;
    *ret = script->gpus[index];
    return ret->lost ? IS_LOST : 0;
}

static int figure(const char *function, const void *handle, int which, long long *ret) {
    struct script script = enter(function);
    struct gpu gpu;
    int error = find(&script, handle, &gpu);
    if (error)
        return error;
    *ret = gpu.figures[which];
    return *ret < 0 ? NOT_SUPPORTED : 0;
}

int nvmlInit_v2(void) {
    return enter("nvmlInit_v2").error;
}

int nvmlShutdown(void) {
    return enter("nvmlShutdown").error;
}

const char *nvmlErrorString(int error) {
    return error == 9 ? "Driver Not Loaded" : error == IS_LOST ? "GPU is lost" : NULL;
}

int nvmlDeviceGetCount_v2(unsigned *ret) {
    struct script script = enter("nvmlDeviceGetCount_v2");
    *ret = script.count;
    return script.error;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **ret) {
    struct script script = enter("nvmlDeviceGetHandleByIndex_v2");
    *ret = (void *)((size_t)index + 1);
    return script.error;
}

int nvmlDeviceGetUUID(void *handle, char *ret, unsigned size) {
    struct script script = enter("nvmlDeviceGetUUID");
    struct gpu gpu;
    int error = find(&script, handle, &gpu);
    if (error)
        return error;
    if (strlen(gpu.uuid) >= size)
        return INSUFFICIENT_SIZE;
    snprintf(ret, size, "%s", gpu.uuid);
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned ret[2]) {
    long long value;
    int error = figure("nvmlDeviceGetUtilizationRates", handle, 0, &value);
    if (!error) {
        ret[0] = (unsigned)value;
        ret[1] = 77;
    }
    return error;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long ret[3]) {
    long long total, used;
    int error = figure("nvmlDeviceGetMemoryInfo", handle, 1, &total);
    if (!error)
        error = figure("nvmlDeviceGetMemoryInfo", handle, 2, &used);
    if (!error) {
        ret[0] = (unsigned long long)total;
        ret[1] = (unsigned long long)(total - used);
        ret[2] = (unsigned long long)used;
    }
    return error;
}

static int milliwatts(const char *function, void *handle, int which, unsigned *ret) {
    long long value;
    int error = figure(function, handle, which, &value);
    if (!error)
        *ret = (unsigned)value;
    return error;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned *ret) {
    return milliwatts("nvmlDeviceGetPowerUsage", handle, 3, ret);
}

int nvmlDeviceGetPowerManagementLimit(void *handle, unsigned *ret) {
    return milliwatts("nvmlDeviceGetPowerManagementLimit", handle, 4, ret);
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *ret) {
    long long value;
    int error = figure("nvmlDeviceGetTotalEnergyConsumption", handle, 5, &value);
    if (!error)
        *ret = (unsigned long long)value;
    return error;
}

/* fake_cuda.c: a CUDA driver library for tests, as libcuda.so.1. The file that the environment variable FAKE_CUDA names
 * says what it answers with: "<error of cuInit> <devices>". Without it: no error, two devices. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct answers {
    int init, devices;
};

static struct answers read_answers(void) {
    struct answers answers = {0, 2};
    const char *path = getenv("FAKE_CUDA");
    FILE *file = path ? fopen(path, "re") : NULL;
    if (file) {
        if (fscanf(file, "%d %d", &answers.init, &answers.devices) != 2)
            answers.init = 999;
        fclose(file);
    }
    return answers;
}

int cuInit(unsigned flags) {
    return flags == 0 ? read_answers().init : 1;
}

int cuDeviceGetCount(int *ret) {
    *ret = read_answers().devices;
    return 0;
}

int cuDeviceGet(int *ret, int index) {
    if (index < 0 || index >= read_answers().devices)
        return 101;
    *ret = 40 + index; /* a handle is not an index */
    return 0;
}

int cuDeviceGetName(char *ret, int size, int device) {
    snprintf(ret, (size_t)size, "NVIDIA Fake %d", device - 40);
    return 0;
}

int cuDeviceGetAttribute(int *ret, int attribute, int device) {
    if (device < 40 || (attribute != 75 && attribute != 76))
        return 1;
    *ret = attribute == 75 ? 9 : device - 40;
    return 0;
}

int cuDeviceTotalMem_v2(size_t *ret, int device) {
    *ret = ((size_t)(device - 39) << 30) * 20;
    return 0;
}

int cuGetErrorString(int error, const char **ret) {
    if (error != 803)
        return 1;
    *ret = "system has unsupported display driver / cuda driver combination";
    return 0;
}

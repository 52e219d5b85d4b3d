#include "engine/cuda/cublas_library.h"

#include <stdio.h>

#include "base/shared_library.h"

enum { NAME_SIZE = 32, PATH_SIZE = 1024 };

#define FUNCTION(member, name)                                                                                         \
    { "cublasLt" name, offsetof(struct cublas_library, member), true }

static const struct library_function functions[] = {
    FUNCTION(create, "Create"),
    FUNCTION(destroy, "Destroy"),
    FUNCTION(get_version, "GetVersion"),
    FUNCTION(status_string, "GetStatusString"),
    FUNCTION(operation_create, "MatmulDescCreate"),
    FUNCTION(operation_destroy, "MatmulDescDestroy"),
    FUNCTION(operation_set, "MatmulDescSetAttribute"),
    FUNCTION(layout_create, "MatrixLayoutCreate"),
    FUNCTION(layout_destroy, "MatrixLayoutDestroy"),
    FUNCTION(layout_set, "MatrixLayoutSetAttribute"),
    FUNCTION(preference_create, "MatmulPreferenceCreate"),
    FUNCTION(preference_destroy, "MatmulPreferenceDestroy"),
    FUNCTION(preference_set, "MatmulPreferenceSetAttribute"),
    FUNCTION(heuristic, "MatmulAlgoGetHeuristic"),
    FUNCTION(multiply, "Matmul"),
};

/* As the loader finds it; else in the folder of the toolkit that the engine was compiled with. */
struct status cublas_library_open(struct cublas_library *ret) {
    const size_t count = sizeof functions / sizeof functions[0];
    char name[NAME_SIZE], path[PATH_SIZE];
    snprintf(name, sizeof name, "libcublasLt.so.%d", CUDART_VERSION / 1000);
    snprintf(path, sizeof path, "%s/%s", INFERD_CUDA_LIBRARIES, name);
    struct status by_name = shared_library_open(name, functions, count, ret);
    if (status_is_ok(&by_name))
        return by_name;
    struct status by_path = shared_library_open(path, functions, count, ret);
    return status_is_ok(&by_path) ? by_path : by_name;
}

struct status cublas_status(const struct cublas_library *library, int status, const char *what) {
    if (status == 0)
        return status_ok();
    return status_error(STATUS_UNAVAILABLE, "cuBLASLt, %s: error %d, %s", what, status, library->status_string(status));
}

#include "base/shared_library.h"

#include <dlfcn.h>
#include <string.h>

struct status shared_library_open(const char *path, const struct library_function *functions, size_t count, void *ret) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return status_error(STATUS_UNAVAILABLE, "%s", dlerror());
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function && functions[i].needed)
            return status_error(STATUS_UNAVAILABLE, "%s has no function %s", path, functions[i].name);
        /* ISO C has no cast from object to function pointer; POSIX promises this. */
        memcpy((char *)ret + functions[i].place, &function, sizeof function);
    }
    return status_ok();
}

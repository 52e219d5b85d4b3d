#include "backends/openvino/reader_pin.h"

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)

#include <dlfcn.h>
#include <openvino/c/openvino.h>
#include <string.h>

#include "base/file.h"

/* Every library beside the engine's own whose name says that it reads a format. */
static void pin_all(const char *folder, struct arena *arena) {
    const char *const *names = NULL;
    size_t count = 0;
    struct status status = file_list(folder, arena, &names, &count);
    for (size_t i = 0; status_is_ok(&status) && i < count; i++) {
        const char *path = strstr(names[i], "_frontend.so") ? path_join(arena, folder, names[i]) : NULL;
        if (path)
            dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
}

void reader_pin(void) {
    Dl_info engine;
    struct arena *arena = arena_create(0);
    /* Any variable of the engine's C library; a function's address would be one of this plug-in's own. */
    if (arena && dladdr(ov_property_key_num_streams, &engine)) {
        struct slice path = slice_of(engine.dli_fname);
        while (path.size > 0 && path.data[path.size - 1] != '/')
            path.size--;
        const char *folder = arena_strdup(arena, path);
        if (folder)
            pin_all(folder, arena);
    }
    arena_destroy(arena);
}

#else

void reader_pin(void) {
}

#endif

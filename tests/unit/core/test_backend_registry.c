/* Which engine runs which backend: compiled in, by another name, from a plug-in, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <unistd.h>

#include "backends/identity/identity.h"
#include "base/file.h"
#include "core/backend_registry.h"

static int initialized, finalized;

static struct status count_initialize(void **ret) {
    initialized++;
    *ret = &initialized;
    return status_ok();
}

static struct status fail_initialize(void **ret) {
    (void)ret;
    return status_error(STATUS_UNAVAILABLE, "no licence");
}

static void count_finalize(void *backend) {
    assert_ptr_equal(backend, &initialized);
    finalized++;
}

static struct backend_ops table(const char *name) {
    struct backend_ops ops = *identity_backend();
    ops.name = name;
    return ops;
}

static struct backend_registry *registry_of(const struct backend_ops *const *builtin, size_t count,
                                            const char *plugins) {
    struct backend_registry_options options = {builtin, count, plugins};
    struct backend_registry *registry;
    struct status status = backend_registry_create(&options, &registry);
    assert_int_equal(status.code, STATUS_OK);
    return registry;
}

static void expect_error(struct backend_registry *registry, const char *name, enum status_code code, const char *text) {
    const struct backend_ops *ops = NULL;
    void *backend = NULL;
    struct status status = backend_registry_get(registry, slice_of(name), &ops, &backend);
    assert_int_equal(status.code, code);
    if (!strstr(status.message, text))
        fail_msg("expected '%s' in '%s'", text, status.message);
    assert_null(ops);
}

static void a_backend_is_initialized_once(void **state) {
    (void)state;
    initialized = finalized = 0;
    struct backend_ops used = table("used"), unused = table("unused");
    used.initialize = unused.initialize = count_initialize;
    used.finalize = unused.finalize = count_finalize;
    const struct backend_ops *builtin[] = {&used, &unused};
    struct backend_registry *registry = registry_of(builtin, 2, NULL);
    for (int i = 0; i < 3; i++) {
        const struct backend_ops *ops;
        void *backend;
        struct status status = backend_registry_get(registry, slice_of("used"), &ops, &backend);
        assert_int_equal(status.code, STATUS_OK);
        assert_ptr_equal(ops, &used);
        assert_ptr_equal(backend, &initialized);
    }
    assert_int_equal(initialized, 1);
    backend_registry_destroy(registry);
    assert_int_equal(finalized, 1);
    backend_registry_destroy(NULL);
}

static void backends_of_triton_are_run_by_openvino(void **state) {
    (void)state;
    struct backend_ops openvino = table("openvino");
    const struct backend_ops *builtin[] = {&openvino};
    struct backend_registry *registry = registry_of(builtin, 1, "");
    static const char *const names[] = {"openvino", "onnxruntime", "tensorflow"};
    for (size_t i = 0; i < 3; i++) {
        const struct backend_ops *ops;
        void *backend;
        struct status status = backend_registry_get(registry, slice_of(names[i]), &ops, &backend);
        assert_int_equal(status.code, STATUS_OK);
        assert_ptr_equal(ops, &openvino);
    }
    backend_registry_destroy(registry);
}

static void a_failing_start_is_told_each_time(void **state) {
    (void)state;
    struct backend_ops failing = table("failing");
    failing.initialize = fail_initialize;
    const struct backend_ops *builtin[] = {&failing};
    struct backend_registry *registry = registry_of(builtin, 1, NULL);
    for (int i = 0; i < 2; i++)
        expect_error(registry, "failing", STATUS_UNAVAILABLE, "cannot start engine 'failing': no licence");
    backend_registry_destroy(registry);
}

static void tables_are_checked(void **state) {
    (void)state;
    struct backend_ops old = table("old"), partial = table("partial");
    old.api_version = BACKEND_API_VERSION + 1;
    partial.execute = NULL;
    const struct backend_ops *builtin[] = {&old, &partial};
    struct backend_registry *registry = registry_of(builtin, 2, NULL);
    char text[96];
    snprintf(text, sizeof text, "old speaks version %d of the backend interface, this server version %d",
             BACKEND_API_VERSION + 1, BACKEND_API_VERSION);
    expect_error(registry, "old", STATUS_UNAVAILABLE, text);
    expect_error(registry, "partial", STATUS_UNAVAILABLE, "partial leaves out a function of the backend interface");
    backend_registry_destroy(registry);
}

static void unknown_and_impossible_names(void **state) {
    (void)state;
    const struct backend_ops *builtin[] = {identity_backend()};
    struct backend_registry *registry = registry_of(builtin, 1, NULL);
    expect_error(registry, "python", STATUS_INVALID_ARGUMENT,
                 "there is no engine 'python': compiled in are identity, and a folder of plug-ins is not there");
    expect_error(registry, "../evil", STATUS_INVALID_ARGUMENT, "'../evil' cannot be the name of a backend");
    expect_error(registry, "", STATUS_INVALID_ARGUMENT, "cannot be the name of a backend");
    char name[80];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    expect_error(registry, name, STATUS_INVALID_ARGUMENT, "cannot be the name of a backend");
    backend_registry_destroy(registry);
}

static void plugins_that_are_none(void **state) {
    (void)state;
    char directory[] = "/tmp/inferd-registry-test-XXXXXX", path[128];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/inferd_backend_garbage.so", directory);
    struct status status = file_write_atomic(path, slice_of("this is no library"));
    assert_int_equal(status.code, STATUS_OK);
    /* Some library that every process has, under the name of a plug-in. */
    Dl_info info;
    assert_true(dladdr((void *)(uintptr_t)&getpid, &info) != 0);
    snprintf(path, sizeof path, "%s/inferd_backend_foreign.so", directory);
    assert_int_equal(symlink(info.dli_fname, path), 0);
    struct backend_registry *registry = registry_of(NULL, 0, directory);
    expect_error(registry, "garbage", STATUS_UNAVAILABLE, "cannot load engine 'garbage'");
    expect_error(registry, "foreign", STATUS_UNAVAILABLE, "has no function inferd_backend");
    expect_error(registry, "tensorflow", STATUS_INVALID_ARGUMENT,
                 "/inferd_backend_openvino.so is not there; `make openvino` builds it");
    backend_registry_destroy(registry);
    status = file_remove_tree(directory);
    assert_int_equal(status.code, STATUS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_is_initialized_once),     cmocka_unit_test(backends_of_triton_are_run_by_openvino),
        cmocka_unit_test(a_failing_start_is_told_each_time), cmocka_unit_test(tables_are_checked),
        cmocka_unit_test(unknown_and_impossible_names),      cmocka_unit_test(plugins_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

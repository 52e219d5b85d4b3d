/* fake_nvml.h: what the fake of NVIDIA's management library (tests/fakes/fake_nvml.c) is to do next. */
#ifndef INFERD_TESTS_API_FAKE_NVML_H
#define INFERD_TESTS_API_FAKE_NVML_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/nvml.h"
#include "base/file.h"

#define FAKE_NVML_PATH INFERD_FAKES "/" NVML_LIBRARY

static char fake_script[64] = "/tmp/inferd-fake-nvml-XXXXXX";

static inline void fake_does(const char *lines) {
    struct status status = file_write_atomic(fake_script, slice_of(lines));
    assert_string_equal(status.message, "");
}

static int fake_set_up(void **state) {
    (void)state;
    int fd = mkstemp(fake_script);
    assert_true(fd >= 0);
    close(fd);
    return setenv("FAKE_NVML", fake_script, 1);
}

static int fake_tear_down(void **state) {
    (void)state;
    return unlink(fake_script);
}

#endif

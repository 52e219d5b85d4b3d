/* The grammar of --trace-config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trace/trace_config.h"

struct fixture {
    struct arena *arena;
    struct trace_config config;
};

static void begin(struct fixture *f) {
    f->arena = arena_create(0);
    f->config = trace_config_default();
}

static void good(struct fixture *f, const char *setting) {
    struct status status = trace_config_apply(&f->config, slice_of(setting), f->arena);
    assert_string_equal(status.message, "");
}

static void bad(struct fixture *f, const char *setting, const char *part) {
    struct status status = trace_config_apply(&f->config, slice_of(setting), f->arena);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    if (!strstr(status.message, part))
        fail_msg("expected '%s' in '%s'", part, status.message);
}

static void what_triton_has_by_default(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(f.config.settings.level, TRACE_OFF);
    assert_int_equal(f.config.settings.rate, 1000);
    assert_int_equal(f.config.settings.count, -1);
    assert_int_equal(f.config.settings.log_frequency, 0);
    assert_int_equal(f.config.mode, TRACE_MODE_TRITON);
    assert_null(f.config.file);
    assert_string_equal(f.config.otlp.url, "http://localhost:4318/v1/traces");
    assert_int_equal(trace_config_check(&f.config).code, STATUS_OK);
    arena_destroy(f.arena);
}

static void settings_of_both_modes(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    good(&f, "level=TIMESTAMPS");
    good(&f, "level=TENSORS");
    assert_int_equal(f.config.settings.level, TRACE_TIMESTAMPS | TRACE_TENSORS);
    good(&f, "level=OFF");
    assert_int_equal(f.config.settings.level, TRACE_OFF);
    good(&f, "rate=0");
    good(&f, "rate=4294967295");
    assert_int_equal(f.config.settings.rate, UINT32_MAX);
    good(&f, "count=-1");
    good(&f, "count=2147483647");
    assert_int_equal(f.config.settings.count, INT32_MAX);
    good(&f, "mode=opentelemetry");
    assert_int_equal(f.config.mode, TRACE_MODE_OPENTELEMETRY);
    bad(&f, "level=MIN", "OFF, TIMESTAMPS or TENSORS");
    bad(&f, "rate=-1", "from 0 to 4294967295");
    bad(&f, "rate=4294967296", "from 0 to 4294967295");
    bad(&f, "rate=", "rate");
    bad(&f, "count=-2", "from -1 to 2147483647");
    bad(&f, "count=1.5", "count");
    bad(&f, "mode=jaeger", "triton or opentelemetry");
    bad(&f, "level", "[<mode>,]<setting>=<value>");
    bad(&f, "", "[<mode>,]<setting>=<value>");
    bad(&f, "speed=1", "unknown setting 'speed'");
    bad(&f, "triton,rate=1", "unknown setting 'triton,rate'");
    bad(&f, "other,file=x", "unknown setting 'other,file'");
    bad(&f, "file=x", "unknown setting 'file'");
    arena_destroy(f.arena);
}

static void settings_of_triton(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    good(&f, "triton,file=/tmp/a=b,c.json");
    assert_string_equal(f.config.file, "/tmp/a=b,c.json");
    good(&f, "triton,log-frequency=50");
    assert_int_equal(f.config.settings.log_frequency, 50);
    bad(&f, "triton,file=", "expected a path");
    bad(&f, "triton,log-frequency=x", "log-frequency");
    arena_destroy(f.arena);
}

static void url_is(struct fixture *f, const char *setting, const char *host, const char *port, const char *path) {
    good(f, setting);
    assert_string_equal(f->config.otlp.host, host);
    assert_string_equal(f->config.otlp.port, port);
    assert_string_equal(f->config.otlp.path, path);
}

static void urls_are_taken_apart(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    url_is(&f, "opentelemetry,url=http://collector:4318/v1/traces", "collector", "4318", "/v1/traces");
    url_is(&f, "opentelemetry,url=localhost:9", "localhost", "9", "/v1/traces");
    url_is(&f, "opentelemetry,url=http://a/", "a", "80", "/v1/traces");
    url_is(&f, "opentelemetry,url=http://a/b/c?d=e", "a", "80", "/b/c?d=e");
    url_is(&f, "opentelemetry,url=http://[::1]:4318/x", "::1", "4318", "/x");
    url_is(&f, "opentelemetry,url=http://[::1]", "::1", "80", "/v1/traces");
    assert_string_equal(f.config.otlp.url, "http://[::1]");
    bad(&f, "opentelemetry,url=https://collector:4318", "no TLS");
    bad(&f, "opentelemetry,url=http://user@host", "user's name");
    bad(&f, "opentelemetry,url=http://:80", "needs a host");
    bad(&f, "opentelemetry,url=", "needs a host");
    bad(&f, "opentelemetry,url=http://a:0", "port from 1");
    bad(&f, "opentelemetry,url=http://a:65536", "port from 1");
    bad(&f, "opentelemetry,url=http://a:b", "port from 1");
    bad(&f, "opentelemetry,url=http://[::1", "needs a host");
    bad(&f, "opentelemetry,url=http://[::1]x", "needs a host");
    bad(&f, "opentelemetry,url=http://a/b c", "blank");
    bad(&f, "opentelemetry,url=http://a/b\r\nX: y", "blank");
    bad(&f, "opentelemetry,url=ftp://a/b", "port from 1");
    arena_destroy(f.arena);
}

static void settings_of_opentelemetry(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    good(&f, "opentelemetry,resource=service.name=bert");
    good(&f, "opentelemetry,resource=a=b=c");
    good(&f, "opentelemetry,resource=service.name=other");
    assert_int_equal(f.config.otlp.resource_count, 2);
    assert_true(slice_equal_text(f.config.otlp.resources[0][1], "other"));
    assert_true(slice_equal_text(f.config.otlp.resources[1][1], "b=c"));
    good(&f, "opentelemetry,bsp_max_queue_size=10");
    good(&f, "opentelemetry,bsp_schedule_delay=1");
    good(&f, "opentelemetry,bsp_max_export_batch_size=10");
    assert_int_equal(trace_config_check(&f.config).code, STATUS_OK);
    good(&f, "opentelemetry,bsp_max_export_batch_size=11");
    assert_int_equal(trace_config_check(&f.config).code, STATUS_INVALID_ARGUMENT);
    bad(&f, "opentelemetry,resource=novalue", "<key>=<value>");
    bad(&f, "opentelemetry,resource==x", "<key>=<value>");
    bad(&f, "opentelemetry,resource=a=\xff", "<key>=<value>");
    bad(&f, "opentelemetry,bsp_max_queue_size=0", "from 1");
    arena_destroy(f.arena);
}

static void the_number_of_resources_is_bounded(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < TRACE_RESOURCES_MAX; i++)
        good(&f, arena_printf(f.arena, "opentelemetry,resource=k%d=v", i));
    bad(&f, "opentelemetry,resource=one-more=v", "more than");
    arena_destroy(f.arena);
}

static void only_what_can_make_traces(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    good(&f, "level=TIMESTAMPS");
    assert_non_null(strstr(trace_config_check(&f.config).message, "trace file name is not given"));
    good(&f, "triton,file=x");
    assert_int_equal(trace_config_check(&f.config).code, STATUS_OK);
    good(&f, "rate=0");
    assert_string_equal(trace_config_check(&f.config).message, "sample rate must be non-zero");
    good(&f, "mode=opentelemetry");
    assert_int_equal(trace_config_check(&f.config).code, STATUS_OK);
    good(&f, "level=TENSORS");
    assert_non_null(strstr(trace_config_check(&f.config).message, "triton mode only"));
    good(&f, "level=OFF");
    assert_int_equal(trace_config_check(&f.config).code, STATUS_OK);
    arena_destroy(f.arena);
}

static void a_copy_has_memory_of_its_own(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    good(&f, "triton,file=f");
    good(&f, "opentelemetry,url=http://h:1/p");
    good(&f, "opentelemetry,resource=k=v");
    struct arena *arena = arena_create(0);
    struct trace_config copy;
    assert_int_equal(trace_config_copy(&f.config, arena, &copy).code, STATUS_OK);
    arena_destroy(f.arena);
    assert_string_equal(copy.file, "f");
    assert_string_equal(copy.otlp.host, "h");
    assert_string_equal(copy.otlp.path, "/p");
    assert_true(slice_equal_text(copy.otlp.resources[0][0], "k"));
    arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_triton_has_by_default), cmocka_unit_test(settings_of_both_modes),
        cmocka_unit_test(settings_of_triton),         cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(settings_of_opentelemetry),  cmocka_unit_test(the_number_of_resources_is_bounded),
        cmocka_unit_test(only_what_can_make_traces),  cmocka_unit_test(a_copy_has_memory_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

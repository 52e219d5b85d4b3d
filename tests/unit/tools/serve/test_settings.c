/* What the flags say together: which ports there are, what they speak, and what does not go together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "tools/serve/settings.h"

enum { FLAGS_MAX = 8 };

/* Parses the flags; the settings when `error` is NULL, for which the text of the error is another one. */
static struct tls_settings parse(struct serve_settings *settings, const char *error, const char *const *flags) {
    char *argv[FLAGS_MAX + 1] = {(char[]){"serve"}};
    int argc = 1;
    for (; argc <= FLAGS_MAX && flags[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)flags[argc - 1];
    struct arena *arena = arena_create(0);
    assert_non_null(arena);
    struct serve_options options = {0};
    enum options_outcome outcome;
    struct status status = options_parse(&serve_option_table, argc, argv, arena, &options, NULL, &outcome);
    if (status_is_ok(&status))
        status = settings_parse(&options, arena, settings);
    if (!error && !status_is_ok(&status))
        fail_msg("%s", status.message);
    if (error)
        assert_string_equal(status.message, error);
    settings_free(settings);
    arena_destroy(arena);
    return settings->tls;
}

#define PARSE(error, ...) parse(&(struct serve_settings){0}, error, (const char *const[]){__VA_ARGS__, NULL})

static void the_server_needs_a_protocol(void **state) {
    (void)state;
    PARSE(NULL, "--allow-http=false", "--allow-metrics=false");
    PARSE(NULL, "--allow-grpc=0", "--allow-metrics=0");
    PARSE("--allow-http=false and --allow-grpc=false: expected at most one of them; without both nobody could ask for "
          "anything",
          "--allow-http=false", "--allow-grpc=false");
}

static void an_id_is_text(void **state) {
    (void)state;
    PARSE(NULL, "--id=a name \xc3\xbc");
    static const char error[] = "--id: expected a name in UTF-8, without control characters";
    PARSE(error, "--id=");
    PARSE(error, "--id=a\tb");
    PARSE(error, "--id=\x7f");
    PARSE(error, "--id=\xff");
}

static void a_port_that_is_not_there_has_no_tls(void **state) {
    (void)state;
    struct tls_settings tls = PARSE(NULL, "--tls-cert-file=c", "--tls-key-file=k");
    assert_string_equal(tls.http.certificate_file, "c");
    assert_string_equal(tls.grpc.certificate_file, "c");
    assert_null(tls.metrics.certificate_file);
    assert_false(tls.plain_http || tls.plain_grpc);

    tls = PARSE(NULL, "--tls-cert-file=c", "--tls-key-file=k", "--tls-metrics", "--allow-http=false");
    assert_null(tls.http.certificate_file);
    assert_string_equal(tls.grpc.certificate_file, "c");
    assert_string_equal(tls.metrics.certificate_file, "c");
    assert_false(tls.plain_http || tls.plain_grpc);

    tls = PARSE(NULL, "--tls-cert-file=c", "--tls-key-file=k", "--allow-grpc=false");
    assert_string_equal(tls.http.certificate_file, "c");
    assert_null(tls.grpc.certificate_file);
    assert_false(tls.plain_http || tls.plain_grpc);
}

static void plain_ports_are_known(void **state) {
    (void)state;
    struct tls_settings tls = PARSE(NULL, "--log-info");
    assert_true(tls.plain_http && tls.plain_grpc);
    tls = PARSE(NULL, "--allow-http=false");
    assert_true(!tls.plain_http && tls.plain_grpc);
    tls = PARSE(NULL, "--grpc-use-ssl", "--grpc-server-cert=c", "--grpc-server-key=k");
    assert_true(tls.plain_http && !tls.plain_grpc);
}

static void tls_needs_its_port(void **state) {
    (void)state;
    PARSE("--tls-metrics: expected --allow-metrics with it", "--tls-cert-file=c", "--tls-key-file=k", "--tls-metrics",
          "--allow-metrics=false");
    PARSE("--grpc-use-ssl: expected --allow-grpc with it", "--tls-cert-file=c", "--tls-key-file=k", "--grpc-use-ssl",
          "--allow-grpc=false");
    PARSE("--grpc-use-ssl-mutual: expected --allow-grpc with it", "--tls-cert-file=c", "--tls-key-file=k",
          "--tls-client-ca-file=a", "--grpc-use-ssl-mutual", "--allow-grpc=false");
    PARSE("--tls-cert-file: expected --allow-http or --tls-metrics, as the gRPC port has a certificate of its own, "
          "with it",
          "--tls-cert-file=c", "--tls-key-file=k", "--allow-http=false", "--grpc-use-ssl", "--grpc-server-cert=d",
          "--grpc-server-key=l");
}

static void gpus_are_not_asked_for_nobody(void **state) {
    (void)state;
    struct serve_settings settings = {0};
    parse(&settings, NULL, (const char *const[]){"--log-info", NULL});
    assert_true(settings.metrics.gpus && settings.metrics.cpu);
    parse(&settings, NULL, (const char *const[]){"--allow-metrics=false", "--allow-cpu-metrics=false", NULL});
    assert_false(settings.metrics.gpus || settings.metrics.cpu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_needs_a_protocol),
        cmocka_unit_test(an_id_is_text),
        cmocka_unit_test(a_port_that_is_not_there_has_no_tls),
        cmocka_unit_test(plain_ports_are_known),
        cmocka_unit_test(tls_needs_its_port),
        cmocka_unit_test(gpus_are_not_asked_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rules and tokens: who may make which call, for requests as a session would give them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/access.h"
#include "api/token_file.h"

#define ALPHA "alpha-token-0123456789"
#define BETA "beta-token-0123456789"

struct fixture {
    char folder[32];
    char alpha[64], beta[64];
    struct access *access;
};

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    strcpy(f->folder, "/tmp/inferd-access-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->alpha, sizeof f->alpha, "%s/alpha", f->folder);
    snprintf(f->beta, sizeof f->beta, "%s/beta", f->folder);
    write_file(f->alpha, "# alpha's\n" ALPHA "\n", 0600);
    write_file(f->beta, BETA "\n", 0640);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    access_destroy(f->access);
    unlink(f->alpha);
    unlink(f->beta);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void create(struct fixture *f, const struct access_rule *rules, size_t count) {
    struct status status = access_create(rules, count, &f->access);
    assert_string_equal(status.message, "");
}

/* The check's outcome for a request with that Authorization field, or none. */
static enum status_code check(struct fixture *f, unsigned class, const char *authorization) {
    struct http_header headers[] = {{SLICE_LITERAL("host"), SLICE_LITERAL("h")},
                                    {SLICE_LITERAL("authorization"), slice_of(authorization)}};
    const struct http_request request = {.headers = headers, .header_count = authorization ? 2 : 1};
    struct status status = access_check(f->access, class, &request);
    assert_null(strstr(status.message, "0123456789"));
    return status.code;
}

/* ---- rules ---- */

static void rules_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned classes;
        const char *file;
    } good[] = {
        {"all:public", API_ALL, NULL},
        {"health, metadata:public", API_HEALTH | API_METADATA, NULL},
        {"inference:/a:b", API_INFERENCE, "/a:b"},
        {"model-config,statistics,metrics,model-repository,shared-memory,trace,logging:x",
         API_ALL & ~(unsigned)(API_HEALTH | API_METADATA | API_INFERENCE), "x"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct access_rule rule;
        struct status status = access_rule_parse(good[i].text, &rule);
        assert_string_equal(status.message, "");
        assert_int_equal(rule.classes, good[i].classes);
        if (good[i].file)
            assert_string_equal(rule.file, good[i].file);
        else
            assert_null(rule.file);
    }
    static const char *const bad[] = {"",          "health", ":public", "health:", "health,:public", "helth:public",
                                      "ALL:public"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct access_rule rule;
        struct status status = access_rule_parse(bad[i], &rule);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    }
}

static void a_kind_of_calls_is_public_or_not(void **state) {
    (void)state;
    const struct access_rule rules[] = {{API_HEALTH | API_TRACE, NULL}, {API_TRACE | API_METRICS, "x"}};
    struct status status = access_rules_check(rules, 2);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "trace is public"));
    status = access_rules_check(rules, 1);
    assert_true(status_is_ok(&status));
}

/* ---- checks ---- */

static void without_rules_all_is_granted(void **state) {
    assert_int_equal(check(*state, API_INFERENCE, NULL), STATUS_OK);
    assert_int_equal(check(*state, 0, NULL), STATUS_OK);
}

static void each_kind_follows_its_rule(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {
        {API_HEALTH, NULL}, {API_INFERENCE | API_METADATA, f->alpha}, {API_METADATA | API_MODEL_REPOSITORY, f->beta}};
    create(f, rules, 3);
    static const struct {
        unsigned class;
        enum status_code none, alpha, beta;
    } rows[] = {
        {API_HEALTH, STATUS_OK, STATUS_OK, STATUS_OK},
        {API_INFERENCE, STATUS_UNAUTHENTICATED, STATUS_OK, STATUS_PERMISSION_DENIED},
        {API_METADATA, STATUS_UNAUTHENTICATED, STATUS_OK, STATUS_OK},
        {API_MODEL_REPOSITORY, STATUS_UNAUTHENTICATED, STATUS_PERMISSION_DENIED, STATUS_OK},
        {API_LOGGING, STATUS_PERMISSION_DENIED, STATUS_PERMISSION_DENIED, STATUS_PERMISSION_DENIED},
        {0, STATUS_UNAUTHENTICATED, STATUS_OK, STATUS_OK}, /* no such path */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(check(f, rows[i].class, NULL), rows[i].none);
        assert_int_equal(check(f, rows[i].class, "Bearer " ALPHA), rows[i].alpha);
        assert_int_equal(check(f, rows[i].class, "Bearer " BETA), rows[i].beta);
    }
    struct buf text = BUF_EMPTY;
    access_describe(f->access, &text);
    buf_append_char(&text, '\0');
    assert_string_equal(text.data,
                        "health: everybody; metadata, inference, model-repository: 2 tokens; the rest: nobody");
    buf_free(&text);
}

/* A call of several kinds needs permission for each. */
static void kinds_add_up(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {
        {API_HEALTH, NULL}, {API_METADATA | API_STATISTICS, f->alpha}, {API_METADATA, f->beta}};
    create(f, rules, 3);
    assert_int_equal(check(f, API_HEALTH | API_METADATA, NULL), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(f, API_HEALTH | API_METADATA, "Bearer " BETA), STATUS_OK);
    assert_int_equal(check(f, API_METADATA | API_STATISTICS, "Bearer " ALPHA), STATUS_OK);
    assert_int_equal(check(f, API_METADATA | API_STATISTICS, "Bearer " BETA), STATUS_PERMISSION_DENIED);
    assert_int_equal(check(f, API_METADATA | API_TRACE, "Bearer " ALPHA), STATUS_PERMISSION_DENIED);
}

static void public_alone_denies_the_rest(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {{API_HEALTH, NULL}};
    create(f, rules, 1);
    assert_int_equal(check(f, API_HEALTH, NULL), STATUS_OK);
    assert_int_equal(check(f, API_INFERENCE, "Bearer " ALPHA), STATUS_PERMISSION_DENIED);
    assert_int_equal(check(f, 0, NULL), STATUS_PERMISSION_DENIED);
}

static void all_public_is_as_without_rules(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {{API_ALL, NULL}};
    create(f, rules, 1);
    assert_int_equal(check(f, API_LOGGING, NULL), STATUS_OK);
    assert_int_equal(check(f, 0, NULL), STATUS_OK);
}

static void authorization_is_read_strictly(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {{API_ALL, f->alpha}};
    create(f, rules, 1);
    static const char *const good[] = {"Bearer " ALPHA, "bearer " ALPHA, "BEARER   " ALPHA " "};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check(f, API_INFERENCE, good[i]), STATUS_OK);
    static const char *const bad[] = {
        "",
        "Bearer",
        "Bearer ",
        ALPHA,
        "Basic " ALPHA,
        "Bearer\t" ALPHA,
        "Bearer " ALPHA "x",
        "Bearer alpha-token-012345678",
        "Bearer " ALPHA "," ALPHA,
        "Bearer " ALPHA " " ALPHA,
        "Bearer \"" ALPHA "\"",
        "Bearer " BETA,
        "Bearer x",
        "Bearer =",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check(f, API_INFERENCE, bad[i]), STATUS_UNAUTHENTICATED);
    struct http_header twice[] = {{SLICE_LITERAL("authorization"), SLICE_LITERAL("Bearer " ALPHA)},
                                  {SLICE_LITERAL("authorization"), SLICE_LITERAL("Bearer " ALPHA)}};
    const struct http_request request = {.headers = twice, .header_count = 2};
    struct status status = access_check(f->access, API_INFERENCE, &request);
    assert_int_equal(status.code, STATUS_UNAUTHENTICATED);
}

/* ---- files ---- */

static void broken_files_are_refused(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {{API_ALL, f->alpha}};
    static const struct {
        const char *text;
        mode_t mode;
        const char *expected;
    } cases[] = {
        {ALPHA "\n", 0644, "mode 0644 lets everybody use it"},
        {ALPHA "\n", 0602, "mode 0602 lets everybody use it"},
        {"short\n", 0600, ":1: expected a token of 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(f->alpha, cases[i].text, cases[i].mode);
        struct status status = access_create(rules, 1, &f->access);
        assert_false(status_is_ok(&status));
        assert_null(f->access);
        assert_non_null(strstr(status.message, f->alpha));
        assert_non_null(strstr(status.message, cases[i].expected));
    }
    unlink(f->alpha);
    struct status status = access_create(rules, 1, &f->access);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    write_file(f->alpha, "", 0600);
    assert_int_equal(truncate(f->alpha, TOKEN_FILE_MAX + 1), 0);
    status = access_create(rules, 1, &f->access);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
}

static void tokens_have_a_largest_number(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {{API_ALL, f->alpha}, {API_ALL, f->beta}};
    FILE *file = fopen(f->alpha, "w");
    for (int i = 0; i < ACCESS_TOKENS_MAX - 1; i++)
        fprintf(file, "a-token-with-a-number-%d\n", i);
    fclose(file);
    create(f, rules, 2);
    assert_int_equal(check(f, API_INFERENCE, "Bearer a-token-with-a-number-777"), STATUS_OK);
    assert_int_equal(check(f, API_INFERENCE, "Bearer " BETA), STATUS_OK);
    write_file(f->beta, BETA "\n" ALPHA "\n", 0600);
    bool changed;
    struct status status = access_reload(f->access, &changed);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
}

static void files_are_read_again(void **state) {
    struct fixture *f = *state;
    const struct access_rule rules[] = {{API_ALL, f->alpha}};
    create(f, rules, 1);
    bool changed;
    struct status status = access_reload(f->access, &changed);
    assert_true(status_is_ok(&status));
    assert_false(changed);
    write_file(f->alpha, BETA, 0600);
    status = access_reload(f->access, &changed);
    assert_true(status_is_ok(&status));
    assert_true(changed);
    assert_int_equal(check(f, API_INFERENCE, "Bearer " ALPHA), STATUS_UNAUTHENTICATED);
    assert_int_equal(check(f, API_INFERENCE, "Bearer " BETA), STATUS_OK);
    write_file(f->alpha, "broken!", 0600);
    status = access_reload(f->access, &changed);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(check(f, API_INFERENCE, "Bearer " BETA), STATUS_OK);
    write_file(f->alpha, "# nobody any more\n", 0600);
    status = access_reload(f->access, &changed);
    assert_true(changed);
    assert_int_equal(check(f, API_INFERENCE, "Bearer " BETA), STATUS_UNAUTHENTICATED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(rules_are_read),
        TEST(a_kind_of_calls_is_public_or_not),
        TEST(without_rules_all_is_granted),
        TEST(each_kind_follows_its_rule),
        TEST(kinds_add_up),
        TEST(public_alone_denies_the_rest),
        TEST(all_public_is_as_without_rules),
        TEST(authorization_is_read_strictly),
        TEST(broken_files_are_refused),
        TEST(tokens_have_a_largest_number),
        TEST(files_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

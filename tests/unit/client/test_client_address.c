/* Tests of client_address: what is a server's address and what is not. Numeric addresses and localhost need no network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "client/client_address.h"

static void test_ipv4(void **state) {
    (void)state;
    struct client_target target;
    struct status status = client_target_resolve("127.0.0.1:8001", &target);
    assert_string_equal(status.message, "");
    assert_int_equal(target.address_count, 1);
    assert_string_equal(target.authority, "127.0.0.1:8001");
    struct sockaddr_in address;
    memcpy(&address, &target.addresses[0].sockaddr, sizeof address);
    assert_int_equal(ntohs(address.sin_port), 8001);
    assert_int_equal(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
}

static void test_ipv6(void **state) {
    (void)state;
    struct client_target target;
    struct status status = client_target_resolve("[::1]:65535", &target);
    assert_string_equal(status.message, "");
    assert_int_equal(target.addresses[0].sockaddr.ss_family, AF_INET6);
    assert_string_equal(target.authority, "[::1]:65535");
}

static void test_name(void **state) {
    (void)state;
    struct client_target target;
    struct status status = client_target_resolve("localhost:1", &target);
    assert_string_equal(status.message, "");
    assert_in_range(target.address_count, 1, CLIENT_ADDRESS_MAX);
}

static void test_schemes(void **state) {
    (void)state;
    struct client_target target;
    struct status status = client_target_resolve("HTTPS://[::1]:8000", &target);
    assert_string_equal(status.message, "");
    assert_true(target.secure);
    assert_string_equal(target.authority, "[::1]:8000");
    assert_string_equal(target.host, "::1");
    status = client_target_resolve("http://127.0.0.1:8000", &target);
    assert_string_equal(status.message, "");
    assert_false(target.secure);
    assert_string_equal(target.authority, "127.0.0.1:8000");
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "localhost",
        ":8000",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:80a",
        "::1",
        "::1:8000",
        "[::1]",
        "ftp://host:80",
        "https://",
        "https://host",
        "https://host:80/",
        "host:80/path",
        "ho st:80",
        "ho\r\nst:80",
        "[]:80",
        "a@b:80",
        "host:-1",
        "host:99999999999999999999",
    };
    struct client_target target;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct status status = client_target_resolve(bad[i], &target);
        if (status.code != STATUS_INVALID_ARGUMENT)
            print_error("'%s'\n", bad[i]);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_int_equal(client_target_check(bad[i]).code, STATUS_INVALID_ARGUMENT);
    }
    /* the form is good, whoever has the name */
    assert_int_equal(client_target_check("https://no.such.host.invalid:80").code, STATUS_OK);
    char long_name[400];
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name + sizeof long_name - 4, ":80", 4);
    assert_int_equal(client_target_resolve(long_name, &target).code, STATUS_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),    cmocka_unit_test(test_ipv6),    cmocka_unit_test(test_name),
        cmocka_unit_test(test_schemes), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

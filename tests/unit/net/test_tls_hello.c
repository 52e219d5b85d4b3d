/* The look at a client's first bytes: what passes, what is refused, and that it does not matter how they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/tls_hello.h"

/* A record with a ClientHello that claims `claimed` bytes and has `size` of them. */
static size_t make_hello(unsigned char *to, size_t claimed, size_t size) {
    size_t payload = size + 4;
    const unsigned char head[] = {22,
                                  3,
                                  1,
                                  (unsigned char)(payload >> 8),
                                  (unsigned char)payload,
                                  1,
                                  (unsigned char)(claimed >> 16),
                                  (unsigned char)(claimed >> 8),
                                  (unsigned char)claimed};
    memcpy(to, head, sizeof head);
    memset(to + sizeof head, 'x', size);
    return sizeof head + size;
}

static enum tls_hello_verdict take_all(struct tls_hello *hello, const unsigned char *data, size_t size, size_t step) {
    enum tls_hello_verdict verdict = TLS_HELLO_GOOD;
    for (size_t at = 0; at < size; at += step)
        verdict = tls_hello_take(hello, data + at, size - at < step ? size - at : step);
    return verdict;
}

static void a_hello_passes_however_it_is_cut(void **state) {
    (void)state;
    unsigned char data[600];
    size_t size = make_hello(data, 500, 500);
    for (size_t step = 1; step <= size; step++) {
        struct tls_hello hello = {0};
        assert_int_equal(take_all(&hello, data, size - 1, step), TLS_HELLO_GOOD);
        assert_false(hello.complete);
        assert_int_equal(tls_hello_take(&hello, data + size - 1, 1), TLS_HELLO_GOOD);
        assert_true(hello.complete);
    }
}

static void a_hello_may_lie_in_many_records(void **state) {
    (void)state;
    struct tls_hello hello = {0};
    const unsigned char first[] = {22, 3, 1, 0, 2, 1, 0}, second[] = {22, 3, 3, 0, 3, 0, 2, 'a'},
                        third[] = {22, 3, 3, 0, 1, 'b'};
    assert_int_equal(take_all(&hello, first, sizeof first, 1), TLS_HELLO_GOOD);
    assert_int_equal(take_all(&hello, second, sizeof second, 3), TLS_HELLO_GOOD);
    assert_false(hello.complete);
    assert_int_equal(take_all(&hello, third, sizeof third, 6), TLS_HELLO_GOOD);
    assert_true(hello.complete);
}

static void a_long_claim_is_refused_at_its_head(void **state) {
    (void)state;
    unsigned char data[64];
    for (size_t claimed = TLS_HELLO_MAX; claimed <= TLS_HELLO_MAX + 1; claimed++) {
        struct tls_hello hello = {0};
        make_hello(data, claimed, 40);
        assert_int_equal(take_all(&hello, data, 9, 1), claimed > TLS_HELLO_MAX ? TLS_HELLO_TOO_LONG : TLS_HELLO_GOOD);
    }
}

static void a_second_hello_is_bounded_too(void **state) {
    (void)state;
    struct tls_hello hello = {0};
    unsigned char data[64];
    size_t size = make_hello(data, 20, 20);
    assert_int_equal(take_all(&hello, data, size, 7), TLS_HELLO_GOOD);
    const unsigned char change_cipher[] = {20, 3, 3, 0, 1, 1}; /* clients put it between, for middleboxes */
    assert_int_equal(take_all(&hello, change_cipher, sizeof change_cipher, 1), TLS_HELLO_GOOD);
    make_hello(data, 100000, 20);
    assert_int_equal(take_all(&hello, data, 20, 20), TLS_HELLO_TOO_LONG);
}

static void other_things_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        enum tls_hello_verdict expected;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", 16, TLS_HELLO_TEXT},
        {"PRI * HTTP/2.0\r\n", 16, TLS_HELLO_TEXT},
        {"\x80\x2e\x01\x03\x01", 5, TLS_HELLO_FOREIGN},                 /* SSL 2 */
        {"\0", 1, TLS_HELLO_FOREIGN},                                   /* nothing known */
        {"\x15\x03\x01\x00\x02\x01\x00", 7, TLS_HELLO_FOREIGN},         /* an alert */
        {"\x16\x02\x00\x00\x05", 5, TLS_HELLO_FOREIGN},                 /* SSL 2.0 records do not exist */
        {"\x16\x03\x01\xff\xff", 5, TLS_HELLO_FOREIGN},                 /* a record that is too long */
        {"\x16\x03\x01\x00\x05\x02\x00\x00\x01", 9, TLS_HELLO_FOREIGN}, /* a ServerHello */
        {"\x16\x03\x01\x00\x00", 5, TLS_HELLO_FOREIGN},                 /* an empty record */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_hello hello = {0};
        assert_int_equal(take_all(&hello, (const unsigned char *)cases[i].bytes, cases[i].size, 1), cases[i].expected);
        assert_false(hello.complete);
    }
}

static void a_bad_verdict_stays(void **state) {
    (void)state;
    struct tls_hello hello = {0};
    unsigned char data[64];
    size_t size = make_hello(data, 20, 20);
    assert_int_equal(tls_hello_take(&hello, (const unsigned char *)"G", 1), TLS_HELLO_TEXT);
    assert_int_equal(tls_hello_take(&hello, data, size), TLS_HELLO_TEXT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_passes_however_it_is_cut),    cmocka_unit_test(a_hello_may_lie_in_many_records),
        cmocka_unit_test(a_long_claim_is_refused_at_its_head), cmocka_unit_test(a_second_hello_is_bounded_too),
        cmocka_unit_test(other_things_are_told_apart),         cmocka_unit_test(a_bad_verdict_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Content-Encoding and Accept-Encoding: what is chosen, and hostile compressed bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/body_coding.h"

static const struct inflate_gate open_gate = {.take = NULL};

static void content_encoding_is_parsed(void **state) {
    (void)state;
    enum body_coding coding;
    struct status status = body_coding_parse(slice_of(""), &coding);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(coding, BODY_IDENTITY);
    status = body_coding_parse(slice_of(" GZip "), &coding);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(coding, BODY_GZIP);
    status = body_coding_parse(slice_of("deflate"), &coding);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(coding, BODY_DEFLATE);
    status = body_coding_parse(slice_of("identity"), &coding);
    assert_int_equal(coding, BODY_IDENTITY);
    static const char *const unknown[] = {"br", "gzip, deflate", "zstd", "gzi", "gzipp"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        status = body_coding_parse(slice_of(unknown[i]), &coding);
        assert_int_equal(status.code, STATUS_UNSUPPORTED);
        assert_non_null(strstr(status.message, unknown[i]));
    }
}

static void answer_coding_follows_the_client(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        enum body_coding chosen;
    } rows[] = {
        {"", BODY_IDENTITY},
        {"gzip", BODY_GZIP},
        {"deflate", BODY_DEFLATE},
        {"GZIP", BODY_GZIP},
        {"br", BODY_IDENTITY},
        {"*", BODY_IDENTITY},
        {"gzip, deflate, br", BODY_IDENTITY}, /* what asyncio clients send by default */
        {"gzip, deflate", BODY_IDENTITY},
        {"gzip;q=0", BODY_IDENTITY},
        {"gzip;q=0, deflate", BODY_DEFLATE},
        {"identity, gzip", BODY_IDENTITY},
        {"gzip, identity", BODY_IDENTITY},
        {"gzip;q=1.0, identity;q=0.5", BODY_GZIP},
        {"identity;q=0.5, deflate;q=0.7, gzip;q=0.6", BODY_DEFLATE},
        {"gzip, deflate, identity;q=0", BODY_GZIP},
        {"gzip;q=0.2, deflate;q=0.3, *;q=0", BODY_DEFLATE},
        {"identity;q=0", BODY_IDENTITY}, /* nothing else is left */
        {"identity;q=0, *;q=0.5", BODY_GZIP},
        {"*;q=0.5, identity;q=0, gzip;q=0", BODY_DEFLATE},
        {"identity;q=0.3, *;q=0.5", BODY_GZIP},
        {"identity;q=0.5, *;q=0.3", BODY_IDENTITY},
        {"gzip, *;q=0.1", BODY_GZIP},
        {"deflate;q=0.4, *;q=0.5", BODY_IDENTITY},
        {"gzip, deflate, *", BODY_IDENTITY},
        {"br, *;q=0.1", BODY_IDENTITY},
        {"*;q=0", BODY_IDENTITY},
        {"gzip;q=2", BODY_IDENTITY}, /* no weight: the item is void */
        {"gzip;q=", BODY_IDENTITY},
        {";;;,,,", BODY_IDENTITY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (body_coding_choose(slice_of(rows[i].accept)) != rows[i].chosen)
            fail_msg("'%s' chose %s", rows[i].accept, body_coding_name(body_coding_choose(slice_of(rows[i].accept))));
}

static struct buf sample(size_t size) {
    struct buf body = BUF_EMPTY;
    for (size_t i = 0; i < size; i++)
        buf_append_char(&body, (char)(i % 251));
    return body;
}

static void bodies_survive_both_ways(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (enum body_coding coding = BODY_IDENTITY; coding <= BODY_DEFLATE; coding++) {
            struct buf body = sample(sizes[i]), original = sample(sizes[i]);
            struct status status = body_deflate(coding, &body);
            assert_int_equal(status.code, STATUS_OK);
            status = body_inflate(coding, sizes[i], open_gate, &body);
            assert_string_equal(status.message, "");
            assert_true(slice_equal(buf_slice(&body), buf_slice(&original)));
            buf_free(&body);
            buf_free(&original);
        }
    }
}

static void bomb_is_stopped_at_the_limit(void **state) {
    (void)state;
    struct buf body = BUF_EMPTY;
    char *zeros = calloc(1, 1 << 24);
    buf_append(&body, zeros, 1 << 24);
    free(zeros);
    struct status status = body_deflate(BODY_GZIP, &body);
    assert_int_equal(status.code, STATUS_OK);
    status = body_inflate(BODY_GZIP, 1 << 20, open_gate, &body);
    assert_int_equal(status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(status.message, "1048576"));
    buf_free(&body);
}

static void cut_broken_or_prolonged_bodies_are_refused(void **state) {
    (void)state;
    for (enum body_coding coding = BODY_GZIP; coding <= BODY_DEFLATE; coding++) {
        struct buf whole = sample(3000);
        struct status status = body_deflate(coding, &whole);
        assert_int_equal(status.code, STATUS_OK);
        for (size_t size = 0; size < whole.size; size++) {
            struct buf cut = BUF_EMPTY;
            buf_append(&cut, whole.data, size);
            status = body_inflate(coding, 1 << 20, open_gate, &cut);
            assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
            buf_free(&cut);
        }
        for (size_t at = 0; at < whole.size; at++) { /* never a crash; the checksum finds what the format does not */
            struct buf broken = BUF_EMPTY;
            buf_append(&broken, whole.data, whole.size);
            broken.data[at] = (char)(broken.data[at] ^ 0x55);
            status = body_inflate(coding, 1 << 20, open_gate, &broken);
            if (status_is_ok(&status))
                assert_int_equal(broken.size, 3000);
            buf_free(&broken);
        }
        buf_append_char(&whole, 'x');
        status = body_inflate(coding, 1 << 20, open_gate, &whole);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "1 bytes follow"));
        buf_free(&whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_encoding_is_parsed),
        cmocka_unit_test(answer_coding_follows_the_client),
        cmocka_unit_test(bodies_survive_both_ways),
        cmocka_unit_test(bomb_is_stopped_at_the_limit),
        cmocka_unit_test(cut_broken_or_prolonged_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

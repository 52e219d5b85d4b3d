/* Base64 by the test vectors of RFC 4648, section 10, and all lengths of bytes. */
#include "codec_test.h"

#include "codec/base64.h"

static void rfc_vectors(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_EMPTY;
        struct slice back;
        base64_append(&out, slice_of(cases[i][0]));
        assert_slice(buf_slice(&out), cases[i][1]);
        assert_ok(base64_decode(buf_slice(&out), arena, &back));
        assert_slice(back, cases[i][0]);
        buf_free(&out);
    }
    arena_destroy(arena);
}

static void all_bytes_come_back(void **state) {
    (void)state;
    struct arena *arena = arena_create(0);
    char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(unsigned char)(i * 7);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct buf out = BUF_EMPTY;
        struct slice back;
        base64_append(&out, (struct slice){bytes, size});
        assert_ok(base64_decode(buf_slice(&out), arena, &back));
        assert_int_equal(back.size, size);
        assert_memory_equal(back.data, bytes, size);
        buf_free(&out);
    }
    arena_destroy(arena);
}

static void variants_and_faults(void **state) {
    (void)state;
    struct arena *arena = arena_create(0), *small = arena_create(8);
    struct slice back;
    assert_ok(base64_decode(SLICE_LITERAL("Zg"), arena, &back)); /* without padding */
    assert_slice(back, "f");
    assert_ok(base64_decode(SLICE_LITERAL("-_-_"), arena, &back)); /* the URL alphabet */
    assert_int_equal(back.size, 3);
    assert_error(base64_decode(SLICE_LITERAL("Zm9 "), arena, &back), STATUS_INVALID_ARGUMENT,
                 "character 3 is not base64");
    assert_error(base64_decode(SLICE_LITERAL("Z"), arena, &back), STATUS_INVALID_ARGUMENT, "cut off");
    assert_error(base64_decode(SLICE_LITERAL("===="), arena, &back), STATUS_INVALID_ARGUMENT, "is not base64");
    assert_error(base64_decode(SLICE_LITERAL("Zg==Zg=="), arena, &back), STATUS_INVALID_ARGUMENT, "character 2");
    assert_error(base64_decode(SLICE_LITERAL("Zm9vYmFyZm9vYmFyZm9v"), small, &back), STATUS_RESOURCE_EXHAUSTED,
                 "no memory");
    arena_destroy(arena);
    arena_destroy(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),
        cmocka_unit_test(all_bytes_come_back),
        cmocka_unit_test(variants_and_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

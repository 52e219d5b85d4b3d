/* The checksum against published values, in all splits. */
#include "checkpoint/crc32c.h"

#include "scratch.h"

/* RFC 3720, B.4, and the check value of the CRC catalogue. */
static void published_values(void **state) {
    (void)state;
    unsigned char zeros[32] = {0}, ones[32], rising[32], falling[32];
    struct crc32c tables;
    crc32c_init(&tables);
    memset(ones, 0xff, sizeof ones);
    for (unsigned char i = 0; i < 32; i++) {
        rising[i] = i;
        falling[i] = (unsigned char)(31 - i);
    }
    assert_int_equal(crc32c_extend(&tables, 0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c_extend(&tables, 0, zeros, 32), 0x8a9136aau);
    assert_int_equal(crc32c_extend(&tables, 0, ones, 32), 0x62a8ab43u);
    assert_int_equal(crc32c_extend(&tables, 0, rising, 32), 0x46dd794eu);
    assert_int_equal(crc32c_extend(&tables, 0, falling, 32), 0x113fdb5cu);
    assert_int_equal(crc32c_extend(&tables, 0, NULL, 0), 0);
}

static void any_split_gives_the_same(void **state) {
    (void)state;
    unsigned char data[67];
    struct crc32c tables;
    crc32c_init(&tables);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 37 + 11);
    uint32_t whole = crc32c_extend(&tables, 0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        uint32_t first = crc32c_extend(&tables, 0, data, cut);
        assert_int_equal(crc32c_extend(&tables, first, data + cut, sizeof data - cut), whole);
    }
}

/* LevelDB: mask(crc) = rotate right by 15, plus 0xa282ead8. */
static void unmask_undoes_the_mask(void **state) {
    (void)state;
    const uint32_t values[] = {0, 1, 0xe3069283u, 0xffffffffu};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint32_t masked = (values[i] >> 15 | values[i] << 17) + 0xa282ead8u;
        assert_int_equal(crc32c_unmask(masked), values[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(unmask_undoes_the_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

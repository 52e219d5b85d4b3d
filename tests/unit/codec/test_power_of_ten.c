/* Powers of ten in 128 bits: each of them against a computation in full. */
#include "codec_test.h"

#include "codec/power_of_ten.h"

/* A natural number, lowest word first; room for 5^324 and for what it is divided into. */
enum { WORDS = 36 };
struct natural {
    uint32_t words[WORDS];
};

static int bit_length(const struct natural *n) {
    for (int i = WORDS - 1; i >= 0; i--)
        if (n->words[i])
            return 32 * i + 32 - __builtin_clz(n->words[i]);
    return 0;
}

static bool bit_at(const struct natural *n, int at) {
    return n->words[at / 32] >> (at % 32) & 1;
}

static void multiply(struct natural *n, uint32_t factor) {
    uint64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)n->words[i] * factor;
        n->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_int_equal(carry, 0);
}

/* Returns the remainder. */
static uint32_t divide(struct natural *n, uint32_t divisor) {
    uint64_t rest = 0;
    for (int i = WORDS - 1; i >= 0; i--) {
        rest = rest << 32 | n->words[i];
        n->words[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

/* The first 128 bits of n, rounded up; `more`: n is short of the true number by a fraction. */
static struct power_of_ten first_bits(const struct natural *n, bool more) {
    struct power_of_ten first = {0, 0};
    int length = bit_length(n);
    for (int i = 0; i < 128; i++) {
        int at = length - 1 - i;
        first.high = first.high << 1 | first.low >> 63;
        first.low = first.low << 1 | (at >= 0 && bit_at(n, at));
    }
    for (int at = length - 129; at >= 0; at--)
        more = more || bit_at(n, at);
    if (more && ++first.low == 0)
        first.high++;
    return first;
}

static void every_power_is_right(void **state) {
    (void)state;
    for (int exponent = POWER_OF_TEN_MIN; exponent <= POWER_OF_TEN_MAX; exponent++) {
        struct natural n = {{0}};
        bool more = false;
        /* 5^e; or 2^s / 5^-e with 200 bits at least. Dividing one 5 after the other gives the floor of the whole. */
        n.words[exponent >= 0 ? 0 : WORDS - 1] = 1;
        for (int i = 0; i < exponent; i++)
            multiply(&n, 5);
        for (int i = exponent; i < 0; i++)
            more = divide(&n, 5) != 0 || more;
        assert_true(exponent >= 0 || bit_length(&n) >= 200);
        struct power_of_ten wanted = first_bits(&n, more), power = power_of_ten(exponent);
        if (power.high != wanted.high || power.low != wanted.low)
            fail_msg("10^%d: expected %016llx %016llx, got %016llx %016llx", exponent, (unsigned long long)wanted.high,
                     (unsigned long long)wanted.low, (unsigned long long)power.high, (unsigned long long)power.low);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_power_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

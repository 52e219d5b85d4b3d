/* The largest magnitude and the first number that is none, wherever they stand, in every stored format. */
#include "checkpoint/weight_range.h"

#include <math.h>

#include "scratch.h"

enum { COUNT = 200, ROOM = COUNT * 4 + 1 };

static const struct format {
    enum weight_type type;
    uint32_t small, large, largest, infinity, nan; /* bits; the sign bit is the highest of the type's size */
    float large_value, largest_value;
} formats[] = {
    {WEIGHT_F32, 0x3c000000, 0x40200000, 0x7f7fffff, 0x7f800000, 0x7f800001, 2.5f, 3.40282347e38f},
    {WEIGHT_F16, 0x2000, 0x4100, 0x7bff, 0x7c00, 0x7c01, 2.5f, 65504.0f},
    {WEIGHT_BF16, 0x3c00, 0x4020, 0x7f7f, 0x7f80, 0x7f81, 2.5f, 3.38953139e38f},
};

static uint32_t sign_of(const struct format *format) {
    return format->type == WEIGHT_F32 ? 0x80000000 : 0x8000;
}

static void put(const struct format *format, char *numbers, size_t at, uint32_t bits) {
    size_t size = weight_type_size(format->type);
    memcpy(numbers + at * size, &bits, size); /* little endian */
}

/* At an odd address, so that a wrong assumption of alignment shows; what lies behind the numbers is NaN. */
static char *fill(const struct format *format, size_t count, char room[ROOM]) {
    char *numbers = room + 1;
    memset(room, 0xff, ROOM);
    for (size_t i = 0; i < count; i++)
        put(format, numbers, i, format->small | (i % 2 ? sign_of(format) : 0));
    return numbers;
}

static void check_each_place(const struct format *format, size_t count) {
    char room[ROOM];
    char *numbers = fill(format, count, room);
    for (size_t at = 0; at < count; at++) {
        const struct {
            uint32_t bits;
            float largest;
            size_t first;
        } rows[] = {
            {format->large, format->large_value, count},
            {format->large | sign_of(format), format->large_value, count},
            {format->largest, format->largest_value, count},
            {format->infinity, INFINITY, at},
            {format->infinity | sign_of(format), INFINITY, at},
            {format->nan, INFINITY, at},
            {format->nan | sign_of(format), INFINITY, at},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            put(format, numbers, at, rows[i].bits);
            assert_true(weight_largest(format->type, numbers, count) == rows[i].largest);
            assert_int_equal(weight_first_not_finite(format->type, numbers, count), rows[i].first);
        }
        put(format, numbers, at, format->small);
    }
}

static void finds_the_largest(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 63, 64, 65, 128, COUNT};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
            check_each_place(&formats[i], counts[k]);
}

static void of_nothing_and_of_zeros(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char room[ROOM];
        const char *numbers = fill(&formats[i], 0, room);
        assert_true(weight_largest(formats[i].type, numbers, 0) == 0);
        assert_int_equal(weight_first_not_finite(formats[i].type, numbers, 0), 0);
        memset(room, 0, ROOM);
        assert_true(weight_largest(formats[i].type, numbers, COUNT) == 0);
        assert_int_equal(weight_first_not_finite(formats[i].type, numbers, COUNT), COUNT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_largest),
        cmocka_unit_test(of_nothing_and_of_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

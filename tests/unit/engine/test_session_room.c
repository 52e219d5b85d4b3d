/* The formats in which a session keeps what attention computes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/model/session_room.h"

/* Positions whose sums of products of 255 and 127 fit 32 bits. */
enum { MOST_POSITIONS = 66311 };

static enum kernel_format weights_format(enum kernel_format format, int64_t positions) {
    const struct bert_config config = {
        .hidden_size = 32, .head_count = 2, .intermediate_size = 64, .position_count = positions, .label_count = 2};
    const struct session_plan plan = {.config = &config, .format = format, .max_tokens = 16, .worker_count = 1};
    struct session_room room;
    struct status status = session_room_create(&plan, &room);
    assert_string_equal(status.message, "");
    enum kernel_format weights = room.workers[0].weights.format;
    session_room_free(&room);
    return weights;
}

static void attention_is_of_int8_where_its_sums_fit(void **state) {
    (void)state;
    assert_true(INT64_C(255) * 127 * MOST_POSITIONS <= INT32_MAX);
    assert_true(INT64_C(255) * 127 * (MOST_POSITIONS + 1) > INT32_MAX);
    assert_int_equal(weights_format(KERNEL_INT8, 512), KERNEL_INT8);
    assert_int_equal(weights_format(KERNEL_INT8, MOST_POSITIONS), KERNEL_INT8);
    assert_int_equal(weights_format(KERNEL_INT8, MOST_POSITIONS + 1), KERNEL_BF16);
    assert_int_equal(weights_format(KERNEL_BF16, MOST_POSITIONS + 1), KERNEL_BF16);
    assert_int_equal(weights_format(KERNEL_F32, MOST_POSITIONS + 1), KERNEL_F32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_of_int8_where_its_sums_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

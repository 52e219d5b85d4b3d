/* What sessions book: shares, the common part, and that all comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_account.h"

static void a_share_cannot_be_used_up_by_others(void **state) {
    (void)state;
    struct http_budget budget = {.share_bytes = 10, .max_bytes = 100};
    struct http_limits limits = {.budget = &budget};
    struct http_account greedy = {&limits, 0}, modest = {&limits, 0};
    assert_true(http_account_take(&greedy, 110));
    assert_int_equal(atomic_load(&budget.held_bytes), 100);
    assert_false(http_account_take(&greedy, 1));
    assert_true(http_account_take(&modest, 4));
    assert_true(http_account_has_room(&modest, 6));
    assert_false(http_account_has_room(&modest, 7));
    assert_true(http_account_take(&modest, 6));
    assert_false(http_account_take(&modest, 1));
    http_account_give(&greedy, 1);
    assert_true(http_account_take(&modest, 1));
    http_account_give(&modest, 11);
    http_account_give(&greedy, 109);
    assert_int_equal(atomic_load(&budget.held_bytes), 0);
    assert_int_equal(atomic_load(&budget.peak_bytes), 100);
    assert_int_equal(greedy.held + modest.held, 0);
}

static void force_may_pass_the_budget(void **state) {
    (void)state;
    struct http_budget budget = {.share_bytes = 0, .max_bytes = 5};
    struct http_limits limits = {.budget = &budget};
    struct http_account account = {&limits, 0};
    http_account_force(&account, 8);
    assert_int_equal(atomic_load(&budget.held_bytes), 8);
    assert_false(http_account_take(&account, 1));
    assert_true(http_account_take(&account, 0));
    http_account_give(&account, 8);
    assert_true(http_account_take(&account, 5));
    http_account_give(&account, 5);
}

static void sizes_that_overflow_have_no_room(void **state) {
    (void)state;
    struct http_budget budget = {.share_bytes = 3, .max_bytes = SIZE_MAX - 1};
    struct http_limits limits = {.budget = &budget};
    struct http_account account = {&limits, 0};
    assert_true(http_account_take(&account, 7));
    assert_false(http_account_take(&account, SIZE_MAX));
    assert_false(http_account_has_room(&account, SIZE_MAX - 3));
    assert_int_equal(account.held, 7);
}

static void without_a_budget_there_is_no_bound(void **state) {
    (void)state;
    struct http_limits limits = {.budget = NULL};
    struct http_account account = {&limits, 0};
    assert_true(http_account_take(&account, SIZE_MAX / 2) && http_account_has_room(&account, SIZE_MAX / 2));
    http_account_give(&account, SIZE_MAX / 2);
}

static void what_has_no_room_may_have_some_later_or_never(void **state) {
    (void)state;
    const struct http_budget budget = {.max_bytes = 100};
    struct status later = http_budget_no_room(&budget, 100, "the answer");
    struct status never = http_budget_no_room(&budget, 101, "the answer");
    assert_int_equal(later.code, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(later.message, "no room for the answer: all requests and answers together hold as many bytes "
                                       "as they may; try again later");
    assert_int_equal(never.code, STATUS_TOO_LARGE);
    assert_string_equal(never.message, "no room for the answer: all requests and answers together may hold 100 bytes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_cannot_be_used_up_by_others),
        cmocka_unit_test(force_may_pass_the_budget),
        cmocka_unit_test(sizes_that_overflow_have_no_room),
        cmocka_unit_test(without_a_budget_there_is_no_bound),
        cmocka_unit_test(what_has_no_room_may_have_some_later_or_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

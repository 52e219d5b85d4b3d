#include "http/http_account.h"

#include <assert.h>

/* What is beyond the session's share of the bytes between those that it holds at one time and at another. */
static size_t beyond_share(const struct http_account *account, size_t less, size_t more) {
    size_t share = account->limits->budget->share_bytes;
    if (more <= share)
        return 0;
    return more - (less > share ? less : share);
}

/* How much more of the common part the session would take; SIZE_MAX for sizes that do not fit. */
static size_t common_part(const struct http_account *account, size_t more) {
    size_t after;
    if (__builtin_add_overflow(account->held, more, &after))
        return SIZE_MAX;
    return beyond_share(account, account->held, after);
}

static bool fits(const struct http_budget *budget, size_t held, size_t more) {
    return more <= budget->max_bytes && held <= budget->max_bytes - more;
}

/* Roughly: of two threads at once the lower one may win. */
static void note_peak(struct http_budget *budget, size_t held) {
    if (held > atomic_load_explicit(&budget->peak_bytes, memory_order_relaxed))
        atomic_store_explicit(&budget->peak_bytes, held, memory_order_relaxed);
}

bool http_budget_take(struct http_budget *budget, size_t bytes) {
    size_t held = atomic_load(&budget->held_bytes);
    do {
        if (!fits(budget, held, bytes))
            return false;
    } while (!atomic_compare_exchange_weak(&budget->held_bytes, &held, held + bytes));
    note_peak(budget, held + bytes);
    return true;
}

void http_budget_force(struct http_budget *budget, size_t bytes) {
    atomic_fetch_add(&budget->held_bytes, bytes);
}

void http_budget_give(struct http_budget *budget, size_t bytes) {
    atomic_fetch_sub(&budget->held_bytes, bytes);
}

struct status http_budget_no_room(const struct http_budget *budget, size_t bytes, const char *what) {
    if (budget && bytes > budget->max_bytes)
        return status_error(STATUS_TOO_LARGE, "no room for %s: all requests and answers together may hold %zu bytes",
                            what, budget->max_bytes);
    return status_error(STATUS_RESOURCE_EXHAUSTED,
                        "no room for %s: all requests and answers together hold as many bytes as they may; try again "
                        "later",
                        what);
}

bool http_account_has_room(const struct http_account *account, size_t more) {
    if (!account->limits->budget)
        return true;
    size_t common = common_part(account, more);
    return common == 0 || fits(account->limits->budget, atomic_load(&account->limits->budget->held_bytes), common);
}

bool http_account_take(struct http_account *account, size_t more) {
    struct http_budget *budget = account->limits->budget;
    size_t common = budget ? common_part(account, more) : 0;
    if (common > 0 && !http_budget_take(budget, common))
        return false;
    account->held += more;
    return true;
}

void http_account_force(struct http_account *account, size_t more) {
    size_t common = account->limits->budget ? common_part(account, more) : 0;
    if (common > 0)
        http_budget_force(account->limits->budget, common);
    account->held += more;
}

void http_account_give(struct http_account *account, size_t less) {
    assert(less <= account->held);
    size_t after = account->held - less;
    if (account->limits->budget) {
        size_t common = beyond_share(account, after, account->held);
        if (common > 0)
            http_budget_give(account->limits->budget, common);
    }
    account->held = after;
}

/* http_account.h: what one session holds in memory, booked against the budget of all sessions (struct http_budget).
 *
 * A session's share is its own: within it nothing is refused, whatever others hold. What goes beyond is taken from the
 * common part. Owner: the session. Thread: the session's; the budget's counter is atomic. */
#ifndef INFERD_HTTP_HTTP_ACCOUNT_H
#define INFERD_HTTP_HTTP_ACCOUNT_H

#include "http/exchange.h"

struct http_account {
    const struct http_limits *limits; /* borrowed; without a budget there is no bound */
    size_t held;                      /* bytes */
};

/* Whether `more` bytes could be taken now. */
bool http_account_has_room(const struct http_account *account, size_t more);
/* Books `more` bytes. False when there is no room; nothing is changed then. */
bool http_account_take(struct http_account *account, size_t more);
/* The same for what cannot be refused: may go beyond the budget, so only for things that are few and small. */
void http_account_force(struct http_account *account, size_t more);
/* Gives back what was booked. */
void http_account_give(struct http_account *account, size_t less);

#endif

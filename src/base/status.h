/* status.h: the one error type of the whole program.
 *
 * A status is a plain value: a code from status.def and a message for the person who must act on it.
 * Functions that can fail return it; library code never logs. The mapping to HTTP and gRPC codes lives
 * in api/status_map.c alone, because nothing here knows a wire.
 *
 * To copy one moves its whole message. What runs for every request passes it on uncopied where all is well: it returns
 * what it calls, or status_ok(), not a status that it has kept.
 */
#ifndef INFERD_BASE_STATUS_H
#define INFERD_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

#define STATUS_MESSAGE_MAX 512

enum status_code {
#define STATUS_CODE(name, text) STATUS_##name,
#include "base/status.def"
#undef STATUS_CODE
};

struct status {
    enum status_code code;
    char message[STATUS_MESSAGE_MAX]; /* NUL-terminated, UTF-8; "" when code is STATUS_OK */
};

#define STATUS_MUST_CHECK __attribute__((warn_unused_result))
#define STATUS_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* Of functions for what goes wrong: the way to their calls is kept out of the code of what goes well. */
#define STATUS_RARE __attribute__((cold))

/* The good outcome. */
struct status status_ok(void);

/* An error with a printf-style message; longer messages are cut at a UTF-8 boundary and end in "...", and bytes that
 * are no UTF-8 become '?'. */
struct status status_error(enum status_code code, const char *format, ...) STATUS_PRINTF(2, 3) STATUS_RARE;
struct status status_verror(enum status_code code, const char *format, va_list args) STATUS_PRINTF(2, 0) STATUS_RARE;

/* The same error with "context: " (printf-style) put before its message. */
struct status status_prefix(struct status inner, const char *format, ...) STATUS_PRINTF(2, 3) STATUS_RARE;

/* The lower-case name of a code, such as "invalid argument". Never NULL. */
const char *status_code_text(enum status_code code);

static inline bool status_is_ok(const struct status *status) {
    return __builtin_expect(status->code == STATUS_OK, 1);
}

/* Leaves the enclosing function with the error, if `expression` yields one. */
#define STATUS_TRY(expression)                                                                                         \
    do {                                                                                                               \
        struct status status_try_ = (expression);                                                                      \
        if (__builtin_expect(status_try_.code != STATUS_OK, 0))                                                        \
            return status_try_;                                                                                        \
    } while (0)

#endif

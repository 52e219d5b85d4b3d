/* shape_guard.h: remembers which combinations of input shapes a model has run, to tell those that cannot surprise it.
 *
 * A combination is known when one of the same pattern has succeeded whose dimensions were at least as large. The
 * pattern is which dimensions are equal to each other, which are 0 and which 1: for a BERT the two patterns "batch 1"
 * and "batch of several", with all inputs equally long, are soon all that its clients send. Thread: any; locked inside.
 */
#ifndef INFERD_BACKENDS_OPENVINO_SHAPE_GUARD_H
#define INFERD_BACKENDS_OPENVINO_SHAPE_GUARD_H

#include <pthread.h>

#include "base/arena.h"
#include "base/status.h"

enum { SHAPE_GUARD_PATTERNS = 64 }; /* kept; the oldest makes room */

struct shape_pattern {
    uint32_t *codes; /* `width` each */
    int64_t *largest;
};

struct shape_guard {
    pthread_mutex_t lock;
    size_t width;
    struct shape_pattern rows[SHAPE_GUARD_PATTERNS]; /* the arena's */
    uint32_t *codes;                                 /* of the combination in hand; the arena's */
    size_t count, next;
};

/* For combinations of `width` numbers: all dimensions of all inputs, one behind the other. A negative number stands for
 * itself, such as a rank that must be the same. */
struct status shape_guard_init(struct shape_guard *guard, size_t width, struct arena *arena) STATUS_MUST_CHECK;
void shape_guard_destroy(struct shape_guard *guard);

bool shape_guard_knows(struct shape_guard *guard, const int64_t *dims);
/* The combination has run. */
void shape_guard_learn(struct shape_guard *guard, const int64_t *dims);

#endif

/* timer_heap.h: the timers of a loop as a pairing heap: intrusive, so that setting a timer cannot fail.
 *
 * Source: M. Fredman, R. Sedgewick, D. Sleator, R. Tarjan, "The pairing heap: a new form of self-adjusting heap", 1986.
 * Thread: the loop's. */
#ifndef INFERD_NET_TIMER_HEAP_H
#define INFERD_NET_TIMER_HEAP_H

#include <stdbool.h>

#include "net/loop.h"

struct timer_heap {
    struct loop_timer *root; /* the earliest; NULL when there are none */
};

bool timer_heap_contains(const struct timer_heap *heap, const struct loop_timer *timer);
void timer_heap_insert(struct timer_heap *heap, struct loop_timer *timer); /* not contained yet */
void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer); /* contained */

#endif

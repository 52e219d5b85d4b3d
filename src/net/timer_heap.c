/* timer_heap.c: each timer has a list of children, none earlier than itself: `child` is the first, `next` leads to the
 * next one of the same parent, and `previous` to the one before, or, of the first child, to the parent. */
#include "net/timer_heap.h"

#include <stddef.h>

bool timer_heap_contains(const struct timer_heap *heap, const struct loop_timer *timer) {
    return heap->root == timer || timer->previous != NULL;
}

/* Makes one heap of two roots; either may be NULL. */
static struct loop_timer *join(struct loop_timer *a, struct loop_timer *b) {
    if (!a)
        return b;
    if (!b)
        return a;
    if (b->deadline_ns < a->deadline_ns) {
        struct loop_timer *swap = a;
        a = b;
        b = swap;
    }
    b->previous = a;
    b->next = a->child;
    if (b->next)
        b->next->previous = b;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: joins them in pairs from the left, then the pairs from the right. */
static struct loop_timer *join_siblings(struct loop_timer *first) {
    struct loop_timer *pairs = NULL; /* linked by next, last pair first */
    while (first) {
        struct loop_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->previous = NULL;
        if (b)
            b->next = b->previous = NULL;
        struct loop_timer *pair = join(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct loop_timer *root = NULL;
    while (pairs) {
        struct loop_timer *next = pairs->next;
        pairs->next = NULL;
        root = join(root, pairs);
        pairs = next;
    }
    return root;
}

void timer_heap_insert(struct timer_heap *heap, struct loop_timer *timer) {
    timer->child = timer->next = timer->previous = NULL;
    heap->root = join(heap->root, timer);
}

void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer) {
    struct loop_timer *children = join_siblings(timer->child);
    if (heap->root == timer) {
        heap->root = children;
    } else {
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next)
            timer->next->previous = timer->previous;
        heap->root = join(heap->root, children);
    }
    timer->child = timer->next = timer->previous = NULL;
}

#include "grpc/unpacking.h"

#include <stdlib.h>

#include "grpc/message_unpack.h"

_Static_assert(UNPACKING_HERE_PACKED *INFLATE_FACTOR <= UNPACKING_HERE_BYTES, "never more than that");

/* Who comes first to take a message that waits: a worker, or the call that ends. */
enum { STAGE_WAITING, STAGE_AT_WORK, STAGE_LEFT };

static struct unpacking *unpacking_of(struct grpc_work *work) {
    return (void *)((char *)work - offsetof(struct unpacking, work));
}

static bool take(void *user, size_t bytes) {
    struct unpacking *unpacking = user;
    if (atomic_load(&unpacking->stage) == STAGE_LEFT)
        return false;
    if (unpacking->budget && !http_budget_take(unpacking->budget, bytes))
        return false;
    unpacking->booked += bytes;
    return true;
}

static void run(struct grpc_work *work) {
    struct unpacking *unpacking = unpacking_of(work);
    int stage = STAGE_WAITING;
    if (!atomic_compare_exchange_strong(&unpacking->stage, &stage, STAGE_AT_WORK))
        return;
    unpacking->status = message_unpack(unpacking->encoding, unpacking->max_bytes,
                                       (struct inflate_gate){take, unpacking}, &unpacking->message);
    buf_shrink(&unpacking->message);
}

static void done(struct grpc_work *work) {
    struct unpacking *unpacking = unpacking_of(work);
    if (unpacking->budget)
        http_budget_give(unpacking->budget, unpacking->booked + unpacking->booked_left);
    if (atomic_load(&unpacking->stage) != STAGE_LEFT)
        unpacking->on_end(unpacking);
    buf_free(&unpacking->message);
    free(unpacking);
}

struct unpacking *unpacking_start(const struct grpc_service *service, const struct unpacking *order) {
    struct unpacking *unpacking = malloc(sizeof *unpacking);
    if (!unpacking)
        return NULL;
    *unpacking = *order;
    unpacking->work = (struct grpc_work){run, done};
    unpacking->packed_size = order->message.size;
    unpacking->booked = unpacking->booked_left = 0;
    atomic_init(&unpacking->stage, STAGE_WAITING);
    if (service->submit(service->user, &unpacking->work))
        return unpacking;
    free(unpacking);
    return NULL;
}

void unpacking_leave(struct unpacking *unpacking) {
    if (atomic_exchange(&unpacking->stage, STAGE_LEFT) == STAGE_WAITING) {
        buf_free(&unpacking->message); /* a worker still has to find it; only the struct waits for that */
    } else if (unpacking->budget) {
        unpacking->booked_left = unpacking->packed_size; /* which a worker may have until the work is done */
        http_budget_force(unpacking->budget, unpacking->booked_left);
    }
}

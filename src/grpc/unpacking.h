/* unpacking.h: a packed message that another thread unpacks, while its call waits or ends.
 *
 *   loop thread     unpacking_start -> the service's submit
 *   worker thread                                     message_unpack
 *   loop thread                                                      -> on_end, unless unpacking_leave came before
 *
 * What it takes is booked in the budget step by step, until on_end, so that several bombs at once find no more room
 * than that. The packed message is its call's to book, by packed_size, until it is left. One that is left while it
 * waits for a thread is freed at once; one that a thread has is given up at the next step, and booked here until then.
 * Owner: itself. */
#ifndef INFERD_GRPC_UNPACKING_H
#define INFERD_GRPC_UNPACKING_H

#include <stdatomic.h>

#include "grpc/call.h"
#include "grpc/metadata.h"

enum {
    UNPACKING_HERE_BYTES = 1 << 20, /* a loop unpacks so much at once itself: about a millisecond */
    UNPACKING_HERE_PACKED = 1016    /* bytes, which never become more than that */
};

struct unpacking {
    enum grpc_encoding encoding;
    size_t max_bytes;
    struct http_budget *budget; /* NULL: none */
    /* Loop thread. It may take the message over; with an error, of message_unpack, there is none. */
    void (*on_end)(struct unpacking *unpacking);
    struct grpc_call *call;
    struct buf message; /* packed, and in on_end unpacked */
    struct status status;
    size_t packed_size; /* filled in by unpacking_start */

    /* Private to unpacking.c. */
    struct grpc_work work;
    atomic_int stage;
    size_t booked;      /* step by step */
    size_t booked_left; /* by unpacking_leave. Loop thread */
};

/* Submits a copy of `order` (all but packed_size and the private part), with its message (taken over unless NULL is
 * returned). NULL: no thread, or no memory, can be had. */
struct unpacking *unpacking_start(const struct grpc_service *service, const struct unpacking *order);
/* The call has ended: no on_end. Loop thread, before on_end. */
void unpacking_leave(struct unpacking *unpacking);

#endif

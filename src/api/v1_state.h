/* v1_state.h: what TRTIS v1 counts over the whole server: request numbers and its calls that do not infer.
 *
 * Owner: the composition root; one for all ports. Thread: any, without locks. */
#ifndef INFERD_API_V1_STATE_H
#define INFERD_API_V1_STATE_H

#include <stdatomic.h>
#include <stdint.h>

enum v1_call_kind {
    V1_CALL_STATUS,
    V1_CALL_HEALTH,
    V1_CALL_MODEL_CONTROL,
    V1_CALL_SHARED_MEMORY_CONTROL,
    V1_CALL_REPOSITORY,
    V1_CALL_KIND_COUNT
};

struct v1_state {
    const char *server_id; /* "inference:0"; borrowed */
    uint64_t started_ns;   /* monotonic */
    atomic_uint_least64_t last_request_id;
    struct {
        atomic_uint_least64_t count, ns;
    } calls[V1_CALL_KIND_COUNT];
};

#endif

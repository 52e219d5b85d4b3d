/* identity.h: a backend that copies inputs to outputs by position: for tests, and to measure what the server itself
 * costs.
 *
 * A model needs a config and an empty version folder. It has as many outputs as inputs, each of the same datatype and
 * with dims that its input always fits. The output of an optional input that a request leaves out is left out as well.
 * A sequence id and its flags come back as response parameters sequence_id, sequence_start and sequence_end, and so do
 * all parameters that mean nothing to the server. It is ragged: requests of any shapes share a batch; each is copied
 * for itself.
 *
 * Config parameters (others are refused at load):
 *   execute_delay_ms   "2.5": every execution of a batch takes that much longer; it ends early, and answers CANCELLED,
 * when all of its requests are cancelled. At most 600000 fail_requests      "every_n:3": every third request of an
 * instance fails, the others do not fail_executions    "every_n:3": every third execution of an instance fails as a
 * whole fail_load          a text: loading fails with it as reason */
#ifndef INFERD_BACKENDS_IDENTITY_IDENTITY_H
#define INFERD_BACKENDS_IDENTITY_IDENTITY_H

#include "core/backend.h"

const struct backend_ops *identity_backend(void);

#endif

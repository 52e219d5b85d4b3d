/* work_carrier.h: brings the work of gRPC calls to the decoders and back to their loop. */
#ifndef INFERD_API_WORK_CARRIER_H
#define INFERD_API_WORK_CARRIER_H

#include "grpc/call.h"

/* grpc_service.submit of a service whose user is a const struct api_context. */
bool work_carrier_submit(void *user, struct grpc_work *work);

#endif

/* admission.h: whether a call may begin, asked when its head is there: the server's load, then the client's
 * permissions. */
#ifndef INFERD_API_ADMISSION_H
#define INFERD_API_ADMISSION_H

#include "api/context.h"
#include "http/exchange.h"

/* `classes` are bits of enum api_class, all of which the call is of; 0: there is no such path. RESOURCE_EXHAUSTED: too
 * many clients at once; else as access_check. Thread: the exchange's loop. */
struct status admission_check(const struct api_context *context, unsigned classes,
                              const struct http_request *request) STATUS_MUST_CHECK;

#endif

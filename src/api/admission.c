#include "api/admission.h"

#include "api/access.h"

struct status admission_check(const struct api_context *context, unsigned classes, const struct http_request *request) {
    if (context->crowded && classes != API_HEALTH)
        return status_error(STATUS_RESOURCE_EXHAUSTED,
                            "the server has as many connections as it may have; try again later");
    return access_check(context->access, classes, request);
}

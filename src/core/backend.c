#include "core/backend.h"

#include "core/request_state.h"

void backend_respond(struct infer_request *request, struct infer_response *response, bool final) {
    request->state->respond(request, response, final);
}

void backend_respond_error(struct infer_request *request, struct status status) {
    request->state->respond(request, infer_response_create_error(request, status), true);
}

#include "core/backend.h"

#include "core/request_state.h"

void backend_respond(struct infer_request *request, struct infer_response *response, bool final) {
    request->state->respond(request, response, final);
}

void backend_finish(struct infer_request *request) {
    /* The form that needs no memory: an "error" that is none. */
    struct infer_response *response = infer_response_create_error(request, status_ok());
    response->empty = true;
    request->state->respond(request, response, true);
}

void backend_respond_error(struct infer_request *request, struct status status) {
    request->state->respond(request, infer_response_create_error(request, status), true);
}

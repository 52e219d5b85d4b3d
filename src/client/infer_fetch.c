/* infer_fetch.c: asks an HTTP server for a page that is no part of an inference protocol, such as its metrics, without
 * waiting. */
#include "client/infer_client_priv.h"
#include "client/remote_status.h"

static void deliver_text(struct infer_call *call) {
    struct status status = call->base.status;
    struct slice body = buf_slice(&call->base.answer);
    if (status_is_ok(&status) && call->base.http_status != 200)
        status = remote_status_http(call->base.http_status, body);
    else if (status_is_ok(&status) && !call->base.plain)
        status = status_error(STATUS_DATA_LOSS, "the answer is encoded, which was not asked for");
    call->on_text(call->user, &status, status_is_ok(&status) ? body : (struct slice){NULL, 0});
}

struct status infer_client_fetch(struct infer_client *client, const char *path, infer_text_f *callback, void *user) {
    const struct client_query query = {.kind = QUERY_PAGE, .page = slice_of(path)};
    struct infer_call *call = infer_client_call_new(client);
    if (call == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a request");
    call->on_text = callback;
    call->user = user;
    call->on_done = deliver_text;
    return infer_client_call_ask(call, &query);
}

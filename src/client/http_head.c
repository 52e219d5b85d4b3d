#include "client/http_head.h"

#include <string.h>

void http_head_segment(struct buf *out, struct slice text) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-._~", c) != NULL);
        if (plain) {
            buf_append_char(out, (char)c);
        } else {
            const char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_append(out, escaped, sizeof escaped);
        }
    }
}

void http_head_common(struct client_call *call, const char *authority) {
    struct buf *out = &call->request;
    buf_append_text(out, " HTTP/1.1\r\nHost: ");
    buf_append_text(out, authority);
    buf_append_text(out, "\r\nUser-Agent: inferd-http\r\nAccept-Encoding: identity\r\n");
    for (size_t i = 0; i < call->header_count; i++) {
        buf_append_slice(out, call->headers[i].name);
        buf_append_text(out, ": ");
        buf_append_slice(out, call->headers[i].value);
        buf_append_text(out, "\r\n");
    }
}

struct status http_head_check(const struct client_call *call) {
    if (!call->plain)
        return status_error(STATUS_DATA_LOSS, "the server's HTTP answer is compressed, which was not asked for");
    return status_ok();
}

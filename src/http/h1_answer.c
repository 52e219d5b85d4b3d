/* h1_answer.c: the answer to an HTTP/1.1 request as bytes: its head, and its body with a length or in chunks. */
#include "http/h1_priv.h"
#include "http/http_limits.h"

enum { HEAD_RESERVE = 512 }; /* for the head of an answer */

/* ---- the head ---- */

static void append_field(struct buf *out, struct slice name, struct slice value) {
    buf_append_slice(out, name);
    buf_append(out, ": ", 2);
    buf_append_slice(out, value);
    buf_append(out, "\r\n", 2);
}

/* The rest of the request body is too long, or of unknown length: it cannot be dropped to get at a next request. */
static bool rest_is_too_long(const struct h1_session *h1) {
    if (h1->state != H1_BODY || h1->body.state == H1_BODY_DONE)
        return false;
    return h1->expect_continue || h1->body.state != H1_BODY_PLAIN || h1->body.left > HTTP_H1_DROP_MAX;
}

static void choose_framing(struct h1_session *h1, const struct http_answer_head *head) {
    h1->framing = H1_FRAMED_BY_LENGTH;
    if (head->content_length < 0 && !head->no_body)
        h1->framing = h1->exchange->request.version > 10 ? H1_FRAMED_BY_CHUNKS : H1_FRAMED_BY_CLOSE;
    h1->close |= h1->shutdown || h1->framing == H1_FRAMED_BY_CLOSE || rest_is_too_long(h1);
}

static bool send_head(struct http_exchange *exchange, const struct http_answer_head *head) {
    struct h1_session *h1 = (struct h1_session *)exchange->session;
    struct buf *out = &h1->out;
    choose_framing(h1, head);
    buf_reserve(out, HEAD_RESERVE);
    buf_append_text(out, "HTTP/1.1 ");
    buf_append_u64(out, (uint64_t)head->status);
    buf_append_char(out, ' ');
    buf_append_text(out, http_reason(head->status));
    buf_append_text(out, "\r\n");
    append_field(out, SLICE_LITERAL("Date"), http_date_now(&h1->date));
    for (size_t i = 0; i < head->header_count; i++)
        append_field(out, head->headers[i].name, head->headers[i].value);
    if (head->content_length >= 0) {
        buf_append_text(out, "Content-Length: ");
        buf_append_u64(out, (uint64_t)head->content_length);
        buf_append_text(out, "\r\n");
    } else if (h1->framing == H1_FRAMED_BY_CHUNKS) {
        append_field(out, SLICE_LITERAL("Transfer-Encoding"), SLICE_LITERAL("chunked"));
    }
    if (h1->close)
        append_field(out, SLICE_LITERAL("Connection"), SLICE_LITERAL("close"));
    else if (exchange->request.version == 10)
        append_field(out, SLICE_LITERAL("Connection"), SLICE_LITERAL("keep-alive"));
    buf_append(out, "\r\n", 2);
    return !buf_failed(out);
}

const struct exchange_ops h1_exchange_ops = {.send_head = send_head};

/* ---- the body ---- */

static void write_data(struct h1_session *h1, struct output *out, size_t target) {
    struct http_exchange *exchange = h1->exchange;
    bool chunked = h1->framing == H1_FRAMED_BY_CHUNKS;
    for (size_t room; exchange->answer.bytes > 0 && (room = output_room(out, target)) > 0;) {
        size_t n = room < exchange->answer.bytes ? room : exchange->answer.bytes;
        if (chunked)
            buf_printf(&out->copied, "%zx\r\n", n);
        http_queue_move(&exchange->answer, out, n);
        if (chunked)
            buf_append(&out->copied, "\r\n", 2);
    }
}

bool h1_answer_write(struct h1_session *h1, struct output *out, size_t target) {
    struct http_exchange *exchange = h1->exchange;
    write_data(h1, out, target);
    while (exchange_drain_is_due(exchange)) {
        exchange_drain(exchange);
        write_data(h1, out, target);
    }
    if (exchange->answer.bytes > 0 || exchange->answer_state != HTTP_ANSWER_ENDED)
        return false;
    if (h1->framing == H1_FRAMED_BY_CHUNKS) {
        buf_append(&out->copied, "0\r\n", 3);
        for (size_t i = 0; i < exchange->trailer_count; i++)
            append_field(&out->copied, exchange->trailers[i].name, exchange->trailers[i].value);
        buf_append(&out->copied, "\r\n", 2);
    }
    return true;
}

/* peer.h: the client at the other end of a session, in memory: HTTP/1.1 by text, HTTP/2 by nghttp2's client side. Tests
 * use it to run the same requests over both. All functions fail the test on what must not happen. */
#ifndef INFERD_TEST_HTTP_PEER_H
#define INFERD_TEST_HTTP_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/session.h"
#include "given.h"
#include "http/exchange.h"
#include "taken.h"

enum { PEER_RESPONSES = 64, PEER_FIELDS = 16 };

struct peer_response {
    int32_t stream_id; /* HTTP/2 */
    bool head_only;    /* HEAD was asked for */
    int status;        /* 0: none yet */
    int informational; /* how often 100 came */
    struct buf fields; /* "name: value\n" of each, without Date, Connection and framing; trailers as "+name: value\n" */
    int64_t content_length;
    struct buf body;
    bool complete;
    bool reset;
    uint32_t error_code;
    /* HTTP/2: the request body that nghttp2 still has to send. */
    const char *upload;
    size_t upload_size;
    bool upload_open; /* more may come: no END_STREAM yet */
};

struct peer {
    bool h2;
    size_t step; /* bytes handed to the session at once; 0: all there are */
    struct session *session;
    struct status error; /* of input, output or tick */
    struct buf to_server;
    struct buf from_server; /* HTTP/1.1: not parsed yet */
    size_t consumed;        /* bytes of from_server parsed */
    bool wakened;
    nghttp2_session *client;
    bool goaway;
    bool no_reading; /* HTTP/2: leave what the server sends unread */
    bool no_turns;   /* HTTP/2: the server's turn is over, others are served */
    struct peer_response responses[PEER_RESPONSES];
    size_t count;
    size_t current; /* HTTP/1.1: the response that comes next */
};

static void peer_wake(void *user) {
    ((struct peer *)user)->wakened = true;
}

/* ---- HTTP/2 ---- */

static struct peer_response *peer_stream(struct peer *peer, int32_t id) {
    for (size_t i = 0; i < peer->count; i++)
        if (peer->responses[i].stream_id == id)
            return &peer->responses[i];
    return NULL;
}

static int peer_on_header(nghttp2_session *client, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                          const uint8_t *value, size_t value_size, uint8_t flags, void *user) {
    (void)client, (void)flags;
    struct peer_response *response = peer_stream(user, frame->hd.stream_id);
    struct slice field = {(const char *)name, name_size}, text = {(const char *)value, value_size};
    if (!response)
        return 0;
    if (slice_equal_text(field, ":status")) {
        uint64_t status = 0;
        assert_true(slice_to_u64(text, &status));
        if (status == 100)
            response->informational++;
        else
            response->status = (int)status;
    } else if (slice_equal_text(field, "content-length")) {
        assert_true(slice_to_i64(text, &response->content_length));
    } else if (!slice_equal_text(field, "date")) {
        bool trailer = frame->headers.cat == NGHTTP2_HCAT_HEADERS && response->status != 0;
        buf_printf(&response->fields, "%s%.*s: %.*s\n", trailer ? "+" : "", SLICE_ARGS(field), SLICE_ARGS(text));
    }
    return 0;
}

static int peer_on_data(nghttp2_session *client, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                        void *user) {
    (void)client, (void)flags;
    struct peer_response *response = peer_stream(user, id);
    if (response)
        buf_append(&response->body, data, size);
    return 0;
}

static int peer_on_frame(nghttp2_session *client, const nghttp2_frame *frame, void *user) {
    (void)client;
    struct peer *peer = user;
    struct peer_response *response = peer_stream(peer, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        peer->goaway = true;
    if (response && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        response->complete = true;
    if (response && frame->hd.type == NGHTTP2_RST_STREAM) {
        response->reset = true;
        response->error_code = frame->rst_stream.error_code;
    }
    return 0;
}

static ssize_t peer_upload(nghttp2_session *client, int32_t id, uint8_t *data, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *user) {
    (void)client, (void)id, (void)user;
    struct peer_response *response = source->ptr;
    size_t n = response->upload_size < size ? response->upload_size : size;
    if (n == 0 && response->upload_open)
        return NGHTTP2_ERR_DEFERRED;
    if (n > 0)
        memcpy(data, response->upload, n);
    response->upload += n;
    response->upload_size -= n;
    if (response->upload_size == 0 && !response->upload_open)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void peer_open_h2(struct peer *peer) {
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, peer_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, peer_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, peer_on_frame);
    assert_int_equal(nghttp2_session_client_new(&peer->client, callbacks, peer), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(peer->client, NGHTTP2_FLAG_NONE, NULL, 0);
}

static nghttp2_nv peer_nv(struct slice name, struct slice value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.size, value.size, 0};
}

/* ---- HTTP/1.1 ---- */

/* Takes one line without CR LF; false when it is not complete. */
static bool peer_line(struct peer *peer, size_t *at, struct slice *ret) {
    const char *data = peer->from_server.data;
    for (size_t i = *at; i + 1 < peer->from_server.size; i++) {
        if (data[i] == '\r' && data[i + 1] == '\n') {
            *ret = (struct slice){data + *at, i - *at};
            *at = i + 2;
            return true;
        }
    }
    return false;
}

static bool peer_field(struct peer_response *response, struct slice line, const char *mark, bool *ret_chunked) {
    struct slice name, value;
    if (!slice_split(line, ':', &name, &value))
        return false;
    value = slice_trim(value);
    if (slice_equal_nocase(name, SLICE_LITERAL("content-length")))
        return slice_to_i64(value, &response->content_length);
    if (slice_equal_nocase(name, SLICE_LITERAL("transfer-encoding")))
        *ret_chunked = true;
    else if (!slice_equal_nocase(name, SLICE_LITERAL("date")) && !slice_equal_nocase(name, SLICE_LITERAL("connection")))
        buf_printf(&response->fields, "%s%.*s: %.*s\n", mark, SLICE_ARGS(name), SLICE_ARGS(value));
    return true;
}

static bool peer_parse_chunks(struct peer *peer, struct peer_response *response, size_t *at) {
    struct slice line;
    for (;;) {
        if (!peer_line(peer, at, &line))
            return false;
        char text[20] = "";
        assert_true(line.size > 0 && line.size < sizeof text);
        memcpy(text, line.data, line.size);
        size_t size = strtoull(text, NULL, 16);
        if (size == 0)
            break;
        if (peer->from_server.size - *at < size + 2)
            return false;
        buf_append(&response->body, peer->from_server.data + *at, size);
        assert_memory_equal(peer->from_server.data + *at + size, "\r\n", 2);
        *at += size + 2;
    }
    bool chunked;
    for (;;) {
        if (!peer_line(peer, at, &line))
            return false;
        if (line.size == 0)
            return true;
        assert_true(peer_field(response, line, "+", &chunked));
    }
}

/* Parses the next response if it is whole; an unfinished one is parsed again from its start when more has come. */
static bool peer_parse(struct peer *peer, struct peer_response *response) {
    size_t at = peer->consumed;
    struct slice line;
    bool chunked = false;
    buf_clear(&response->fields);
    buf_clear(&response->body);
    response->content_length = -1;
    if (!peer_line(peer, &at, &line))
        return false;
    assert_true(line.size > 12 && memcmp(line.data, "HTTP/1.1 ", 9) == 0);
    uint64_t status = 0;
    assert_true(slice_to_u64((struct slice){line.data + 9, 3}, &status));
    for (;;) {
        if (!peer_line(peer, &at, &line))
            return false;
        if (line.size == 0)
            break;
        assert_true(peer_field(response, line, "", &chunked));
    }
    if (status == 100) {
        response->informational++;
        peer->consumed = at;
        return peer_parse(peer, response);
    }
    if (chunked) {
        if (!peer_parse_chunks(peer, response, &at))
            return false;
    } else if (!response->head_only && status != 204 && status != 304) {
        size_t size = response->content_length < 0 ? SIZE_MAX : (size_t)response->content_length;
        if (peer->from_server.size - at < size)
            return false;
        buf_append(&response->body, peer->from_server.data + at, size);
        at += size;
    }
    response->status = (int)status;
    response->complete = true;
    peer->consumed = at;
    return true;
}

/* ---- both ---- */

static inline void peer_open(struct peer *peer, bool h2, const struct http_handler *handler,
                             const struct http_limits *limits) {
    *peer = (struct peer){.h2 = h2};
    struct status status =
        h2 ? h2_session_create(handler, limits, &peer->session) : h1_session_create(handler, limits, &peer->session);
    assert_int_equal(status.code, STATUS_OK);
    peer->session->wake = peer_wake;
    peer->session->wake_user = peer;
    if (h2)
        peer_open_h2(peer);
}

static void peer_free_responses(struct peer *peer) {
    for (size_t i = 0; i < PEER_RESPONSES; i++) {
        buf_free(&peer->responses[i].fields);
        buf_free(&peer->responses[i].body);
    }
}

static inline void peer_close(struct peer *peer) {
    if (peer->session)
        peer->session->ops->destroy(peer->session);
    if (peer->client)
        nghttp2_session_del(peer->client);
    peer_free_responses(peer);
    buf_free(&peer->to_server);
    buf_free(&peer->from_server);
    peer->session = NULL;
    peer->client = NULL;
}

static void peer_error(struct peer *peer, struct status status) {
    if (!status_is_ok(&status) && status_is_ok(&peer->error))
        peer->error = status;
}

/* Gives the session what was written for it. */
static void peer_give(struct peer *peer) {
    size_t at = 0;
    while (at < peer->to_server.size && status_is_ok(&peer->error)) {
        size_t left = peer->to_server.size - at, n = peer->step && peer->step < left ? peer->step : left;
        peer_error(peer, give_to(peer->session, peer->to_server.data + at, n));
        at += n;
    }
    buf_clear(&peer->to_server);
}

/* Takes what the session has; false when that is nothing. */
static bool peer_take(struct peer *peer) {
    struct buf out = BUF_EMPTY;
    peer_error(peer, take_from(peer->session, 16384, &out));
    bool any = out.size > 0;
    if (peer->h2 && any)
        assert_int_equal(nghttp2_session_mem_recv(peer->client, (const uint8_t *)out.data, out.size),
                         (ssize_t)out.size);
    else
        buf_append_slice(&peer->from_server, buf_slice(&out));
    buf_free(&out);
    return any;
}

/* A session that is due, as it is for another turn, gets its tick; false when it is not. */
static bool peer_tick(struct peer *peer) {
    const struct session_ops *ops = peer->session->ops;
    uint64_t due = ops->deadline(peer->session), now = clock_monotonic_ns();
    if (!peer->h2 || peer->no_turns || due == 0 || due > now)
        return false;
    peer_error(peer, ops->tick(peer->session, now));
    return true;
}

/* Moves bytes in both directions until both sides are quiet. */
static inline void peer_run(struct peer *peer) {
    bool busy = true;
    while (busy) {
        if (peer->h2) {
            const uint8_t *data;
            ssize_t n;
            while ((n = nghttp2_session_mem_send(peer->client, &data)) > 0)
                buf_append(&peer->to_server, data, (size_t)n);
            assert_int_equal(n, 0);
        }
        busy = peer->to_server.size > 0;
        peer_give(peer);
        busy |= peer_tick(peer);
        while (!peer->no_reading && peer_take(peer))
            busy = true;
        peer->wakened = false;
    }
    while (!peer->h2 && peer->current < peer->count && peer->from_server.size > peer->consumed &&
           peer_parse(peer, &peer->responses[peer->current]))
        peer->current++;
}

/* Writes a request whose body, if any, is told by Content-Length; returns its response, which is filled by peer_run.
 * With `open` the body's end is not sent (HTTP/1.1: tell the length in `headers` then). `body` stays valid until it is
 * sent. */
static inline struct peer_response *peer_request_full(struct peer *peer, const char *method, const char *path,
                                                      const struct http_header *headers, size_t header_count,
                                                      struct slice body, bool open) {
    assert_true(peer->count < PEER_RESPONSES && header_count + 5 <= PEER_FIELDS);
    struct peer_response *response = &peer->responses[peer->count++];
    response->head_only = strcmp(method, "HEAD") == 0;
    response->content_length = -1;
    char length[24];
    snprintf(length, sizeof length, "%zu", body.size);
    if (!peer->h2) {
        buf_printf(&peer->to_server, "%s %s HTTP/1.1\r\nHost: test\r\n", method, path);
        for (size_t i = 0; i < header_count; i++)
            buf_printf(&peer->to_server, "%.*s: %.*s\r\n", (int)headers[i].name.size, headers[i].name.data,
                       (int)headers[i].value.size, headers[i].value.data);
        if (body.size > 0 && !open)
            buf_printf(&peer->to_server, "Content-Length: %s\r\n", length);
        buf_append(&peer->to_server, "\r\n", 2);
        buf_append_slice(&peer->to_server, body);
        return response;
    }
    nghttp2_nv nv[PEER_FIELDS] = {
        peer_nv(SLICE_LITERAL(":method"), slice_of(method)), peer_nv(SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")),
        peer_nv(SLICE_LITERAL(":authority"), SLICE_LITERAL("test")), peer_nv(SLICE_LITERAL(":path"), slice_of(path))};
    size_t count = 4;
    for (size_t i = 0; i < header_count; i++)
        nv[count++] = peer_nv(headers[i].name, headers[i].value);
    if (body.size > 0 && !open)
        nv[count++] = peer_nv(SLICE_LITERAL("content-length"), slice_of(length));
    response->upload = body.data;
    response->upload_size = body.size;
    response->upload_open = open;
    nghttp2_data_provider provider = {.source.ptr = response, .read_callback = peer_upload};
    response->stream_id =
        nghttp2_submit_request(peer->client, NULL, nv, count, body.size > 0 || open ? &provider : NULL, NULL);
    assert_true(response->stream_id > 0);
    return response;
}

static inline struct peer_response *peer_request(struct peer *peer, const char *method, const char *path,
                                                 struct slice body) {
    return peer_request_full(peer, method, path, NULL, 0, body, false);
}

/* More of a body that was left open; `last` ends it (HTTP/2; over HTTP/1.1 the length was told before). */
static inline void peer_send_more(struct peer *peer, struct peer_response *response, struct slice body, bool last) {
    if (!peer->h2) {
        buf_append_slice(&peer->to_server, body);
        return;
    }
    response->upload = body.data;
    response->upload_size = body.size;
    response->upload_open = !last;
    nghttp2_session_resume_data(peer->client, response->stream_id);
}

/* The client gives up on the request (HTTP/1.1: by going away). */
static inline void peer_cancel(struct peer *peer, struct peer_response *response) {
    if (peer->h2)
        nghttp2_submit_rst_stream(peer->client, NGHTTP2_FLAG_NONE, response->stream_id, NGHTTP2_CANCEL);
    else
        peer->session->ops->input_closed(peer->session, true);
}

static inline void peer_assert_answer(const struct peer_response *response, int status, const char *body) {
    assert_true(response->complete);
    assert_int_equal(response->status, status);
    assert_int_equal(response->body.size, strlen(body));
    if (body[0])
        assert_memory_equal(response->body.data, body, response->body.size);
}

static inline void peer_assert_fields(const struct peer_response *response, const char *fields) {
    assert_int_equal(response->fields.size, strlen(fields));
    if (fields[0])
        assert_memory_equal(response->fields.data, fields, response->fields.size);
}

#endif

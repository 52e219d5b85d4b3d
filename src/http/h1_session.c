/* h1_session.c: HTTP/1.1 and 1.0 on one connection: a struct session over h1_parser and exchange.
 *
 * One exchange at a time. Bytes behind the request under way are carried in `in` and looked at when it is answered.
 *
 *   HEAD --head complete--> BODY --request complete--> ANSWER --answer written--> HEAD
 *                             \--answer written early--> BODY without an exchange: the rest is dropped --> HEAD
 *   any --close, error, lost--> ENDED */
#include <stdlib.h>

#include "base/clock.h"
#include "http/h1_priv.h"

static struct h1_session *of(struct session *session) {
    return (struct h1_session *)session;
}

static const struct h1_session *of_const(const struct session *session) {
    return (const struct h1_session *)session;
}

/* ---- input ---- */

/* Books what `in` has become; false when there is no room for it, and nothing is booked then. */
static bool book_carried(struct h1_session *h1) {
    http_account_give(&h1->pool.account, h1->in_booked);
    h1->in_booked = 0;
    if (!http_account_take(&h1->pool.account, h1->in.capacity))
        return false;
    h1->in_booked = h1->in.capacity;
    return true;
}

static void drop_carried(struct h1_session *h1) {
    buf_free(&h1->in);
    h1->in_at = 0;
    book_carried(h1);
}

static void end_session(struct h1_session *h1) {
    h1->state = H1_ENDED;
    drop_carried(h1);
}

static bool new_exchange(struct h1_session *h1) {
    h1->exchange = exchange_create(&h1->pool, sizeof(struct http_exchange), &h1->session, &h1_exchange_ops, h1->handler,
                                   h1->limits);
    if (!h1->exchange) {
        end_session(h1);
        return false;
    }
    h1->exchange->received_ns = h1->activity_ns;
    return true;
}

/* Answers a request that cannot be read further; nothing behind it is read either. */
static void refuse(struct h1_session *h1, struct h1_error error) {
    h1->close = true;
    h1->state = H1_ANSWER;
    if (h1->exchange && h1->exchange->answer_state == HTTP_ANSWER_ENDED)
        return; /* answered early; the broken rest changes nothing */
    if (error.status == 414 || error.status == 431)
        exchange_refuse_large_head(h1->exchange, error.status, error.text);
    else
        exchange_refuse(h1->exchange, error.status, "%s", error.text);
}

static void begin_body(struct h1_session *h1, const struct h1_head *head, bool body_is_here) {
    struct http_exchange *exchange = h1->exchange;
    h1->state = H1_BODY;
    h1->close = !head->keep_alive;
    h1_body_begin(&h1->body, &exchange->request, head, h1->limits);
    h1->expect_continue = head->expect_continue && h1->body.state != H1_BODY_DONE && !body_is_here;
    exchange_announce(exchange);
    if (h1->expect_continue && exchange->answer_state == HTTP_ANSWER_NONE) {
        buf_append_text(&h1->out, "HTTP/1.1 100 Continue\r\n\r\n");
        h1->expect_continue = false;
    }
}

/* Looks for a head in data; returns how much of it is used up: nothing until it is complete. */
static size_t take_head(struct h1_session *h1, const char *data, size_t n) {
    struct h1_error error = {0, NULL};
    if (h1->scan.at == 0)
        h1->activity_ns = h1->now_ns;
    size_t size = h1_scan_head(&h1->scan, data, n, h1->limits, &error);
    if (size == 0 && error.status == 0)
        return 0;
    if (!new_exchange(h1))
        return n;
    struct http_exchange *exchange = h1->exchange;
    struct h1_head head = {false, false, false};
    struct slice copy = {NULL, 0};
    if (error.status == 0) {
        copy = arena_copy(exchange->arena, (struct slice){data, size});
        error = copy.size == 0 ? (struct h1_error){503, "no memory for the request head"}
                               : h1_parse_head(&h1->scan, (char *)(uintptr_t)copy.data, size, exchange->arena,
                                               h1->limits, &exchange->request, &head);
    }
    h1->scan = (struct h1_scan){0};
    if (error.status) {
        refuse(h1, error);
        return n;
    }
    exchange->head_bytes = EXCHANGE_COST + size; /* one for each connection: not refused */
    http_account_force(exchange->account, exchange->head_bytes);
    begin_body(h1, &head, n > size);
    return size;
}

/* All of the body has come. */
static void complete_request(struct h1_session *h1) {
    if (!h1->exchange) {
        h1->state = h1->close ? H1_ENDED : H1_HEAD;
        h1->activity_ns = h1->now_ns;
        return;
    }
    h1->state = H1_ANSWER;
    exchange_end_request(h1->exchange);
}

static size_t take_body(struct h1_session *h1, const char *data, size_t n) {
    size_t taken;
    struct slice piece;
    struct h1_error error = h1_body_take(&h1->body, data, n, &taken, &piece);
    if (error.status && !h1->exchange) {
        end_session(h1);
        return n;
    }
    if (error.status) {
        refuse(h1, error);
        return n;
    }
    h1->activity_ns = h1->now_ns;
    if (h1->exchange)
        exchange_add_body(h1->exchange, piece.data, piece.size);
    return taken;
}

/* Works on input until it is used up or the request under way has to be answered first; returns how much is used up. */
static size_t consume(struct h1_session *h1, const char *data, size_t n) {
    size_t at = 0;
    for (;;) {
        size_t used = 0;
        switch (h1->state) {
        case H1_HEAD:
            if (at == n)
                return at;
            used = take_head(h1, data + at, n - at);
            if (used == 0)
                return at;
            break;
        case H1_BODY:
            if (h1->body.state == H1_BODY_DONE)
                complete_request(h1);
            else if (at == n)
                return at;
            else
                used = take_body(h1, data + at, n - at);
            break;
        case H1_ANSWER:
            return h1->close ? n : at;
        case H1_ENDED:
            return n;
        }
        at += used;
    }
}

static void finish_exchange(struct h1_session *h1, bool sent) {
    struct http_exchange *exchange = h1->exchange;
    h1->exchange = NULL;
    h1->now_ns = clock_monotonic_ns();
    h1->activity_ns = h1->now_ns;
    if (h1->close || !sent)
        end_session(h1);
    else if (h1->state == H1_ANSWER)
        h1->state = H1_HEAD;
    exchange_finish(&h1->pool, exchange, sent);
}

/* The peer sends no more. Hardly a client says so and still waits, but all say so who go away: an answer that is
 * complete is still sent (behind it consume_carried comes here again), a request that waits for one is given up. */
static void give_up_unanswered(struct h1_session *h1) {
    if (!h1->exchange) {
        end_session(h1);
    } else if (exchange_is_open(h1->exchange)) {
        buf_clear(&h1->out);
        finish_exchange(h1, false);
    }
}

/* Goes on with what was carried. */
static void consume_carried(struct h1_session *h1) {
    if (h1->in.size > 0) {
        h1->in_at += consume(h1, h1->in.data + h1->in_at, h1->in.size - h1->in_at);
        if (h1->in_at >= h1->in.size)
            drop_carried(h1);
    }
    if (h1->input_closed)
        give_up_unanswered(h1);
}

static struct status h1_input(struct session *session, const char *data, size_t n) {
    struct h1_session *h1 = of(session);
    h1->now_ns = clock_monotonic_ns();
    bool carried = h1->in.size > 0;
    size_t used = carried ? 0 : consume(h1, data, n);
    if (used == n)
        return status_ok();
    if (h1->in_at > 0) {
        buf_consume(&h1->in, h1->in_at);
        h1->in_at = 0;
    }
    buf_append(&h1->in, data + used, n - used);
    if (buf_failed(&h1->in) || !book_carried(h1)) {
        end_session(h1);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a request");
    }
    if (carried)
        consume_carried(h1);
    return status_ok();
}

/* ---- output ---- */

static struct status h1_output(struct session *session, struct output *out, size_t target) {
    struct h1_session *h1 = of(session);
    uint64_t turn_ns = 0; /* begin of the work on requests that came behind another one */
    bool turn_is_over = false;
    while (output_room(out, target) > 0 && !turn_is_over) {
        if (h1->exchange && h1->exchange->answer_state == HTTP_ANSWER_RESET) {
            buf_clear(&h1->out);
            finish_exchange(h1, false);
        }
        buf_append_slice(&out->copied, buf_slice(&h1->out));
        buf_clear(&h1->out);
        if (!h1->exchange || !h1_answer_write(h1, out, target))
            break;
        finish_exchange(h1, true);
        turn_ns = turn_ns ? turn_ns : h1->now_ns;
        turn_is_over = h1->now_ns - turn_ns > h1->limits->turn_ns;
        consume_carried(h1); /* where the turn is over, the answer goes out with the next output */
    }
    if (buf_failed(&out->copied))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an answer");
    return status_ok();
}

/* ---- life ---- */

static bool h1_wants_input(const struct session *session) {
    const struct h1_session *h1 = of_const(session);
    if (h1->state == H1_BODY && h1->exchange && exchange_is_paused(h1->exchange))
        return false;
    return h1->state != H1_ANSWER || h1->in.size - h1->in_at < HTTP_READ_AHEAD_PAUSE;
}

static size_t h1_awaited(const struct session *session) {
    const struct h1_session *h1 = of_const(session);
    return h1->state == H1_BODY && h1->exchange ? exchange_awaited(h1->exchange) : 0;
}

/* Of a body as it is, what is left. */
static void h1_places(struct session *session, struct session_places *places) {
    struct h1_session *h1 = of(session);
    bool plain = h1->body.state == H1_BODY_PLAIN;
    if (h1->state != H1_BODY || !h1->exchange || !plain || h1->in.size > 0)
        return;
    size_t room = 0;
    char *to = exchange_place(h1->exchange, &room);
    if (room > h1->body.left)
        room = (size_t)h1->body.left;
    if (!to || room < h1->limits->min_placed_bytes)
        return;
    places->ends = room <= SESSION_PLACES_BYTES;
    places->bytes = places->ends ? room : SESSION_PLACES_BYTES;
    places->parts[places->count++] = (struct iovec){to, places->bytes};
}

static struct status h1_placed(struct session *session, const struct session_places *places, size_t n) {
    return h1_input(session, places->parts[0].iov_base, n);
}

static void h1_input_closed(struct session *session, bool gone) {
    struct h1_session *h1 = of(session);
    h1->input_closed = true;
    if (!gone) {
        give_up_unanswered(h1);
        return;
    }
    buf_clear(&h1->out);
    if (h1->exchange)
        finish_exchange(h1, false);
    end_session(h1);
}

static bool h1_finished(const struct session *session) {
    const struct h1_session *h1 = of_const(session);
    return h1->state == H1_ENDED && !h1->exchange && h1->out.size == 0;
}

static void h1_shutdown(struct session *session) {
    struct h1_session *h1 = of(session);
    h1->shutdown = true;
    h1->activity_ns = clock_monotonic_ns(); /* a silent peer has this long from now on */
    if (h1->state == H1_HEAD && h1->scan.at == 0)
        end_session(h1);
    else if (h1->state != H1_HEAD)
        h1->close = true;
}

/* When the peer's silence gets too long; 0: it is not the peer who is waited for. */
static uint64_t silence_deadline(const struct h1_session *h1) {
    const struct http_limits *limits = h1->limits;
    uint64_t timeout_ns;
    if (h1->state == H1_HEAD)
        timeout_ns = h1->scan.at > 0 ? limits->head_timeout_ns : limits->idle_timeout_ns;
    else if (h1->state == H1_BODY && !(h1->exchange && h1->exchange->idle_allowed))
        timeout_ns = limits->body_timeout_ns;
    else
        return 0;
    return h1->activity_ns + (h1->shutdown ? exchange_drain_timeout(limits, timeout_ns) : timeout_ns);
}

static uint64_t h1_deadline(const struct session *session) {
    const struct h1_session *h1 = of_const(session);
    return clock_earlier(silence_deadline(h1), h1->exchange ? h1->exchange->deadline_ns : 0);
}

static struct status h1_tick(struct session *session, uint64_t now_ns) {
    struct h1_session *h1 = of(session);
    h1->now_ns = now_ns;
    if (h1->exchange)
        exchange_check_deadline(h1->exchange, now_ns);
    uint64_t deadline = silence_deadline(h1);
    if (deadline == 0 || now_ns < deadline)
        return status_ok();
    if (h1->state == H1_HEAD && h1->scan.at > 0) {
        h1->scan = (struct h1_scan){0};
        if (new_exchange(h1))
            refuse(h1, (struct h1_error){408, "the request head did not come in time"});
        drop_carried(h1);
    } else if (h1->state == H1_BODY && h1->exchange) {
        refuse(h1, (struct h1_error){408, "the request body did not come in time"});
    } else {
        end_session(h1);
    }
    return status_ok();
}

static void h1_destroy(struct session *session) {
    if (!session)
        return;
    struct h1_session *h1 = of(session);
    if (h1->exchange)
        finish_exchange(h1, false);
    drop_carried(h1);
    buf_free(&h1->out);
    exchange_pool_free(&h1->pool);
    free(h1);
}

static const struct session_ops h1_ops = {
    .input = h1_input,
    .output = h1_output,
    .wants_input = h1_wants_input,
    .awaited = h1_awaited,
    .places = h1_places,
    .placed = h1_placed,
    .input_closed = h1_input_closed,
    .finished = h1_finished,
    .shutdown = h1_shutdown,
    .deadline = h1_deadline,
    .tick = h1_tick,
    .destroy = h1_destroy,
};

struct status h1_session_create(const struct http_handler *handler, const struct http_limits *limits,
                                struct session **ret) {
    struct h1_session *h1 = calloc(1, sizeof *h1);
    if (!h1)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a connection");
    h1->session.ops = &h1_ops;
    h1->handler = handler;
    h1->limits = limits;
    exchange_pool_init(&h1->pool, limits);
    h1->activity_ns = clock_monotonic_ns();
    *ret = &h1->session;
    return status_ok();
}

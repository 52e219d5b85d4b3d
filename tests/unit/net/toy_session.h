/* toy_session.h: a protocol of lines for tests of net/. "echo X" is answered "X", "big N" by N bytes, "lend N" by as
 * many that lie in memory of its own, "later" by another thread, "tick" when its time has come, "bye" ends the
 * connection, "error" breaks it; "hold" pauses input until a shutdown releases it; "take N" takes a body of N bytes
 * behind it, and says when half and all of it is there; "half N" is finished with half of it; "place N" tells places
 * for the N bytes behind it, of which every TOY_ROW end in what stands between, and says whether they are
 * right (toy_byte); "placed" tells whether any came to their places. */
#ifndef INFERD_TEST_NET_TOY_SESSION_H
#define INFERD_TEST_NET_TOY_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/session.h"
#include "net/loop.h"

struct toy_session;

enum { TOY_ROW = 3000, TOY_BETWEEN = 5, TOY_PLACED_MAX = 4000000 };

/* Of what is placed, the byte at `at`. */
static inline char toy_byte(size_t at) {
    size_t column = at % TOY_ROW;
    return column < TOY_ROW - TOY_BETWEEN ? (char)('a' + at / 7 % 26) : '-';
}

/* A block that is lent. */
struct toy_block {
    struct output_owner owner;
    struct toy_session *session;
    char bytes[50000];
};

struct toy_answer {
    struct loop_message message;
    struct toy_session *session; /* NULL once it is gone */
    struct loop *loop;
    pthread_t thread;
    bool joined;
};

struct toy_session {
    struct session session;
    struct loop *loop;
    atomic_int *open; /* sessions that exist */
    struct buf line;
    struct buf out;
    size_t big, lend;
    size_t blocks; /* not released */
    size_t body, body_left;
    char *placed; /* of placed_size bytes, placed_at of which have come */
    size_t placed_size, placed_at;
    bool placed_some; /* of all, came to their places */
    bool half_is_enough;
    bool finished, held, closed;
    uint64_t deadline_ns;
    struct toy_answer *answer;
};

static void toy_answered(struct loop_message *message) {
    struct toy_answer *answer = (struct toy_answer *)message;
    if (!answer->joined)
        pthread_join(answer->thread, NULL);
    if (answer->session) {
        answer->session->answer = NULL;
        buf_append_text(&answer->session->out, "later\n");
        answer->session->session.wake(answer->session->session.wake_user);
    }
    free(answer);
}

static void *toy_answer_thread(void *user) {
    struct toy_answer *answer = user;
    loop_post(answer->loop, &answer->message);
    return NULL;
}

static void toy_answer_later(struct toy_session *toy) {
    struct toy_answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        abort();
    answer->message.run = toy_answered;
    answer->session = toy;
    answer->loop = toy->loop;
    toy->answer = answer;
    if (pthread_create(&answer->thread, NULL, toy_answer_thread, answer))
        abort();
}

static bool toy_line(struct toy_session *toy, struct slice line) {
    struct slice word, rest;
    slice_split(line, ' ', &word, &rest);
    if (slice_equal_text(word, "echo")) {
        buf_append_slice(&toy->out, rest);
        buf_append_char(&toy->out, '\n');
    } else if (slice_equal_text(word, "big")) {
        uint64_t size = 0;
        slice_to_u64(rest, &size);
        toy->big += size;
    } else if (slice_equal_text(word, "take") || slice_equal_text(word, "half")) {
        uint64_t size = 0;
        slice_to_u64(rest, &size);
        toy->body = toy->body_left = size;
        toy->half_is_enough = slice_equal_text(word, "half");
    } else if (slice_equal_text(word, "place")) {
        uint64_t size = 0;
        slice_to_u64(rest, &size);
        if (size > TOY_PLACED_MAX)
            abort();
        toy->placed = calloc(1, size);
        toy->placed_size = size;
        toy->placed_at = 0;
    } else if (slice_equal_text(word, "placed")) {
        buf_append_text(&toy->out, toy->placed_some ? "yes\n" : "no\n");
    } else if (slice_equal_text(word, "lend")) {
        uint64_t size = 0;
        slice_to_u64(rest, &size);
        toy->lend += size;
    } else if (slice_equal_text(word, "later")) {
        toy_answer_later(toy);
    } else if (slice_equal_text(word, "tick")) {
        toy->deadline_ns = clock_monotonic_ns() + 5 * NS_PER_MS;
    } else if (slice_equal_text(word, "peer")) {
        char text[64] = "";
        toy->session.peer_text(toy->session.wake_user, text, sizeof text);
        buf_append_text(&toy->out, text);
        buf_append_char(&toy->out, '\n');
    } else if (slice_equal_text(word, "hold")) {
        toy->held = true;
    } else if (slice_equal_text(word, "bye")) {
        buf_append_text(&toy->out, "bye\n");
        toy->finished = true;
    } else {
        buf_append_text(&toy->out, "error\n");
        return false;
    }
    return true;
}

static void toy_body(struct toy_session *toy, size_t n) {
    size_t half = toy->body / 2;
    bool passes = toy->body_left > half && toy->body_left - n <= half;
    toy->body_left -= n;
    if (passes)
        buf_append_text(&toy->out, "half\n");
    toy->finished |= passes && toy->half_is_enough;
    if (toy->body_left == 0)
        buf_append_text(&toy->out, "all\n");
}

/* All of it has come. */
static void toy_check_placed(struct toy_session *toy) {
    size_t right = 0;
    while (right < toy->placed_size && toy->placed[right] == toy_byte(right))
        right++;
    buf_append_text(&toy->out, right == toy->placed_size ? "right\n" : "wrong\n");
    free(toy->placed);
    toy->placed = NULL;
}

static void toy_pass_placed(struct toy_session *toy, size_t n) {
    toy->placed_at += n;
    if (toy->placed_at == toy->placed_size)
        toy_check_placed(toy);
}

static void toy_places(struct session *session, struct session_places *places) {
    struct toy_session *toy = (struct toy_session *)session;
    size_t at = toy->placed_at;
    for (size_t row = 0; toy->placed && at < toy->placed_size && row < SESSION_PLACES_MAX / 2; row++) {
        size_t column = at % TOY_ROW, wanted = TOY_ROW - TOY_BETWEEN, n = TOY_ROW - column;
        if (column < wanted) {
            size_t size = wanted - column < toy->placed_size - at ? wanted - column : toy->placed_size - at;
            places->parts[places->count++] = (struct iovec){toy->placed + at, size};
            places->bytes += size;
            n -= size;
            at += size;
        }
        n = n < toy->placed_size - at ? n : toy->placed_size - at;
        if (n == 0)
            break;
        places->parts[places->count++] = (struct iovec){places->between[row].bytes, n};
        places->bytes += n;
        at += n;
    }
    places->ends = at == toy->placed_size;
}

static struct status toy_placed(struct session *session, const struct session_places *places, size_t n) {
    struct toy_session *toy = (struct toy_session *)session;
    size_t at = toy->placed_at, left = n;
    if (n == 0 || n > places->bytes)
        abort();
    toy->placed_some = true;
    for (const struct iovec *part = places->parts; left > 0; part++) {
        size_t size = left < part->iov_len ? left : part->iov_len;
        if (part->iov_base != toy->placed + at)
            memcpy(toy->placed + at, part->iov_base, size);
        at += size;
        left -= size;
    }
    toy_pass_placed(toy, n);
    return status_ok();
}

static struct status toy_input(struct session *session, const char *data, size_t n) {
    struct toy_session *toy = (struct toy_session *)session;
    for (size_t i = 0; i < n && !toy->finished; i++) {
        if (toy->body_left > 0) {
            size_t piece = n - i < toy->body_left ? n - i : toy->body_left;
            toy_body(toy, piece);
            i += piece - 1;
            continue;
        }
        if (toy->placed) {
            toy->placed[toy->placed_at] = data[i];
            toy_pass_placed(toy, 1);
            continue;
        }
        if (data[i] != '\n') {
            buf_append_char(&toy->line, data[i]);
            continue;
        }
        if (!toy_line(toy, buf_slice(&toy->line)))
            return status_error(STATUS_INVALID_ARGUMENT, "unknown word");
        buf_clear(&toy->line);
    }
    return status_ok();
}

static void toy_release(struct output_owner *owner) {
    struct toy_block *block = (struct toy_block *)owner;
    block->session->blocks--;
    memset(block->bytes, '!', sizeof block->bytes);
    free(block);
}

/* A block in two pieces, with a byte that is copied in between. */
static void toy_lend(struct toy_session *toy, struct output *out) {
    struct toy_block *block = malloc(sizeof *block);
    if (!block)
        abort();
    block->owner = (struct output_owner){1, toy_release};
    block->session = toy;
    size_t n = toy->lend < sizeof block->bytes ? toy->lend : sizeof block->bytes, half = n / 2;
    for (size_t i = 0; i < n; i++)
        block->bytes[i] = (char)('a' + toy->lend-- % 26);
    toy->blocks++;
    output_lend(out, (struct slice){block->bytes, half}, &block->owner);
    if (half < n)
        buf_append(&out->copied, block->bytes + half, 1);
    if (half + 1 < n)
        output_lend(out, (struct slice){block->bytes + half + 1, n - half - 1}, &block->owner);
    output_owner_unref(&block->owner);
}

static struct status toy_output(struct session *session, struct output *out, size_t target) {
    struct toy_session *toy = (struct toy_session *)session;
    buf_append_slice(&out->copied, buf_slice(&toy->out));
    buf_clear(&toy->out);
    for (; toy->big > 0 && output_room(out, target) > 0; toy->big--)
        buf_append_char(&out->copied, (char)('a' + toy->big % 26));
    while (toy->lend > 0 && output_room(out, target) > 0)
        toy_lend(toy, out);
    return status_ok();
}

static bool toy_wants_input(const struct session *session) {
    return !((const struct toy_session *)session)->held;
}

static size_t toy_awaited(const struct session *session) {
    return ((const struct toy_session *)session)->body_left;
}

static void toy_input_closed(struct session *session, bool gone) {
    struct toy_session *toy = (struct toy_session *)session;
    toy->closed = true;
    if (gone || !toy->answer)
        toy->finished = true;
}

static bool toy_finished(const struct session *session) {
    const struct toy_session *toy = (const struct toy_session *)session;
    return (toy->finished || (toy->closed && !toy->answer)) && toy->out.size == 0 && toy->big == 0 && toy->lend == 0;
}

static void toy_shutdown(struct session *session) {
    struct toy_session *toy = (struct toy_session *)session;
    toy->closed = true;
    if (toy->held)
        buf_append_text(&toy->out, "released\n");
    toy->held = false;
}

static uint64_t toy_deadline(const struct session *session) {
    return ((const struct toy_session *)session)->deadline_ns;
}

static struct status toy_tick(struct session *session, uint64_t now_ns) {
    struct toy_session *toy = (struct toy_session *)session;
    if (now_ns < toy->deadline_ns)
        abort();
    toy->deadline_ns = 0;
    buf_append_text(&toy->out, "tick\n");
    return status_ok();
}

static void toy_destroy(struct session *session) {
    struct toy_session *toy = (struct toy_session *)session;
    if (toy->answer) { /* the thread is done with the loop before the loop may go; the message is queued now */
        pthread_join(toy->answer->thread, NULL);
        toy->answer->joined = true;
        toy->answer->session = NULL;
    }
    if (toy->blocks > 0) /* to be released before */
        abort();
    free(toy->placed);
    buf_free(&toy->line);
    buf_free(&toy->out);
    atomic_fetch_sub(toy->open, 1);
    free(toy);
}

static struct session *toy_create(struct loop *loop, atomic_int *open) {
    static const struct session_ops ops = {.input = toy_input,
                                           .output = toy_output,
                                           .wants_input = toy_wants_input,
                                           .awaited = toy_awaited,
                                           .places = toy_places,
                                           .placed = toy_placed,
                                           .input_closed = toy_input_closed,
                                           .finished = toy_finished,
                                           .shutdown = toy_shutdown,
                                           .deadline = toy_deadline,
                                           .tick = toy_tick,
                                           .destroy = toy_destroy};
    struct toy_session *toy = calloc(1, sizeof *toy);
    if (!toy)
        abort();
    toy->session.ops = &ops;
    toy->loop = loop;
    toy->open = open;
    atomic_fetch_add(open, 1);
    return &toy->session;
}

#endif

/* connection.c: the life of a connection: has input read (connection_input.c) and writes what its session has, at once
 * where the socket takes it. A small request costs one read and one write.
 *
 *   SNIFFING --first bytes told--> OPEN --finished, error--> LINGERING --peer closed, time-out--> gone
 *
 * SNIFFING: a TLS handshake, if there is one, and the bytes behind it until they tell a protocol.
 * LINGERING: our side is shut, and what the peer still sends is dropped, so that the last answer is not lost to a
 * reset. */
#include "net/connection_priv.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "net/net_limits.h"

enum {
    OUTPUT_MIN = 4 << 10,
    SPARE_MAX = 1 << 20 /* output buffers that grew beyond are not kept */
};
static void run_message(struct loop_message *message);
static void on_ready(struct loop_watch *watch, uint32_t events);
static void on_timer(struct loop_timer *timer);

/* ---- life ---- */

bool connection_create(struct connection_group *group, int fd, bool crowded) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return false;
    connection->group = group;
    connection->crowded = crowded;
    connection->transport = transport_plain(fd);
    connection->watch = (struct loop_watch){.fd = fd, .events = EPOLLIN, .ready = on_ready};
    connection->timer.fire = on_timer;
    connection->low_water = 1;
    connection->message.run = run_message;
    connection->message_posted = true;
    loop_post(group->loop, &connection->message);
    return true;
}

static void unlink_connection(struct connection *connection) {
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connection->group->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
}

static void end_session(struct connection *connection) {
    if (!connection->session)
        return;
    connection->in_session = true;
    connection->session->ops->destroy(connection->session);
    connection->session = NULL;
}

/* Nothing may touch the connection after this. */
static void close_connection(struct connection *connection) {
    struct connection_group *group = connection->group;
    output_free(&connection->out); /* what is lent is the session's */
    end_session(connection);
    loop_timer_cancel(group->loop, &connection->timer);
    loop_watch_remove(group->loop, &connection->watch);
    connection->transport.ops->close(&connection->transport);
    unlink_connection(connection);
    buf_free(&connection->first);
    connection->phase = CONNECTION_GONE;
    if (!connection->message_posted)
        free(connection);
    group->on_closed(group);
}

static void lose_connection(struct connection *connection) {
    if (connection->session) {
        connection->in_session = true;
        connection->session->ops->input_closed(connection->session, true);
    }
    close_connection(connection);
}

/* Shuts our side. Without anything written lately no answer can be lost, and the connection just goes: false. */
static bool linger(struct connection *connection, bool wrote) {
    end_session(connection);
    connection_set_low_water(connection, 0); /* nothing is awaited any more, and every byte is to be noticed */
    connection->ending = connection->transport.ops->end(&connection->transport) == TRANSPORT_BLOCKED;
    if (!connection->ending && (connection->input_ended || !wrote)) {
        close_connection(connection);
        return false;
    }
    connection->phase = CONNECTION_LINGERING;
    connection->crowded = false;
    connection->since_ns = connection->taken_ns = clock_monotonic_ns();
    return true;
}

/* True when there is nothing left to linger for. */
static bool has_lingered(struct connection *connection) {
    if (connection->phase != CONNECTION_LINGERING)
        return false;
    if (connection->ending)
        connection->ending = connection->transport.ops->end(&connection->transport) == TRANSPORT_BLOCKED;
    return connection->input_ended && !connection->ending;
}

/* ---- output ---- */

static size_t output_target(const struct connection *connection) {
    size_t max = connection->group->policy->max_output_bytes;
    if (max > NET_OUTPUT_MAX)
        return NET_OUTPUT_MAX;
    return max < OUTPUT_MIN ? OUTPUT_MIN : max;
}

/* Asks the session for bytes; false when it has none now. */
static bool fill_output(struct connection *connection) {
    struct connection_group *group = connection->group;
    if (!connection->session)
        return false;
    struct output *out = &connection->out;
    if (!out->copied.data) {
        out->copied = group->spare;
        group->spare = BUF_EMPTY;
    }
    out->gathers = connection->transport.ops->plain;
    connection->in_session = true;
    struct status status = connection->session->ops->output(connection->session, out, output_target(connection));
    connection->in_session = false;
    connection->broken |= !status_is_ok(&status);
    if (output_size(out) == 0)
        return false;
    connection->taken_ns = clock_coarse_ns();
    return true;
}

/* Of an output that is empty: its memory, for the next connection that writes. */
static void release_output(struct connection *connection) {
    struct connection_group *group = connection->group;
    struct buf *copied = &connection->out.copied;
    buf_clear(copied);
    output_drop_lent(&connection->out);
    if (!group->spare.data && copied->capacity <= SPARE_MAX) {
        group->spare = *copied;
        *copied = BUF_EMPTY;
    } else {
        buf_free(copied);
    }
}

static __attribute__((noinline)) enum transport_outcome write_parts(struct connection *connection, size_t *ret_n) {
    struct iovec parts[OUTPUT_PARTS_MAX];
    size_t count = output_parts(&connection->out, parts);
    return connection->transport.ops->write(&connection->transport, parts, count, ret_n);
}

/* Writes some of what is in `out`: mostly there is one part. */
static enum transport_outcome write_some(struct connection *connection, size_t *ret_n) {
    const struct output *out = &connection->out;
    if (out->count > 0)
        return write_parts(connection, ret_n);
    const struct iovec part = {out->copied.data + out->written, out->copied.size - out->written};
    return connection->transport.ops->write(&connection->transport, &part, 1, ret_n);
}

/* Writes what is in `out`. */
static enum transport_outcome write_output(struct connection *connection) {
    while (output_size(&connection->out) > 0) {
        size_t n = 0;
        enum transport_outcome outcome = write_some(connection, &n);
        if (outcome != TRANSPORT_DONE)
            return outcome;
        output_pass(&connection->out, n);
        connection->taken_ns = clock_coarse_ns();
    }
    return TRANSPORT_DONE;
}

/* Its session has enough input for now, and nothing else keeps it from being read. */
static bool is_paused(const struct connection *connection) {
    return connection->session && !connection->broken && !connection->input_ended &&
           !connection->session->ops->wants_input(connection->session);
}

bool connection_wants_input(const struct connection *connection) {
    if (connection->input_ended)
        return false;
    if (connection->phase == CONNECTION_LINGERING || !connection->session)
        return true;
    return !connection->broken && output_size(&connection->out) < output_target(connection) &&
           connection->session->ops->wants_input(connection->session);
}

static void watch_events(struct connection *connection, bool for_output) {
    bool for_input = connection_wants_input(connection),
         read_blocked = for_input && connection->transport.read_wants_write;
    uint32_t events = (for_input && !read_blocked ? (uint32_t)EPOLLIN : 0) |
                      (for_output || read_blocked || connection->ending ? (uint32_t)EPOLLOUT : 0);
    if (read_blocked && !(connection->watch.events & EPOLLOUT))
        connection->taken_ns = clock_coarse_ns();
    if (is_paused(connection))
        events |= EPOLLRDHUP; /* the end is noticed behind input that is not read */
    if (events != connection->watch.events)
        loop_watch_change(connection->group->loop, &connection->watch, events);
}

static bool is_finished(const struct connection *connection) {
    const struct session *session = connection->session;
    return connection->phase != CONNECTION_LINGERING &&
           (connection->broken || (session && session->ops->finished(session)));
}

void connection_wake(void *user) {
    struct connection *connection = user;
    if (connection->in_session || connection->message_posted)
        return;
    connection->message_posted = true;
    loop_post(connection->group->loop, &connection->message);
}

/* Writes as much as there is and the socket takes, ends the connection when its session is finished, and otherwise sets
 * up what to wait for. The last act of every event: the connection may be gone after it. */
static void pump(struct connection *connection) {
    bool wrote = /* the last time it was not all that there was to write */
        connection->watch.events & EPOLLOUT || connection->refused;
    bool more = true;
    size_t bytes = 0;
    enum transport_outcome outcome = TRANSPORT_DONE;
    for (int round = 0; round < NET_TURN_ROUNDS && bytes < NET_TURN_BYTES && more && outcome == TRANSPORT_DONE;
         round++) {
        if (output_size(&connection->out) == 0)
            more = fill_output(connection);
        bytes += output_size(&connection->out);
        if (more) {
            outcome = write_output(connection);
            wrote = true;
        }
    }
    if (outcome == TRANSPORT_LOST) {
        lose_connection(connection);
        return;
    }
    bool unsent = output_size(&connection->out) > 0;
    if (!unsent && (connection->out.copied.data || connection->out.pieces))
        release_output(connection);
    if (!unsent && !more && is_finished(connection) && !linger(connection, wrote))
        return;
    watch_events(connection, unsent || more);
    if (connection_wants_input(connection) && connection->transport.ops->has_unread(&connection->transport))
        connection_wake(connection);
    connection_arm_timer(connection);
}

/* ---- events ---- */

/* What every event ends in. */
static void go_on(struct connection *connection, bool lost) {
    if (lost)
        lose_connection(connection);
    else if (has_lingered(connection))
        close_connection(connection);
    else
        pump(connection);
}

static void on_ready(struct loop_watch *watch, uint32_t events) {
    struct connection *connection = LOOP_CONTAINER(watch, struct connection, watch);
    bool lost = events & (EPOLLERR | EPOLLHUP);
    if (!lost && (events & EPOLLIN || connection->transport.read_wants_write))
        lost = !connection_read(connection);
    else if (!lost && events & EPOLLRDHUP && is_paused(connection))
        connection_take_end(connection);
    go_on(connection, lost);
}

/* No new requests; it is finished when those under way are answered. */
static void shut_down_session(struct connection *connection) {
    connection->crowded = false;
    connection->in_session = true;
    connection->session->ops->shutdown(connection->session);
    connection->in_session = false;
}

/* The loop may have been busy with others: what the peer has sent or taken before a deadline counts, although it is
 * only looked at now. False: the connection is broken. */
static bool catch_up(struct connection *connection) {
    if (connection->phase == CONNECTION_LINGERING)
        return true;
    if (output_size(&connection->out) > 0 && write_output(connection) == TRANSPORT_LOST)
        return false;
    return connection_read(connection);
}

static uint64_t session_deadline(const struct connection *connection) {
    return connection->session ? connection->session->ops->deadline(connection->session) : 0;
}

static bool is_due(uint64_t deadline, uint64_t now) {
    return deadline != 0 && now >= deadline;
}

static void tick_session(struct connection *connection, uint64_t now) {
    if (!is_due(session_deadline(connection), now))
        return;
    connection->in_session = true;
    struct status status = connection->session->ops->tick(connection->session, now);
    connection->in_session = false;
    connection->broken |= !status_is_ok(&status);
}

static void on_timer(struct loop_timer *timer) {
    struct connection *connection = LOOP_CONTAINER(timer, struct connection, timer);
    uint64_t now = clock_monotonic_ns();
    connection->timer_ns = 0;
    bool due = is_due(connection_peer_deadline(connection), now) || is_due(session_deadline(connection), now) ||
               is_due(connection->low_water_ns, now);
    bool lost = due && !catch_up(connection);
    uint64_t crowd = connection_crowd_deadline(connection);
    if (lost || is_due(connection_peer_deadline(connection), now) || (!connection->session && is_due(crowd, now))) {
        lose_connection(connection);
        return;
    }
    if (is_due(crowd, now))
        shut_down_session(connection);
    tick_session(connection, now);
    pump(connection);
}

/* Requests that have arrived are still taken; then the session is told to end. */
static void drain_connection(struct connection *connection) {
    if (connection->phase == CONNECTION_LINGERING)
        return;
    if (!connection_read(connection)) {
        lose_connection(connection);
        return;
    }
    if (connection->session) {
        shut_down_session(connection);
        pump(connection);
    } else {
        close_connection(connection);
    }
}

static void start(struct connection *connection) {
    struct connection_group *group = connection->group;
    connection->next = group->connections;
    if (connection->next)
        connection->next->previous = connection;
    group->connections = connection;
    connection->since_ns = clock_monotonic_ns();
    const struct connection_policy *policy = group->policy;
    struct status status = loop_watch_add(group->loop, &connection->watch);
    if (!status_is_ok(&status) || (policy->tls && !transport_tls(policy->tls, connection->watch.fd,
                                                                 policy->text_refusal, &connection->transport)))
        close_connection(connection);
    else if (group->drained_ns != 0)
        drain_connection(connection);
    else
        connection_arm_timer(connection);
}

static void run_message(struct loop_message *message) {
    struct connection *connection = LOOP_CONTAINER(message, struct connection, message);
    connection->message_posted = false;
    if (connection->phase == CONNECTION_GONE)
        free(connection);
    else if (connection->since_ns == 0)
        start(connection);
    else
        go_on(connection,
              connection->transport.ops->has_unread(&connection->transport) && !connection_read(connection));
}

/* ---- groups ---- */

void connection_group_drain(struct connection_group *group) {
    group->drained_ns = clock_monotonic_ns();
    struct connection *connection = group->connections;
    while (connection) {
        struct connection *next = connection->next; /* draining one ends no other */
        drain_connection(connection);
        connection = next;
    }
}

void connection_group_close(struct connection_group *group) {
    while (group->connections)
        close_connection(group->connections);
    buf_free(&group->spare);
}

/* connection_input.c: from the socket to the session: into the loop's scratch memory, which a session gets its bytes
 * from, or, of a large body, to where the session keeps it. */
#include "base/clock.h"
#include "net/connection_priv.h"
#include "net/net_limits.h"
#include "net/peer_address.h"

static void peer_text(void *user, char *text, size_t size) {
    peer_address_text(((const struct connection *)user)->transport.fd, text, size);
}

/* Asks for a session with the bytes so far, which it then gets. */
static struct status sniff(struct connection *connection, struct slice bytes) {
    const struct connection_policy *policy = connection->group->policy;
    struct session *session = NULL;
    const struct connection_opening opening = {.loop_index = connection->group->loop_index,
                                               .crowded = connection->crowded,
                                               .protocol = connection->transport.ops->protocol(&connection->transport),
                                               .bytes = bytes};
    STATUS_TRY(policy->choose_session(policy->user, &opening, &session));
    if (!session) {
        if (bytes.size >= NET_FIRST_BYTES_MAX)
            return status_error(STATUS_INVALID_ARGUMENT, "no protocol was recognised");
        return status_ok();
    }
    session->wake = connection_wake;
    session->peer_text = peer_text;
    session->wake_user = connection;
    connection->session = session;
    connection->phase = CONNECTION_OPEN;
    return session->ops->input(session, bytes.data, bytes.size);
}

static struct status take_first_bytes(struct connection *connection, const char *data, size_t n) {
    struct buf *first = &connection->first;
    struct status status = status_ok();
    if (first->size == 0) {
        STATUS_TRY(sniff(connection, (struct slice){data, n}));
        if (!connection->session)
            buf_append(first, data, n);
    } else {
        buf_append(first, data, n);
        if (!buf_failed(first))
            status = sniff(connection, buf_slice(first));
    }
    if (buf_failed(first))
        status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a connection");
    if (connection->session)
        buf_free(first);
    return status;
}

static void take_input(struct connection *connection, const char *data, size_t n) {
    if (connection->phase == CONNECTION_LINGERING) {
        connection->taken_ns = clock_coarse_ns();
        return;
    }
    connection->in_session = true;
    struct status status = connection->session ? connection->session->ops->input(connection->session, data, n)
                                               : take_first_bytes(connection, data, n);
    connection->in_session = false;
    connection->broken |= !status_is_ok(&status);
}

void connection_take_end(struct connection *connection) {
    connection->input_ended = true;
    if (!connection->session) {
        connection->broken = true;
        return;
    }
    connection->in_session = true;
    connection->session->ops->input_closed(connection->session, false);
    connection->in_session = false;
}

/* Bytes were read to the places that the session has told, and behind them to the scratch memory. */
static void take_placed(struct connection *connection, size_t n) {
    struct connection_group *group = connection->group;
    size_t room = group->places.bytes, placed = n < room ? n : room;
    connection->in_session = true;
    struct status status = connection->session->ops->placed(connection->session, &group->places, placed);
    connection->in_session = false;
    connection->broken |= !status_is_ok(&status);
    if (n > placed && !connection->broken)
        take_input(connection, group->scratch, n - placed);
}

/* Whether the session has told where it wants what comes next. */
static bool find_places(struct connection *connection) {
    struct session_places *places = &connection->group->places;
    const struct session *session = connection->session;
    places->count = places->bytes = 0;
    places->ends = false;
    if (connection->fast && session && session->ops->places && connection->transport.ops->read_parts)
        session->ops->places(connection->session, places);
    return places->count > 0;
}

/* Reads once and hands on what came; *ret_n bytes of *ret_room that there was room for. */
static enum transport_outcome read_once(struct connection *connection, size_t *ret_n, size_t *ret_room) {
    struct connection_group *group = connection->group;
    struct transport *transport = &connection->transport;
    struct session_places *places = &group->places;
    *ret_room = CONNECTION_SCRATCH_BYTES;
    enum transport_outcome outcome;
    if (!find_places(connection)) {
        outcome = transport->ops->read(transport, group->scratch, CONNECTION_SCRATCH_BYTES, ret_n);
        if (outcome == TRANSPORT_DONE)
            take_input(connection, group->scratch, *ret_n);
        return outcome;
    }
    places->parts[places->count] = (struct iovec){group->scratch, CONNECTION_SCRATCH_BYTES};
    *ret_room = places->bytes + (places->ends ? CONNECTION_SCRATCH_BYTES : 0);
    outcome = transport->ops->read_parts(transport, places->parts, places->count + places->ends, ret_n);
    if (outcome == TRANSPORT_DONE)
        take_placed(connection, *ret_n);
    return outcome;
}

/* Reads what is there, within bounds, and adds to *ret_bytes how much that was. False: the connection is broken. */
static bool read_rounds(struct connection *connection, size_t *ret_bytes) {
    for (int round = 0; round < NET_TURN_ROUNDS && *ret_bytes < NET_TURN_INPUT_BYTES; round++) {
        if (!connection_wants_input(connection))
            return true;
        size_t n = 0, room = 0;
        switch (read_once(connection, &n, &room)) {
        case TRANSPORT_DONE:
            *ret_bytes += n;
            connection->fast = n >= CONNECTION_FAST_BYTES;
            if (n < room && !connection->transport.ops->has_unread(&connection->transport))
                return true;
            break;
        case TRANSPORT_BLOCKED:
            return true;
        case TRANSPORT_END:
            connection_take_end(connection);
            return true;
        case TRANSPORT_REFUSED:
            connection->broken = connection->refused = true;
            return true;
        case TRANSPORT_LOST:
            return false;
        }
    }
    return true;
}

bool connection_read(struct connection *connection) {
    size_t bytes = 0;
    bool whole = read_rounds(connection, &bytes);
    if (bytes >= CONNECTION_FAST_BYTES || connection->low_water > 1)
        connection_set_low_water(connection, bytes);
    return whole;
}

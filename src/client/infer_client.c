/* infer_client.c: the client's calls and connections: which call goes where, time limits, and the poll loop. What a
 * call asks is in infer_inference.c, infer_query.c, infer_statistics.c and infer_fetch.c.
 *
 * A call lives in one of three places: `waiting` for a connection, on a connection's wire, or `done` (complete, its
 * callback not run yet). Callbacks run only from deliver(), never from inside a protocol, so they may start calls
 * freely. Connections are closed where the fault is found and freed by reap(), so that no event of the same turn meets
 * freed memory.
 */
#include "client/infer_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/client_connection.h"
#include "client/client_setup.h"
#include "client/client_wait.h"
#include "client/infer_client_priv.h"

enum {
    EVENTS_PER_TURN = 64,
    KEPT_BUFFER_MAX = 16 * 1024 * 1024 /* larger ones are given back when their call ends */
};

/* ---- calls ---- */

static void infer_call_destroy(struct infer_call *call) {
    if (call == NULL)
        return;
    client_call_free(&call->base);
    buf_free(&call->responses);
    arena_destroy(call->arena);
    free(call);
}

static struct infer_call *infer_call_create(void) {
    struct infer_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->arena = arena_create(0);
    if (call->arena == NULL) {
        free(call);
        return NULL;
    }
    return call;
}

static void on_complete(struct client_call *base);

struct infer_call *infer_client_call_new(struct infer_client *client) {
    struct infer_call *call = client->spare;
    if (call != NULL)
        client->spare = call->next;
    else
        call = infer_call_create();
    if (call == NULL)
        return NULL;
    struct client_call base = call->base;
    struct buf responses = call->responses;
    struct arena *arena = call->arena;
    client_call_renew(&base);
    buf_clear(&responses);
    arena_reset(arena);
    *call = (struct infer_call){.base = base, .client = client, .arena = arena, .responses = responses};
    call->base.status = status_ok();
    call->base.on_complete = on_complete;
    call->base.owner = call;
    call->base.headers = client->options.headers;
    call->base.header_count = client->options.header_count;
    call->base.secure = client->tls != NULL;
    call_list_init(&call->base.on_wire); /* they point to themselves, so not in a copy */
    call_list_init(&call->base.in_client);
    return call;
}

void infer_client_call_recycle(struct infer_call *call) {
    struct infer_client *client = call->client;
    if (call->base.request.capacity > KEPT_BUFFER_MAX)
        buf_free(&call->base.request);
    if (call->base.answer.capacity > KEPT_BUFFER_MAX)
        buf_free(&call->base.answer);
    call->next = client->spare;
    client->spare = call;
}

/* The wire (or a time limit) has ended the call: takes the answer apart and queues the callback. */
static void on_complete(struct client_call *base) {
    struct infer_call *call = base->owner;
    struct infer_client *client = call->client;
    call_list_remove(&base->in_client);
    if (call->on_answer != NULL && status_is_ok(&base->status))
        base->status = call->on_answer(call);
    base->timing.end_ns = clock_monotonic_ns();
    call_list_append(&client->done, &base->in_client);
}

static void fail_call(struct infer_call *call, struct status status) {
    call_list_remove(&call->base.on_wire);
    call->base.status = status;
    on_complete(&call->base);
}

/* Runs the callbacks of what is done by now; what they cause comes with the next turn. */
static size_t deliver(struct infer_client *client) {
    struct call_link ready;
    size_t count = 0;
    call_list_init(&ready);
    while (!call_list_is_empty(&client->done)) {
        struct call_link *link = client->done.next;
        call_list_remove(link);
        call_list_append(&ready, link);
    }
    while (!call_list_is_empty(&ready)) {
        struct infer_call *call = call_of_client_link(ready.next)->owner;
        call_list_remove(&call->base.in_client);
        client->in_flight--;
        count++;
        call->on_done(call);
        infer_client_call_recycle(call);
    }
    return count;
}

/* ---- connections ---- */

static struct client_connection *new_connection(struct infer_client *client) {
    struct client_wire *wire =
        client->options.protocol == INFER_PROTOCOL_GRPC
            ? grpc_wire_create(client->target.authority, client->options.max_answer_bytes, client->body->stream)
            : http_wire_create(client->options.max_answer_bytes);
    if (wire == NULL)
        return NULL;
    struct client_connection *connection =
        client_connection_create(&client->target, wire, client->epoll_fd, client->options.connect_timeout_ns);
    if (connection == NULL)
        return NULL;
    connection->tls = client->tls;
    if (client->options.protocol == INFER_PROTOCOL_GRPC) /* HTTP/1.1 needs no promise */
        connection->protocol = SLICE_LITERAL("h2");
    client->connections[client->connection_count++] = connection;
    return connection;
}

/* The connection with the fewest calls that takes one more, or NULL. */
static struct client_connection *least_loaded(const struct infer_client *client) {
    struct client_connection *best = NULL;
    for (size_t i = 0; i < client->connection_count; i++) {
        struct client_connection *at = client->connections[i];
        if (at->state == CONNECTION_CLOSED || !at->wire->ops->can_start(at->wire))
            continue;
        if (best == NULL || at->wire->call_count < best->wire->call_count)
            best = at;
        if (best->wire->call_count == 0)
            break;
    }
    return best;
}

/* Starts the call somewhere; false when every connection is taken. */
static bool place_call(struct infer_client *client, struct infer_call *call) {
    struct client_connection *connection = least_loaded(client);
    bool may_open = client->connection_count < client->options.max_connections;
    bool opened = may_open && (connection == NULL || connection->wire->call_count > 0);
    if (opened)
        connection = new_connection(client);
    if (connection == NULL && !opened)
        return false;
    call_list_remove(&call->base.on_wire);
    if (connection == NULL) {
        fail_call(call, status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a connection"));
        return true;
    }
    struct status status = connection->wire->ops->start(connection->wire, &call->base);
    if (!status_is_ok(&status))
        fail_call(call, status);
    if (opened)
        client_connection_start(connection);
    connection->has_news = true;
    return true;
}

static void place_waiting(struct infer_client *client) {
    while (!call_list_is_empty(&client->waiting)) {
        if (!place_call(client, call_of_wire_link(client->waiting.next)->owner))
            return;
    }
}

/* Writes out what calls that were started or dropped have put on their connections. */
static void flush(struct infer_client *client) {
    for (size_t i = 0; i < client->connection_count; i++) {
        struct client_connection *connection = client->connections[i];
        if (connection->has_news)
            client_connection_flush(connection);
        connection->has_news = false;
    }
}

static void reap(struct infer_client *client) {
    size_t kept = 0;
    for (size_t i = 0; i < client->connection_count; i++) {
        struct client_connection *connection = client->connections[i];
        if (connection->state == CONNECTION_CLOSED)
            client_connection_destroy(connection);
        else
            client->connections[kept++] = connection;
    }
    client->connection_count = kept;
}

/* ---- time ---- */

static struct client_connection *connection_of(struct infer_client *client, const struct client_wire *wire) {
    for (size_t i = 0; i < client->connection_count; i++) {
        if (client->connections[i]->wire == wire)
            return client->connections[i];
    }
    return NULL;
}

void infer_client_call_abort(struct infer_call *call, struct status why) {
    struct client_wire *wire = call->base.wire;
    if (wire != NULL) {
        struct client_connection *connection = connection_of(call->client, wire);
        wire->ops->drop(wire, &call->base);
        if (connection != NULL)
            connection->has_news = true;
    }
    fail_call(call, why);
}

/* All calls have the same time, so the oldest is due first. */
static void expire(struct infer_client *client, uint64_t now_ns) {
    while (!call_list_is_empty(&client->active)) {
        struct infer_call *call = call_of_client_link(client->active.next)->owner;
        if (call->base.deadline_ns == 0 || call->base.deadline_ns > now_ns)
            break;
        infer_client_call_abort(call,
                                status_error(STATUS_DEADLINE_EXCEEDED, "%s: no answer within the time limit of %llu ms",
                                             client->target.authority, (unsigned long long)call->base.timeout_ms));
    }
    for (size_t i = 0; i < client->connection_count; i++)
        client_connection_tick(client->connections[i], now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t next_deadline(const struct infer_client *client, uint64_t end_ns) {
    if (!call_list_is_empty(&client->active)) {
        const struct client_call *oldest = call_of_client_link(client->active.next);
        if (oldest->deadline_ns != 0)
            end_ns = earlier(end_ns, oldest->deadline_ns);
    }
    for (size_t i = 0; i < client->connection_count; i++) {
        if (client->connections[i]->state == CONNECTION_CONNECTING)
            end_ns = earlier(end_ns, client->connections[i]->connect_deadline_ns);
    }
    return end_ns;
}

/* ---- the poll loop ---- */

/* One turn of waiting and I/O. False when a signal came. */
static bool turn(struct infer_client *client, uint64_t until_ns) {
    struct epoll_event events[EVENTS_PER_TURN];
    int count = client_wait_events(client->epoll_fd, events, EVENTS_PER_TURN, next_deadline(client, until_ns));
    for (int i = 0; i < count; i++)
        client_connection_ready(events[i].data.ptr, events[i].events, &client->scratch);
    expire(client, clock_monotonic_ns());
    reap(client);
    place_waiting(client);
    flush(client);
    return count >= 0 || errno != EINTR;
}

static uint64_t end_of(uint64_t timeout_ns) {
    uint64_t end_ns;
    return __builtin_add_overflow(clock_monotonic_ns(), timeout_ns, &end_ns) ? UINT64_MAX : end_ns;
}

void infer_client_wait(struct infer_client *client, uint64_t timeout_ns) {
    uint64_t end_ns = end_of(timeout_ns);
    while (client->in_flight == 0 && turn(client, end_ns) && clock_monotonic_ns() < end_ns) {
    }
}

size_t infer_client_poll(struct infer_client *client, uint64_t timeout_ns) {
    uint64_t end_ns = end_of(timeout_ns);
    place_waiting(client);
    flush(client);
    size_t delivered = 0;
    bool more = client->in_flight > 0;
    client->told_partial = false;
    while (more && delivered == 0 && !client->told_partial) {
        bool ready = !call_list_is_empty(&client->done);
        more = turn(client, ready ? 0 : end_ns) && clock_monotonic_ns() < end_ns;
        delivered = deliver(client);
        more = more && client->in_flight > 0;
    }
    place_waiting(client); /* what the callbacks have started goes out now, not with the next poll */
    flush(client);
    return delivered;
}

size_t infer_client_in_flight(const struct infer_client *client) {
    return client->in_flight;
}

/* ---- starting calls ---- */

void infer_client_call_start(struct infer_call *call) {
    struct infer_client *client = call->client;
    uint64_t limit_ns = client->options.request_timeout_ns;
    if (limit_ns > 0) {
        if (__builtin_add_overflow(call->base.timing.start_ns, limit_ns, &call->base.deadline_ns))
            call->base.deadline_ns = 0;
        call->base.timeout_ms = (limit_ns + NS_PER_MS - 1) / NS_PER_MS;
    }
    client->in_flight++;
    call_list_append(&client->active, &call->base.in_client);
    call_list_append(&client->waiting, &call->base.on_wire);
}

void infer_client_set_patience(struct infer_client *client, infer_patience_f *patience, void *user) {
    client->patience = patience;
    client->patience_user = user;
}

/* ---- life ---- */

struct status infer_client_open(const char *url, const struct infer_client_options *options,
                                struct infer_client **ret) {
    struct infer_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a client");
    call_list_init(&client->waiting);
    call_list_init(&client->active);
    call_list_init(&client->done);
    client->epoll_fd = -1;
    struct status status = client_setup_options(options, &client->options);
    if (status_is_ok(&status))
        status = client_target_resolve(url, &client->target);
    if (status_is_ok(&status))
        status = client_setup_tls(&client->options, client->target.secure, &client->tls);
    if (status_is_ok(&status)) {
        client->body = client_body_of(options->api, options->protocol);
        client->connections = calloc(client->options.max_connections, sizeof(struct client_connection *));
        client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (client->connections == NULL || client->epoll_fd < 0)
            status = status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory or descriptors for a client");
    }
    if (!status_is_ok(&status)) {
        infer_client_close(client);
        return status;
    }
    *ret = client;
    return status;
}

void infer_client_cancel(struct infer_client *client) {
    for (size_t i = 0; i < client->connection_count; i++)
        client_connection_destroy(client->connections[i]);
    client->connection_count = 0;
    while (!call_list_is_empty(&client->waiting))
        fail_call(call_of_wire_link(client->waiting.next)->owner, status_error(STATUS_CANCELLED, "given up"));
    deliver(client);
}

void infer_client_close(struct infer_client *client) {
    if (client == NULL)
        return;
    client->closing = true;
    infer_client_cancel(client);
    while (client->spare != NULL) {
        struct infer_call *call = client->spare;
        client->spare = call->next;
        infer_call_destroy(call);
    }
    if (client->epoll_fd >= 0)
        close(client->epoll_fd);
    free(client->connections);
    tls_client_context_destroy(client->tls);
    buf_free(&client->scratch);
    free(client);
}

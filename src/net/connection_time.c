/* connection_time.c: the patience of a connection: how long its peer may take for what. */
#include <sys/epoll.h>

#include "base/clock.h"
#include "net/connection_priv.h"

#define LINGER_SILENCE_NS (2 * NS_PER_S)
#define LINGER_TOTAL_NS (30 * NS_PER_S)

/* When a patience ends, which is shorter from when the group drains on: a peer that does nothing does not hold up the
 * end. */
static uint64_t patience_end(const struct connection *connection, uint64_t since_ns, uint64_t timeout_ns) {
    const struct connection_group *group = connection->group;
    uint64_t usual = since_ns + timeout_ns;
    uint64_t begin_ns = since_ns > group->drained_ns ? since_ns : group->drained_ns;
    return group->drained_ns == 0 ? usual : clock_earlier(usual, begin_ns + group->policy->drain_timeout_ns);
}

uint64_t connection_peer_deadline(const struct connection *connection) {
    const struct connection_policy *policy = connection->group->policy;
    if (connection->phase == CONNECTION_SNIFFING)
        return connection->since_ns + policy->first_bytes_timeout_ns;
    if (connection->phase == CONNECTION_LINGERING && !connection->ending)
        return clock_earlier(connection->taken_ns + LINGER_SILENCE_NS,
                             patience_end(connection, connection->since_ns, LINGER_TOTAL_NS));
    if (connection->watch.events & EPOLLOUT) /* output waits for the peer */
        return patience_end(connection, connection->taken_ns, policy->write_timeout_ns);
    return 0;
}

uint64_t connection_crowd_deadline(const struct connection *connection) {
    return connection->crowded ? connection->since_ns + connection->group->policy->crowd_timeout_ns : 0;
}

/* Deadlines mostly move away: the timer is only moved when one comes nearer, and asks again when it fires. */
void connection_arm_timer(struct connection *connection) {
    uint64_t deadline = clock_earlier(connection_peer_deadline(connection), connection_crowd_deadline(connection));
    deadline = clock_earlier(connection->low_water_ns, deadline);
    if (connection->session)
        deadline = clock_earlier(connection->session->ops->deadline(connection->session), deadline);
    if (deadline == 0 || (connection->timer_ns != 0 && connection->timer_ns <= deadline))
        return;
    connection->timer_ns = deadline;
    loop_timer_set(connection->group->loop, &connection->timer, deadline);
}

/* connection_low_water.c: while a large body comes in fast, the loop is woken for many bytes of it at a time, and not
 * for each piece that the client writes (SO_RCVLOWAT, socket(7)). */
#include <sys/socket.h>

#include "base/clock.h"
#include "net/connection_priv.h"

enum {
    LOW_WATER_MIN = 32 << 10, /* less is not worth the system calls */
    LOW_WATER_MAX = 256 << 10 /* more would let the client stand still, or the socket grow */
};

/* How long bytes may wait in the socket for others to come: the client may have stopped in the middle. */
#define LOW_WATER_NS (2 * NS_PER_MS)

static size_t wanted_water(const struct connection *connection, size_t read_bytes) {
    const struct session *session = connection->session;
    if (read_bytes < CONNECTION_FAST_BYTES || !session || !session->ops->awaited || !connection->transport.ops->plain)
        return 1;
    size_t awaited = session->ops->awaited(session);
    if (awaited < LOW_WATER_MIN)
        return 1;
    return awaited < LOW_WATER_MAX ? awaited : LOW_WATER_MAX;
}

void connection_set_low_water(struct connection *connection, size_t read_bytes) {
    int water = (int)wanted_water(connection, read_bytes);
    connection->low_water_ns = water > 1 ? clock_monotonic_ns() + LOW_WATER_NS : 0;
    if (water == connection->low_water)
        return;
    if (setsockopt(connection->transport.fd, SOL_SOCKET, SO_RCVLOWAT, &water, sizeof water) == 0)
        connection->low_water = water;
    else
        connection->low_water_ns = 0;
}

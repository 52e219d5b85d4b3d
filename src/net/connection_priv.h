/* connection_priv.h: a connection from inside: what the files connection*.c share. */
#ifndef INFERD_NET_CONNECTION_PRIV_H
#define INFERD_NET_CONNECTION_PRIV_H

#include "base/output.h"
#include "net/connection.h"
#include "net/transport.h"

enum connection_phase { CONNECTION_SNIFFING, CONNECTION_OPEN, CONNECTION_LINGERING, CONNECTION_GONE };

struct connection {
    struct loop_watch watch;
    struct loop_timer timer;
    struct loop_message message; /* starts it; later asks for output */
    bool message_posted;
    struct transport transport;
    struct connection_group *group;
    struct connection *previous, *next;
    enum connection_phase phase;
    struct session *session; /* NULL until told */
    struct buf first;        /* bytes until then */
    struct output out;
    bool crowded;          /* one too many: it ends before long */
    bool in_session;       /* one of its functions runs: a wake changes nothing */
    bool broken;           /* no more input: write what there is and end */
    bool refused;          /* by the transport, which has told the peer */
    bool ending;           /* the transport has not told the peer yet that there will be no more */
    bool input_ended;      /* by the peer */
    bool fast;             /* the last read gave many bytes */
    uint64_t since_ns;     /* begin of the phase */
    uint64_t taken_ns;     /* when the peer last took output, or last sent something while lingering */
    uint64_t timer_ns;     /* for when the timer is set; 0: it is not */
    int low_water;         /* bytes in the socket that wake the loop */
    uint64_t low_water_ns; /* when fewer are read all the same; 0: one byte does wake it */
};

/* connection.c */
bool connection_wants_input(const struct connection *connection);
/* Asks for output, soon: what a session calls; `user` is the connection. */
void connection_wake(void *user);

/* connection_input.c */
/* Reads what is there, within bounds. False: the connection is broken. */
bool connection_read(struct connection *connection);
/* The peer sends no more. */
void connection_take_end(struct connection *connection);

/* connection_low_water.c */
/* Bytes read at a time that tell that more are not far. */
enum { CONNECTION_FAST_BYTES = 16 << 10 };
/* So many bytes were read: sets how many are to come before the loop is woken again. */
void connection_set_low_water(struct connection *connection, size_t read_bytes);

/* connection_time.c */
/* When the peer's own time to begin, to end or to take output is over; 0: it is not waited for. */
uint64_t connection_peer_deadline(const struct connection *connection);
/* When a connection that is one too many is asked to end; 0: never. */
uint64_t connection_crowd_deadline(const struct connection *connection);
/* Sees to it that the timer fires at the first of all deadlines, its session's too, or earlier. */
void connection_arm_timer(struct connection *connection);

#endif

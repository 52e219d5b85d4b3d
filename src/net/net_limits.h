/* net_limits.h: the fixed bounds of connections and of TLS; docs/limits.md tells what is seen when one is passed. */
#ifndef INFERD_NET_NET_LIMITS_H
#define INFERD_NET_NET_LIMITS_H

enum {
    NET_FIRST_BYTES_MAX = 256,        /* enough to tell any protocol */
    NET_OUTPUT_MAX = 128 << 10,       /* bytes of an answer that wait in a connection's buffer */
    NET_TURN_ROUNDS = 8,              /* full buffers read, and written, before others get their turn */
    NET_TURN_INPUT_BYTES = 512 << 10, /* read, before others get their turn */
    NET_TURN_BYTES = 2 << 20,         /* written, before others get their turn */
    NET_CROWD_TIMEOUT_S = 5,          /* for connections beyond the most that may be open */
    NET_HANDSHAKE_MAX = 64 << 10,     /* bytes of the peer's side of a TLS handshake */
    NET_TLS_OVERHEAD_MAX = 32 << 10,  /* bytes that one read may take beyond those it gives: messages of TLS's own */
    NET_VERIFY_DEPTH = 8,             /* of a client's chain of certificates */
    NET_CLIENT_CHAIN_MAX = 32 << 10,  /* bytes of it */
    NET_TICKET_TIMEOUT_S = 300,       /* after which a ticket no longer stands in for a client's certificate */
    NET_ISSUERS_MAX = 16,             /* certificates behind one's own */
    NET_AUTHORITIES_MAX = 1024        /* for the other side */
};

#endif

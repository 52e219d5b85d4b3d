/* tls_hello.h: a look at the first bytes of a client that should speak TLS, before OpenSSL takes memory for them: it
 * reserves what a ClientHello claims to be long, up to 128 KiB, for each connection that sends nine bytes.
 *
 * Source: RFC 8446, sections 4 and 5.1. No memory, no I/O. Thread: one owner at a time. */
#ifndef INFERD_NET_TLS_HELLO_H
#define INFERD_NET_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_HELLO_MAX = 16 << 10 }; /* longest ClientHello; usual ones have 200 to 2000 bytes */

enum tls_hello_verdict {
    TLS_HELLO_GOOD,     /* as far as can be told now */
    TLS_HELLO_TEXT,     /* it begins with a letter: HTTP or HTTP/2 without TLS */
    TLS_HELLO_FOREIGN,  /* no TLS record with a ClientHello */
    TLS_HELLO_TOO_LONG, /* more than TLS_HELLO_MAX */
};

/* Zeroed at first. */
struct tls_hello {
    unsigned char record[5], message[4]; /* heads, as far as they have come */
    uint8_t record_at, message_at;
    bool began;
    bool complete;       /* a whole ClientHello has passed */
    size_t record_left;  /* bytes of the record's payload to come */
    size_t message_left; /* of the handshake message's */
    enum tls_hello_verdict verdict;
};

/* Takes the next bytes of the client. Call it until `complete`; and on, where a second ClientHello may follow (TLS 1.3,
 * after a HelloRetryRequest). What is no handshake record is passed over behind the first one. The verdict stays once
 * it is bad. */
enum tls_hello_verdict tls_hello_take(struct tls_hello *hello, const unsigned char *data, size_t size);

#endif

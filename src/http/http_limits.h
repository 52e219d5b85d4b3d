/* http_limits.h: the bounds of HTTP that no flag moves; docs/limits.md tells what is seen when one is passed. */
#ifndef INFERD_HTTP_HTTP_LIMITS_H
#define INFERD_HTTP_HTTP_LIMITS_H

enum {
    HTTP_HEAD_MAX = 64 << 10, /* bytes of request line and headers; also of extensions and trailers of chunks */
    HTTP_FIELDS_MAX = 128,
    HTTP_HEAD_TIMEOUT_S = 30,
    HTTP_DRAIN_TIMEOUT_S = 5,         /* silence once the server is to end */
    HTTP_TURN_MS = 2,                 /* on requests that came together on a connection, before others get their turn */
    HTTP_CHUNK_SIZE_DIGITS = 15,      /* hexadecimal; no overflow is possible below 16 */
    HTTP_READ_AHEAD_PAUSE = 16 << 10, /* pipelined bytes at which no more are wanted */
    HTTP_MIN_PLACED_BYTES = 32 << 10, /* of a body, that are received to where they are to lie and not copied */
    HTTP_H1_DROP_MAX = 256 << 10, /* longest rest of a body that is read to keep a connection after an early answer */
    HTTP_H2_DROP_MAX = 4 << 20,   /* bytes of a body taken after the end of its answer */
    HTTP_H2_STOP_SENDING_S = 1,   /* and for how long */
    HTTP_H2_STREAM_WINDOW = 4 << 20,      /* bytes that a client may send ahead on a stream */
    HTTP_H2_CONNECTION_WINDOW = 16 << 20, /* and on all together */
    HTTP_H2_TURN_BYTES = 2 << 20,         /* of an answer, before others of the connection are sent */
    HTTP_H2_FRAME_MAX = 256 << 10,        /* largest frame taken */
    HTTP_H2_BLOCK_MAX = 512 << 10,        /* bytes of a compressed head, all its frames together */
    HTTP_H2_CONTINUATIONS_MAX = 8,        /* of these frames behind the first */
    HTTP_H2_SETTINGS_MAX = 32,            /* rows of a SETTINGS frame */
    HTTP_H2_CONTROL_PAUSE = 64 << 10,     /* bytes of frames but DATA that wait, at which no more is read */
    HTTP_H2_ACKS_MAX = 1000,              /* answers to SETTINGS and PING that wait to be taken */
    HTTP_H2_HEAD_INFLATED_FACTOR = 4,     /* heads so many times what their block and a full table hold only cost */
    HTTP_H2_HEAD_FLOOD_FACTOR = 4,        /* heads so many times over the limit are not even answered */
    HTTP_H2_HEAD_BOMB_FACTOR = 16,        /* and so many times over it not read to their end */
    HTTP_H2_KNOWN_HEAD_MAX = 256,         /* bytes of a head, as it comes, that is kept in case it comes again */
    HTTP_H2_KNOWN_TEXT_MAX = 1 << 10,     /* and of its fields */
    HTTP_H2_KNOWN_FIELDS_MAX = 16,        /* and of them */
    HTTP_H2_RESETS_PER_SECOND = 500,      /* and other frames that only cost */
    HTTP_H2_REFUSALS_PER_SECOND = 4096    /* streams refused for want of room, and 2 for each that there may be at once:
                                             those beyond count with the resets */
};

#endif

/* fuzz_session.h: drives a session (HTTP/1.1 or HTTP/2) as a connection does, with a handler that answers in every way
 * there is, and checks what both promise: callbacks come in their order, every exchange ends, nothing stays booked, no
 * session stands still for ever. */
#ifndef INFERD_FUZZ_FUZZ_SESSION_H
#define INFERD_FUZZ_FUZZ_SESSION_H

#include "base/clock.h"
#include "base/session.h"
#include "fuzz.h"
#include "http/exchange.h"

enum { FUZZ_EXCHANGES = 512, FUZZ_HELD = 64, FUZZ_PLACE_BYTES = 20 };

/* What is done to the session besides giving it bytes; bits of an input's second byte. */
enum fuzz_session_flags {
    FUZZ_SMALL_LIMITS = 1,
    FUZZ_LAZY_READER = 2,  /* answers are taken only now and then */
    FUZZ_SHUTDOWN = 4,     /* the server begins to end in the middle */
    FUZZ_TIME_PASSES = 8,  /* time-outs come between the pieces */
    FUZZ_GONE = 16,        /* the client is lost at the end, without closing */
    FUZZ_HASTY = 32,       /* input is given also when the session wants none */
    FUZZ_POOR = 64,        /* hardly any room for bodies and answers */
    FUZZ_SLOW_SOCKET = 128 /* what is handed out is written late, also when its exchange is gone */
};

enum fuzz_phase { FUZZ_HEAD = 1, FUZZ_DATA, FUZZ_END, FUZZ_LAST };

/* The handler's note of one exchange. */
struct fuzz_note {
    enum fuzz_phase phase;
    bool streams;
    bool answered; /* on_end must not come any more */
    bool is_head;  /* the method */
    bool sips;     /* takes its body by and by */
    int drips;     /* pieces of the answer still to be given */
    char *place;   /* for bytes of its body */
    struct http_exchange *exchange;
};

struct fuzz_driver {
    struct http_handler handler;
    struct http_limits limits;
    struct http_budget budget;
    struct session *session;
    unsigned flags;
    bool failed;           /* input, output or tick gave an error: only output is asked for any more */
    struct output pending; /* handed out, not written */
    struct buf out;
    struct fuzz_note notes[FUZZ_EXCHANGES];
    size_t announced, ended, aborted;
    struct fuzz_note *held[FUZZ_HELD]; /* to be answered later */
    size_t held_count;
    bool generous; /* handlers that take bodies by and by take all now */
};

/* limits by the flags; the session is created by the caller with &driver->handler and &driver->limits. */
void fuzz_driver_init(struct fuzz_driver *driver, unsigned flags);
/* Gives the stream piece by piece, then ends it; checks all along. Destroys the session. */
void fuzz_driver_run(struct fuzz_driver *driver, struct slice stream, uint8_t cut_seed);
void fuzz_driver_free(struct fuzz_driver *driver);

/* For targets with a handler of their own. */
void fuzz_driver_input(struct fuzz_driver *driver, struct slice piece);
void fuzz_driver_pump(struct fuzz_driver *driver);

#endif

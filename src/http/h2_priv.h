/* h2_priv.h: what the parts of an HTTP/2 session share (RFC 9113):
 *
 *   h2_receive.c  bytes -> frames, and those of the connection     h2_request.c  header blocks -> requests
 *   h2_stream.c   one request and its answer                       h2_send.c     answers -> frames, in turn
 *   h2_session.c  settings, floods, time-outs, orderly ends        h2_place.c    large bodies, without copying
 *   h2_known_head.c  heads that come again and again
 *
 * Header compression is in hpack_*.c. A stream is freed where no handler runs: while frames are read
 * (h2_receive.c) or written (h2_send.c), and when the client is gone. */
#ifndef INFERD_HTTP_H2_PRIV_H
#define INFERD_HTTP_H2_PRIV_H

#include "http/exchange_priv.h"
#include "http/h2_frame.h"
#include "http/hpack_decode.h"
#include "http/hpack_encode.h"
#include "http/http_text.h"

struct h2_session;
struct h2_stream;

/* Streams that wait, the first to be served first. */
struct h2_queue {
    struct h2_stream *first, *last;
};

struct h2_stream {
    struct http_exchange exchange;
    struct h2_session *h2;
    struct h2_stream *previous, *next; /* among the open ones */
    struct h2_stream *bucket_next;     /* among those that are found in the same place */
    struct h2_queue *queue;            /* of the session, that it waits in; NULL: in none */
    struct h2_stream *queue_previous, *queue_next;
    uint32_t id;
    int64_t send_window;    /* bytes that the client takes */
    int64_t receive_window; /* bytes that it may send */
    uint32_t unannounced;   /* bytes taken that the client may send once more and has not been told of */
    size_t turn_bytes;      /* of DATA sent in this turn */
    uint64_t body_bytes;    /* that have come */
    size_t dropped;         /* of them, after the end of the answer */
    uint64_t activity_ns;   /* last sign of life of the client: bytes of the body, or DATA that it takes */
    uint64_t answer_ns;     /* since when the answer waits for it; its last DATA */
    uint32_t frame_length;  /* of its last DATA */
    uint32_t follower;      /* the stream whose DATA came next */
    struct {
        uint64_t round; /* in which the rest was asked for */
        char *to;
        size_t room;
    } place;             /* for its next bytes: h2_place.c */
    enum h2_error reset; /* with `resetting` */
    bool incremental;    /* the client can use parts of the answer: they are sent in turn with others' */
    bool resetting;      /* to be reset as soon as no handler runs */
    bool head_given;     /* the answer's head is in `control`, or was sent */
    bool end_in_head;    /* and ends the answer */
    bool end_sent;       /* the frame that ends the answer was handed out */
    bool answer_waits;   /* there is something of it to be sent, since answer_ns at the latest */
    bool finished;       /* its last callback runs: what that still asks for is of no effect */
};

/* An orderly end: a GOAWAY that names no last stream, then, when the client has surely seen it, the final one. */
enum h2_phase {
    H2_OPEN,
    H2_NOTICED,
    H2_ENDING, /* the streams that are open are answered */
    H2_FAILED, /* the last GOAWAY tells an error, nothing is sent behind it */
    H2_GONE
};

enum h2_reading { H2_READ_PREFACE, H2_READ_HEAD, H2_READ_PAYLOAD, H2_READ_PAD_LENGTH, H2_READ_DATA, H2_READ_SKIP };

/* Where in a frame the input stands. */
struct h2_reader {
    enum h2_reading state;
    struct h2_frame frame;
    struct h2_stream *stream; /* of DATA, the one that it is for; NULL once that is finished */
    size_t left;              /* bytes of payload to come; of DATA without the padding */
    size_t padding;           /* of DATA, to come behind it */
    struct buf pending;       /* of what is needed whole, the part that has come */
};

/* A header block whose end has not come. */
struct h2_block {
    uint32_t stream_id; /* 0: there is none */
    uint8_t flags;      /* of its HEADERS frame */
    unsigned continuations;
    struct buf bytes;
};

/* A header block on its way to a request, or to nothing. */
struct h2_head {
    struct h2_stream *stream; /* NULL: the fields are dropped */
    const struct http_limits *limits;
    size_t bytes;
    size_t capacity;     /* of the header table */
    struct slice target; /* :path */
    unsigned seen;       /* fields that may come once */
    bool trailers;
    bool ordinary_seen;
    bool malformed;
    bool too_large; /* to be answered 431 */
    bool flooded;   /* not even that */
    bool no_memory;
    bool expects_continue;
};

enum { H2_BUCKET_BITS = 6, H2_BUCKETS = 1 << H2_BUCKET_BITS };

struct h2_session {
    struct session session;
    const struct http_handler *handler;
    const struct http_limits *limits;
    enum h2_phase phase;
    struct h2_reader reader;
    struct h2_block block;
    size_t booked; /* of `reader.pending` and `block.bytes`, in the budget */
    struct hpack_decoder decoder;
    struct h2_known_head *known_head; /* owned; NULL: there is none */
    struct hpack_encoder encoder;
    struct buf control;      /* frames that go out before any DATA, in order: all but DATA and trailers */
    unsigned acks;           /* in it */
    struct h2_queue ready;   /* streams with something to send */
    struct h2_queue starved; /* streams with DATA that the connection's window has no room for */
    int64_t send_window;
    int64_t receive_window;
    uint32_t unannounced;      /* see struct h2_stream */
    uint32_t initial_window;   /* of streams, for our DATA */
    uint32_t frame_size;       /* largest that the client takes */
    uint32_t last_stream_id;   /* the highest that the client has used */
    uint32_t last_taken_id;    /* and that was looked at, as a GOAWAY tells */
    struct h2_stream *streams; /* open ones, the latest first */
    size_t stream_count;
    struct h2_stream *buckets[H2_BUCKETS];
    uint32_t bucket_secret;
    uint64_t place_round; /* of h2_place.c, of which no number comes twice */
    unsigned misses;      /* likewise of h2_place.c */
    uint64_t turn_ns;     /* begin of this turn */
    bool turn_wanted;     /* another one, for requests that wait */
    uint64_t now_ns;
    uint64_t deadline_ns;      /* no later than the first that is due; put right by tick */
    uint64_t idle_since_ns;    /* no streams; or since the beginning */
    uint64_t head_since_ns;    /* begin of a head that is not complete; 0: there is none */
    uint64_t noticed_ns;       /* when the end began; else 0 */
    uint64_t sent_ns;          /* the last DATA, of whatever stream */
    uint64_t counted_since_ns; /* begin of the second in which these two are counted */
    uint32_t glitches, refusals;
    bool greeted;     /* the client's SETTINGS have come */
    bool client_ends; /* its GOAWAY has come */
    bool drain_due;   /* of some exchange */
    struct http_date date;
    struct exchange_pool pool;
};

/* ---- h2_receive.c ---- */

/* Takes the client's bytes. INVALID_ARGUMENT: it does not speak HTTP/2. Other faults end the session in H2_FAILED. */
struct status h2_receive(struct h2_session *h2, struct slice input) STATUS_MUST_CHECK;

/* ---- h2_place.c ---- */

/* Where the rest of a large body is to be put, with places between for the heads of frames that are expected. */
void h2_places(struct h2_session *h2, struct session_places *places);
/* Takes the first n bytes of these places. Errors are those of h2_receive. */
struct status h2_placed(struct h2_session *h2, const struct session_places *places, size_t n) STATUS_MUST_CHECK;

/* ---- h2_request.c ---- */

/* A whole header block: a new request, the trailers of one, or neither, whose fields are read all the same, since the
 * decoder's table lives on. */
void h2_request_take(struct h2_session *h2, uint32_t stream_id, bool ended, struct slice block);

/* ---- h2_known_head.c ---- */

/* The head of a request whose block is that of the one before, and means the same, without reading it again. */
bool h2_known_head_recall(const struct h2_session *h2, struct slice block, struct h2_head *head);
/* The block was read, and may come again. */
void h2_known_head_keep(struct h2_session *h2, struct slice block, const struct h2_head *head);

/* ---- h2_stream.c ---- */

/* NULL: it is not open. */
struct h2_stream *h2_stream_find(const struct h2_session *h2, uint32_t id);
/* With its exchange; NULL: there is no room. */
struct h2_stream *h2_stream_create(struct h2_session *h2, uint32_t id);
/* The head is complete: hands it to the handler. */
void h2_stream_begin(struct h2_stream *stream, struct slice target, bool head_too_large);
void h2_stream_take_data(struct h2_stream *stream, struct slice data);
/* So many bytes of the body, or of the padding, need no more room: the client may send as many more. */
void h2_stream_open_window(struct h2_stream *stream, size_t bytes);
/* The request is complete. */
void h2_stream_end_request(struct h2_stream *stream);
/* All of the answer was handed out. */
bool h2_stream_is_answered(const struct h2_stream *stream);
/* Resets and frees it; where no handler runs. */
void h2_stream_reset(struct h2_stream *stream, enum h2_error error) STATUS_RARE;
/* Gives the exchange its last callback and frees the stream. */
void h2_stream_finish(struct h2_stream *stream, bool sent);
/* When the stream's next time-out is due; 0: none. */
uint64_t h2_stream_deadline(const struct h2_stream *stream);
/* Enforces them. Frees no stream. */
void h2_stream_tick(struct h2_stream *stream, uint64_t now_ns);

/* ---- h2_send.c ---- */

/* Appends frames until `out` holds about `target` bytes or nothing more may be sent. */
void h2_send(struct h2_session *h2, struct output *out, size_t target);
/* The stream may have something to send. */
void h2_send_later(struct h2_stream *stream);
/* The connection's window is open again. */
void h2_send_starved(struct h2_session *h2);
/* The stream sends no more. */
void h2_send_forget(struct h2_stream *stream);
/* Writes an answer's head. False when memory is short. */
bool h2_send_head(struct h2_stream *stream, const struct http_answer_head *head);
/* Tells the client to go on with its body: the head of an informational answer, 100. */
void h2_send_continue(struct h2_stream *stream);

/* ---- h2_session.c ---- */

/* About the present time: no earlier than what it was before. */
uint64_t h2_session_now(struct h2_session *h2);
/* Asks for a tick at that time at the latest; 0: no wish. */
void h2_session_want_tick(struct h2_session *h2, uint64_t deadline_ns);
/* Whether other connections get their turn before more is worked on; this one then gets another. */
bool h2_session_turn_is_over(struct h2_session *h2);
/* The client did something that costs more than it should; too many of them a second end the connection. */
void h2_session_count_glitch(struct h2_session *h2) STATUS_RARE;
/* A stream was refused as there was no room for it in the budget, and may be tried again: clients that are polite have
 * all of theirs refused at once, and again when they try. Those beyond that many a second are glitches. */
void h2_session_count_refusal(struct h2_session *h2) STATUS_RARE;
/* The final GOAWAY; the streams that are open are answered. */
void h2_session_end(struct h2_session *h2);
/* A GOAWAY with an error, behind which the connection ends. */
void h2_session_fail(struct h2_session *h2, enum h2_error error) STATUS_RARE;
/* Writes an answer to a frame that the client may send at any time; too many in a row end the connection. */
void h2_session_acknowledge(struct h2_session *h2, enum h2_frame_type type, struct slice payload);
/* When a silence of the client is too long, which is sooner from when the session is to end on. */
uint64_t h2_session_silence_end(const struct h2_session *h2, uint64_t since_ns, uint64_t timeout_ns);

/* When a head that is not complete has taken too long; 0: there is none. */
uint64_t h2_session_head_deadline(const struct h2_session *h2);

/* Whether something of the answer is to be sent: bytes, or its end. */
static inline bool h2_stream_has_unsent(const struct h2_stream *stream) {
    return stream->exchange.answer.bytes > 0 || stream->exchange.answer_state == HTTP_ANSWER_ENDED;
}

static inline bool h2_session_is_over(const struct h2_session *h2) {
    return h2->phase >= H2_FAILED;
}

#endif

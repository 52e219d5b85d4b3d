/* floor: what a request costs a server that does nothing with it: one epoll_wait, recv and send, of as many bytes as
 * the real ones. No server over TCP that sleeps while it has nothing to do can cost less CPU.
 *
 * usage: floor PORT ANSWER_BODY_BYTES
 *
 * Speaks HTTP/1.1, and of HTTP/2 what h2load needs for gRPC with one stream at a time. A GET over HTTP/1.1 is answered
 * by the number of requests so far, in the form of the servers' statistics. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIELD "\r\ncontent-length:"
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { SCRATCH = 256 << 10, EVENTS = 64 };
/* Of HTTP/2 (RFC 9113, section 6). */
enum { DATA = 0, HEADERS = 1, SETTINGS = 4, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { FRAME_HEAD = 9, FRAME_MAX = 16 << 10, WINDOW_STEP = 1 << 30 };

struct answer {
    char *bytes;
    size_t size;
};

struct peer {
    int fd;
    size_t missing;       /* bytes of the request that are still to come; over HTTP/2 by the size of the one before */
    size_t low_water;     /* so many have to be there before epoll tells of them */
    struct answer answer; /* that of all peers, but over HTTP/2 its own, for the number of the stream stands in it */
    size_t unsent;        /* of it */

    /* HTTP/2. */
    int speaks_http2;
    unsigned char head[FRAME_HEAD]; /* of the frame that comes, */
    size_t head_size;               /* as far as it has come */
    size_t payload_left;
    size_t request_size, last_size; /* DATA of this request so far, and of the one before */
    size_t window_used;
};

struct floor {
    int epoll, listener;
    unsigned long requests;
    struct answer http1, http2;
    char scratch[SCRATCH];
};

static void watch(const struct floor *floor, struct peer *peer, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = peer};
    epoll_ctl(floor->epoll, operation, peer->fd, &event);
}

static void take_in(const struct floor *floor) {
    int one = 1, fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK);
    struct peer *peer = calloc(1, sizeof *peer);
    if (fd < 0 || !peer)
        abort();
    peer->fd = fd;
    peer->low_water = 1;
    peer->answer = floor->http1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(floor, peer, EPOLLIN, EPOLL_CTL_ADD);
}

static void drop(struct peer *peer) {
    if (peer->speaks_http2)
        free(peer->answer.bytes);
    close(peer->fd);
    free(peer);
}

static void tell_count(const struct floor *floor, const struct peer *peer) {
    char body[200], text[400];
    snprintf(body, sizeof body,
             "{\"model_stats\":[{\"inference_stats\":{\"success\":{\"count\":%lu},\"fail\":{\"count\":0}}}]}",
             floor->requests);
    int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    send(peer->fd, text, (size_t)n, MSG_NOSIGNAL);
}

/* Of the bytes of a request that have come, how many are still to come: its head is in one piece. */
static size_t missing_of(char *head, size_t n) {
    head[n] = '\0';
    const char *end = strstr(head, "\r\n\r\n"), *length = strcasestr(head, FIELD);
    if (!end || !length)
        abort();
    return strtoul(length + strlen(FIELD), NULL, 10) - (n - (size_t)(end + 4 - head));
}

static struct answer make_http1_answer(size_t body) {
    struct answer answer = {calloc(1, body + 200), 0};
    if (!answer.bytes)
        abort();
    answer.size = body + (size_t)sprintf(answer.bytes, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    return answer;
}

static void send_answer(struct peer *peer) {
    while (peer->unsent > 0) {
        const char *rest = peer->answer.bytes + peer->answer.size - peer->unsent;
        ssize_t n = send(peer->fd, rest, peer->unsent, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        peer->unsent -= (size_t)n;
    }
}

static void answer_request(struct floor *floor, struct peer *peer) {
    floor->requests++;
    peer->unsent = peer->answer.size;
    send_answer(peer);
    if (peer->unsent > 0)
        watch(floor, peer, EPOLLOUT, EPOLL_CTL_MOD);
}

/* A large request is waited for in large pieces. */
static void set_low_water(struct peer *peer) {
    size_t wanted = peer->missing == 0 ? 1 : peer->missing < SCRATCH ? peer->missing : SCRATCH - 1;
    if (wanted == peer->low_water)
        return;
    int value = (int)wanted;
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
    peer->low_water = wanted;
}

/* ---- HTTP/2 ---- */

static size_t get_size(const unsigned char *head) {
    return (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
}

/* The head of a frame of stream 1, whose number is put in later. */
static char *put_head(char *out, size_t size, int type, int flags) {
    const char head[FRAME_HEAD] = {
        (char)(size >> 16), (char)(size >> 8), (char)size, (char)type, (char)flags, 0, 0, 0, 1};
    return (char *)memcpy(out, head, sizeof head) + sizeof head;
}

static char *put_fields(char *out, int flags, const char *fields, size_t size) {
    return (char *)memcpy(put_head(out, size, HEADERS, flags), fields, size) + size;
}

/* ":status: 200" and "content-type: application/grpc"; the message; "grpc-status: 0". */
static struct answer make_http2_answer(size_t message) {
    static const char head[] = "\x88\x0f\x10\x10"
                               "application/grpc",
                      trailer[] = "\x00\x0b"
                                  "grpc-status"
                                  "\x01"
                                  "0";
    size_t left = 5 + message, frames = left / FRAME_MAX + 3;
    struct answer answer = {calloc(1, left + frames * FRAME_HEAD + sizeof head + sizeof trailer), 0};
    if (!answer.bytes)
        abort();
    char *out = put_fields(answer.bytes, END_HEADERS, head, sizeof head - 1);
    const char prefix[5] = {0, (char)(message >> 24), (char)(message >> 16), (char)(message >> 8), (char)message};
    memcpy(out + FRAME_HEAD, prefix, sizeof prefix);
    while (left > 0) {
        size_t piece = left < FRAME_MAX ? left : FRAME_MAX;
        out = put_head(out, piece, DATA, 0) + piece;
        left -= piece;
    }
    out = put_fields(out, END_HEADERS | END_STREAM, trailer, sizeof trailer - 1);
    answer.size = (size_t)(out - answer.bytes);
    return answer;
}

/* All frames of the answer get the number that the request's last one has. */
static void set_stream(struct peer *peer) {
    for (size_t at = 0; at < peer->answer.size;) {
        char *frame = peer->answer.bytes + at;
        memcpy(frame + 5, peer->head + 5, 4);
        at += FRAME_HEAD + get_size((const unsigned char *)frame);
    }
}

static void add_to_window(const struct peer *peer) {
    static const char update[] = {0, 0, 4, WINDOW_UPDATE, 0, 0, 0, 0, 0, WINDOW_STEP >> 24, 0, 0, 0};
    send(peer->fd, update, sizeof update, MSG_NOSIGNAL);
}

static void begin_http2(const struct floor *floor, struct peer *peer) {
    static const char settings[] = {0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, 4 /* INITIAL_WINDOW_SIZE */, 127, -1, -1, -1};
    peer->speaks_http2 = 1;
    peer->answer.bytes = malloc(floor->http2.size);
    if (!peer->answer.bytes)
        abort();
    memcpy(peer->answer.bytes, floor->http2.bytes, floor->http2.size);
    peer->answer.size = floor->http2.size;
    send(peer->fd, settings, sizeof settings, MSG_NOSIGNAL);
    add_to_window(peer);
}

static void end_frame(struct floor *floor, struct peer *peer) {
    int type = peer->head[3], flags = peer->head[4];
    if (type == SETTINGS && !(flags & ACK)) {
        static const char ack[FRAME_HEAD] = {0, 0, 0, SETTINGS, ACK};
        send(peer->fd, ack, sizeof ack, MSG_NOSIGNAL);
    }
    if (type != DATA)
        return;
    peer->request_size += get_size(peer->head);
    peer->window_used += get_size(peer->head);
    if (peer->window_used >= WINDOW_STEP) {
        peer->window_used -= WINDOW_STEP;
        add_to_window(peer);
    }
    if (flags & END_STREAM) {
        peer->last_size = peer->request_size;
        peer->request_size = 0;
        set_stream(peer);
        answer_request(floor, peer);
    }
}

static void read_frames(struct floor *floor, struct peer *peer, const char *bytes, size_t size) {
    while (size > 0) {
        int in_head = peer->head_size < FRAME_HEAD;
        size_t wanted = in_head ? FRAME_HEAD - peer->head_size : peer->payload_left, n = size < wanted ? size : wanted;
        if (in_head) {
            memcpy(peer->head + peer->head_size, bytes, n);
            peer->head_size += n;
            peer->payload_left = get_size(peer->head);
        } else {
            peer->payload_left -= n;
        }
        bytes += n;
        size -= n;
        if (peer->head_size == FRAME_HEAD && peer->payload_left == 0) {
            end_frame(floor, peer);
            peer->head_size = 0;
        }
    }
    /* What came of an unfinished frame is not counted: less is waited for than is there. */
    size_t come = peer->request_size + (peer->head_size == FRAME_HEAD ? get_size(peer->head) : 0);
    peer->missing = peer->request_size > 0 && come < peer->last_size ? peer->last_size - come : 0;
}

/* ---- both ---- */

static void read_http1(struct floor *floor, struct peer *peer, size_t n) {
    if (peer->missing == 0 && floor->scratch[0] == 'G') {
        tell_count(floor, peer);
        return;
    }
    peer->missing = peer->missing ? peer->missing - n : missing_of(floor->scratch, n);
    if (peer->missing == 0)
        answer_request(floor, peer);
}

/* False: the peer is gone. */
static int read_request(struct floor *floor, struct peer *peer) {
    ssize_t n = recv(peer->fd, floor->scratch, SCRATCH - 1, 0);
    if (n <= 0)
        return 0;
    size_t size = (size_t)n, preface = 0;
    if (size >= strlen(PREFACE) && memcmp(floor->scratch, PREFACE, strlen(PREFACE)) == 0) {
        begin_http2(floor, peer);
        preface = strlen(PREFACE);
    }
    if (peer->speaks_http2)
        read_frames(floor, peer, floor->scratch + preface, size - preface);
    else
        read_http1(floor, peer, size);
    set_low_water(peer);
    return 1;
}

static void on_event(struct floor *floor, struct peer *peer, uint32_t events) {
    if (!peer) {
        take_in(floor);
    } else if (events & EPOLLOUT) {
        send_answer(peer);
        if (peer->unsent == 0)
            watch(floor, peer, EPOLLIN, EPOLL_CTL_MOD);
    } else if (!read_request(floor, peer)) {
        drop(peer);
    }
}

static void listen_on(struct floor *floor, int port) {
    int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    floor->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    floor->epoll = epoll_create1(0);
    if (bind(floor->listener, (struct sockaddr *)&address, sizeof address) || listen(floor->listener, 1024) ||
        epoll_ctl(floor->epoll, EPOLL_CTL_ADD, floor->listener, &event)) {
        perror("floor");
        exit(1);
    }
}

int main(int count, char **arguments) {
    static struct floor floor;
    if (count != 3) {
        fputs("usage: floor PORT ANSWER_BODY_BYTES\n", stderr);
        return 2;
    }
    size_t body = strtoul(arguments[2], NULL, 10);
    floor.http1 = make_http1_answer(body);
    floor.http2 = make_http2_answer(body);
    listen_on(&floor, atoi(arguments[1]));
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(floor.epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            on_event(&floor, events[i].data.ptr, events[i].events);
    }
}

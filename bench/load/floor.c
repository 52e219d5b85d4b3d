/* floor: what a request costs a server that does nothing with it: one epoll_wait, recv and send, of as many bytes as
 * the real ones. No HTTP/1.1 server over TCP that sleeps while it has nothing to do can cost less CPU.
 *
 * usage: floor PORT ANSWER_BODY_BYTES
 *
 * A GET is answered by the number of POSTs so far, in the form of the servers' statistics. */
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

enum { SCRATCH = 256 << 10, EVENTS = 64 };

struct peer {
    int fd;
    size_t missing; /* bytes of the request that are still to come */
    size_t unsent;  /* of the answer */
};

struct floor {
    int epoll, listener;
    unsigned long posts;
    char *answer;
    size_t answer_size;
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
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(floor, peer, EPOLLIN, EPOLL_CTL_ADD);
}

static void drop(struct peer *peer) {
    close(peer->fd);
    free(peer);
}

static void tell_count(const struct floor *floor, const struct peer *peer) {
    char body[200], text[400];
    snprintf(body, sizeof body,
             "{\"model_stats\":[{\"inference_stats\":{\"success\":{\"count\":%lu},\"fail\":{\"count\":0}}}]}",
             floor->posts);
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

static void send_answer(struct floor *floor, struct peer *peer) {
    while (peer->unsent > 0) {
        ssize_t n = send(peer->fd, floor->answer + floor->answer_size - peer->unsent, peer->unsent, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        peer->unsent -= (size_t)n;
    }
}

/* False: the peer is gone. */
static int read_request(struct floor *floor, struct peer *peer) {
    ssize_t n = recv(peer->fd, floor->scratch, SCRATCH - 1, 0);
    if (n <= 0)
        return 0;
    if (peer->missing == 0 && floor->scratch[0] == 'G') {
        tell_count(floor, peer);
        return 1;
    }
    peer->missing = peer->missing ? peer->missing - (size_t)n : missing_of(floor->scratch, (size_t)n);
    if (peer->missing == 0) {
        floor->posts++;
        peer->unsent = floor->answer_size;
        send_answer(floor, peer);
        if (peer->unsent > 0)
            watch(floor, peer, EPOLLOUT, EPOLL_CTL_MOD);
    }
    return 1;
}

static void on_event(struct floor *floor, struct peer *peer, uint32_t events) {
    if (!peer) {
        take_in(floor);
    } else if (events & EPOLLOUT) {
        send_answer(floor, peer);
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
    floor.answer = calloc(1, body + 200);
    if (!floor.answer)
        return 1;
    floor.answer_size = body + (size_t)sprintf(floor.answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    listen_on(&floor, atoi(arguments[1]));
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(floor.epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            on_event(&floor, events[i].data.ptr, events[i].events);
    }
}

/* floor_client: what a request costs a client that does nothing with the answer: one send, epoll_wait and recv, of as
 * many bytes as the load generators have. With one connection, no client of HTTP/1.1 over TCP that sleeps until an
 * answer is there makes fewer system calls with epoll; with many it is no bound.
 *
 * usage: floor_client PORT REQUEST_FILE ANSWER_BYTES CONNECTIONS SECONDS
 *
 * Each connection sends the file's bytes whenever it has read ANSWER_BYTES, which is the size of an answer with its
 * head. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { SCRATCH = 256 << 10, EVENTS = 64 };

struct peer {
    int fd;
    size_t unsent, missing; /* of the request, of the answer */
};

struct floor_client {
    int epoll;
    char *request;
    size_t request_size, answer_size;
    char scratch[SCRATCH];
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void watch(const struct floor_client *client, struct peer *peer, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = peer};
    epoll_ctl(client->epoll, operation, peer->fd, &event);
}

/* Sends what the socket takes, and watches for room when it does not take all. */
static void send_some(const struct floor_client *client, struct peer *peer) {
    size_t before = peer->unsent;
    while (peer->unsent > 0) {
        ssize_t n = send(peer->fd, client->request + client->request_size - peer->unsent, peer->unsent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            break;
        peer->unsent -= (size_t)n;
    }
    if (peer->unsent > 0 || before < client->request_size)
        watch(client, peer, peer->unsent > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

static void begin(const struct floor_client *client, struct peer *peer) {
    peer->unsent = client->request_size;
    peer->missing = client->answer_size;
    send_some(client, peer);
}

static void connect_to(const struct floor_client *client, struct peer *peer, int port) {
    int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    peer->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(peer->fd, (struct sockaddr *)&address, sizeof address))
        fail("connect");
    watch(client, peer, EPOLLIN, EPOLL_CTL_ADD);
    begin(client, peer);
}

/* True when the answer is whole. */
static int read_answer(struct floor_client *client, struct peer *peer) {
    ssize_t n = recv(peer->fd, client->scratch, SCRATCH, MSG_DONTWAIT);
    if (n <= 0 || (size_t)n > peer->missing) {
        fputs("floor_client: the answer has another size\n", stderr);
        exit(1);
    }
    peer->missing -= (size_t)n;
    return peer->missing == 0;
}

static void read_request(struct floor_client *client, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        fail(path);
    client->request_size = (size_t)ftell(file);
    client->request = malloc(client->request_size);
    rewind(file);
    if (!client->request || fread(client->request, 1, client->request_size, file) != client->request_size)
        fail(path);
    fclose(file);
}

int main(int count, char **arguments) {
    static struct floor_client client;
    if (count != 6) {
        fputs("usage: floor_client PORT REQUEST_FILE ANSWER_BYTES CONNECTIONS SECONDS\n", stderr);
        return 2;
    }
    size_t connections = strtoul(arguments[4], NULL, 10);
    double end = now() + strtod(arguments[5], NULL);
    struct peer *peers = calloc(connections, sizeof *peers);
    client.epoll = epoll_create1(0);
    client.answer_size = strtoul(arguments[3], NULL, 10);
    read_request(&client, arguments[2]);
    for (size_t i = 0; peers && i < connections; i++)
        connect_to(&client, &peers[i], atoi(arguments[1]));
    for (size_t open = peers ? connections : 0; open > 0;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(client.epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->unsent > 0 && (events[i].events & EPOLLOUT))
                send_some(&client, peer);
            if (!(events[i].events & EPOLLIN) || !read_answer(&client, peer))
                continue;
            if (now() < end)
                begin(&client, peer);
            else
                open--;
        }
    }
    return 0;
}

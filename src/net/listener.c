/* listener.c: a listening socket on loops[0]; each accepted connection goes to the next loop in turn. */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/connection.h"
#include "net/net_limits.h"

enum {
    ACCEPT_ROUNDS = 64, /* connections accepted before others get their turn */
    BACKLOG = 1024,
    DEFAULT_MAX_CONNECTIONS = 16384
};
#define DEFAULT_FIRST_BYTES_TIMEOUT_NS (30 * NS_PER_S)
#define DEFAULT_WRITE_TIMEOUT_NS (60 * NS_PER_S)
#define DEFAULT_DRAIN_TIMEOUT_NS (5 * NS_PER_S)
#define DEFAULT_CROWD_TIMEOUT_NS (NET_CROWD_TIMEOUT_S * NS_PER_S)
/* How long accepting pauses when descriptors or memory are short. */
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

struct listener_loop {
    struct connection_group group;
    struct loop_message drain;
    struct listener *listener;
};

struct listener {
    struct loop_watch watch;
    struct loop_timer resume;
    struct loop_message stop;
    struct connection_policy policy;
    struct listener_loop *loops;
    size_t loop_count;
    size_t next_loop;
    int port;
    /* Connections, plus one while accepting, plus drain messages under way. At 0 the listener is drained. */
    atomic_size_t references;
    atomic_size_t connections;
    void (*on_drained)(void *user);
    void *drained_user;
};

/* ---- accepting ---- */

static void release(struct listener *listener) {
    if (atomic_fetch_sub(&listener->references, 1) == 1)
        listener->on_drained(listener->drained_user);
}

static void on_connection_closed(struct connection_group *group) {
    struct listener *listener = group->user;
    atomic_fetch_sub(&listener->connections, 1);
    release(listener);
}

static void hand_over(struct listener *listener, int fd) {
    struct listener_loop *to = &listener->loops[listener->next_loop];
    const struct connection_policy *policy = &listener->policy;
    size_t count = atomic_load(&listener->connections); /* only this thread adds to it */
    if (count >= policy->max_connections + policy->crowd_connections) {
        close(fd);
        return;
    }
    atomic_fetch_add(&listener->connections, 1);
    atomic_fetch_add(&listener->references, 1);
    if (connection_create(&to->group, fd, count >= policy->max_connections)) {
        listener->next_loop = (listener->next_loop + 1) % listener->loop_count;
    } else {
        close(fd);
        on_connection_closed(&to->group);
    }
}

/* Errors of the connection that was about to be accepted, rather than of accepting (see accept(2)). */
static bool is_transient(int error) {
    static const int errors[] = {EINTR,       ECONNABORTED, EPERM,        EPROTO,     ENETDOWN,
                                 ENOPROTOOPT, EHOSTDOWN,    EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (error == errors[i])
            return true;
    return false;
}

static void on_acceptable(struct loop_watch *watch, uint32_t events) {
    (void)events;
    struct listener *listener = LOOP_CONTAINER(watch, struct listener, watch);
    for (int round = 0; round < ACCEPT_ROUNDS; round++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            hand_over(listener, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!is_transient(errno)) {
            /* No descriptors or no memory: without a pause the loop would spin on the waiting connection. */
            struct loop *loop = listener->loops[0].group.loop;
            loop_watch_change(loop, watch, 0);
            loop_timer_set(loop, &listener->resume, clock_monotonic_ns() + ACCEPT_PAUSE_NS);
            return;
        }
    }
}

static void on_resume(struct loop_timer *timer) {
    struct listener *listener = LOOP_CONTAINER(timer, struct listener, resume);
    loop_watch_change(listener->loops[0].group.loop, &listener->watch, EPOLLIN);
}

/* ---- draining ---- */

static void on_drain_message(struct loop_message *message) {
    struct listener_loop *loop = LOOP_CONTAINER(message, struct listener_loop, drain);
    connection_group_drain(&loop->group);
    release(loop->listener);
}

static void stop_accepting(struct listener *listener) {
    struct loop *loop = listener->loops[0].group.loop;
    loop_timer_cancel(loop, &listener->resume);
    loop_watch_remove(loop, &listener->watch);
    close(listener->watch.fd);
    listener->watch.fd = -1;
}

static void on_stop_message(struct loop_message *message) {
    struct listener *listener = LOOP_CONTAINER(message, struct listener, stop);
    on_acceptable(&listener->watch, EPOLLIN); /* those who are connected already are served */
    stop_accepting(listener);
    for (size_t i = 0; i < listener->loop_count; i++) {
        atomic_fetch_add(&listener->references, 1);
        loop_post(listener->loops[i].group.loop, &listener->loops[i].drain);
    }
    release(listener);
}

void listener_drain(struct listener *listener, void (*on_drained)(void *user), void *user) {
    listener->on_drained = on_drained;
    listener->drained_user = user;
    loop_post(listener->loops[0].group.loop, &listener->stop);
}

/* ---- binding ---- */

static int bound_port(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length))
        return -1;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

/* A listening socket on that address, or -1 with errno. Accepted sockets inherit its TCP options. */
static int listen_on(const struct addrinfo *address) {
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return -1;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (address->ai_family == AF_INET6) /* [::] takes IPv4 too */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, BACKLOG)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* An address may stand in brackets, as one of IPv6 does in a URL. */
static void strip_brackets(const char *address, char host[NI_MAXHOST]) {
    size_t length = strlen(address);
    bool bracketed = length > 2 && address[0] == '[' && address[length - 1] == ']';
    snprintf(host, NI_MAXHOST, "%.*s", bracketed ? (int)length - 2 : NI_MAXHOST, bracketed ? address + 1 : address);
}

static struct status open_socket(const char *address, int port, int *ret_fd) {
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[NI_MAXHOST], service[16];
    if (port < 0 || port > 65535)
        return status_error(STATUS_INVALID_ARGUMENT, "cannot listen on %s:%d: a port is a number from 0 to 65535",
                            address, port);
    strip_brackets(address, host);
    snprintf(service, sizeof service, "%d", port);
    int error = getaddrinfo(host, service, &hints, &found);
    if (error)
        return status_error(STATUS_UNAVAILABLE, "cannot listen on %s:%d: %s", address, port,
                            error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
    int fd = -1;
    for (const struct addrinfo *each = found; each && fd < 0; each = each->ai_next)
        fd = listen_on(each);
    error = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return status_error(STATUS_UNAVAILABLE, "cannot listen on %s:%d: %s", address, port, strerror(error));
    *ret_fd = fd;
    return status_ok();
}

/* ---- life ---- */

static void set_defaults(struct connection_policy *policy) {
    if (policy->max_connections == 0)
        policy->max_connections = DEFAULT_MAX_CONNECTIONS;
    if (policy->max_output_bytes == 0)
        policy->max_output_bytes = NET_OUTPUT_MAX;
    if (policy->first_bytes_timeout_ns == 0)
        policy->first_bytes_timeout_ns = DEFAULT_FIRST_BYTES_TIMEOUT_NS;
    if (policy->write_timeout_ns == 0)
        policy->write_timeout_ns = DEFAULT_WRITE_TIMEOUT_NS;
    if (policy->crowd_timeout_ns == 0)
        policy->crowd_timeout_ns = DEFAULT_CROWD_TIMEOUT_NS;
    if (policy->drain_timeout_ns == 0)
        policy->drain_timeout_ns = DEFAULT_DRAIN_TIMEOUT_NS;
}

static struct listener *new_listener(struct loop *const *loops, size_t loop_count,
                                     const struct connection_policy *policy) {
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return NULL;
    listener->loops = calloc(loop_count, sizeof *listener->loops);
    if (!listener->loops) {
        free(listener);
        return NULL;
    }
    listener->policy = *policy;
    set_defaults(&listener->policy);
    listener->loop_count = loop_count;
    listener->resume.fire = on_resume;
    listener->stop.run = on_stop_message;
    atomic_init(&listener->references, 1);
    for (size_t i = 0; i < loop_count; i++) {
        struct listener_loop *loop = &listener->loops[i];
        loop->listener = listener;
        loop->drain.run = on_drain_message;
        loop->group.loop = loops[i];
        loop->group.loop_index = i;
        loop->group.policy = &listener->policy;
        loop->group.on_closed = on_connection_closed;
        loop->group.user = listener;
    }
    return listener;
}

struct status listener_create(struct loop *const *loops, size_t loop_count, const char *address, int port,
                              const struct connection_policy *policy, struct listener **ret) {
    int fd;
    STATUS_TRY(open_socket(address, port, &fd));
    struct listener *listener = new_listener(loops, loop_count, policy);
    if (!listener) {
        close(fd);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to listen on %s:%d", address, port);
    }
    listener->watch = (struct loop_watch){.fd = fd, .events = EPOLLIN, .ready = on_acceptable};
    listener->port = bound_port(fd);
    struct status status = loop_watch_add(loops[0], &listener->watch);
    if (!status_is_ok(&status)) {
        close(fd);
        listener->watch.fd = -1;
        listener_destroy(listener);
        return status;
    }
    *ret = listener;
    return status_ok();
}

int listener_port(const struct listener *listener) {
    return listener->port;
}

size_t listener_connection_count(const struct listener *listener) {
    return atomic_load(&listener->connections);
}

void listener_destroy(struct listener *listener) {
    if (!listener)
        return;
    /* Connections and requests to stop that are on their way arrive before all is closed. */
    atomic_fetch_add(&listener->references, 1);
    for (size_t i = 0; i < listener->loop_count; i++)
        loop_run_messages(listener->loops[i].group.loop);
    if (listener->watch.fd >= 0)
        stop_accepting(listener);
    for (size_t i = 0; i < listener->loop_count; i++)
        connection_group_close(&listener->loops[i].group);
    free(listener->loops);
    free(listener);
}

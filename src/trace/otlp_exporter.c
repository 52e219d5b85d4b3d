#include "trace/otlp_exporter.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* Of the answer only the first line counts. */
enum { ANSWER_MAX_BYTES = 1024 };
/* After so long the deadline is looked at anew. */
enum { NAP_MS = 50 };

/* Waits until the descriptor is ready; 0, or an errno. */
static int wait_ready(int fd, short events, const atomic_uint_fast64_t *deadline_ns) {
    for (;;) {
        if (clock_monotonic_ns() >= atomic_load(deadline_ns))
            return ETIMEDOUT;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = poll(&poll_fd, 1, NAP_MS);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
}

static int connect_to(int fd, const struct addrinfo *address, const atomic_uint_fast64_t *deadline_ns) {
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    int error = wait_ready(fd, POLLOUT, deadline_ns);
    socklen_t size = sizeof error;
    if (!error && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

static struct status unreachable(const struct otlp_config *config, const char *why) {
    return status_error(STATUS_UNAVAILABLE, "no connection to the collector %s: %s", config->url, why);
}

/* The first of the host's addresses that takes a connection. */
static struct status open_connection(const struct otlp_config *config, const atomic_uint_fast64_t *deadline_ns,
                                     int *ret) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *addresses;
    int error = getaddrinfo(config->host, config->port, &hints, &addresses);
    if (error)
        return unreachable(config, gai_strerror(error));
    int fd = -1, reason = EADDRNOTAVAIL;
    for (const struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
        reason = fd < 0 ? errno : connect_to(fd, at, deadline_ns);
        if (fd >= 0 && reason) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(addresses);
    if (fd < 0)
        return unreachable(config, strerror(reason));
    *ret = fd;
    return status_ok();
}

static int send_all(int fd, struct slice bytes, const atomic_uint_fast64_t *deadline_ns) {
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.data += sent;
            bytes.size -= (size_t)sent;
            continue;
        }
        int error = errno == EAGAIN || errno == EWOULDBLOCK ? wait_ready(fd, POLLOUT, deadline_ns) : errno;
        if (error && error != EINTR)
            return error;
    }
    return 0;
}

/* Reads up to the end of the first line; 0, or an errno. */
static int receive_line(int fd, char line[static ANSWER_MAX_BYTES], size_t *ret_size,
                        const atomic_uint_fast64_t *deadline_ns) {
    size_t size = 0;
    while (size < ANSWER_MAX_BYTES && !memchr(line, '\n', size)) {
        ssize_t got = recv(fd, line + size, ANSWER_MAX_BYTES - size, 0);
        if (got == 0)
            return ECONNRESET;
        if (got > 0) {
            size += (size_t)got;
            continue;
        }
        int error = errno == EAGAIN || errno == EWOULDBLOCK ? wait_ready(fd, POLLIN, deadline_ns) : errno;
        if (error && error != EINTR)
            return error;
    }
    *ret_size = size;
    return 0;
}

/* "HTTP/1.1 200 OK" */
static struct status check_answer(const struct otlp_config *config, struct slice answer) {
    struct slice line, rest, version, code;
    slice_split(answer, '\n', &line, &rest);
    line = slice_trim(line);
    uint64_t status = 0;
    slice_split(line, ' ', &version, &rest);
    slice_split(rest, ' ', &code, &rest);
    if (!slice_starts_with(version, SLICE_LITERAL("HTTP/1.")) || !slice_to_u64(code, &status))
        return status_error(STATUS_UNAVAILABLE, "the collector %s does not speak HTTP/1.1", config->url);
    if (status < 200 || status > 299)
        return status_error(STATUS_UNAVAILABLE, "the collector %s answered: %.*s", config->url, SLICE_ARGS(line));
    return status_ok();
}

static struct status exchange(const struct otlp_config *config, int fd, struct slice body,
                              const atomic_uint_fast64_t *deadline_ns) {
    bool colons = strchr(config->host, ':') != NULL;
    char answer[ANSWER_MAX_BYTES];
    size_t size = 0;
    struct buf head = BUF_EMPTY;
    buf_printf(&head,
               "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nContent-Type: application/x-protobuf\r\n"
               "Content-Length: %zu\r\nUser-Agent: inferd\r\nConnection: close\r\n\r\n",
               config->path, colons ? "[" : "", config->host, colons ? "]" : "", config->port, body.size);
    int error = buf_failed(&head) ? ENOMEM : send_all(fd, buf_slice(&head), deadline_ns);
    if (!error)
        error = send_all(fd, body, deadline_ns);
    if (!error)
        error = receive_line(fd, answer, &size, deadline_ns);
    buf_free(&head);
    if (error)
        return status_error(STATUS_UNAVAILABLE, "the collector %s did not take spans: %s", config->url,
                            strerror(error));
    return check_answer(config, (struct slice){answer, size});
}

struct status otlp_post(const struct otlp_config *config, struct slice body, const atomic_uint_fast64_t *deadline_ns) {
    int fd;
    STATUS_TRY(open_connection(config, deadline_ns, &fd));
    struct status status = exchange(config, fd, body, deadline_ns);
    close(fd);
    return status;
}

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/transport.h"

static enum transport_outcome outcome_of_error(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_BLOCKED : TRANSPORT_LOST;
}

static enum transport_outcome outcome_of_read(ssize_t n, size_t *ret_n) {
    if (n < 0)
        return outcome_of_error();
    *ret_n = (size_t)n;
    return n == 0 ? TRANSPORT_END : TRANSPORT_DONE;
}

static enum transport_outcome plain_read(struct transport *transport, char *data, size_t size, size_t *ret_n) {
    ssize_t n;
    do
        n = recv(transport->fd, data, size, 0);
    while (n < 0 && errno == EINTR);
    return outcome_of_read(n, ret_n);
}

static enum transport_outcome plain_read_parts(struct transport *transport, const struct iovec *parts, size_t count,
                                               size_t *ret_n) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    ssize_t n;
    do
        n = recvmsg(transport->fd, &message, 0);
    while (n < 0 && errno == EINTR);
    return outcome_of_read(n, ret_n);
}

static ssize_t send_parts(int fd, const struct iovec *parts, size_t count) {
    if (count == 1)
        return send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static enum transport_outcome plain_write(struct transport *transport, const struct iovec *parts, size_t count,
                                          size_t *ret_n) {
    ssize_t n;
    do
        n = send_parts(transport->fd, parts, count);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return outcome_of_error();
    *ret_n = (size_t)n;
    return TRANSPORT_DONE;
}

static enum transport_outcome plain_end(struct transport *transport) {
    shutdown(transport->fd, SHUT_WR);
    return TRANSPORT_DONE;
}

static bool plain_has_unread(const struct transport *transport) {
    (void)transport;
    return false;
}

static struct slice plain_protocol(const struct transport *transport) {
    (void)transport;
    return (struct slice){NULL, 0};
}

static enum transport_outcome plain_greet(struct transport *transport) {
    (void)transport;
    return TRANSPORT_DONE;
}

static void plain_close(struct transport *transport) {
    close(transport->fd);
    transport->fd = -1;
}

struct transport transport_plain(int fd) {
    static const struct transport_ops ops = {.plain = true,
                                             .read = plain_read,
                                             .read_parts = plain_read_parts,
                                             .write = plain_write,
                                             .end = plain_end,
                                             .has_unread = plain_has_unread,
                                             .protocol = plain_protocol,
                                             .greet = plain_greet,
                                             .close = plain_close};
    return (struct transport){.ops = &ops, .fd = fd};
}

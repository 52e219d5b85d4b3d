#include "client/client_wait.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "base/clock.h"

/* Where the kernel has no epoll_pwait2 (before 5.11): sleeps on the epoll descriptor itself. */
static int wait_by_ppoll(int epoll_fd, struct epoll_event *events, int room, const struct timespec *time) {
    struct pollfd watched = {.fd = epoll_fd, .events = POLLIN};
    int rc = ppoll(&watched, 1, time, NULL);
    return rc > 0 ? epoll_wait(epoll_fd, events, room, 0) : rc;
}

int client_wait_events(int epoll_fd, struct epoll_event *events, int room, uint64_t until_ns) {
    uint64_t now_ns = clock_monotonic_ns();
    if (until_ns == UINT64_MAX)
        return epoll_wait(epoll_fd, events, room, -1);
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    if (left_ns == 0)
        return epoll_wait(epoll_fd, events, room, 0);
    struct timespec time = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};
    int count = epoll_pwait2(epoll_fd, events, room, &time, NULL);
    return count < 0 && errno == ENOSYS ? wait_by_ppoll(epoll_fd, events, room, &time) : count;
}

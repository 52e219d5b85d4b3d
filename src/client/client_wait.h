/* client_wait.h: epoll_wait to the nanosecond (its own clock ticks in milliseconds). */
#ifndef INFERD_CLIENT_CLIENT_WAIT_H
#define INFERD_CLIENT_CLIENT_WAIT_H

#include <stdint.h>
#include <sys/epoll.h>

/* Waits for up to `room` events, or until a point of clock_monotonic_ns (UINT64_MAX: no bound). As epoll_wait. */
int client_wait_events(int epoll_fd, struct epoll_event *events, int room, uint64_t until_ns);

#endif

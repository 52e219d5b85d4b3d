#include "tools/perf/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t only_sigint(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

static bool take_one(const struct interrupt *interrupt) {
    struct signalfd_siginfo info;
    return read(interrupt->fd, &info, sizeof info) == (ssize_t)sizeof info;
}

struct status interrupt_open(struct interrupt *interrupt) {
    sigset_t set = only_sigint();
    interrupt->count = 0;
    sigprocmask(SIG_BLOCK, &set, NULL);
    interrupt->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (interrupt->fd >= 0)
        return status_ok();
    int error = errno;
    interrupt_close(interrupt);
    return status_error(STATUS_INTERNAL, "cannot receive signals: %s", strerror(error));
}

void interrupt_close(struct interrupt *interrupt) {
    sigset_t set = only_sigint();
    while (interrupt->fd >= 0 && take_one(interrupt)) { /* what nobody has looked at comes too late to end anything */
    }
    if (interrupt->fd >= 0)
        close(interrupt->fd);
    interrupt->fd = -1;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int interrupt_count(struct interrupt *interrupt) {
    while (interrupt->fd >= 0 && take_one(interrupt)) {
        if (++interrupt->count == 2)
            interrupt_close(interrupt);
    }
    return interrupt->count;
}

#include "tools/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory_limit.h"
#include "tools/serve/file_watch.h"
#include "tools/serve/limits_table.h"
#include "tools/serve/memory_budget.h"
#include "tools/serve/server.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Opens --log-file to append to it, so that it may be rotated by copying and truncating. */
static struct status open_log(const struct serve_options *options, struct log *ret) {
    *ret = log_default();
    enum log_format format = LOG_FORMAT_DEFAULT;
    (void)log_format_from_name(slice_of(options->log_format), &format); /* one of the choices of the flag */
    ret->format = (int)format;
    ret->info = options->log_info;
    ret->warning = options->log_warning;
    ret->error = options->log_error;
    ret->verbose = (int)options->log_verbose;
    if (!options->log_file || !*options->log_file)
        return status_ok();
    int fd = open(options->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return status_error(STATUS_NOT_FOUND, "cannot open --log-file %s: %s", options->log_file, strerror(errno));
    ret->fd = fd;
    ret->path = options->log_file;
    return status_ok();
}

enum {
    OTHER_DESCRIPTORS = 256, /* for files, models and loops */
    SETTLE_MS = 200,         /* from the first change of a file until the files are read: others may follow */
    SAME_SIGNAL_MS = 100     /* what comes so soon behind the first signal is no second one */
};

/* Signals that end the server: blocked in all threads, and read from a descriptor by the main one. */
static sigset_t end_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* SIGHUP makes the server read its files again. */
static struct status open_signals(int *ret_fd) {
    sigset_t set = end_signals();
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN); /* a lost client is an error of its socket */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (*ret_fd < 0)
        return status_error(STATUS_INTERNAL, "cannot receive signals: %s", strerror(errno));
    return status_ok();
}

static uint64_t second_signal_ns; /* when one counts as a second; the handler can be given nothing */

static void exit_at_once(int signal_number) {
    (void)signal_number;
    if (clock_monotonic_ns() < second_signal_ns)
        return;
    static const char line[] = "second signal: exiting without waiting for requests\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    _exit(EXIT_FAILED);
}

/* From now on a signal is not read but ends the process, also while the main thread waits for requests to end. One that
 * has come with the first is not meant so: `timeout` signals a process and then its group. */
static void let_second_signal_exit(void) {
    sigset_t set = end_signals();
    struct sigaction action = {.sa_handler = exit_at_once, .sa_flags = SA_RESTART};
    const struct timespec no_time = {0};
    while (sigtimedwait(&set, NULL, &no_time) > 0)
        continue;
    second_signal_ns = clock_monotonic_ns() + SAME_SIGNAL_MS * NS_PER_MS;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Every connection takes a descriptor; the usual soft limit of 1024 would be the first to be reached. */
static void raise_descriptor_limit(const struct serve_options *options, struct log *log) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) || getrlimit(RLIMIT_NOFILE, &limit))
            return;
    }
    if (limit.rlim_cur < (rlim_t)options->max_connections + OTHER_DESCRIPTORS)
        LOG_WARNING(
            log, "the system allows %llu descriptors, too few for --max-connections=%lld: raise its limit (ulimit -Hn)",
            (unsigned long long)limit.rlim_cur, (long long)options->max_connections);
}

/* The kernel ends a process that takes more than it may have, and with it all requests. */
static void look_at_memory(const struct serve_options *options, uint64_t memory_bytes, struct log *log) {
    if (!memory_budget_fits(options->max_inflight_bytes, memory_bytes))
        LOG_WARNING(
            log,
            "requests and answers may take %lld bytes (--max-inflight-size), with %llu beside them and the models "
            "more than the %llu that this process may have: lower it and --max-request-size",
            (long long)options->max_inflight_bytes, (unsigned long long)MEMORY_BUDGET_BESIDE,
            (unsigned long long)memory_bytes);
}

/* How long to wait for more before files that have changed are read; none have: for as long as memory is left alone. */
static int settle_ms(uint64_t settled_ns) {
    uint64_t now = clock_monotonic_ns();
    if (settled_ns == 0)
        return SERVER_MEMORY_LOOK_MS;
    return settled_ns > now ? (int)((settled_ns - now) / NS_PER_MS) + 1 : 0;
}

/* Reads a signal. True when it ends the server. */
static bool take_signal(struct server *server, int signal_fd) {
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return false;
    if (info.ssi_signo == SIGHUP)
        server_reload_files(server);
    return info.ssi_signo != SIGHUP;
}

/* What the main thread does while the server runs: it looks after the files that may change. True for a signal, false
 * when the server is to stop because it failed. */
static bool wait_for_end(struct server *server, int signal_fd, int failure_fd) {
    uint64_t settled_ns = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                               {.fd = failure_fd, .events = POLLIN},
                               {.fd = server_watch_fd(server), .events = POLLIN}};
        int ready = poll(fds, 3, settle_ms(settled_ns));
        if (ready < 0)
            continue;
        if (ready == 0)
            server_return_memory(server);
        if (fds[0].revents & POLLIN) {
            if (take_signal(server, signal_fd))
                return true;
            continue; /* the descriptors may be others now */
        }
        if (fds[1].revents & POLLIN)
            return false;
        if (fds[2].revents & POLLIN) {
            file_watch_drain(fds[2].fd);
            settled_ns = settled_ns ? settled_ns : clock_monotonic_ns() + SETTLE_MS * NS_PER_MS;
        }
        if (settled_ns != 0 && clock_monotonic_ns() >= settled_ns) {
            settled_ns = 0;
            server_reload_files(server);
        }
    }
}

static int run(const struct serve_options *options, const struct serve_settings *settings, const char *version,
               struct log *log, int signal_fd, int failure_fd) {
    struct server *server = NULL;
    struct status status = server_start(options, settings, version, log, failure_fd, &server);
    if (!status_is_ok(&status)) {
        LOG_ERROR(log, "%s", status.message);
        return EXIT_FAILED;
    }
    bool asked = wait_for_end(server, signal_fd, failure_fd);
    let_second_signal_exit();
    LOG_INFO(log, "%s: finishing the requests under way", asked ? "signal received" : "exiting on error");
    uint64_t timeout_ns = (uint64_t)options->exit_timeout_secs * NS_PER_S;
    status = server_drain(server, clock_monotonic_ns() + timeout_ns);
    if (!status_is_ok(&status)) {
        LOG_ERROR(log, "exit timeout of %lld s has passed: %s; exiting", (long long)options->exit_timeout_secs,
                  status.message);
        _exit(EXIT_FAILED); /* threads are still at work: nothing can be taken apart */
    }
    server_destroy(server);
    LOG_INFO(log, "stopped");
    return asked ? EXIT_GOOD : EXIT_FAILED;
}

/* Parses the command line; false when *ret_exit_code tells how the program ends already. */
static bool read_options(int argc, char **argv, uint64_t memory_bytes, struct arena *scratch, struct serve_options *ret,
                         struct serve_settings *ret_settings, int *ret_exit_code) {
    enum options_outcome outcome;
    struct status status = options_parse(&serve_option_table, argc, argv, scratch, ret, NULL, &outcome);
    if (status_is_ok(&status) && outcome == OPTIONS_HELP) {
        options_print_help(&serve_option_table, stdout);
        limits_table_print(stdout);
        *ret_exit_code = EXIT_GOOD;
        return false;
    }
    if (status_is_ok(&status) && ret->repositories.count == 0)
        status = status_error(STATUS_INVALID_ARGUMENT, "--model-repository is missing: expected a folder of models");
    if (status_is_ok(&status) && !options_was_given(&serve_option_table, argc, argv, "max-inflight-size"))
        ret->max_inflight_bytes = memory_budget_default(ret->max_inflight_bytes, ret->max_request_bytes, memory_bytes);
    /* A quarter is divided among the connections; the largest request must find room in the rest. */
    if (status_is_ok(&status) && ret->max_inflight_bytes / 2 < ret->max_request_bytes)
        status = status_error(STATUS_INVALID_ARGUMENT,
                              "--max-inflight-size: expected at least %lld, twice --max-request-size, got %lld",
                              (long long)ret->max_request_bytes * 2, (long long)ret->max_inflight_bytes);
    if (status_is_ok(&status))
        status = settings_parse(ret, scratch, ret_settings);
    if (status_is_ok(&status))
        return true;
    fprintf(stderr, "inferd serve: %s\nTry 'inferd serve --help'.\n", status.message);
    *ret_exit_code = EXIT_USAGE;
    return false;
}

/* The bodies of requests and answers come and go. By its defaults the allocator gives their memory back to the system
 * each time, and to fault in and clear the pages of the next one costs more than all that is done with it. The end of
 * the heap of each further arena, up to 64 MiB, would then stay for good, as malloc_trim does not look there: hence one
 * arena. Small blocks come from caches of the threads, so that the threads hardly ever meet there. */
static void keep_freed_memory(void) {
    enum { MAPPED_FROM = 32 << 20, KEPT_BYTES = 64 << 20 };
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_ARENA_MAX, 1);
}

int serve_main(const char *version, int argc, char **argv) {
    keep_freed_memory();
    struct serve_options options = {0};
    struct serve_settings settings = {0};
    int exit_code = EXIT_FAILED, signal_fd = -1;
    const uint64_t memory_bytes = memory_limit(CGROUP_PATHS_DEFAULT);
    struct arena *scratch = arena_create(0);
    if (!scratch || !read_options(argc, argv, memory_bytes, scratch, &options, &settings, &exit_code)) {
        settings_free(&settings);
        arena_destroy(scratch);
        return exit_code;
    }
    struct log log;
    struct status status = open_log(&options, &log);
    int failure_fd = eventfd(0, EFD_CLOEXEC);
    if (status_is_ok(&status))
        status = open_signals(&signal_fd);
    if (status_is_ok(&status) && failure_fd < 0)
        status = status_error(STATUS_INTERNAL, "cannot make an eventfd: %s", strerror(errno));
    if (status_is_ok(&status)) {
        raise_descriptor_limit(&options, &log);
        look_at_memory(&options, memory_bytes, &log);
        exit_code = run(&options, &settings, version, &log, signal_fd, failure_fd);
    } else {
        LOG_ERROR(&log, "%s", status.message);
    }
    if (log.path)
        close(log.fd);
    if (failure_fd >= 0)
        close(failure_fd);
    if (signal_fd >= 0)
        close(signal_fd);
    settings_free(&settings);
    arena_destroy(scratch);
    return exit_code;
}

/* server.h: a running server: core, loop threads, ports and the thread that loads models; started, and stopped in
 * order.
 *
 * Thread: the main thread calls everything here. */
#ifndef INFERD_TOOLS_SERVE_SERVER_H
#define INFERD_TOOLS_SERVE_SERVER_H

#include "base/log.h"
#include "tools/serve/settings.h"

enum {
    SERVER_SHARE_MIN = 8 << 10,         /* bytes of a connection's own: enough to ask for the server's health */
    SERVER_METRICS_INFLIGHT = 32 << 20, /* bytes of answers on the metrics port */
    SERVER_WATCHES_MAX = 1024,          /* calls of grpc.health.v1's Watch open at once */
    SERVER_CALLS_WAITING_MAX = 64,      /* that are to load, unload or list models, beside those at work */
    SERVER_KEPT_MEMORY = 8 << 20,       /* freed bytes that are kept for what comes next */
    SERVER_MEMORY_LOOK_MS = 2000        /* between two calls of server_return_memory */
};

struct server;

/* Binds all ports, starts the threads and begins to load the models; the server answers from here on, and is ready when
 * the models are. Options, settings, log and version are borrowed until server_destroy. `on_failure_fd` is an eventfd
 * that is written to when the server should stop because of --exit-on-error. */
struct status server_start(const struct serve_options *options, const struct serve_settings *settings,
                           const char *version, struct log *log, int on_failure_fd,
                           struct server **ret) STATUS_MUST_CHECK;
/* A descriptor that turns readable when certificates, keys or tokens may have changed (file_watch.h); -1 when there are
 * none. It may be another one after server_reload_files. */
int server_watch_fd(const struct server *server);
/* Reads certificates, keys and tokens again. What is broken is logged, and the old ones stay. */
void server_reload_files(struct server *server);
/* Gives freed memory back to the system when there is much of it and requests and answers do not hold much. To be
 * called every few seconds: what was held between two calls counts. */
void server_return_memory(struct server *server);
/* Not ready any more; no new connections; waits for requests under way until the deadline (monotonic ns).
 * DEADLINE_EXCEEDED: some did not end, and the server cannot be destroyed: the process has to exit. */
struct status server_drain(struct server *server, uint64_t deadline_ns) STATUS_MUST_CHECK;
/* After a good server_drain, or a server_start that failed. Accepts NULL. */
void server_destroy(struct server *server);

#endif

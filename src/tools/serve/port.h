/* port.h: a port of the server: a listener, what it serves, and the choice of a protocol for each connection. */
#ifndef INFERD_TOOLS_SERVE_PORT_H
#define INFERD_TOOLS_SERVE_PORT_H

#include "net/listener.h"
#include "tools/serve/loop_thread.h"
#include "tools/serve/port_front.h"

/* What a port speaks, as ALPN has it: names in our order of preference, each behind its length. */
#define PORT_PROTOCOLS "\x02h2\x08http/1.1"

/* What a port is made of; the pointers are borrowed until port_close. */
struct port_options {
    const char *name; /* "HTTP", for the log */
    const char *address;
    int number;
    const struct http_limits *limits;
    size_t max_connections;
    struct tls_context *tls; /* NULL: plain */
};

/* Connections beyond max_connections that are answered for 5 s: questions for the server's health, and refusals. */
enum { PORT_CROWD = 64 };

struct port {
    struct port_front *fronts;       /* one for each loop; owned */
    struct port_front *crowd_fronts; /* for connections that are one too many; behind the others */
    const struct http_limits *limits;
    struct connection_policy policy;
    struct listener *listener;
};

/* Binds. `context` is the pattern for the fronts, which get their loops in; its classes tell what is served. Before the
 * loops run. */
struct status port_open(struct port *port, const struct port_options *options, const struct api_context *context,
                        struct loop_thread *threads, size_t thread_count) STATUS_MUST_CHECK;
/* After the loops have stopped and before they are destroyed. Good for a zeroed port. */
void port_close(struct port *port);

#endif

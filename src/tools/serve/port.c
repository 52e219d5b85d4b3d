#include "tools/serve/port.h"

#include <stdlib.h>
#include <string.h>

/* For a client without TLS on a port that has it. */
static const char text_refusal[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 54\r\n"
    "Connection: close\r\n\r\n{\"error\":\"this port speaks TLS: send https requests\"}\n";

/* HTTP/2 begins with a line that no HTTP/1.1 request can have (RFC 9113, section 3.4). A client that was promised one
 * of the two in the handshake must speak that one. */
static struct status choose_session(void *user, const struct connection_opening *opening,
                                    struct session **ret_session) {
    static const struct slice preface = {"PRI * HTTP/2.0\r\n", 16};
    const struct port *port = user;
    const struct port_front *front = &(opening->crowded ? port->crowd_fronts : port->fronts)[opening->loop_index];
    struct slice bytes = opening->bytes;
    size_t size = bytes.size < preface.size ? bytes.size : preface.size;
    if (size == 0)
        return status_ok();
    bool other = memcmp(bytes.data, preface.data, size) != 0;
    if (!other && size < preface.size)
        return status_ok(); /* more bytes will tell */
    if (opening->protocol.size > 0 && slice_equal_text(opening->protocol, "h2") == other)
        return status_error(STATUS_INVALID_ARGUMENT, "the client does not speak the protocol that was agreed on");
    return other ? h1_session_create(&front->handler, port->limits, ret_session)
                 : h2_session_create(&front->handler, port->limits, ret_session);
}

struct status port_open(struct port *port, const struct port_options *options, const struct api_context *context,
                        struct loop_thread *threads, size_t thread_count) {
    const struct http_limits *limits = options->limits;
    struct loop **loops = calloc(thread_count, sizeof(struct loop *));
    port->limits = limits;
    port->fronts = calloc(2 * thread_count, sizeof *port->fronts);
    if (!loops || !port->fronts) {
        free(loops);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the %s port", options->name);
    }
    struct api_context crowded = *context;
    crowded.crowded = true;
    port->crowd_fronts = port->fronts + thread_count;
    for (size_t i = 0; i < thread_count; i++) {
        loops[i] = threads[i].loop;
        port_front_init(&port->fronts[i], context, &threads[i].api, limits);
        port_front_init(&port->crowd_fronts[i], &crowded, &threads[i].api, limits);
    }
    port->policy = (struct connection_policy){.choose_session = choose_session,
                                              .user = port,
                                              .tls = options->tls,
                                              .text_refusal = SLICE_LITERAL(text_refusal),
                                              .max_connections = options->max_connections,
                                              .crowd_connections = PORT_CROWD,
                                              .first_bytes_timeout_ns = limits->head_timeout_ns,
                                              .write_timeout_ns = limits->body_timeout_ns};
    struct status status =
        listener_create(loops, thread_count, options->address, options->number, &port->policy, &port->listener);
    free(loops);
    return status;
}

void port_close(struct port *port) {
    listener_destroy(port->listener);
    port->listener = NULL;
    free(port->fronts);
    port->fronts = NULL;
}

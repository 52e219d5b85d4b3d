/* tls_ports.h: which port speaks TLS and with what: from the flags to the contexts of net/, which follow their files.
 *
 * Thread: the main thread. */
#ifndef INFERD_TOOLS_SERVE_TLS_PORTS_H
#define INFERD_TOOLS_SERVE_TLS_PORTS_H

#include "base/log.h"
#include "net/tls_context.h"
#include "tools/serve/options.h"

/* certificate_file is NULL where a port is plain, or is not there. */
struct tls_settings {
    struct tls_options http, grpc, metrics;
    bool plain_http, plain_grpc; /* there is such a port, without TLS */
};

/* INVALID_ARGUMENT names the flag that does not fit with the others. */
struct status tls_settings_parse(const struct serve_options *options, struct tls_settings *ret) STATUS_MUST_CHECK;

/* NULL where a port is plain or not there. Ports with the same settings share a context. */
struct tls_ports {
    struct tls_context *http, *grpc, *metrics;
};

/* Reads the files. `settings` are borrowed until tls_ports_close. */
struct status tls_ports_open(const struct tls_settings *settings, const struct log *log,
                             struct tls_ports *ret) STATUS_MUST_CHECK;
/* Reads them again; logs what has become of them. */
void tls_ports_reload(struct tls_ports *ports, const struct log *log);
/* After the last connection. Good for zeroed ports. */
void tls_ports_close(struct tls_ports *ports);

#endif

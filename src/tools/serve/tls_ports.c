#include "tools/serve/tls_ports.h"

#include <string.h>

#include "tools/serve/port.h"

/* ---- flags ---- */

static struct status needs(const char *flag, const char *other) {
    return status_error(STATUS_INVALID_ARGUMENT, "--%s: expected %s with it", flag, other);
}

/* Flags that mean nothing without another one are mistakes, not wishes to be ignored. */
static struct status check_pairs(const struct serve_options *options) {
    bool grpc = options->grpc_use_ssl || options->grpc_use_ssl_mutual;
    const struct {
        bool given, has_other;
        const char *flag, *other;
    } rules[] = {
        {options->tls_cert_file, options->tls_key_file, "tls-cert-file", "--tls-key-file"},
        {options->tls_key_file, options->tls_cert_file, "tls-key-file", "--tls-cert-file"},
        {options->tls_client_ca_file, options->tls_cert_file || grpc, "tls-client-ca-file", "--tls-cert-file"},
        {options->tls_metrics, options->tls_cert_file, "tls-metrics", "--tls-cert-file"},
        {options->tls_metrics, options->allow_metrics, "tls-metrics", "--allow-metrics"},
        {grpc, options->allow_grpc, options->grpc_use_ssl ? "grpc-use-ssl" : "grpc-use-ssl-mutual", "--allow-grpc"},
        {options->tls_cert_file, options->allow_http || !options->grpc_server_cert || options->tls_metrics,
         "tls-cert-file", "--allow-http or --tls-metrics, as the gRPC port has a certificate of its own,"},
        {options->grpc_server_cert, grpc, "grpc-server-cert", "--grpc-use-ssl"},
        {options->grpc_server_key, grpc, "grpc-server-key", "--grpc-use-ssl"},
        {options->grpc_server_cert, options->grpc_server_key, "grpc-server-cert", "--grpc-server-key"},
        {options->grpc_server_key, options->grpc_server_cert, "grpc-server-key", "--grpc-server-cert"},
        {options->grpc_root_cert, options->grpc_use_ssl_mutual, "grpc-root-cert", "--grpc-use-ssl-mutual"},
        {options->grpc_use_ssl_mutual, options->grpc_root_cert || options->tls_client_ca_file, "grpc-use-ssl-mutual",
         "--grpc-root-cert or --tls-client-ca-file"},
        {grpc, options->grpc_server_cert || options->tls_cert_file, "grpc-use-ssl",
         "--grpc-server-cert and --grpc-server-key, or --tls-cert-file and --tls-key-file"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].given && !rules[i].has_other)
            return needs(rules[i].flag, rules[i].other);
    return status_ok();
}

struct status tls_settings_parse(const struct serve_options *options, struct tls_settings *ret) {
    STATUS_TRY(check_pairs(options));
    const struct tls_options common = {
        .certificate_file = options->tls_cert_file,
        .key_file = options->tls_key_file,
        .client_ca_file = options->tls_client_ca_file,
        .min_version = strcmp(options->tls_min_version, "1.3") == 0 ? TLS_VERSION_1_3 : TLS_VERSION_1_2,
        .protocols = SLICE_LITERAL(PORT_PROTOCOLS),
    };
    *ret = (struct tls_settings){.plain_http = options->allow_http && !common.certificate_file};
    if (options->allow_http)
        ret->http = common;
    if (options->tls_metrics)
        ret->metrics = common;
    if (!options->allow_grpc)
        return status_ok();
    ret->grpc = common;
    if (options->grpc_server_cert) {
        ret->grpc.certificate_file = options->grpc_server_cert;
        ret->grpc.key_file = options->grpc_server_key;
    }
    if (options->grpc_root_cert)
        ret->grpc.client_ca_file = options->grpc_root_cert;
    ret->plain_grpc = !ret->grpc.certificate_file;
    return status_ok();
}

/* ---- contexts ---- */

static bool same_file(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same(const struct tls_options *a, const struct tls_options *b) {
    return same_file(a->certificate_file, b->certificate_file) && same_file(a->key_file, b->key_file) &&
           same_file(a->client_ca_file, b->client_ca_file);
}

static void log_context(const struct log *log, const char *ports, const struct tls_context *context,
                        const struct tls_options *options) {
    char text[256];
    tls_context_describe(context, text, sizeof text);
    LOG_INFO(log, "TLS on %s: certificate of %s%s", ports, text,
             options->client_ca_file ? "; clients need one too" : "");
}

struct status tls_ports_open(const struct tls_settings *settings, const struct log *log, struct tls_ports *ret) {
    bool shared = same(&settings->http, &settings->grpc);
    if (settings->http.certificate_file) {
        STATUS_TRY(tls_context_create(&settings->http, &ret->http));
        log_context(log, shared ? "the HTTP and gRPC ports" : "the HTTP port", ret->http, &settings->http);
    }
    if (shared) {
        ret->grpc = ret->http;
    } else if (settings->grpc.certificate_file) {
        STATUS_TRY(tls_context_create(&settings->grpc, &ret->grpc));
        log_context(log, "the gRPC port", ret->grpc, &settings->grpc);
    }
    if (!settings->metrics.certificate_file) {
        ret->metrics = NULL;
    } else if (ret->http) { /* the only certificate that it may have */
        ret->metrics = ret->http;
    } else if (same(&settings->metrics, &settings->grpc)) {
        ret->metrics = ret->grpc;
    } else {
        STATUS_TRY(tls_context_create(&settings->metrics, &ret->metrics));
        log_context(log, "the metrics port", ret->metrics, &settings->metrics);
    }
    if (ret->grpc && settings->plain_http)
        LOG_WARNING(log, "the HTTP port serves the same calls without TLS: give --tls-cert-file to protect both");
    return status_ok();
}

static void reload(struct tls_context *context, const char *port, const struct log *log) {
    bool changed = false;
    char text[256];
    if (!context)
        return;
    struct status status = tls_context_reload(context, &changed);
    if (!status_is_ok(&status)) {
        LOG_ERROR(log, "TLS on the %s port goes on with the certificate that it has: %s", port, status.message);
    } else if (changed) {
        tls_context_describe(context, text, sizeof text);
        LOG_INFO(log, "TLS on the %s port: new connections get the certificate of %s", port, text);
    }
}

/* True when the metrics port has a context that neither of the others has. */
static bool metrics_alone(const struct tls_ports *ports) {
    return ports->metrics != ports->http && ports->metrics != ports->grpc;
}

void tls_ports_reload(struct tls_ports *ports, const struct log *log) {
    reload(ports->http, "HTTP", log);
    if (ports->grpc != ports->http)
        reload(ports->grpc, "gRPC", log);
    if (metrics_alone(ports))
        reload(ports->metrics, "metrics", log);
}

void tls_ports_close(struct tls_ports *ports) {
    if (metrics_alone(ports))
        tls_context_destroy(ports->metrics);
    if (ports->grpc != ports->http)
        tls_context_destroy(ports->grpc);
    tls_context_destroy(ports->http);
    *ports = (struct tls_ports){NULL, NULL, NULL};
}

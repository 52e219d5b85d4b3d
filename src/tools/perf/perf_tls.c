#include "tools/perf/perf_tls.h"

#include <string.h>

#include "client/client_address.h"

static struct status contradiction(const char *text) {
    return status_error(STATUS_INVALID_ARGUMENT, "%s", text);
}

static bool is_secure(const char *url) {
    return url != NULL && client_target_has_scheme(url, "https://");
}

static struct status take_grpc(const struct perf_tls_flags *flags, const char *url, struct perf_tls *ret) {
    ret->server = (struct infer_tls){
        .ca_file = flags->grpc_ca, .certificate_file = flags->grpc_certificate, .key_file = flags->grpc_key};
    ret->used = flags->grpc_use || is_secure(url);
    bool any = flags->grpc_ca != NULL || flags->grpc_certificate != NULL || flags->grpc_key != NULL;
    if (any && !ret->used)
        return contradiction("the files of --ssl-grpc-* are for TLS: add --ssl-grpc-use-ssl");
    if (flags->grpc_use && client_target_has_scheme(url, "http://"))
        return contradiction("--ssl-grpc-use-ssl does not go with a URL that begins with http://");
    return status_ok();
}

static bool https_given(const struct perf_tls_flags *flags) {
    return flags->https_ca != NULL || flags->https_certificate != NULL || flags->https_key != NULL ||
           strcmp(flags->https_certificate_type, "PEM") != 0 || strcmp(flags->https_key_type, "PEM") != 0 ||
           flags->https_verify_peer != 1 || flags->https_verify_host != 2;
}

static struct infer_tls https_files(const struct perf_tls_flags *flags) {
    return (struct infer_tls){
        .ca_file = flags->https_ca,
        .certificate_file = flags->https_certificate,
        .key_file = flags->https_key,
        .certificate_der = strcmp(flags->https_certificate_type, "DER") == 0,
        .key_der = strcmp(flags->https_key_type, "DER") == 0,
        .any_issuer = flags->https_verify_peer == 0,
        .any_host = flags->https_verify_host == 0,
    };
}

static struct status check_own(const struct infer_tls *tls) {
    if ((tls->certificate_file != NULL) != (tls->key_file != NULL))
        return contradiction("our own certificate and its key: only one of them was given");
    if ((tls->certificate_der || tls->key_der) && tls->certificate_file == NULL)
        return contradiction("a form of our own certificate or key, but neither was given");
    return status_ok();
}

struct status perf_tls_take(const struct perf_tls_flags *flags, const struct perf_tls_urls *urls,
                            struct perf_tls *ret) {
    bool grpc_given =
        flags->grpc_use || flags->grpc_ca != NULL || flags->grpc_certificate != NULL || flags->grpc_key != NULL;
    bool https = https_given(flags), metrics = is_secure(urls->metrics);
    *ret = (struct perf_tls){.used = !urls->grpc && is_secure(urls->server), .server = https_files(flags)};
    if (urls->grpc && https && !metrics)
        return contradiction("--ssl-https-* are of HTTP: with -i grpc it is --ssl-grpc-*");
    if (!urls->grpc && grpc_given)
        return contradiction(
            "--ssl-grpc-* are of gRPC: with HTTP it is a URL that begins with https://, and --ssl-https-*");
    if (!urls->grpc && https && !ret->used && !metrics)
        return contradiction("--ssl-https-* are for TLS: they need a URL that begins with https://");
    if (urls->grpc)
        STATUS_TRY(take_grpc(flags, urls->server, ret));
    ret->metrics = https ? https_files(flags) : ret->server;
    STATUS_TRY(check_own(&ret->server));
    return check_own(&ret->metrics);
}

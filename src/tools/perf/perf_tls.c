#include "tools/perf/perf_tls.h"

#include <string.h>
#include <strings.h>

static struct status contradiction(const char *text) {
    return status_error(STATUS_INVALID_ARGUMENT, "%s", text);
}

static bool begins_with(const char *text, const char *start) {
    return strncasecmp(text, start, strlen(start)) == 0;
}

static struct status take_grpc(const struct perf_tls_flags *flags, const char *url, struct infer_tls *ret,
                               bool *ret_uses_tls) {
    *ret = (struct infer_tls){
        .ca_file = flags->grpc_ca, .certificate_file = flags->grpc_certificate, .key_file = flags->grpc_key};
    *ret_uses_tls = flags->grpc_use || begins_with(url, "https://");
    bool any = ret->ca_file != NULL || ret->certificate_file != NULL || ret->key_file != NULL;
    if (any && !*ret_uses_tls)
        return contradiction("the files of --ssl-grpc-* are for TLS: add --ssl-grpc-use-ssl");
    if (flags->grpc_use && begins_with(url, "http://"))
        return contradiction("--ssl-grpc-use-ssl does not go with a URL that begins with http://");
    return status_ok();
}

static struct status take_https(const struct perf_tls_flags *flags, const char *url, struct infer_tls *ret,
                                bool *ret_uses_tls) {
    *ret = (struct infer_tls){
        .ca_file = flags->https_ca,
        .certificate_file = flags->https_certificate,
        .key_file = flags->https_key,
        .certificate_der = strcmp(flags->https_certificate_type, "DER") == 0,
        .key_der = strcmp(flags->https_key_type, "DER") == 0,
        .any_issuer = flags->https_verify_peer == 0,
        .any_host = flags->https_verify_host == 0,
    };
    *ret_uses_tls = begins_with(url, "https://");
    bool any = ret->ca_file != NULL || ret->certificate_file != NULL || ret->key_file != NULL || ret->any_issuer ||
               ret->any_host;
    if (any && !*ret_uses_tls)
        return contradiction("--ssl-https-* are for TLS: they need a URL that begins with https://");
    return status_ok();
}

struct status perf_tls_take(const struct perf_tls_flags *flags, const char *url, bool grpc, struct infer_tls *ret,
                            bool *ret_uses_tls) {
    bool https_given = flags->https_ca != NULL || flags->https_certificate != NULL || flags->https_key != NULL ||
                       flags->https_verify_peer != 1 || flags->https_verify_host != 2;
    bool grpc_given =
        flags->grpc_use || flags->grpc_ca != NULL || flags->grpc_certificate != NULL || flags->grpc_key != NULL;
    if (grpc && https_given)
        return contradiction("--ssl-https-* are of HTTP: with -i grpc it is --ssl-grpc-*");
    if (!grpc && grpc_given)
        return contradiction(
            "--ssl-grpc-* are of gRPC: with HTTP it is a URL that begins with https://, and --ssl-https-*");
    STATUS_TRY(grpc ? take_grpc(flags, url, ret, ret_uses_tls) : take_https(flags, url, ret, ret_uses_tls));
    if ((ret->certificate_file != NULL) != (ret->key_file != NULL))
        return contradiction("our own certificate and its key: only one of them was given");
    return status_ok();
}

/* settings.h: what the flags with a grammar of their own say, parsed before anything is started, so that a mistake in
 * them is one of usage. */
#ifndef INFERD_TOOLS_SERVE_SETTINGS_H
#define INFERD_TOOLS_SERVE_SETTINGS_H

#include "api/access.h"
#include "api/header_pattern.h"
#include "api/metrics_text.h"
#include "tools/serve/options.h"
#include "tools/serve/tls_ports.h"
#include "trace/trace_config.h"

struct serve_settings {
    struct metrics_options metrics;
    struct trace_config trace;
    enum model_control control;
    struct header_pattern *http_forwarded, *grpc_forwarded; /* NULL: no header becomes a parameter */
    struct tls_settings tls;
    struct access_rule access_rules[OPTION_LIST_MAX];
    size_t access_rule_count;
};

/* INVALID_ARGUMENT names the flag. Texts are the arena's. Call settings_free in any case. */
struct status settings_parse(const struct serve_options *options, struct arena *arena,
                             struct serve_settings *ret) STATUS_MUST_CHECK;
void settings_free(struct serve_settings *settings); /* good for a zeroed one */

/* The files that are read again when they change; how many. Borrows. */
enum { SECURITY_FILES_MAX = 9 + OPTION_LIST_MAX };
size_t settings_security_files(const struct serve_settings *settings, const char *ret[SECURITY_FILES_MAX]);

#endif

#include "tools/serve/settings.h"

#include "base/clock.h"

static struct status parse_metrics(const struct serve_options *options, struct metrics_options *ret) {
    *ret = metrics_options_default();
    ret->interval_ns = (uint64_t)options->metrics_interval_ms * NS_PER_MS;
    for (size_t i = 0; i < options->metrics_config.count; i++) {
        struct status status = metrics_options_apply(ret, slice_of(options->metrics_config.items[i]));
        if (!status_is_ok(&status))
            return status_prefix(status, "--metrics-config");
    }
    return status_ok();
}

/* An empty expression forwards nothing. */
static struct status parse_pattern(const char *flag, const char *expression, struct header_pattern **ret) {
    if (!expression || !*expression)
        return status_ok();
    struct status status = header_pattern_create(expression, ret);
    return status_is_ok(&status) ? status : status_prefix(status, "%s", flag);
}

struct status settings_parse(const struct serve_options *options, struct serve_settings *ret) {
    STATUS_TRY(parse_metrics(options, &ret->metrics));
    STATUS_TRY(parse_pattern("--http-header-forward-pattern", options->http_forward_pattern, &ret->http_forwarded));
    return parse_pattern("--grpc-header-forward-pattern", options->grpc_forward_pattern, &ret->grpc_forwarded);
}

void settings_free(struct serve_settings *settings) {
    header_pattern_destroy(settings->http_forwarded);
    header_pattern_destroy(settings->grpc_forwarded);
}

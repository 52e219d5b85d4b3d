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

struct status settings_parse(const struct serve_options *options, struct serve_settings *ret) {
    return parse_metrics(options, &ret->metrics);
}

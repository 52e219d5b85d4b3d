/* settings.h: what the flags with a grammar of their own say, parsed before anything is started, so that a mistake in
 * them is one of usage. */
#ifndef INFERD_TOOLS_SERVE_SETTINGS_H
#define INFERD_TOOLS_SERVE_SETTINGS_H

#include "api/metrics_text.h"
#include "tools/serve/options.h"

struct serve_settings {
    struct metrics_options metrics;
};

/* INVALID_ARGUMENT names the flag. */
struct status settings_parse(const struct serve_options *options, struct serve_settings *ret) STATUS_MUST_CHECK;

#endif

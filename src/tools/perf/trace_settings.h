/* trace_settings.h: --trace-level and its like: the server's trace settings for as long as the measurement lasts. */
#ifndef INFERD_TOOLS_PERF_TRACE_SETTINGS_H
#define INFERD_TOOLS_PERF_TRACE_SETTINGS_H

#include "tools/perf/driver.h"
#include "tools/perf/perf_options.h"

enum { TRACE_SETTINGS_MAX = 4 }; /* that can be given */

struct trace_settings {
    struct driver *driver;                           /* borrowed; NULL: nothing was changed */
    struct infer_setting before[TRACE_SETTINGS_MAX]; /* of those that were changed; in the arena */
    size_t count;
};

/* Changes what the options name, and remembers what was there. Errors: what the server says; UNSUPPORTED. */
struct status trace_settings_change(const struct perf_options *options, struct driver *driver, struct arena *arena,
                                    struct trace_settings *ret) STATUS_MUST_CHECK;
/* Puts it back; does nothing on a zeroed one. */
struct status trace_settings_restore(struct trace_settings *settings, struct arena *arena) STATUS_MUST_CHECK;

#endif

/* perf_driver.h: from the command line to the driver that reaches the server it names. */
#ifndef INFERD_TOOLS_PERF_PERF_DRIVER_H
#define INFERD_TOOLS_PERF_PERF_DRIVER_H

#include "tools/perf/driver.h"
#include "tools/perf/perf_options.h"

/* Opens the driver that --service-kind asks for; what it borrows lives in the arena. Errors: those of the drivers. */
struct status perf_driver_open(const struct perf_options *options, struct arena *arena,
                               struct driver **ret) STATUS_MUST_CHECK;

#endif

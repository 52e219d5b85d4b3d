/* perf_values.h: values of the command line that have a form of their own: ranges, headers, parameters. */
#ifndef INFERD_TOOLS_PERF_PERF_VALUES_H
#define INFERD_TOOLS_PERF_PERF_VALUES_H

#include "tools/perf/perf_options.h"

/* The server's address, without asking for it, and a version: a number, or "" for the server's choice. Errors:
 * INVALID_ARGUMENT naming the flag. */
struct status perf_url_check(const char *url) STATUS_MUST_CHECK;
struct status perf_version_check(const char *version) STATUS_MUST_CHECK;
/* Two files that are to be written, or NULLs: they must not be the same, unless it is a device or a pipe. Errors:
 * INVALID_ARGUMENT naming both flags. */
struct status perf_outputs_check(const char *flag, const char *path, const char *other_flag,
                                 const char *other) STATUS_MUST_CHECK;
/* "start[:end[:step]]" with ":" alone for a left-out end. Errors: INVALID_ARGUMENT naming the flag. */
struct status perf_range_parse(const char *flag, const char *text, bool whole,
                               struct perf_range *ret) STATUS_MUST_CHECK;
/* "first[:end]" of --sequence-id-range, the end excluded; *ret_end is 0 where there is none. Errors: INVALID_ARGUMENT.
 */
struct status perf_ids_parse(const char *text, uint64_t *ret_first, uint64_t *ret_end) STATUS_MUST_CHECK;
/* "Name:Value"; names of gRPC metadata are made lower case. */
struct status perf_header_parse(const char *text, bool grpc, struct arena *arena,
                                struct infer_header *ret) STATUS_MUST_CHECK;
/* "name:value:type". */
struct status perf_parameter_parse(const char *text, struct infer_client_parameter *ret) STATUS_MUST_CHECK;

#endif

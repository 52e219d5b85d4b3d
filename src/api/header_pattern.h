/* header_pattern.h: which request headers become parameters of an inference: a regular expression for their names.
 *
 * Source: POSIX extended regular expressions (regcomp of the C library); the whole name must match, case is ignored, as
 * with Triton's flags of this kind. Thread: a pattern may be used by any. */
#ifndef INFERD_API_HEADER_PATTERN_H
#define INFERD_API_HEADER_PATTERN_H

#include "base/slice.h"
#include "base/status.h"

/* Longer names match nothing: what an expression may cost grows with the name, and a client chooses that. */
enum { HEADER_NAME_MAX = 256 };

struct header_pattern;

/* INVALID_ARGUMENT tells what is wrong with the expression. */
struct status header_pattern_create(const char *expression, struct header_pattern **ret) STATUS_MUST_CHECK;
void header_pattern_destroy(struct header_pattern *pattern); /* accepts NULL */
/* False for a NULL pattern. */
bool header_pattern_matches(const struct header_pattern *pattern, struct slice name);

#endif

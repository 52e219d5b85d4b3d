/* workload_values.h: made-up elements of tensors: zeros, random numbers, strings. */
#ifndef INFERD_TOOLS_PERF_WORKLOAD_VALUES_H
#define INFERD_TOOLS_PERF_WORKLOAD_VALUES_H

#include "base/arena.h"
#include "client/infer_client.h"
#include "tools/perf/random.h"

struct workload_values {
    bool zero;
    struct random_source *random;
    size_t string_length;
    const char *string_data; /* NULL: random letters, or none when `zero` */
};

/* `count` elements in wire form, in the arena. Numbers are finite: floats from -1 to 1, integers over their whole
 * range.
 */
struct status workload_values_fill(struct arena *arena, const struct workload_values *values, struct slice datatype,
                                   size_t count, struct slice *ret) STATUS_MUST_CHECK;
/* Draws the numbers (of BYTES: the letters, lengths stay) of a tensor made by workload_values_fill or joined of such.
 */
void workload_values_refresh(struct random_source *random, struct infer_tensor *tensor);

#endif

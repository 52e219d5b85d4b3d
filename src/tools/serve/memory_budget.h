/* memory_budget.h: how much memory requests and answers may take where --max-inflight-size does not say. */
#ifndef INFERD_TOOLS_SERVE_MEMORY_BUDGET_H
#define INFERD_TOOLS_SERVE_MEMORY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* What the process may take beside them, models left out (docs/limits.md). */
#define MEMORY_BUDGET_BESIDE ((uint64_t)256 << 20)

/* The usual number of bytes, or half of the memory that the process may have where that is less, or what is left of it
 * beside the rest where that is less still. Requests of the largest size need twice that, so that much is given, of the
 * usual number, in any case. */
int64_t memory_budget_default(int64_t usual_bytes, int64_t max_request_bytes, uint64_t memory_bytes);
/* Whether the process may have that much and what it takes beside. */
bool memory_budget_fits(int64_t budget_bytes, uint64_t memory_bytes);

#endif

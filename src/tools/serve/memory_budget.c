#include "tools/serve/memory_budget.h"

int64_t memory_budget_default(int64_t usual_bytes, int64_t max_request_bytes, uint64_t memory_bytes) {
    uint64_t bytes = memory_bytes / 2, least = 2 * (uint64_t)max_request_bytes;
    uint64_t left = memory_bytes > MEMORY_BUDGET_BESIDE ? memory_bytes - MEMORY_BUDGET_BESIDE : 0;
    if (left < bytes)
        bytes = left;
    if (least > bytes)
        bytes = least;
    return bytes < (uint64_t)usual_bytes ? (int64_t)bytes : usual_bytes;
}

bool memory_budget_fits(int64_t budget_bytes, uint64_t memory_bytes) {
    return memory_bytes >= MEMORY_BUDGET_BESIDE && (uint64_t)budget_bytes <= memory_bytes - MEMORY_BUDGET_BESIDE;
}

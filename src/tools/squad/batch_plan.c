/* batch_plan.c: windows -> requests. See batch_plan.h. */
#include "tools/squad/batch_plan.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the plan of requests");
}

/* Counting sort by length; windows of one length keep their order. False when memory is short. */
static bool order_by_length(struct arena *arena, const struct squad_windows *windows, uint32_t *order) {
    size_t *next = arena_calloc(arena, (size_t)windows->longest + 2, sizeof *next);
    if (next == NULL)
        return false;
    for (size_t i = 0; i < windows->window_count; i++)
        next[squad_window_size(&windows->windows[i]) + 1]++;
    for (size_t length = 1; length < (size_t)windows->longest + 2; length++)
        next[length] += next[length - 1];
    for (size_t i = 0; i < windows->window_count; i++)
        order[next[squad_window_size(&windows->windows[i])]++] = (uint32_t)i;
    return true;
}

static uint32_t size_at(const struct squad_windows *windows, const uint32_t *order, size_t at) {
    return squad_window_size(&windows->windows[order[at]]);
}

/* Takes up to batch_size windows from `first` on; without padding only those of one length. */
static struct planned_batch next_batch(const struct squad_windows *windows, const uint32_t *order, size_t first,
                                       enum squad_padding padding, uint32_t batch_size) {
    struct planned_batch batch = {(uint32_t)first, 0, size_at(windows, order, first)};
    for (size_t at = first; at < windows->window_count && batch.count < batch_size; at++) {
        uint32_t size = size_at(windows, order, at);
        if (padding == SQUAD_PAD_NONE && size != batch.sequence)
            break;
        if (size > batch.sequence)
            batch.sequence = size;
        batch.count++;
    }
    return batch;
}

struct status batch_plan_create(struct arena *arena, const struct squad_windows *windows, enum squad_padding padding,
                                uint32_t batch_size, uint32_t max_seq_length, struct batch_plan *ret) {
    uint32_t *order = arena_calloc(arena, windows->window_count, sizeof *order);
    struct planned_batch *batches = arena_calloc(arena, windows->window_count, sizeof *batches);
    if (order == NULL || batches == NULL)
        return out_of_memory();
    for (size_t i = 0; i < windows->window_count; i++)
        order[i] = (uint32_t)i;
    if (padding == SQUAD_PAD_NONE && !order_by_length(arena, windows, order))
        return out_of_memory();
    *ret = (struct batch_plan){.order = order, .batches = batches};
    for (size_t first = 0; first < windows->window_count;) {
        struct planned_batch batch = next_batch(windows, order, first, padding, batch_size);
        if (padding == SQUAD_PAD_MAX)
            batch.sequence = max_seq_length;
        batches[ret->batch_count++] = batch;
        ret->padded_tokens += (uint64_t)batch.count * batch.sequence;
        first += batch.count;
    }
    return status_ok();
}

#include "backends/openvino/shape_guard.h"

#include <string.h>

/* Codes of dimensions: these two; for a negative one the number itself; else the place of the first that is equal. */
enum { CODE_ZERO, CODE_ONE, CODE_FIRST_PLACE };

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the shapes of a model");
}

struct status shape_guard_init(struct shape_guard *guard, size_t width, struct arena *arena) {
    memset(guard, 0, sizeof *guard);
    pthread_mutex_init(&guard->lock, NULL);
    guard->width = width;
    guard->codes = arena_calloc(arena, width, sizeof *guard->codes);
    if (!guard->codes)
        return no_memory();
    for (size_t i = 0; i < SHAPE_GUARD_PATTERNS; i++) {
        guard->rows[i].codes = arena_calloc(arena, width, sizeof *guard->rows[i].codes);
        guard->rows[i].largest = arena_calloc(arena, width, sizeof *guard->rows[i].largest);
        if (!guard->rows[i].codes || !guard->rows[i].largest)
            return no_memory();
    }
    return status_ok();
}

void shape_guard_destroy(struct shape_guard *guard) {
    pthread_mutex_destroy(&guard->lock);
}

static uint32_t code_at(const int64_t *dims, size_t index) {
    if (dims[index] < 0)
        return (uint32_t)dims[index];
    if (dims[index] <= 1)
        return dims[index] == 1 ? CODE_ONE : CODE_ZERO;
    size_t place = 0;
    while (dims[place] != dims[index])
        place++;
    return (uint32_t)place + CODE_FIRST_PLACE;
}

/* The row with the pattern of `dims`, whose codes are then in guard->codes; NULL when there is none. */
static struct shape_pattern *find(struct shape_guard *guard, const int64_t *dims) {
    for (size_t i = 0; i < guard->width; i++)
        guard->codes[i] = code_at(dims, i);
    for (size_t i = 0; i < guard->count; i++)
        if (memcmp(guard->rows[i].codes, guard->codes, guard->width * sizeof *guard->codes) == 0)
            return &guard->rows[i];
    return NULL;
}

bool shape_guard_knows(struct shape_guard *guard, const int64_t *dims) {
    pthread_mutex_lock(&guard->lock);
    const struct shape_pattern *row = find(guard, dims);
    bool known = row != NULL;
    for (size_t i = 0; i < guard->width && known; i++)
        known = dims[i] <= row->largest[i];
    pthread_mutex_unlock(&guard->lock);
    return known;
}

void shape_guard_learn(struct shape_guard *guard, const int64_t *dims) {
    pthread_mutex_lock(&guard->lock);
    struct shape_pattern *row = find(guard, dims);
    if (!row) {
        row = &guard->rows[guard->next];
        guard->next = (guard->next + 1) % SHAPE_GUARD_PATTERNS;
        guard->count += guard->count < SHAPE_GUARD_PATTERNS;
        memcpy(row->codes, guard->codes, guard->width * sizeof *row->codes);
        memcpy(row->largest, dims, guard->width * sizeof *row->largest);
    }
    for (size_t i = 0; i < guard->width; i++)
        row->largest[i] = dims[i] > row->largest[i] ? dims[i] : row->largest[i];
    pthread_mutex_unlock(&guard->lock);
}

/* arena.h: memory that is freed all at once. One arena lives with each request, config or parsed file.
 *
 * Thread: an arena has one owner at a time; it is not locked. Under AddressSanitizer every allocation is a
 * malloc of its own, so that overruns are seen.
 * Errors: allocation returns NULL when memory is short or the arena's byte limit would be passed; callers
 * turn that into STATUS_RESOURCE_EXHAUSTED.
 */
#ifndef INFERD_BASE_ARENA_H
#define INFERD_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct arena;

/* limit_bytes: most that all allocations together may take; 0 for no limit. NULL when memory is short. */
struct arena *arena_create(size_t limit_bytes);
void arena_destroy(struct arena *arena); /* accepts NULL */
/* Frees all allocations but keeps the arena, and its first block, for reuse. */
void arena_reset(struct arena *arena);

/* Another limit than that of the creation, and not below what is used. */
void arena_set_limit(struct arena *arena, size_t limit_bytes);

/* From now on asks before it takes more memory than its first block: false means that there is none. `take` is called
 * by whoever allocates. */
void arena_set_gate(struct arena *arena, bool (*take)(void *user, size_t bytes), void *user);

/* Uninitialised, aligned for any type. Size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((warn_unused_result));
/* Zeroed array; checks count * size for overflow. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) __attribute__((warn_unused_result));
/* Copies with a NUL added behind. */
char *arena_strdup(struct arena *arena, struct slice text) __attribute__((warn_unused_result));
/* Copy of the bytes as a slice; {NULL, 0} when memory is short and text.size > 0. */
struct slice arena_copy(struct arena *arena, struct slice text);
/* The number in decimal; {NULL, 0} when memory is short. */
struct slice arena_u64(struct arena *arena, uint64_t value);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes handed out since creation or reset. */
size_t arena_used(const struct arena *arena);

#endif

#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_BLOCK_PER_OBJECT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_BLOCK_PER_OBJECT 1
#endif
#endif
#ifndef ARENA_BLOCK_PER_OBJECT
#define ARENA_BLOCK_PER_OBJECT 0
#endif

enum { ARENA_ALIGN = alignof(max_align_t), ARENA_FIRST_BLOCK = 4096 - 128, ARENA_MAX_BLOCK = 1 << 20 };

struct arena_block {
    struct arena_block *next; /* older block */
    size_t size;              /* of data */
    alignas(max_align_t) unsigned char data[];
};

/* Its first block lies behind it, in one piece of memory, but where each object has a block. */
struct arena {
    alignas(max_align_t) struct arena_block *top;
    unsigned char *at, *end; /* of the top block: what is free, as far as the limit goes */
    size_t older_used;       /* bytes handed out of the other blocks */
    size_t limit;
    bool (*gate)(void *user, size_t bytes);
    void *gate_user;
};

static struct arena_block *first_block(struct arena *arena) {
    return ARENA_BLOCK_PER_OBJECT ? NULL : (struct arena_block *)(arena + 1);
}

/* Whole units: what is free is as many, so that whatever fits in it fits when it is rounded up to them. */
static size_t rounded_down(size_t size) {
    return ARENA_BLOCK_PER_OBJECT ? size : size & ~(size_t)(ARENA_ALIGN - 1);
}

static size_t rounded_up(size_t size) {
    return ARENA_BLOCK_PER_OBJECT ? size : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

/* How much of the top block may be used. */
static void set_end(struct arena *arena) {
    size_t left = rounded_down(arena->limit - arena->older_used);
    arena->end = arena->top->data + (arena->top->size < left ? arena->top->size : left);
}

static void set_top(struct arena *arena, struct arena_block *block) {
    arena->top = block;
    arena->at = block->data;
    set_end(arena);
}

static void begin(struct arena *arena) {
    struct arena_block *first = first_block(arena);
    arena->top = NULL;
    arena->at = arena->end = NULL;
    arena->older_used = 0;
    if (!first)
        return;
    *first = (struct arena_block){.size = ARENA_FIRST_BLOCK};
    set_top(arena, first);
}

struct arena *arena_create(size_t limit_bytes) {
    size_t room = ARENA_BLOCK_PER_OBJECT ? 0 : sizeof(struct arena_block) + ARENA_FIRST_BLOCK;
    struct arena *arena = malloc(sizeof *arena + room);
    if (!arena)
        return NULL;
    arena->limit = limit_bytes ? limit_bytes : SIZE_MAX;
    arena->gate = NULL;
    begin(arena);
    return arena;
}

void arena_set_limit(struct arena *arena, size_t limit_bytes) {
    arena->limit = limit_bytes ? limit_bytes : SIZE_MAX;
    if (arena->top)
        set_end(arena);
}

void arena_set_gate(struct arena *arena, bool (*take)(void *user, size_t bytes), void *user) {
    arena->gate = take;
    arena->gate_user = user;
}

/* All but the first. */
static void free_blocks(struct arena *arena) {
    const struct arena_block *first = first_block(arena);
    for (struct arena_block *block = arena->top; block != first;) {
        struct arena_block *older = block->next;
        free(block);
        block = older;
    }
}

void arena_destroy(struct arena *arena) {
    if (!arena)
        return;
    free_blocks(arena);
    free(arena);
}

void arena_reset(struct arena *arena) {
    free_blocks(arena);
    begin(arena);
}

static bool push_block(struct arena *arena, size_t at_least) {
    size_t size = at_least;
    if (!ARENA_BLOCK_PER_OBJECT) {
        size = arena->top->size * 2;
        if (size > ARENA_MAX_BLOCK)
            size = ARENA_MAX_BLOCK;
        if (size < at_least)
            size = at_least;
    }
    if (size > SIZE_MAX - sizeof(struct arena_block) || (arena->gate && !arena->gate(arena->gate_user, size)))
        return false;
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block)
        return false;
    block->size = size;
    block->next = arena->top;
    arena->older_used = arena_used(arena);
    set_top(arena, block);
    return true;
}

static void *take(struct arena *arena, size_t size) {
    void *memory = arena->at;
    arena->at += rounded_up(size);
    return memory;
}

/* Where the top block has no room. Apart, since it hardly ever happens. */
__attribute__((noinline)) static void *take_from_new_block(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    size_t rounded = rounded_up(size ? size : 1);
    if (rounded > arena->limit - arena_used(arena) || !push_block(arena, rounded))
        return NULL;
    return take(arena, rounded);
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (ARENA_BLOCK_PER_OBJECT || size > (size_t)(arena->end - arena->at))
        return take_from_new_block(arena, size);
    return take(arena, size);
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *memory = arena_alloc(arena, total);
    if (memory)
        memset(memory, 0, total);
    return memory;
}

char *arena_strdup(struct arena *arena, struct slice text) {
    if (text.size == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, text.size + 1);
    if (!copy)
        return NULL;
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice text) {
    const char *copy = text.size ? arena_strdup(arena, text) : NULL;
    return (struct slice){copy, copy ? text.size : 0};
}

struct slice arena_u64(struct arena *arena, uint64_t value) {
    char digits[SLICE_U64_DIGITS];
    return arena_copy(arena, slice_from_u64(value, digits));
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_used(const struct arena *arena) {
    return arena->older_used + (arena->top ? (size_t)(arena->at - arena->top->data) : 0);
}

#include "fiber.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_SIZE = 256 << 10 };

/* ---- saving and loading registers ---- */

#ifdef __x86_64__
/* What a function must keep lies on the stack, so a context is a stack pointer. */
typedef void *context;

void fiber_switch_stacks(context *save, context load);
__asm__(".text\n"
        ".type fiber_switch_stacks, @function\n"
        "fiber_switch_stacks:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
        "  ret\n"
        ".size fiber_switch_stacks, . - fiber_switch_stacks\n");

static void switch_context(context *save, context *load) {
    fiber_switch_stacks(save, *load);
}

static void make_context(context *ret, char *stack, void (*function)(void)) {
    void **top = (void **)(void *)(stack + STACK_SIZE);
    *--top = NULL; /* the function's return address: it never returns */
    *--top = (void *)(size_t)function;
    for (int i = 0; i < 6; i++)
        *--top = NULL;
    *ret = top;
}
#else
#include <ucontext.h>
typedef ucontext_t context;

static void switch_context(context *save, context *load) {
    swapcontext(save, load);
}

static void make_context(context *ret, char *stack, void (*function)(void)) {
    getcontext(ret);
    ret->uc_stack.ss_sp = stack;
    ret->uc_stack.ss_size = STACK_SIZE;
    makecontext(ret, function, 0);
}
#endif

struct fiber {
    context inside, outside;
    char *stack;
    void (*function)(void *argument);
    void *argument;
    bool is_ended;
    void *fake_inside, *fake_outside; /* ASan's */
    const void *outer_stack;
    size_t outer_size;
};

static _Thread_local struct fiber *starting;

/* ---- telling ASan ---- */

static void enter_fiber(struct fiber *fiber) {
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&fiber->fake_outside, fiber->stack, STACK_SIZE);
#else
    (void)fiber;
#endif
}

static void has_entered(struct fiber *fiber) {
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_inside, &fiber->outer_stack, &fiber->outer_size);
#else
    (void)fiber;
#endif
}

static void leave_fiber(struct fiber *fiber) {
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(fiber->is_ended ? NULL : &fiber->fake_inside, fiber->outer_stack, fiber->outer_size);
#else
    (void)fiber;
#endif
}

static void has_left(struct fiber *fiber) {
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_outside, NULL, NULL);
#else
    (void)fiber;
#endif
}

/* ---- fibers ---- */

struct fiber *fiber_create(void) {
    struct fiber *fiber = calloc(1, sizeof *fiber);
    char *stack = aligned_alloc(64, STACK_SIZE);
    if (!fiber || !stack) {
        fprintf(stderr, "emulator: no memory for a thread of a kernel\n");
        abort();
    }
    fiber->stack = stack;
    fiber->is_ended = true;
    return fiber;
}

void fiber_destroy(struct fiber *fiber) {
    if (!fiber)
        return;
    free(fiber->stack);
    free(fiber);
}

static void run(void) {
    struct fiber *fiber = starting;
    has_entered(fiber);
    fiber->function(fiber->argument);
    fiber->is_ended = true;
    fiber_yield(fiber);
    abort();
}

void fiber_begin(struct fiber *fiber, void (*function)(void *argument), void *argument) {
#ifdef WITH_ASAN
    __asan_unpoison_memory_region(fiber->stack, STACK_SIZE); /* the frame that never returned */
#endif
    fiber->function = function;
    fiber->argument = argument;
    fiber->is_ended = false;
    fiber->fake_inside = NULL;
    make_context(&fiber->inside, fiber->stack, run);
}

bool fiber_resume(struct fiber *fiber) {
    starting = fiber;
    enter_fiber(fiber);
    switch_context(&fiber->outside, &fiber->inside);
    has_left(fiber);
    return fiber->is_ended;
}

void fiber_yield(struct fiber *fiber) {
    leave_fiber(fiber);
    switch_context(&fiber->inside, &fiber->outside);
    has_entered(fiber);
}

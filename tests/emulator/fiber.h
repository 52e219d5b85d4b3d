/* fiber.h: functions that run in turns on stacks of their own, switched by hand. Thread: a fiber and who resumes it are
 * one thread. The sanitizers are told of each switch. */
#ifndef INFERD_TESTS_EMULATOR_FIBER_H
#define INFERD_TESTS_EMULATOR_FIBER_H

#include <stdbool.h>

struct fiber;

struct fiber *fiber_create(void);
void fiber_destroy(struct fiber *fiber); /* accepts NULL; it has ended, or never began */

/* From now on the fiber is about to run function(argument). */
void fiber_begin(struct fiber *fiber, void (*function)(void *argument), void *argument);
/* Runs it until it yields or ends. True: it has ended. */
bool fiber_resume(struct fiber *fiber);
/* Of the fiber that runs: back to who resumed it. */
void fiber_yield(struct fiber *fiber);

#endif

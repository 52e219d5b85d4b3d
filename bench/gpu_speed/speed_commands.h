/* speed_commands.h: the subcommands of gpu_speed. Each reads its own options from argv[1..] and returns the exit code:
 * 0 good, 1 failed (or a result beyond its tolerance), 2 wrong usage. */
#ifndef INFERD_BENCH_SPEED_COMMANDS_H
#define INFERD_BENCH_SPEED_COMMANDS_H

#include "base/options.h"

int speed_check(int argc, char **argv);
int speed_layers(int argc, char **argv);
int speed_offline(int argc, char **argv);
int speed_latency(int argc, char **argv);

/* Parses, or prints help or the error; true: go on, otherwise *ret_code is the exit code. */
bool speed_options(const struct option_table *table, int argc, char **argv, struct arena *arena, void *ret,
                   int *ret_code);
/* "gpu_speed COMMAND: message" to stderr; 1. */
int speed_fail(const char *command, const struct status *status);

#endif

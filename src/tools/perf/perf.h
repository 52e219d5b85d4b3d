/* perf.h: `inferd perf`: loads a server and tells how it serves. */
#ifndef INFERD_TOOLS_PERF_PERF_H
#define INFERD_TOOLS_PERF_PERF_H

/* argv[0] is the subcommand's name. Returns the exit code: 0; 2 when a point was not stable; 3 for a wrong command
 * line; 99 for another failure, as perf_analyzer does. */
int perf_main(int argc, char **argv);

#endif

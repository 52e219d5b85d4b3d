/* serve.h: the subcommand `inferd serve`: the composition root, where loops, protocols, API and core are put together.
 */
#ifndef INFERD_TOOLS_SERVE_SERVE_H
#define INFERD_TOOLS_SERVE_SERVE_H

/* Runs the server until SIGTERM or SIGINT. Exit codes: 0 after a clean stop, 1 on a run-time failure, 2 on wrong usage.
 * `version` is the program's. */
int serve_main(const char *version, int argc, char **argv);

#endif

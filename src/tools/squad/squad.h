/* squad.h: the subcommand `inferd squad`: asks a server SQuAD questions through the client library, writes the three
 * prediction files, and scores the answers; or only scores a file of predictions. */
#ifndef INFERD_TOOLS_SQUAD_SQUAD_H
#define INFERD_TOOLS_SQUAD_SQUAD_H

/* argv[0] is the subcommand's name. Returns the exit code: 0 good, 1 failed at run time, 2 wrong usage. */
int squad_main(int argc, char **argv);

#endif

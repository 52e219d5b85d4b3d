/* export.h: the subcommand `inferd export`: a BERT checkpoint becomes a model version in a model repository. */
#ifndef INFERD_TOOLS_EXPORT_EXPORT_H
#define INFERD_TOOLS_EXPORT_EXPORT_H

/* argv[0] is the subcommand's name. Returns the exit status: 0 done, 1 failed, 2 wrong usage. Writes to stdout and
 * stderr. */
int export_main(int argc, char **argv);

#endif

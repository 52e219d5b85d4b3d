/* figures.h: the subcommand `inferd figures`: pictures (SVG, PNG) and a report (HTML) of what a load generator
 * measured. */
#ifndef INFERD_TOOLS_FIGURES_FIGURES_H
#define INFERD_TOOLS_FIGURES_FIGURES_H

/* argv[0] is the subcommand's name. Returns the exit code: 0 good, 1 failed at run time, 2 wrong usage. */
int figures_main(int argc, char **argv);

#endif

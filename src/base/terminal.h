/* terminal.h: what a stream that people may look at can show. Honours NO_COLOR (no-color.org) and TERM=dumb. */
#ifndef INFERD_BASE_TERMINAL_H
#define INFERD_BASE_TERMINAL_H

#include <stdio.h>

enum terminal_kind {
    TERMINAL_NONE,  /* a file, a pipe, or a terminal that cannot move its cursor: whole lines */
    TERMINAL_PLAIN, /* a terminal, without colours */
    TERMINAL_COLOUR
};

enum terminal_kind terminal_kind_of(FILE *out);
/* Columns that a line may take without a break; `otherwise` where the terminal does not tell. */
int terminal_width(FILE *out, int otherwise);

#endif

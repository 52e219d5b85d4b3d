/* engines.h: the backends that this program has: those compiled in, and where the plug-ins lie. */
#ifndef INFERD_TOOLS_ENGINES_ENGINES_H
#define INFERD_TOOLS_ENGINES_ENGINES_H

#include <stdio.h>

#include "base/arena.h"
#include "core/backend.h"

enum { ENGINES_BUILTIN_COUNT = 2 };

/* Fills the table of the backends that are compiled in. */
void engines_builtin(const struct backend_ops *ret[ENGINES_BUILTIN_COUNT]);

/* The folder of plug-ins that belongs to the running program: <its folder>/lib/inferd in a build tree, else
 * <its folder>/../lib/inferd as installed. NULL when memory is short. */
const char *engines_default_directory(struct arena *arena);
/* Writes a line for each engine, compiled in or found in the folder (by file name: none is loaded). */
void engines_print(const char *directory, FILE *out);

#endif

/* shared_library.h: functions of a library that is opened at run time, so that the program neither needs it to be built
 * nor to run where it is not.
 *
 * Thread: any; opening may take as long as the library's own start. The library stays open to the end of the process:
 * what drivers leave behind, such as threads, would run into unmapped code. */
#ifndef INFERD_BASE_SHARED_LIBRARY_H
#define INFERD_BASE_SHARED_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct library_function {
    const char *name;
    size_t place; /* of the pointer to it, in the struct that is filled */
    bool needed;  /* else the pointer is NULL where the library does not have it */
};

/* Opens the library and fills in the pointers. UNAVAILABLE: there is none, or it lacks a function that is needed; the
 * message tells which. */
struct status shared_library_open(const char *path, const struct library_function *functions, size_t count,
                                  void *ret) STATUS_MUST_CHECK;

#endif

/* trace_file.h: a file that holds one JSON array and grows by records; what is there is valid JSON between any two
 * appends. (Who reads in the middle of one may see a part of it.)
 *
 * Thread: one at a time. Errors name the path and the system's reason. */
#ifndef INFERD_TRACE_TRACE_FILE_H
#define INFERD_TRACE_TRACE_FILE_H

#include "base/slice.h"
#include "base/status.h"

struct trace_file {
    bool open;
    int fd;
    uint64_t size;    /* up to the closing bracket */
    uint64_t appends; /* since it was opened */
};

/* Makes the file, or empties it. */
struct status trace_file_open(const char *path, struct trace_file *ret) STATUS_MUST_CHECK;
/* Adds records, JSON values with commas between; all of them or, on an error, none. */
struct status trace_file_append(struct trace_file *file, struct slice records) STATUS_MUST_CHECK;
void trace_file_close(struct trace_file *file); /* good for a zeroed one */

#endif

/* file_watch.h: tells when files may have changed: certificates, keys, tokens. Their folders are watched, and those
 * that their links lead to, so that a file that is replaced by a rename, or by way of a link to a folder, is seen too.
 *
 * Thread: the main thread. */
#ifndef INFERD_TOOLS_SERVE_FILE_WATCH_H
#define INFERD_TOOLS_SERVE_FILE_WATCH_H

#include <stddef.h>

#include "base/status.h"

/* A descriptor that turns readable when anything in the folders of the files changes; the caller closes it. */
struct status file_watch_open(const char *const *files, size_t count, int *ret_fd) STATUS_MUST_CHECK;
/* Reads what has happened. */
void file_watch_drain(int fd);

#endif

/* guarded_map.h: a map of an object or a file that another process may cut short, safe against that process.
 *
 * The owner may truncate the object at any moment, and its file system may have no page left to give; touching such a
 * page raises SIGBUS, which ends a process. Ways round it that were weighed:
 * - looking at the size before each access leaves the moment between look and access;
 * - pread and pwrite cannot fault, but cost a system call and a copy for every tensor, where a map costs neither;
 * - a handler for SIGBUS, which is what this is: when the fault lies in one of these maps, the page and all behind it
 *   in that map become private zeros, the map is marked lost, and the access goes on. Whoever used the map asks
 *   guarded_map_is_lost afterwards, and throws away what he made of it.
 *
 * A thread that touches such a map must not block SIGBUS: a blocked fault ends the process.
 * The bytes themselves may change at any time: what must be read twice and be the same has to be copied first. A cut
 * in the middle of a page raises nothing: the rest of that page reads as zeros.
 * Thread: any, for different maps; a map is open while anyone may touch it. The handler takes no lock, and finds maps
 * in a table whose memory is never given back; the table and the handler are the process's own, since a signal has no
 * other context. Faults elsewhere go to whatever handled SIGBUS before. */
#ifndef INFERD_BASE_GUARDED_MAP_H
#define INFERD_BASE_GUARDED_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct guarded_map;

/* Maps `size` bytes (at least 1) from `offset`, of any alignment, for reading and writing. The descriptor may be closed
 * afterwards; the caller has checked that the object has these bytes. RESOURCE_EXHAUSTED, INTERNAL. */
struct status guarded_map_open(int fd, uint64_t offset, size_t size, struct guarded_map **ret) STATUS_MUST_CHECK;
/* The same from the start of the object, for reading only: the descriptor need not be writable. */
struct status guarded_map_open_read(int fd, size_t size, struct guarded_map **ret) STATUS_MUST_CHECK;
void guarded_map_close(struct guarded_map *map); /* accepts NULL */
char *guarded_map_data(const struct guarded_map *map);
/* True once an access met a page that is no longer there: the bytes read or written since then are not the object's. */
bool guarded_map_is_lost(const struct guarded_map *map);

#endif

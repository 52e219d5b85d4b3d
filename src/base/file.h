/* file.h: whole files in and out, read-only maps, and path arithmetic. No function follows a name that a network
 * client chose; those who build paths from client input check the name first (path_is_plain_name). */
#ifndef INFERD_BASE_FILE_H
#define INFERD_BASE_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/* A read-only map of a whole file. Its bytes stay valid until file_unmap, which accepts a zeroed map. When the file is
 * cut short meanwhile, what is missing reads as zeros (guarded_map.h). */
struct file_map {
    struct slice bytes;
    struct guarded_map *guard; /* private */
};
struct status file_map_open(const char *path, struct file_map *ret) STATUS_MUST_CHECK;
/* True once bytes were read that are no longer the file's: whoever made something of them throws it away. */
bool file_map_is_lost(const struct file_map *map);
void file_unmap(struct file_map *map);

/* Reads a regular file of at most max_bytes into ret (which it clears first). Errors name the path. */
struct status file_read(const char *path, size_t max_bytes, struct buf *ret) STATUS_MUST_CHECK;
/* The same for a file that holds a secret. PERMISSION_DENIED when others than its owner and group may use it. The
 * caller wipes the bytes when they are of no more use. */
struct status file_read_secret(const char *path, size_t max_bytes, struct buf *ret) STATUS_MUST_CHECK;
/* Reads as file_read does, and unpacks it when it begins with the gzip magic; max_bytes bounds the unpacked size too.
 */
struct status file_read_maybe_gzip(const char *path, size_t max_bytes, struct buf *ret) STATUS_MUST_CHECK;
/* Writes to a temporary name beside `path`, syncs, then renames over it: readers see the old or the new file. A name
 * that is a link, a device or a folder is refused. */
struct status file_write_atomic(const char *path, struct slice content) STATUS_MUST_CHECK;

/* For the outputs that a user names: as file_write_atomic, but a device or a pipe is written to, and so is standard
 * output by its name (/dev/stdout), behind what `stdout` holds. */
struct status file_write_output(const char *path, struct slice content) STATUS_MUST_CHECK;
/* Whether file_write_output could write there, as far as that can be told before: for those who write at the end of
 * long work. Errors name the path: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (a folder; a link to a file). */
struct status file_check_output(const char *path) STATUS_MUST_CHECK;

/* Writes a file that must not be there yet (mode 0600); ALREADY_EXISTS when something has its name. */
struct status file_write_new(const char *path, struct slice content) STATUS_MUST_CHECK;

bool file_exists(const char *path); /* follows links; true for folders too */
bool file_is_directory(const char *path);
bool file_is_same(const char *path, const char *other); /* two names of one file or folder; follows links */

/* Tells whether a file, or folder, is the one that it was. */
struct file_stamp {
    uint64_t device, inode, size;
    int64_t seconds, nanoseconds;
};
/* Since when it is as it is: FILE_WRITTEN is when its bytes were written last, as far as whoever wrote them tells the
 * truth; FILE_CHANGED cannot be set back, but a new name or other permissions count, too. */
enum file_time { FILE_WRITTEN, FILE_CHANGED };
/* Follows links. NOT_FOUND and others name the path. */
struct status file_stamp(const char *path, enum file_time time, struct file_stamp *ret) STATUS_MUST_CHECK;
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* Makes the folder and its missing parents (mode 0755); good when it exists. */
struct status file_make_directories(const char *path) STATUS_MUST_CHECK;
/* Makes a new folder below `parent`, its name the prefix and some letters, that only this user may enter (mode 0700);
 * the path is the arena's. */
struct status file_make_temporary_directory(const char *parent, const char *prefix, struct arena *arena,
                                            char **ret_path) STATUS_MUST_CHECK;
/* Removes a file, or a folder with all in it, without following links; good when nothing is there. */
struct status file_remove_tree(const char *path) STATUS_MUST_CHECK;
/* Names in a folder, sorted bytewise, without "." and ".."; memory from the arena. */
struct status file_list(const char *path, struct arena *arena, const char *const **ret_names,
                        size_t *ret_count) STATUS_MUST_CHECK;

/* "a" + "b" -> "a/b"; NULL when memory is short. */
char *path_join(struct arena *arena, const char *directory, const char *name);
enum { FILE_NAME_BYTES_MAX = 255 };
/* True for a non-empty name of at most FILE_NAME_BYTES_MAX bytes without '/', NUL or control characters that is not "."
 * or "..". */
bool path_is_plain_name(struct slice name);

#endif

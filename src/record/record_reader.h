/* record_reader.h: takes a file of records apart, in memory: one record after the other, or all of them in the order in
 * which they arrived.
 *
 * A file may end anywhere: its server may still run, or have been killed. A last line without its line feed is left
 * out, and `cut_bytes` says so; whether the server has written its last words is `ended`. Thread: one at a time. */
#ifndef INFERD_RECORD_RECORD_READER_H
#define INFERD_RECORD_RECORD_READER_H

#include "record/record.h"

struct record_reader {
    struct record_head head;
    uint64_t line;         /* read so far */
    bool ended;            /* the last line has been read: `end` */
    struct record_end end; /* texts of the arena that record_reader_next was given */
    size_t cut_bytes;      /* of a last record that is not whole */
    struct slice rest;     /* private: not read yet */
};

/* Reads the head. The bytes are borrowed as long as the reader is used; its texts are the arena's. INVALID_ARGUMENT for
 * what is no file of records, UNSUPPORTED for one of another form. */
struct status record_reader_open(struct slice bytes, struct arena *arena, struct record_reader *ret) STATUS_MUST_CHECK;
/* The next record, as it stands in the file; *ret_found is false at the end. Errors tell the line. */
struct status record_reader_next(struct record_reader *reader, struct arena *arena, struct record *ret,
                                 bool *ret_found) STATUS_MUST_CHECK;

/* A whole file, and what its reader must be told of it. */
struct record_file {
    struct record_head head;
    const struct record *records; /* by time of arrival */
    size_t count;
    struct slice notice; /* "the last record is cut off (25 bytes) and left out"; empty when all is in order */
};
/* Everything is the arena's. Errors name the path. */
struct status record_file_read(const char *path, struct arena *arena, struct record_file *ret) STATUS_MUST_CHECK;

#endif

/* recorder.h: writes the inferences that a server accepts to a file of records (docs/record.md), by a thread of its
 * own: an inference waits for nothing but the copy that is made of it.
 *
 * For each inference: recorder_begin -> the caller fills recorded->record, all memory from recorded->arena -> the
 * inference is submitted -> recorder_commit when it was accepted, recorder_discard when not. Thread: any, but create
 * and destroy. */
#ifndef INFERD_RECORD_RECORDER_H
#define INFERD_RECORD_RECORDER_H

#include <stdatomic.h>

#include "base/spool.h"
#include "record/record.h"

/* Bounds of what waits to be written. */
enum { RECORDER_QUEUE_MAX = 65536, RECORDER_QUEUE_MAX_BYTES = 256 << 20 };

struct recorder_options {
    const char *path;   /* must not be there yet: a record is never overwritten */
    bool bodies;        /* the tensors' bytes too */
    uint64_t max_bytes; /* of the file */
};
/* Smaller ones have no room for a record. */
enum { RECORDER_FILE_MIN = 1024 };

struct recorder {
    atomic_bool open; /* inferences are recorded; no more when the file is full */
    struct recorder_options options;
    uint64_t started_ns;        /* clock_monotonic_ns */
    struct recorder_state *own; /* recorder.c's */
};

/* An inference on its way into the file; memory of its arena. */
struct recorded {
    struct spool_item item;
    struct arena *arena;
    struct record record;
};

/* Nothing is recorded yet. The options are copied; `log` is borrowed. */
struct status recorder_create(const struct recorder_options *options, const struct log *log,
                              struct recorder **ret) STATUS_MUST_CHECK;
/* Makes the file (mode 0600), writes its head, which names the server ("inferd 0.1.0"), and starts the thread; once,
 * before any inference. ALREADY_EXISTS when there is something of that name. */
struct status recorder_open(struct recorder *recorder, const char *server) STATUS_MUST_CHECK;
/* Writes what waits, within a few seconds, and the end of the record. Accepts NULL. */
void recorder_destroy(struct recorder *recorder);

static inline bool recorder_is_open(const struct recorder *recorder) {
    return recorder && atomic_load_explicit(&recorder->open, memory_order_relaxed);
}
/* An empty record; NULL when there is no room for one with so many bytes of data, or no memory. */
struct recorded *recorder_begin(struct recorder *recorder, size_t data_bytes);
/* Takes it over; NULL is counted as dropped. Never waits. */
void recorder_commit(struct recorder *recorder, struct recorded *recorded);
void recorder_discard(struct recorded *recorded); /* accepts NULL */

struct spool_counts recorder_counts(struct recorder *recorder);
uint64_t recorder_file_size(const struct recorder *recorder); /* bytes */

#endif

#include "record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Many records are written at once, and seldom: the thread that wakes up competes with those that serve. */
enum { BATCH = 4096 };
#define DELAY_NS (50 * NS_PER_MS)
#define WRITE_TIMEOUT_NS (10 * NS_PER_S)
/* How long the end may take. */
#define END_NS (5 * NS_PER_S)
/* Encoded and not written yet, roughly. */
enum { PORTION = 1 << 20, TEXT_KEPT = 4 * PORTION };

struct recorder_state {
    struct recorder *recorder;
    char *path;
    const struct log *log;
    struct spool *spool;
    int fd;
    bool ended;                     /* the last line is written */
    uint64_t records;               /* written */
    atomic_uint_fast64_t file_size; /* up to the last whole line */
    struct buf text;                /* lines that are not written yet */
};

/* ---- the file ---- */

static bool write_all(int fd, struct slice bytes) {
    while (bytes.size > 0) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes.data += written;
        bytes.size -= (size_t)written;
    }
    return true;
}

/* Writes the lines, all of them or, on an error, none. */
static struct status flush(struct recorder_state *state) {
    uint64_t size = atomic_load(&state->file_size);
    struct status status = status_ok();
    if (buf_failed(&state->text)) {
        status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for records");
    } else if (write_all(state->fd, buf_slice(&state->text))) {
        atomic_store(&state->file_size, size + state->text.size);
    } else {
        status = status_error(STATUS_INTERNAL, "cannot write %s: %s", state->path, strerror(errno));
        (void)!ftruncate(state->fd, (off_t)size);
    }
    if (state->text.capacity > TEXT_KEPT)
        buf_free(&state->text);
    buf_clear(&state->text);
    return status;
}

static void write_end(struct recorder_state *state, const char *reason) {
    struct spool_counts counts = spool_counts(state->spool);
    const struct record_end end = {slice_of(reason), state->records, counts.dropped, counts.failed};
    record_end_write(&end, &state->text);
    state->ended = true;
    struct status status = flush(state);
    (void)status; /* the lines before it are whole */
}

/* ---- the thread ---- */

/* Adds the line of a record; false when the file has no room for it. */
static bool add_line(struct recorder_state *state, const struct record *record) {
    size_t before = state->text.size;
    record_write(record, &state->text);
    uint64_t size = atomic_load(&state->file_size) + state->text.size;
    if (buf_failed(&state->text) || size + RECORD_END_MAX <= state->recorder->options.max_bytes)
        return true;
    state->text.size = before;
    return false;
}

static struct status full(const struct recorder_state *state) {
    return status_error(STATUS_RESOURCE_EXHAUSTED,
                        "%s has reached its size of %" PRIu64 " bytes; nothing more is "
                        "recorded",
                        state->path, state->recorder->options.max_bytes);
}

/* Writes the lines that wait, `count` of them, and books them. */
static void settle(struct recorder_state *state, size_t *count, size_t *written, struct status *ret_status) {
    struct status status = flush(state);
    if (status_is_ok(&status)) {
        *written += *count;
        state->records += *count;
    } else {
        *ret_status = status;
    }
    *count = 0;
}

static size_t write_records(void *user, struct spool_item *list, const atomic_uint_fast64_t *deadline_ns,
                            struct status *ret_status) {
    (void)deadline_ns; /* a local file */
    struct recorder_state *state = user;
    size_t written = 0, lines = 0;
    bool room = !state->ended;
    while (list) {
        struct recorded *recorded = (struct recorded *)list;
        list = list->next;
        room = room && add_line(state, &recorded->record);
        lines += room ? 1 : 0;
        recorder_discard(recorded);
        if (state->text.size >= PORTION)
            settle(state, &lines, &written, ret_status);
    }
    settle(state, &lines, &written, ret_status);
    if (!room) {
        *ret_status = full(state);
        atomic_store(&state->recorder->open, false);
        if (!state->ended)
            write_end(state, "max-size");
    }
    return written;
}

static void destroy_item(struct spool_item *item) {
    recorder_discard((struct recorded *)item);
}

static void destroy_state(void *user) {
    struct recorder_state *state = user;
    if (state->fd >= 0) {
        if (!state->ended)
            write_end(state, "stopped");
        close(state->fd);
    }
    buf_free(&state->text);
    free(state->recorder);
    free(state->path);
    free(state);
}

/* ---- what is recorded ---- */

enum { RECORD_ROOM = 1024 }; /* what a record takes beside its data, roughly */

struct recorded *recorder_begin(struct recorder *recorder, size_t data_bytes) {
    if (data_bytes > RECORDER_QUEUE_MAX_BYTES || !spool_has_room(recorder->own->spool, data_bytes + RECORD_ROOM))
        return NULL;
    struct arena *arena = arena_create(0);
    struct recorded *recorded = arena ? arena_calloc(arena, 1, sizeof *recorded) : NULL;
    if (recorded)
        recorded->arena = arena;
    else
        arena_destroy(arena);
    return recorded;
}

void recorder_commit(struct recorder *recorder, struct recorded *recorded) {
    struct spool *spool = recorder->own->spool;
    if (!recorded) {
        spool_drop(spool);
        return;
    }
    recorded->item.size = arena_used(recorded->arena);
    spool_push(spool, &recorded->item);
}

void recorder_discard(struct recorded *recorded) {
    if (recorded)
        arena_destroy(recorded->arena);
}

struct spool_counts recorder_counts(struct recorder *recorder) {
    return spool_counts(recorder->own->spool);
}

uint64_t recorder_file_size(const struct recorder *recorder) {
    return atomic_load(&recorder->own->file_size);
}

/* ---- life ---- */

static struct status open_file(const char *path, int *ret) {
    *ret = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (*ret < 0 && errno == EEXIST)
        return status_error(STATUS_ALREADY_EXISTS, "%s is there already: a record is never overwritten", path);
    if (*ret < 0)
        return status_error(STATUS_NOT_FOUND, "cannot make %s: %s", path, strerror(errno));
    return status_ok();
}

static struct status write_head(struct recorder_state *state, const char *server) {
    uint64_t now_ns = clock_realtime_ns();
    time_t seconds = (time_t)(now_ns / NS_PER_S);
    struct tm utc;
    char date[32], started[48];
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(started, sizeof started, "%s.%09" PRIu64 "Z", date, now_ns % NS_PER_S);
    const struct record_head head = {slice_of(server), slice_of(started), state->recorder->options.bodies};
    record_head_write(&head, &state->text);
    return flush(state);
}

static struct status create_spool(struct recorder_state *state) {
    const struct spool_options options = {.what = "records",
                                          .thread = "recorder",
                                          .log = state->log,
                                          .max_items = RECORDER_QUEUE_MAX,
                                          .max_bytes = RECORDER_QUEUE_MAX_BYTES,
                                          .batch = BATCH,
                                          .delay_ns = DELAY_NS,
                                          .write_timeout_ns = WRITE_TIMEOUT_NS,
                                          .write = write_records,
                                          .destroy_item = destroy_item,
                                          .destroy_user = destroy_state,
                                          .user = state};
    return spool_create(&options, &state->spool);
}

struct status recorder_create(const struct recorder_options *options, const struct log *log, struct recorder **ret) {
    struct recorder *recorder = calloc(1, sizeof *recorder);
    struct recorder_state *state = calloc(1, sizeof *state);
    char *path = strdup(options->path);
    struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a recorder");
    if (recorder && state && path) {
        *state = (struct recorder_state){.recorder = recorder, .path = path, .log = log, .fd = -1};
        recorder->options = *options;
        recorder->options.path = path;
        recorder->own = state;
        status = create_spool(state);
    }
    if (status_is_ok(&status)) {
        *ret = recorder;
        return status;
    }
    free(recorder);
    free(state);
    free(path);
    return status;
}

struct status recorder_open(struct recorder *recorder, const char *server) {
    struct recorder_state *state = recorder->own;
    STATUS_TRY(open_file(state->path, &state->fd));
    recorder->started_ns = clock_monotonic_ns();
    STATUS_TRY(write_head(state, server));
    STATUS_TRY(spool_start(state->spool));
    atomic_store(&recorder->open, true);
    return status_ok();
}

void recorder_destroy(struct recorder *recorder) {
    if (recorder)
        spool_destroy(recorder->own->spool, END_NS);
}

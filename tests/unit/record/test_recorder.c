/* The recorder: its file, its bound, and what becomes of what does not fit. */
#include "record_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "record/record_reader.h"
#include "record/recorder.h"

#define wait_until(condition)                                                                                          \
    while (!(condition))                                                                                               \
    usleep(500)

struct fixture {
    char folder[64], path[96];
    FILE *log_file;
    struct log log;
    struct recorder *recorder;
    struct arena *arena;
    struct record_file file;
};

static void fixture_begin(struct fixture *f, uint64_t max_bytes) {
    *f = (struct fixture){.log = log_default(), .log_file = tmpfile(), .arena = arena_create(0)};
    f->log.fd = fileno(f->log_file);
    snprintf(f->folder, sizeof f->folder, "/tmp/inferd-recorder-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/record", f->folder);
    const struct recorder_options options = {.path = f->path, .bodies = true, .max_bytes = max_bytes};
    assert_good(recorder_create(&options, &f->log, &f->recorder));
}

static void fixture_open(struct fixture *f, uint64_t max_bytes) {
    fixture_begin(f, max_bytes);
    assert_false(recorder_is_open(f->recorder));
    assert_good(recorder_open(f->recorder, "inferd 1.2.3"));
    assert_true(recorder_is_open(f->recorder));
}

/* Ends the record and reads it. */
static void fixture_read(struct fixture *f) {
    recorder_destroy(f->recorder);
    f->recorder = NULL;
    assert_good(record_file_read(f->path, f->arena, &f->file));
}

static void fixture_end(struct fixture *f) {
    recorder_destroy(f->recorder);
    arena_destroy(f->arena);
    fclose(f->log_file);
    assert_good(file_remove_tree(f->folder));
}

static bool log_says(const struct fixture *f, const char *text) {
    char content[8192] = {0};
    assert_true(pread(f->log.fd, content, sizeof content - 1, 0) >= 0);
    return strstr(content, text) != NULL;
}

static void record(struct recorder *recorder, uint64_t at_ns, struct slice model) {
    struct recorded *recorded = recorder_begin(recorder, 0);
    if (recorded) {
        recorded->record = small_record;
        recorded->record.at_ns = at_ns;
        recorded->record.model = arena_copy(recorded->arena, model);
    }
    recorder_commit(recorder, recorded);
}

static void a_record_of_several(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, 1 << 20);
    record(f.recorder, 2, slice_of("b"));
    record(f.recorder, 1, slice_of("a"));
    recorder_discard(recorder_begin(f.recorder, 10));
    recorder_discard(NULL);
    wait_until(recorder_counts(f.recorder).written == 2);
    struct stat there;
    assert_int_equal(stat(f.path, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0600);
    assert_int_equal(recorder_file_size(f.recorder), there.st_size);
    fixture_read(&f);
    assert_int_equal(f.file.count, 2);
    assert_slice(f.file.records[0].model, "a");
    assert_slice(f.file.head.server, "inferd 1.2.3");
    assert_true(f.file.head.bodies);
    assert_int_equal(f.file.head.started.size, strlen("2026-01-02T03:04:05.000000006Z"));
    assert_slice(f.file.notice, "");
    fixture_end(&f);
}

static void a_file_that_is_there_is_left_alone(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f, 1 << 20);
    assert_good(file_write_new(f.path, slice_of("mine")));
    struct status status = recorder_open(f.recorder, "inferd");
    assert_int_equal(status.code, STATUS_ALREADY_EXISTS);
    assert_non_null(strstr(status.message, "is there already: a record is never overwritten"));
    recorder_destroy(f.recorder);
    f.recorder = NULL;
    struct buf content = BUF_EMPTY;
    assert_good(file_read(f.path, 100, &content));
    assert_slice(buf_slice(&content), "mine");
    buf_free(&content);
    fixture_end(&f);
}

static void a_place_that_cannot_be_written(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f, 1 << 20);
    rmdir(f.folder);
    struct status status = recorder_open(f.recorder, "inferd");
    assert_non_null(strstr(status.message, "cannot make "));
    assert_non_null(strstr(status.message, "No such file or directory"));
    fixture_end(&f);
}

/* The file ends at its bound with the last record that fits, and says so. */
static void a_file_that_is_full(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, RECORDER_FILE_MIN);
    for (uint64_t i = 0; i < 100; i++)
        record(f.recorder, i, slice_of("model"));
    wait_until(!recorder_is_open(f.recorder));
    wait_until(log_says(&f, "records are lost: "));
    assert_true(log_says(&f, "has reached its size of 1024 bytes; nothing more is recorded"));
    struct spool_counts counts = recorder_counts(f.recorder);
    assert_int_equal(counts.written + counts.failed, 100);
    fixture_read(&f);
    assert_int_equal(f.file.count, counts.written);
    assert_in_range(f.file.count, 10, 20);
    struct stat there;
    assert_int_equal(stat(f.path, &there), 0);
    assert_in_range(there.st_size, RECORDER_FILE_MIN - 200, RECORDER_FILE_MIN);
    fixture_end(&f);
}

/* When the disk is full the file keeps its whole lines, and goes on when there is room again. */
static void a_full_disk(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, 1 << 20);
    record(f.recorder, 1, slice_of("before"));
    wait_until(recorder_counts(f.recorder).written == 1);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = recorder_file_size(f.recorder) + 10, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    record(f.recorder, 2, slice_of("lost"));
    wait_until(recorder_counts(f.recorder).failed == 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    record(f.recorder, 3, slice_of("after"));
    wait_until(recorder_counts(f.recorder).written == 2);
    fixture_read(&f);
    assert_int_equal(f.file.count, 2);
    assert_slice(f.file.records[1].model, "after");
    assert_slice(f.file.notice, "1 inferences are missing: the server could not write them as they came");
    fixture_end(&f);
}

static void no_room_is_counted(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, 1 << 20);
    struct recorded *recorded = recorder_begin(f.recorder, RECORDER_QUEUE_MAX_BYTES);
    assert_null(recorded);
    recorder_commit(f.recorder, recorded);
    assert_null(recorder_begin(f.recorder, SIZE_MAX));
    assert_int_equal(recorder_counts(f.recorder).dropped, 1);
    fixture_read(&f);
    assert_true(log_says(&f, "1 records were dropped"));
    assert_slice(f.file.notice, "1 inferences are missing: the server could not write them as they came");
    fixture_end(&f);
}

enum { THREADS = 4, EACH = 2000 };

static void *record_many(void *user) {
    char model[300];
    memset(model, 'm', sizeof model);
    for (uint64_t i = 0; i < EACH; i++)
        record(user, i, (struct slice){model, 1 + i % sizeof model});
    return NULL;
}

static void several_threads(void **state) {
    (void)state;
    struct fixture f;
    pthread_t threads[THREADS];
    fixture_open(&f, 64 << 20);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, f.recorder), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    fixture_read(&f);
    assert_int_equal(f.file.count, THREADS * EACH);
    for (uint64_t i = 0; i < THREADS * EACH; i++)
        assert_int_equal(f.file.records[i].model.size, 1 + i / THREADS % 300);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_of_several),
        cmocka_unit_test(a_file_that_is_there_is_left_alone),
        cmocka_unit_test(a_place_that_cannot_be_written),
        cmocka_unit_test(a_file_that_is_full),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(no_room_is_counted),
        cmocka_unit_test(several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "trace/trace_writer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/worker_thread.h"
#include "trace/otlp_exporter.h"
#include "trace/otlp_spans.h"
#include "trace/trace_json.h"
#include "trace/trace_priv.h"

/* A collector that does not answer is told of once, and then at most so often. */
#define COMPLAINT_INTERVAL_NS (60 * NS_PER_S)
/* How long sending one portion may take. */
#define EXPORT_TIMEOUT_NS (10 * NS_PER_S)

/* What a thread that is late may take beyond the time to end, before it is left behind. */
#define GRACE_NS (500 * NS_PER_MS)

struct trace_writer {
    struct arena *arena; /* of the texts in config */
    struct trace_config config;
    const char *version;
    const struct log *log;
    size_t max_queued; /* traces */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool started, stopping, ended;
    bool abandoned;   /* the thread has nobody to tell anything, and frees this at its end */
    uint64_t stop_ns; /* when to give up, while stopping */
    struct trace *first, **last;
    size_t queued, queued_bytes;
    struct trace_counts counts;
    pthread_t thread;

    atomic_uint_fast64_t deadline_ns; /* of what is being sent */

    /* The thread's own. */
    struct trace_file file; /* of log_frequency 0 */
    uint32_t next_index;    /* of <file>.<n> */
    bool failing;
    uint64_t complained_ns, failed_before;
};

static void free_writer(struct trace_writer *writer) {
    trace_file_close(&writer->file);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    arena_destroy(writer->arena);
    free(writer);
}

struct status trace_writer_create(const struct trace_config *config, const char *version, const struct log *log,
                                  struct trace_writer **ret) {
    struct trace_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a writer of traces");
    pthread_mutex_init(&writer->lock, NULL);
    monotonic_cond_init(&writer->changed);
    writer->version = version;
    writer->log = log;
    writer->last = &writer->first;
    writer->max_queued = TRACE_QUEUE_MAX;
    if (config->mode == TRACE_MODE_OPENTELEMETRY)
        writer->max_queued = ((size_t)config->otlp.max_queue_size + TRACE_SPANS - 1) / TRACE_SPANS;
    writer->arena = arena_create(0);
    struct status status = writer->arena ? trace_config_copy(config, writer->arena, &writer->config)
                                         : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for trace settings");
    if (status_is_ok(&status))
        *ret = writer;
    else
        free_writer(writer);
    return status;
}

const struct trace_config *trace_writer_config(const struct trace_writer *writer) {
    return &writer->config;
}

/* ---- the queue ---- */

static size_t size_of(const struct trace *trace) {
    return arena_used(trace->arena) + trace->stamp_capacity * sizeof *trace->stamps;
}

void trace_writer_push(struct trace_writer *writer, struct trace *trace) {
    size_t size = size_of(trace);
    trace->next = NULL;
    pthread_mutex_lock(&writer->lock);
    bool room = writer->queued < writer->max_queued && size <= TRACE_QUEUE_MAX_BYTES - writer->queued_bytes;
    if (room) {
        *writer->last = trace;
        writer->last = &trace->next;
        writer->queued++;
        writer->queued_bytes += size;
        pthread_cond_signal(&writer->changed);
    } else {
        writer->counts.dropped++;
    }
    pthread_mutex_unlock(&writer->lock);
    if (!room)
        trace_destroy(trace);
}

struct trace_counts trace_writer_counts(struct trace_writer *writer) {
    pthread_mutex_lock(&writer->lock);
    struct trace_counts counts = writer->counts;
    pthread_mutex_unlock(&writer->lock);
    return counts;
}

/* Takes up to `max` traces off the queue; under the lock. */
static struct trace *take(struct trace_writer *writer, size_t max) {
    struct trace *list = writer->first, **end = &list;
    for (size_t i = 0; i < max && *end; i++) {
        writer->queued--;
        writer->queued_bytes -= size_of(*end);
        end = &(*end)->next;
    }
    writer->first = *end;
    if (!writer->first)
        writer->last = &writer->first;
    *end = NULL;
    return list;
}

static size_t destroy_list(struct trace *list) {
    size_t count = 0;
    while (list) {
        struct trace *next = list->next;
        trace_destroy(list);
        list = next;
        count++;
    }
    return count;
}

/* ---- what becomes of them ---- */

static void complain(struct trace_writer *writer, const struct status *status) {
    uint64_t now_ns = clock_monotonic_ns();
    if (writer->failing && now_ns - writer->complained_ns < COMPLAINT_INTERVAL_NS)
        return;
    LOG_WARNING(writer->log, "traces are lost: %s", status->message);
    writer->failing = true;
    writer->complained_ns = now_ns;
}

/* Counts how it went for `count` traces, and tells when it goes wrong and when it goes well again. */
static void account(struct trace_writer *writer, const struct status *status, size_t count) {
    bool good = status_is_ok(status);
    pthread_mutex_lock(&writer->lock);
    *(good ? &writer->counts.written : &writer->counts.failed) += count;
    uint64_t failed = writer->counts.failed;
    bool silent = writer->abandoned;
    pthread_mutex_unlock(&writer->lock);
    if (silent)
        return;
    if (!good) {
        complain(writer, status);
        return;
    }
    if (writer->failing)
        LOG_INFO(writer->log, "traces are written again; %" PRIu64 " were lost", failed - writer->failed_before);
    writer->failing = false;
    writer->failed_before = failed;
}

/* ---- triton: files ---- */

static struct status open_indexed(struct trace_writer *writer, struct trace_file *file) {
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s.%" PRIu32, writer->config.file, writer->next_index++);
    buf_append_char(&path, '\0');
    struct status status = buf_failed(&path) ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a file's name")
                                             : trace_file_open(path.data, file);
    buf_free(&path);
    return status;
}

static struct status write_trace(struct trace_writer *writer, struct trace *trace) {
    uint32_t frequency = trace->setting->values.log_frequency;
    struct trace_file *file = frequency ? &trace->setting->file : &writer->file;
    if (!file->open)
        STATUS_TRY(frequency ? open_indexed(writer, file) : trace_file_open(writer->config.file, file));
    struct buf records = BUF_EMPTY;
    trace_json_write(trace, &records);
    struct status status = buf_failed(&records)
                               ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the records of a trace")
                               : trace_file_append(file, buf_slice(&records));
    buf_free(&records);
    if (frequency && file->appends >= frequency)
        trace_file_close(file);
    return status;
}

static void write_files(struct trace_writer *writer, struct trace *list) {
    while (list) {
        struct trace *trace = list;
        list = trace->next;
        struct status status = write_trace(writer, trace);
        trace_destroy(trace);
        account(writer, &status, 1);
    }
}

/* ---- opentelemetry: a collector ---- */

static void send_spans(struct trace_writer *writer, struct trace *list) {
    struct buf body = BUF_EMPTY;
    otlp_spans_encode(list, &writer->config.otlp, writer->version, &body);
    size_t count = destroy_list(list);
    struct status status = buf_failed(&body) ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for spans")
                                             : otlp_post(&writer->config.otlp, buf_slice(&body), &writer->deadline_ns);
    buf_free(&body);
    account(writer, &status, count);
}

/* ---- the thread ---- */

/* Waits until there is something to do, or nothing more to come; takes it. NULL: the end. Under the lock. */
static struct trace *wait_for_work(struct trace_writer *writer, uint64_t *next_export_ns) {
    bool batches = writer->config.mode == TRACE_MODE_OPENTELEMETRY;
    size_t batch = SIZE_MAX;
    if (batches)
        batch = writer->config.otlp.max_export_batch_size / TRACE_SPANS;
    if (batch == 0)
        batch = 1;
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        if (writer->stopping && (!writer->first || now_ns >= writer->stop_ns))
            return NULL;
        bool due = !batches || writer->stopping || writer->queued >= batch || now_ns >= *next_export_ns;
        if (writer->first && due)
            break;
        monotonic_cond_wait(&writer->changed, &writer->lock, writer->first ? *next_export_ns : UINT64_MAX);
    }
    return take(writer, batch);
}

static void *writer_run(void *argument) {
    struct trace_writer *writer = argument;
    uint64_t delay_ns = writer->config.otlp.schedule_delay_ms * NS_PER_MS;
    uint64_t next_export_ns = clock_monotonic_ns() + delay_ns;
    pthread_mutex_lock(&writer->lock);
    for (struct trace *list; (list = wait_for_work(writer, &next_export_ns)) != NULL;) {
        uint64_t deadline_ns = clock_monotonic_ns() + EXPORT_TIMEOUT_NS;
        if (writer->stopping && writer->stop_ns < deadline_ns)
            deadline_ns = writer->stop_ns;
        atomic_store(&writer->deadline_ns, deadline_ns);
        pthread_mutex_unlock(&writer->lock);
        if (writer->config.mode == TRACE_MODE_OPENTELEMETRY)
            send_spans(writer, list);
        else
            write_files(writer, list);
        next_export_ns = clock_monotonic_ns() + delay_ns;
        pthread_mutex_lock(&writer->lock);
    }
    bool abandoned = writer->abandoned;
    writer->ended = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    if (abandoned)
        free_writer(writer);
    return NULL;
}

struct status trace_writer_start(struct trace_writer *writer) {
    pthread_mutex_lock(&writer->lock);
    struct status status = status_ok();
    if (!writer->started)
        status = worker_thread_start(&writer->thread, writer_run, writer, "tracer");
    if (status_is_ok(&status))
        writer->started = true;
    pthread_mutex_unlock(&writer->lock);
    return status;
}

/* Waits for the thread; false when it was left behind. */
static bool join(struct trace_writer *writer, uint64_t until_ns) {
    pthread_mutex_lock(&writer->lock);
    while (!writer->ended && clock_monotonic_ns() < until_ns)
        monotonic_cond_wait(&writer->changed, &writer->lock, until_ns);
    bool ended = writer->ended;
    writer->abandoned = !ended;
    pthread_mutex_unlock(&writer->lock);
    if (ended)
        pthread_join(writer->thread, NULL);
    else
        pthread_detach(writer->thread);
    return ended;
}

void trace_writer_destroy(struct trace_writer *writer, uint64_t wait_ns) {
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    writer->stop_ns = clock_monotonic_ns() + wait_ns;
    if (atomic_load(&writer->deadline_ns) > writer->stop_ns)
        atomic_store(&writer->deadline_ns, writer->stop_ns);
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    const struct log *log = writer->log;
    if (writer->started && !join(writer, writer->stop_ns + GRACE_NS)) {
        LOG_WARNING(log, "the last traces are lost: their collector's address cannot be found out");
        return;
    }
    size_t left = destroy_list(writer->first);
    if (left > 0)
        LOG_WARNING(log, "%zu traces were not written before the end", left);
    free_writer(writer);
}

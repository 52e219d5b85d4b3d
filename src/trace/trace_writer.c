#include "trace/trace_writer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "trace/otlp_exporter.h"
#include "trace/otlp_spans.h"
#include "trace/trace_json.h"
#include "trace/trace_priv.h"

/* How long sending one portion may take. */
#define EXPORT_TIMEOUT_NS (TRACE_EXPORT_TIMEOUT_S * NS_PER_S)

struct trace_writer {
    struct arena *arena; /* of the texts in config */
    struct trace_config config;
    const char *version;
    struct spool *spool;

    /* The thread's own. */
    struct trace_file file; /* of log_frequency 0 */
    uint32_t next_index;    /* of <file>.<n> */
};

static void destroy_writer(void *user) {
    struct trace_writer *writer = user;
    trace_file_close(&writer->file);
    arena_destroy(writer->arena);
    free(writer);
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

/* A list of one. */
static size_t write_file(void *user, struct spool_item *list, const atomic_uint_fast64_t *deadline_ns,
                         struct status *ret_status) {
    (void)deadline_ns;
    struct trace *trace = (struct trace *)list;
    *ret_status = write_trace(user, trace);
    trace_destroy(trace);
    return status_is_ok(ret_status) ? 1 : 0;
}

/* ---- opentelemetry: a collector ---- */

static size_t destroy_list(struct spool_item *list) {
    size_t count = 0;
    while (list) {
        struct spool_item *next = list->next;
        trace_destroy((struct trace *)list);
        list = next;
        count++;
    }
    return count;
}

static size_t send_spans(void *user, struct spool_item *list, const atomic_uint_fast64_t *deadline_ns,
                         struct status *ret_status) {
    struct trace_writer *writer = user;
    struct buf body = BUF_EMPTY;
    otlp_spans_encode((struct trace *)list, &writer->config.otlp, writer->version, &body);
    size_t count = destroy_list(list);
    *ret_status = buf_failed(&body) ? status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for spans")
                                    : otlp_post(&writer->config.otlp, buf_slice(&body), deadline_ns);
    buf_free(&body);
    return status_is_ok(ret_status) ? count : 0;
}

/* ---- the thread and its queue ---- */

static void destroy_item(struct spool_item *item) {
    trace_destroy((struct trace *)item);
}

static size_t at_least_one(size_t count) {
    return count > 0 ? count : 1;
}

static struct status create_spool(struct trace_writer *writer, const struct log *log) {
    const struct otlp_config *otlp = &writer->config.otlp;
    struct spool_options options = {.what = "traces",
                                    .thread = "tracer",
                                    .log = log,
                                    .max_items = TRACE_QUEUE_MAX,
                                    .max_bytes = TRACE_QUEUE_MAX_BYTES,
                                    .batch = 1,
                                    .write_timeout_ns = EXPORT_TIMEOUT_NS,
                                    .write = write_file,
                                    .destroy_item = destroy_item,
                                    .destroy_user = destroy_writer,
                                    .user = writer};
    if (writer->config.mode == TRACE_MODE_OPENTELEMETRY) {
        options.max_items = ((size_t)otlp->max_queue_size + TRACE_SPANS - 1) / TRACE_SPANS;
        options.batch = at_least_one(otlp->max_export_batch_size / TRACE_SPANS);
        options.delay_ns = otlp->schedule_delay_ms * NS_PER_MS;
        options.write = send_spans;
    }
    return spool_create(&options, &writer->spool);
}

struct status trace_writer_create(const struct trace_config *config, const char *version, const struct log *log,
                                  struct trace_writer **ret) {
    struct trace_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a writer of traces");
    writer->version = version;
    writer->arena = arena_create(0);
    struct status status = writer->arena ? trace_config_copy(config, writer->arena, &writer->config)
                                         : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for trace settings");
    if (status_is_ok(&status))
        status = create_spool(writer, log);
    if (status_is_ok(&status))
        *ret = writer;
    else
        destroy_writer(writer);
    return status;
}

const struct trace_config *trace_writer_config(const struct trace_writer *writer) {
    return &writer->config;
}

struct status trace_writer_start(struct trace_writer *writer) {
    return spool_start(writer->spool);
}

void trace_writer_push(struct trace_writer *writer, struct trace *trace) {
    trace->item.size = arena_used(trace->arena) + trace->stamp_capacity * sizeof *trace->stamps;
    spool_push(writer->spool, &trace->item);
}

struct spool_counts trace_writer_counts(struct trace_writer *writer) {
    return spool_counts(writer->spool);
}

void trace_writer_destroy(struct trace_writer *writer, uint64_t wait_ns) {
    if (writer)
        spool_destroy(writer->spool, wait_ns);
}

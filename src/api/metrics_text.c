#include "api/metrics_text.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/handlers.h"
#include "base/clock.h"
#include "base/file.h"

enum { PROC_FILE_MAX = 1 << 20 };

struct metrics_state {
    pthread_mutex_t lock;
    struct cpu_ticks last;
    double utilization; /* between the last two readings that were apart */
};

/* A ready model version with its counters. */
struct model_row {
    struct slice name;
    int64_t version;
    struct slice tags;
    struct model_statistics statistics;
};

static uint64_t next_number(struct slice *line) {
    struct slice word;
    *line = slice_trim(*line);
    slice_split(*line, ' ', &word, line);
    uint64_t number = 0;
    (void)slice_to_u64(word, &number);
    return number;
}

bool metrics_parse_cpu(struct slice proc_stat, struct cpu_ticks *ret) {
    struct slice line, rest;
    slice_split(proc_stat, '\n', &line, &rest);
    if (!slice_starts_with(line, SLICE_LITERAL("cpu ")))
        return false;
    line = (struct slice){line.data + 4, line.size - 4};
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7 };
    *ret = (struct cpu_ticks){0, 0};
    for (int i = 0; i <= STEAL; i++) { /* what follows is counted in user and nice already */
        uint64_t ticks = next_number(&line);
        ret->total += ticks;
        if (i != IDLE && i != IOWAIT)
            ret->busy += ticks;
    }
    return ret->total > 0;
}

static bool find_kilobytes(struct slice text, struct slice name, uint64_t *ret) {
    struct slice line;
    while (text.size > 0) {
        slice_split(text, '\n', &line, &text);
        if (!slice_starts_with(line, name))
            continue;
        struct slice rest = {line.data + name.size, line.size - name.size};
        *ret = next_number(&rest) * 1024;
        return true;
    }
    return false;
}

bool metrics_parse_memory(struct slice proc_meminfo, uint64_t *ret_total, uint64_t *ret_used) {
    uint64_t total, available;
    if (!find_kilobytes(proc_meminfo, SLICE_LITERAL("MemTotal:"), &total) ||
        !find_kilobytes(proc_meminfo, SLICE_LITERAL("MemAvailable:"), &available) || available > total)
        return false;
    *ret_total = total;
    *ret_used = total - available;
    return true;
}

static bool read_cpu(struct cpu_ticks *ret) {
    struct buf text = BUF_EMPTY;
    struct status status = file_read("/proc/stat", PROC_FILE_MAX, &text);
    bool known = status_is_ok(&status) && metrics_parse_cpu(buf_slice(&text), ret);
    buf_free(&text);
    return known;
}

struct metrics_state *metrics_state_create(void) {
    struct metrics_state *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    if (pthread_mutex_init(&state->lock, NULL) != 0) {
        free(state);
        return NULL;
    }
    (void)read_cpu(&state->last);
    return state;
}

void metrics_state_destroy(struct metrics_state *state) {
    if (!state)
        return;
    pthread_mutex_destroy(&state->lock);
    free(state);
}

static void write_head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label value: backslash, quote and line feed are escaped. */
static void write_escaped(struct buf *out, struct slice value) {
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == '\n') {
            buf_append_text(out, "\\n");
            continue;
        }
        if (c == '\\' || c == '"')
            buf_append_char(out, '\\');
        buf_append_char(out, c);
    }
}

/* "name{model="m",version="1"<more labels>" up to the closing brace. */
static void write_series(struct buf *out, const char *name, const struct model_row *row) {
    buf_printf(out, "%s{model=\"", name);
    write_escaped(out, row->name);
    buf_printf(out, "\",version=\"%" PRId64 "\"", row->version);
    buf_append_slice(out, row->tags);
}

static void write_failures(struct buf *out, const struct model_row *rows, size_t count) {
    static const char *const reasons[FAILURE_REASON_COUNT] = {
        [FAILURE_REJECTED] = "REJECTED",
        [FAILURE_CANCELED] = "CANCELED",
        [FAILURE_BACKEND] = "BACKEND",
        [FAILURE_OTHER] = "OTHER",
    };
    const char *name = "nv_inference_request_failure";
    write_head(out, name, "counter", "Number of failed inference requests, all batch sizes");
    for (size_t i = 0; i < count; i++) {
        for (int reason = 0; reason < FAILURE_REASON_COUNT; reason++) {
            write_series(out, name, &rows[i]);
            buf_printf(out, ",reason=\"%s\"} %" PRIu64 "\n", reasons[reason], rows[i].statistics.failures[reason]);
        }
    }
}

static void write_models(struct buf *out, const struct model_row *rows, size_t count) {
    /* The text format wants all series of a name together, so every metric walks over the models. */
#define MODEL_METRIC(name, type, help, value)                                                                          \
    write_head(out, name, type, help);                                                                                 \
    for (size_t i = 0; i < count; i++) {                                                                               \
        const struct model_statistics *s = &rows[i].statistics;                                                        \
        write_series(out, name, &rows[i]);                                                                             \
        buf_printf(out, "} %" PRIu64 "\n", (uint64_t)(value));                                                         \
    }
#include "api/metrics.def"
#undef MODEL_METRIC
    write_failures(out, rows, count);
}

static void write_machine(struct buf *out, struct metrics_state *state) {
    struct cpu_ticks now;
    if (read_cpu(&now)) {
        pthread_mutex_lock(&state->lock);
        if (now.total > state->last.total && now.busy >= state->last.busy) {
            state->utilization = (double)(now.busy - state->last.busy) / (double)(now.total - state->last.total);
            state->last = now;
        }
        double utilization = state->utilization;
        pthread_mutex_unlock(&state->lock);
        write_head(out, "nv_cpu_utilization", "gauge", "CPU utilization rate since the last reading [0.0 - 1.0]");
        buf_printf(out, "nv_cpu_utilization %.6f\n", utilization);
    }
    struct buf text = BUF_EMPTY;
    uint64_t total, used;
    struct status status = file_read("/proc/meminfo", PROC_FILE_MAX, &text);
    if (status_is_ok(&status) && metrics_parse_memory(buf_slice(&text), &total, &used)) {
        write_head(out, "nv_cpu_memory_total_bytes", "gauge", "CPU total memory (RAM), in bytes");
        buf_printf(out, "nv_cpu_memory_total_bytes %" PRIu64 "\n", total);
        write_head(out, "nv_cpu_memory_used_bytes", "gauge", "CPU used memory (RAM), in bytes");
        buf_printf(out, "nv_cpu_memory_used_bytes %" PRIu64 "\n", used);
    }
    buf_free(&text);
}

/* The ready versions with their counters; one that is unloaded meanwhile is left out. */
static struct status collect(struct inference_server *server, struct arena *arena, struct model_row **ret,
                             size_t *ret_count) {
    struct model_index_row *index;
    size_t index_count, count = 0;
    STATUS_TRY(inference_server_index(server, arena, &index, &index_count));
    struct model_row *rows = arena_calloc(arena, index_count, sizeof *rows);
    if (!rows)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the metrics of %zu models", index_count);
    for (size_t i = 0; i < index_count; i++) {
        struct model *model = NULL;
        if (index[i].state != MODEL_READY)
            continue;
        struct status status = inference_server_acquire_model(server, index[i].name, index[i].version, &model);
        if (!status_is_ok(&status))
            continue;
        status = model_statistics_snapshot(model, arena, &rows[count].statistics);
        model_release(model);
        if (!status_is_ok(&status))
            return status;
        rows[count].name = index[i].name;
        rows[count].version = index[i].version;
        rows[count++].tags = index[i].metric_tags;
    }
    *ret = rows;
    *ret_count = count;
    return status_ok();
}

struct status metrics_text_write(struct inference_server *server, struct metrics_state *state, struct arena *arena,
                                 struct buf *out) {
    struct model_row *rows;
    size_t count;
    STATUS_TRY(collect(server, arena, &rows, &count));
    write_models(out, rows, count);
    write_machine(out, state);
    if (buf_failed(out))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the metrics");
    return status_ok();
}

void metrics_handle(struct http_call *call) {
    struct buf body = BUF_EMPTY;
    struct status status =
        metrics_text_write(call->context->server, call->context->metrics, http_exchange_arena(call->exchange), &body);
    if (status_is_ok(&status))
        http_call_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    else
        http_call_answer_error(call, &status);
    buf_free(&body);
}

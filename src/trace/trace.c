#include "trace/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/trace_priv.h"
#include "trace/trace_writer.h"

/* ---- names ---- */

const char *trace_point_name(enum trace_point point, enum trace_protocol protocol) {
    static const char *const names[2][TRACE_POINT_COUNT] = {
#define COMMON_POINTS                                                                                                  \
    [TRACE_REQUEST_START] = "REQUEST_START", [TRACE_QUEUE_START] = "QUEUE_START",                                      \
    [TRACE_COMPUTE_START] = "COMPUTE_START", [TRACE_COMPUTE_INPUT_END] = "COMPUTE_INPUT_END",                          \
    [TRACE_COMPUTE_OUTPUT_START] = "COMPUTE_OUTPUT_START", [TRACE_COMPUTE_END] = "COMPUTE_END",                        \
    [TRACE_RESPONSE_COMPLETE] = "INFER_RESPONSE_COMPLETE", [TRACE_REQUEST_END] = "REQUEST_END"
        [TRACE_HTTP] = {COMMON_POINTS, [TRACE_RECV_START] = "HTTP_RECV_START", [TRACE_RECV_END] = "HTTP_RECV_END",
                        [TRACE_SEND_START] = "HTTP_SEND_START", [TRACE_SEND_END] = "HTTP_SEND_END"},
        [TRACE_GRPC] =
            {COMMON_POINTS, [TRACE_RECV_START] = "GRPC_WAITREAD_START", [TRACE_RECV_END] = "GRPC_WAITREAD_END",
             [TRACE_SEND_START] = "GRPC_SEND_START", [TRACE_SEND_END] = "GRPC_SEND_END"},
#undef COMMON_POINTS
    };
    return names[protocol][point];
}

const char *trace_activity_name(enum trace_activity activity) {
    return activity == TRACE_QUEUE_INPUT ? "TENSOR_QUEUE_INPUT" : "TENSOR_BACKEND_OUTPUT";
}

/* ---- life ---- */

/* A copy of at most TRACE_TEXT_MAX bytes, cut between characters. */
static struct slice copy_text(struct arena *arena, struct slice text) {
    if (text.size > TRACE_TEXT_MAX) {
        text.size = TRACE_TEXT_MAX;
        while (text.size > 0 && ((unsigned char)text.data[text.size] & 0xC0u) == 0x80u)
            text.size--;
    }
    return arena_copy(arena, text);
}

struct trace *trace_create(struct slice model) {
    struct arena *arena = arena_create(0);
    struct trace *trace = arena ? arena_calloc(arena, 1, sizeof *trace) : NULL;
    if (!trace || pthread_mutex_init(&trace->lock, NULL) != 0) {
        arena_destroy(arena);
        return NULL;
    }
    trace->arena = arena;
    trace->model = copy_text(arena, model);
    trace->version = -1;
    return trace;
}

void trace_destroy(struct trace *trace) {
    if (!trace)
        return;
    trace_setting_release(trace->setting);
    free(trace->stamps);
    pthread_mutex_destroy(&trace->lock);
    arena_destroy(trace->arena);
}

void trace_setting_release(struct trace_setting *setting) {
    if (!setting || atomic_fetch_sub(&setting->references, 1) != 1)
        return;
    trace_file_close(&setting->file);
    free(setting);
}

void trace_end(struct trace *trace) {
    if (trace)
        trace_writer_push(trace->writer, trace);
}

/* ---- recording ---- */

bool trace_wants_tensors(const struct trace *trace) {
    return trace && (trace->level & TRACE_TENSORS);
}

/* Under the lock. */
static bool make_room(struct trace *trace) {
    if (trace->stamp_count < trace->stamp_capacity)
        return true;
    size_t capacity = trace->stamp_capacity ? trace->stamp_capacity * 2 : 16;
    struct trace_stamp *grown = reallocarray(trace->stamps, capacity, sizeof *grown);
    if (!grown)
        return false;
    trace->stamps = grown;
    trace->stamp_capacity = capacity;
    return true;
}

void trace_stamp(struct trace *trace, enum trace_point point, uint64_t ns) {
    if (!trace || ns == 0)
        return;
    pthread_mutex_lock(&trace->lock);
    if (trace->stamp_count < TRACE_STAMPS_MAX && make_room(trace))
        trace->stamps[trace->stamp_count++] = (struct trace_stamp){point, ns};
    pthread_mutex_unlock(&trace->lock);
}

static void set_text(struct trace *trace, struct slice *field, struct slice text) {
    pthread_mutex_lock(&trace->lock);
    *field = copy_text(trace->arena, text);
    pthread_mutex_unlock(&trace->lock);
}

void trace_set_request_id(struct trace *trace, struct slice id) {
    if (trace)
        set_text(trace, &trace->request_id, id);
}

void trace_set_error(struct trace *trace, struct slice message) {
    if (trace)
        set_text(trace, &trace->error, message);
}

void trace_set_version(struct trace *trace, int64_t version) {
    if (!trace)
        return;
    pthread_mutex_lock(&trace->lock);
    trace->version = version;
    pthread_mutex_unlock(&trace->lock);
}

/* "1,16" */
static struct slice shape_text(struct arena *arena, const int64_t *shape, int rank) {
    char text[400];
    size_t used = 0;
    for (int i = 0; i < rank && used + 24 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? "," : "", shape[i]);
    return arena_copy(arena, (struct slice){text, used});
}

void trace_add_tensor(struct trace *trace, enum trace_activity activity, const struct trace_tensor *tensor) {
    if (!trace)
        return;
    pthread_mutex_lock(&trace->lock);
    if (!trace->tensors)
        trace->tensors = arena_calloc(trace->arena, TRACE_TENSORS_MAX, sizeof *trace->tensors);
    if (trace->tensors && trace->tensor_count < TRACE_TENSORS_MAX)
        trace->tensors[trace->tensor_count++] = (struct recorded_tensor){
            .activity = activity,
            .name = copy_text(trace->arena, tensor->name),
            .data = arena_copy(trace->arena, tensor->data),
            .shape = shape_text(trace->arena, tensor->shape, tensor->rank),
            .datatype = tensor->datatype,
            .cut = tensor->cut,
        };
    pthread_mutex_unlock(&trace->lock);
}

/* ---- for those who write ---- */

/* Insertion: they are nearly in order. */
void trace_sort(struct trace *trace) {
    for (size_t i = 1; i < trace->stamp_count; i++) {
        struct trace_stamp stamp = trace->stamps[i];
        size_t to = i;
        for (; to > 0 && trace->stamps[to - 1].ns > stamp.ns; to--)
            trace->stamps[to] = trace->stamps[to - 1];
        trace->stamps[to] = stamp;
    }
}

uint64_t trace_time_of(const struct trace *trace, enum trace_point point) {
    for (size_t i = 0; i < trace->stamp_count; i++)
        if (trace->stamps[i].point == point)
            return trace->stamps[i].ns;
    return 0;
}

#include "tools/export/graph.h"

#include <inttypes.h>

struct status graph_init(struct graph *ret, const struct graph_format *format, const struct bert_config *config) {
    *ret = (struct graph){format, config, arena_create(0), WEIGHT_STREAM_EMPTY, false};
    return ret->arena ? status_ok() : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the model's graph");
}

void graph_free(struct graph *graph) {
    weight_stream_free(&graph->stream);
    arena_destroy(graph->arena);
    graph->arena = NULL;
}

graph_value graph_name(struct graph *graph, const char *prefix, const char *suffix) {
    const char *name = arena_printf(graph->arena, "%s%s", prefix, suffix);
    graph->failed = graph->failed || !name;
    return name ? name : "";
}

struct status graph_write(const struct graph *graph, const struct buf *head, const struct buf *tail, const char *path) {
    if (graph->failed || buf_failed(head) || buf_failed(tail))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the graph of %s", path);
    uint64_t size = head->size + weight_stream_size(&graph->stream) + tail->size;
    if (size > INT32_MAX)
        return status_error(STATUS_TOO_LARGE,
                            "the model takes %" PRIu64
                            " bytes as 32 bit floats; a file of this format holds at most %d",
                            size, INT32_MAX);
    return weight_stream_write(&graph->stream, buf_slice(head), buf_slice(tail), path);
}

#include "backends/openvino/graph_size.h"

#include <string.h>

#include "base/file.h"
#include "codec/pb_wire.h"

/* Where nodes stand in the two protobuf forms: field numbers from the outside in, ended by 0.
 * Source: onnx.proto (ModelProto.graph, GraphProto.node), saved_model.proto (meta_graphs), meta_graph.proto
 * (graph_def), graph.proto (node, library), function.proto (function, node_def). */
enum { PATH_MAX_FIELDS = 6 };
static const uint32_t paths[][2][PATH_MAX_FIELDS] = {
    [GRAPH_ONNX] = {{7, 1}},
    [GRAPH_SAVED_MODEL] = {{2, 2, 1}, {2, 2, 2, 1, 3}},
};

static size_t count_fields(struct slice message, const uint32_t *path) {
    size_t count = 0;
    struct pb_reader reader = pb_reader_on(message);
    while (!pb_reader_done(&reader)) {
        uint32_t number;
        enum pb_wire_type wire;
        struct slice inner;
        if (!pb_read_tag(&reader, &number, &wire))
            return count;
        if (number == path[0] && wire == PB_WIRE_BYTES) {
            if (!pb_read_bytes(&reader, &inner))
                return count;
            count += path[1] ? count_fields(inner, path + 1) : 1;
        } else if (!pb_skip(&reader, number, wire, 1)) {
            return count;
        }
    }
    return count;
}

static size_t count_text(struct slice text, const char *word) {
    size_t count = 0, size = strlen(word);
    const char *at = text.data, *end = text.data + text.size;
    while (text.size > 0 && (at = memmem(at, (size_t)(end - at), word, size)) != NULL) {
        count++;
        at += size;
    }
    return count;
}

size_t graph_size_count(enum graph_form form, struct slice file) {
    if (form == GRAPH_IR)
        return count_text(file, "<layer ");
    size_t count = count_fields(file, paths[form][0]);
    return paths[form][1][0] ? count + count_fields(file, paths[form][1]) : count;
}

struct status graph_size_check(enum graph_form form, const char *path) {
    struct file_map map;
    STATUS_TRY(file_map_open(path, &map));
    size_t count = graph_size_count(form, map.bytes);
    bool lost = file_map_is_lost(&map);
    file_unmap(&map);
    if (lost)
        return status_error(STATUS_DATA_LOSS, "%s was cut while it was read", path);
    if (count > GRAPH_NODES_MAX)
        return status_error(STATUS_UNSUPPORTED, "%s has a graph of %zu nodes; the engine takes at most %d", path, count,
                            GRAPH_NODES_MAX);
    return status_ok();
}

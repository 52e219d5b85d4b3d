#include "tools/export/onnx_writer.h"

#include "codec/pb_wire.h"
#include "tools/export/bert_graph.h"
#include "tools/export/onnx_graph.h"
#include "tools/export/onnx_node.h"

/* Field numbers of onnx.proto. */
enum model_field { MODEL_IR_VERSION = 1, MODEL_PRODUCER_NAME = 2, MODEL_GRAPH = 7, MODEL_OPSET_IMPORT = 8 };
enum opset_field { OPSET_VERSION = 2 };
enum graph_field { GRAPH_NAME = 2 };

static void declare(struct graph *graph) {
    pb_write_text(&graph->stream.bytes, GRAPH_NAME, "bert");
    onnx_put_input(graph, GRAPH_INPUT_IDS, ONNX_INT32);
    onnx_put_input(graph, GRAPH_SEGMENT_IDS, ONNX_INT32);
    onnx_put_input(graph, GRAPH_INPUT_MASK, ONNX_INT32);
    onnx_put_output(graph, GRAPH_START_LOGITS, ONNX_FLOAT);
    onnx_put_output(graph, GRAPH_END_LOGITS, ONNX_FLOAT);
}

/* The ModelProto up to the content of its graph, which ends the file. */
static void put_model_head(struct buf *out, uint64_t graph_size) {
    pb_write_uint64(out, MODEL_IR_VERSION, ONNX_IR_VERSION);
    pb_write_text(out, MODEL_PRODUCER_NAME, "inferd");
    size_t opset = pb_write_begin(out, MODEL_OPSET_IMPORT);
    pb_write_uint64(out, OPSET_VERSION, ONNX_OPSET);
    pb_write_end(out, opset);
    pb_write_bytes_head(out, MODEL_GRAPH, (size_t)graph_size);
}

struct status onnx_write(const struct bert_checkpoint *checkpoint, const char *path) {
    struct graph graph;
    STATUS_TRY(bert_checkpoint_require(checkpoint, BERT_HEAD_SPAN));
    STATUS_TRY(graph_init(&graph, &onnx_graph_format, bert_checkpoint_config(checkpoint)));
    declare(&graph);
    bert_graph_build(&graph, checkpoint);
    struct buf head = BUF_EMPTY;
    put_model_head(&head, weight_stream_size(&graph.stream));
    struct status status = graph_write(&graph, &head, &BUF_EMPTY, path);
    buf_free(&head);
    graph_free(&graph);
    return status;
}

#include "tools/export/savedmodel_writer.h"

#include <stdio.h>

#include "codec/pb_wire.h"
#include "tools/export/bert_graph.h"
#include "tools/export/tf_graph.h"
#include "tools/export/tf_node.h"

/* Field numbers of saved_model.proto, meta_graph.proto, graph.proto and versions.proto of TensorFlow. */
enum saved_model_field { SCHEMA_VERSION = 1, META_GRAPHS = 2 };
enum meta_graph_field { META_INFO_DEF = 1, GRAPH_DEF = 2, SIGNATURE_DEF = 5 };
enum meta_info_field { INFO_TAGS = 4 };
enum map_field { MAP_KEY = 1, MAP_VALUE = 2 };
enum signature_field { SIGNATURE_INPUTS = 1, SIGNATURE_OUTPUTS = 2, SIGNATURE_METHOD = 3 };
enum tensor_info_field { INFO_NAME = 1, INFO_DTYPE = 2, INFO_SHAPE = 3 };
enum graph_field { GRAPH_VERSIONS = 4 };
enum versions_field { VERSIONS_PRODUCER = 1 };

/* What TensorFlow 2.0 wrote: every operation used here has its present form in it. */
enum { GRAPH_PRODUCER = 119 };

static void put_tensor_info(struct buf *out, uint32_t field, const char *name, enum tf_type type) {
    static const int64_t unknown[] = {-1, -1};
    char tensor[64];
    snprintf(tensor, sizeof tensor, "%s:0", name);
    size_t entry = pb_write_begin(out, field);
    pb_write_text(out, MAP_KEY, name);
    size_t info = pb_write_begin(out, MAP_VALUE);
    pb_write_text(out, INFO_NAME, tensor);
    pb_write_uint64(out, INFO_DTYPE, type);
    tf_put_shape(out, INFO_SHAPE, unknown, 2);
    pb_write_end(out, info);
    pb_write_end(out, entry);
}

static void put_signature(struct buf *out) {
    size_t entry = pb_write_begin(out, SIGNATURE_DEF);
    pb_write_text(out, MAP_KEY, "serving_default");
    size_t signature = pb_write_begin(out, MAP_VALUE);
    put_tensor_info(out, SIGNATURE_INPUTS, GRAPH_INPUT_IDS, TF_INT32);
    put_tensor_info(out, SIGNATURE_INPUTS, GRAPH_SEGMENT_IDS, TF_INT32);
    put_tensor_info(out, SIGNATURE_INPUTS, GRAPH_INPUT_MASK, TF_INT32);
    put_tensor_info(out, SIGNATURE_OUTPUTS, GRAPH_START_LOGITS, TF_FLOAT);
    put_tensor_info(out, SIGNATURE_OUTPUTS, GRAPH_END_LOGITS, TF_FLOAT);
    pb_write_text(out, SIGNATURE_METHOD, "tensorflow/serving/predict");
    pb_write_end(out, signature);
    pb_write_end(out, entry);
}

static void put_meta_info(struct buf *out) {
    size_t info = pb_write_begin(out, META_INFO_DEF);
    pb_write_text(out, INFO_TAGS, "serve");
    pb_write_end(out, info);
}

static void put_versions(struct buf *out) {
    size_t versions = pb_write_begin(out, GRAPH_VERSIONS);
    pb_write_uint64(out, VERSIONS_PRODUCER, GRAPH_PRODUCER);
    pb_write_end(out, versions);
}

/* What stands before the GraphDef's content; `tail_size` bytes of its MetaGraphDef come behind it. */
static void put_head(struct buf *out, uint64_t graph_size, size_t tail_size) {
    struct buf inside = BUF_EMPTY;
    put_meta_info(&inside);
    pb_write_bytes_head(&inside, GRAPH_DEF, (size_t)graph_size);
    pb_write_uint64(out, SCHEMA_VERSION, 1);
    pb_write_bytes_head(out, META_GRAPHS, inside.size + (size_t)graph_size + tail_size);
    buf_append_slice(out, buf_slice(&inside));
    out->failed = out->failed || buf_failed(&inside);
    buf_free(&inside);
}

struct status savedmodel_write(const struct bert_checkpoint *checkpoint, const char *path) {
    struct graph graph;
    STATUS_TRY(bert_checkpoint_require(checkpoint, BERT_HEAD_SPAN));
    STATUS_TRY(graph_init(&graph, &tf_graph_format, bert_checkpoint_config(checkpoint)));
    struct buf head = BUF_EMPTY, tail = BUF_EMPTY;
    put_versions(&graph.stream.bytes);
    tf_graph_declare(&graph);
    bert_graph_build(&graph, checkpoint);
    put_signature(&tail);
    put_head(&head, weight_stream_size(&graph.stream), tail.size);
    struct status status = graph_write(&graph, &head, &tail, path);
    buf_free(&head);
    buf_free(&tail);
    graph_free(&graph);
    return status;
}

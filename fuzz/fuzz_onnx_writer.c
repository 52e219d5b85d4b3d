/* The writers of model files. Input: the numbers of a small BERT and a seed. Its ONNX and its SavedModel are written
 * and read back with the wire reader. Holds: an ONNX graph is whole: every tensor is defined once and before it is
 * used, data fits type and shape, and all numbers of the checkpoint are there; a SavedModel is well-formed. */
#include "tools/export/onnx_writer.h"

#include "base/file.h"
#include "codec/pb_wire.h"
#include "fuzz_file.h"
#include "tools/export/savedmodel_writer.h"

/* Numbers of onnx.proto. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSETS = 8 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { TYPE_FLOAT = 1, TYPE_INT64 = 7, NAMES_MAX = 4096, FILE_MAX = 1 << 26, TREE_DEPTH = 16 };

struct field {
    uint32_t number;
    enum pb_wire_type wire;
    uint64_t value;
    struct slice bytes;
};

/* The next field; the bytes were written by us, so they are well-formed. */
static bool next_field(struct pb_reader *reader, struct field *ret) {
    uint32_t fixed;
    if (pb_reader_done(reader))
        return false;
    FUZZ_CHECK(pb_read_tag(reader, &ret->number, &ret->wire));
    ret->bytes = (struct slice){NULL, 0};
    ret->value = 0;
    switch (ret->wire) {
    case PB_WIRE_BYTES:
        FUZZ_CHECK(pb_read_bytes(reader, &ret->bytes));
        break;
    case PB_WIRE_VARINT:
        FUZZ_CHECK(pb_read_varint(reader, &ret->value));
        break;
    case PB_WIRE_FIXED32:
        FUZZ_CHECK(pb_read_fixed32(reader, &fixed));
        ret->value = fixed;
        break;
    case PB_WIRE_FIXED64:
    case PB_WIRE_GROUP:
    case PB_WIRE_GROUP_END:
        FUZZ_CHECK(ret->wire == PB_WIRE_BYTES); /* nothing else is written */
    }
    return true;
}

struct names {
    struct slice items[NAMES_MAX];
    size_t count;
};

static bool names_has(const struct names *names, struct slice name) {
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(names->items[i], name))
            return true;
    return false;
}

static void names_add(struct names *names, struct slice name) {
    FUZZ_CHECK(name.size > 0 && !names_has(names, name) && names->count < NAMES_MAX);
    names->items[names->count++] = name;
}

static struct slice name_of(struct slice message) {
    struct pb_reader reader = pb_reader_on(message);
    struct field field;
    while (next_field(&reader, &field))
        if (field.number == 1)
            return field.bytes;
    return (struct slice){NULL, 0};
}

/* Elements of a float tensor of rank 1 or more, which is a weight; 0 for the small constants. */
static uint64_t check_initializer(struct slice message, struct names *defined) {
    struct pb_reader reader = pb_reader_on(message);
    struct field field;
    uint64_t elements = 1, type = 0, rank = 0;
    struct slice name = {NULL, 0}, raw = {NULL, 0};
    while (next_field(&reader, &field)) {
        if (field.number == TENSOR_DIMS && field.wire == PB_WIRE_BYTES) {
            struct pb_reader packed = pb_reader_on(field.bytes);
            for (uint64_t dim; !pb_reader_done(&packed); rank++, elements *= dim)
                FUZZ_CHECK(pb_read_varint(&packed, &dim));
        } else if (field.number == TENSOR_DIMS) {
            rank++;
            elements *= field.value;
        } else if (field.number == TENSOR_TYPE) {
            type = field.value;
        } else if (field.number == TENSOR_NAME) {
            name = field.bytes;
        } else if (field.number == TENSOR_RAW) {
            raw = field.bytes;
        }
    }
    FUZZ_CHECK(type == TYPE_FLOAT || type == TYPE_INT64);
    FUZZ_CHECK(raw.size == elements * (type == TYPE_FLOAT ? 4 : 8));
    names_add(defined, name);
    return type == TYPE_FLOAT && rank > 0 ? elements : 0;
}

static void check_node(struct slice message, struct names *defined) {
    struct pb_reader reader = pb_reader_on(message);
    struct field field;
    struct slice op = {NULL, 0};
    while (next_field(&reader, &field)) {
        if (field.number == NODE_INPUT)
            FUZZ_CHECK(names_has(defined, field.bytes));
        else if (field.number == NODE_OUTPUT)
            names_add(defined, field.bytes);
        else if (field.number == NODE_OP)
            op = field.bytes;
    }
    FUZZ_CHECK(op.size > 0);
}

static void check_graph(struct slice graph, int64_t parameters) {
    static struct names defined;
    uint64_t numbers = 0;
    struct field field;
    defined.count = 0;
    for (struct pb_reader reader = pb_reader_on(graph); next_field(&reader, &field);)
        if (field.number == GRAPH_INPUT)
            names_add(&defined, name_of(field.bytes));
    for (struct pb_reader reader = pb_reader_on(graph); next_field(&reader, &field);)
        if (field.number == GRAPH_INITIALIZER)
            numbers += check_initializer(field.bytes, &defined);
    for (struct pb_reader reader = pb_reader_on(graph); next_field(&reader, &field);)
        if (field.number == GRAPH_NODE)
            check_node(field.bytes, &defined);
    for (struct pb_reader reader = pb_reader_on(graph); next_field(&reader, &field);)
        if (field.number == GRAPH_OUTPUT)
            FUZZ_CHECK(names_has(&defined, name_of(field.bytes)));
    FUZZ_CHECK(numbers == (uint64_t)parameters);
}

static struct buf read_written(struct status written, const char *path) {
    FUZZ_CHECK(status_is_ok(&written));
    struct buf file = BUF_EMPTY;
    struct status status = file_read(path, FILE_MAX, &file);
    FUZZ_CHECK(status_is_ok(&status));
    FUZZ_CHECK(unlink(path) == 0);
    return file;
}

static void check_onnx(const struct bert_checkpoint *checkpoint, const char *path) {
    struct buf file = read_written(onnx_write(checkpoint, path), path);
    struct pb_reader reader = pb_reader_on(buf_slice(&file));
    struct field field;
    size_t graphs = 0;
    while (next_field(&reader, &field)) {
        if (field.number == MODEL_GRAPH) {
            check_graph(field.bytes, bert_checkpoint_parameter_count(checkpoint));
            graphs++;
        }
    }
    FUZZ_CHECK(graphs == 1);
    buf_free(&file);
}

static void check_savedmodel(const struct bert_checkpoint *checkpoint, const char *path) {
    struct buf file = read_written(savedmodel_write(checkpoint, path), path);
    struct pb_reader reader = pb_reader_on(buf_slice(&file));
    struct field field;
    while (next_field(&reader, &field))
        FUZZ_CHECK(field.number == 1 || field.number == 2); /* saved_model_schema_version, meta_graphs */
    FUZZ_CHECK(file.size > (size_t)bert_checkpoint_parameter_count(checkpoint) * sizeof(float));
    buf_free(&file);
}

/* A configuration with the input's numbers, small ones. */
static void write_config(struct fuzz_input *input, const struct fuzz_file *file) {
    static const char *const activations[] = {"gelu", "gelu_new"};
    unsigned heads = 1 + fuzz_byte(input) % 4, head_size = 1 + fuzz_byte(input) % 8;
    unsigned layers = 1 + fuzz_byte(input) % 3, intermediate = 1 + fuzz_u16(input) % 300;
    unsigned words = 1 + fuzz_u16(input) % 700, positions = 1 + fuzz_u16(input) % 700, types = 1 + fuzz_byte(input) % 3;
    struct buf json = BUF_EMPTY;
    buf_printf(&json,
               "{\"vocab_size\":%u,\"hidden_size\":%u,\"num_hidden_layers\":%u,\"num_attention_heads\":%u,"
               "\"intermediate_size\":%u,\"max_position_embeddings\":%u,\"type_vocab_size\":%u,\"hidden_act\":\"%s\","
               "\"layer_norm_eps\":%g}",
               words, heads * head_size, layers, heads, intermediate, positions, types,
               activations[fuzz_byte(input) % 2], 1.0 / (1 + fuzz_byte(input)));
    fuzz_file_fill(file, buf_slice(&json));
    buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzz_file config;
    static char path[64];
    if (!path[0]) {
        config = fuzz_file_create();
        snprintf(path, sizeof path, "%s/inferd-fuzz-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
                 (int)getpid());
    }
    struct fuzz_input input = fuzz_input_on(data, size);
    char seed[32];
    snprintf(seed, sizeof seed, "random:%u", (unsigned)fuzz_u16(&input));
    write_config(&input, &config);
    struct bert_checkpoint *checkpoint;
    struct status status = bert_checkpoint_open(seed, config.path, &checkpoint);
    if (!status_is_ok(&status))
        fprintf(stderr, "%s\n", status.message);
    FUZZ_CHECK(status_is_ok(&status));
    check_onnx(checkpoint, path);
    check_savedmodel(checkpoint, path);
    bert_checkpoint_close(checkpoint);
    return 0;
}
